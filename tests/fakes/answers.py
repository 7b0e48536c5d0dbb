"""What the fake platform says, in the platform's own words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DOCS = "https://devcenter.heroku.com/articles"


@dataclass
class Answer:
    """A status, a JSON body, and headers beside the usual ones."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


def error(status: int, id_: str, message: str, **more: Any) -> Answer:
    """Return an error as the Platform API tells it."""
    return Answer(status, {"id": id_, "message": message, **more})


UNAUTHORIZED = error(401, "unauthorized", "Invalid credentials provided.")
FORBIDDEN = error(403, "forbidden", "You do not have access to the app.")
NO_APP = error(404, "not_found", "Couldn't find that app.", resource="app")
NO_DYNO = error(404, "not_found", "Couldn't find that dyno.", resource="dyno")
NO_ENDPOINT = error(404, "not_found", "The requested API endpoint was not found.")
NOT_JSON = error(400, "bad_request", "The request body is not JSON.")
BAD_RANGE = error(
    400,
    "bad_request",
    "Invalid `Range` header. Please use format like `id ..; max=10, order=desc`.",
)
#: Right after an app's first release.
NO_RELEASE = error(409, "conflict", "The app has no release yet.")
RATE_LIMITED = error(
    429,
    "rate_limit",
    "Your account reached the API rate limit\n"
    "Please wait a few minutes before making new requests",
    url=f"{DOCS}/platform-api-reference#rate-limits",
)

_BY_STATUS = {
    answer.status: answer.body
    for answer in (UNAUTHORIZED, FORBIDDEN, NO_APP, NO_RELEASE, RATE_LIMITED)
}


def error_body(status: int) -> Any:
    """Return the body of an error for which a fault names the status alone."""
    fallback = {"id": "fault", "message": f"fault {status}"}
    return _BY_STATUS.get(status, fallback)


def above_limit(limit: int, size: str) -> Answer:
    """Return the refusal of one dyno too many."""
    return error(
        422,
        "cannot_run_above_limit",
        f"Cannot run more than {limit} {size} size dynos.",
        limit=limit,
        url=f"{DOCS}/dyno-size#default-scaling-limits",
    )
