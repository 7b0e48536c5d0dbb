"""What the answers of Heroku's Platform API mean.

Pure. An answer becomes a dyno or one of the runner's errors here, and whatever of it
gets into a message is freed of secrets first.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from clockd.errors import LaunchRejected, LaunchUnknown, RunnerUnavailable
from clockd.redaction import MASK, redact
from clockd.runner import Dyno, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clockd.errors import RunnerError
    from clockd.runner import LaunchRequest

#: The token pool is full again after an hour: waiting longer makes no sense.
_LONGEST_WAIT_S = 3600.0
_LONGEST_MESSAGE = 300
_SHORTEST_SECRET = 6
_NEVER = datetime.fromtimestamp(0, UTC)

_KINDS = {
    401: Unavailable.UNAUTHORIZED,
    403: Unavailable.FORBIDDEN,
    429: Unavailable.RATE_LIMITED,
}
_HINTS = {
    401: "check that HEROKU_API_KEY is valid; "
    "`heroku authorizations:create` makes a new one",
    403: "the API key is valid, but its account or scope may not do this with the app: "
    "see `heroku access --app APP`",
    404: "check `app` in triggers.yaml, and that the API key's account may see the app",
    402: "the account has a billing matter to settle on dashboard.heroku.com",
    409: "the app may have no release yet, or one is just being made",
    429: "all uses of the account share one limit; clockd waits and tries again",
}
_STATUS_HINT = "see https://status.heroku.com; clockd tries again by itself"
_LOOK_HINT = "clockd looks for the dyno and adopts it, or puts the run back in line"

_ERROR_ID = re.compile(r"[a-z_]{1,60}")
#: The ids of size errors are not published; their texts are (see the tests).
_ABOUT_SIZE = re.compile(
    r"\bsizes?\b|\bdyno types?\b|\brequested type\b|\bonly supports? [\w ]*dynos\b",
    re.IGNORECASE,
)
_ABOVE_LIMIT = re.compile(r"cannot run more than\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer. `body` is None where it could not be read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def ok(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the body's JSON, None where there is none."""
        if self.body is None:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def error_id(self) -> str:
        """The platform's id of an error, empty where it gives none."""
        found = str(self._error().get("id") or "")
        return found if _ERROR_ID.fullmatch(found) else ""

    @property
    def date(self) -> datetime | None:
        """The platform's clock, to the second."""
        return _http_date(self.headers.get("Date"))

    @property
    def retry_after_s(self) -> float | None:
        """Seconds the platform asks to wait, at most an hour; None if it does not."""
        text = (self.headers.get("Retry-After") or "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text[:9]), _LONGEST_WAIT_S)
        until, now = _http_date(text), self.date
        if until is None or now is None:
            return None
        return min(max((until - now).total_seconds(), 0.0), _LONGEST_WAIT_S)

    @property
    def requests_left(self) -> int | None:
        """What is left of the account's rate limit; None if the answer does not say."""
        if self.status == 429:
            return 0
        text = (self.headers.get("RateLimit-Remaining") or "").strip()
        is_number = text.isascii() and text.isdigit() and len(text) < 10
        return int(text) if is_number else None

    def explain(self, secrets: Iterable[str] = ()) -> str:
        """Return what the platform said, on one line and without `secrets`."""
        text = " ".join(str(self._error().get("message") or "").split())
        for secret in secrets:
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, MASK)
        text = redact(text)
        if len(text) > _LONGEST_MESSAGE:
            text = text[:_LONGEST_MESSAGE] + "…"
        about = f"{self.status} {self.error_id}".rstrip()
        return f"{text} ({about})" if text else f"HTTP status {about}"

    def _error(self) -> dict[str, Any]:
        body = self.json()
        return body if isinstance(body, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No answer came. `sent` tells whether a byte of the request went out."""

    sent: bool
    reason: str


Reply = Answer | Silence


def is_over_limit(reply: Reply) -> bool:
    """Return whether the app has as many one-off dynos as it may have."""
    if not isinstance(reply, Answer) or reply.status != 422:
        return False
    return reply.error_id == "cannot_run_above_limit" or bool(
        _ABOVE_LIMIT.search(reply.explain())
    )


def is_size_refused(reply: Reply) -> bool:
    """Return whether a request that named a size may succeed without it."""
    if not isinstance(reply, Answer) or reply.status != 422 or is_over_limit(reply):
        return False
    return reply.error_id == "invalid_params" or bool(
        _ABOUT_SIZE.search(reply.explain())
    )


def launch_failure(reply: Reply, request: LaunchRequest) -> RunnerError:
    """Return what a reply without a usable dyno means for a launch.

    Without a byte sent, or with any 4xx, no dyno was created; everything else leaves
    it open.
    """
    if isinstance(reply, Answer) and 400 <= reply.status < 500:
        return _refusal(reply, request)
    if isinstance(reply, Silence):
        if not reply.sent:
            return unavailable(reply, f"no dyno of {request.app} was started")
        said = reply.reason
    elif reply.ok:
        said = f"its answer (HTTP status {reply.status}) names no dyno"
    else:
        said = reply.explain(_secrets(request))
    return LaunchUnknown(
        f"it is not known whether a dyno of {request.app} was started: {said}",
        hint=_LOOK_HINT,
    )


def _refusal(answer: Answer, request: LaunchRequest) -> RunnerError:
    what = f"no dyno of {request.app} was started"
    if is_over_limit(answer):
        return RunnerUnavailable(
            f"{what}: {answer.explain(_secrets(request))}",
            kind=Unavailable.OVER_LIMIT,
            hint="the run waits in line until another one-off dyno has ended",
        )
    if answer.status in (401, 403, 409, 429):
        return unavailable(answer, what, _secrets(request))
    if answer.body is None:
        # Why is not known, so it may not be for good.
        return unavailable(answer, what)
    return LaunchRejected(
        f"Heroku refused to start a dyno of {request.app}: "
        f"{answer.explain(_secrets(request))}",
        hint=_HINTS.get(answer.status),
        id=answer.error_id,
        status=answer.status,
    )


def unavailable(
    reply: Reply, what: str, secrets: Iterable[str] = ()
) -> RunnerUnavailable:
    """Return the error for a request that was not carried out.

    An app that is not found is a `conflict`, which is about that app alone. It is not
    an app without dynos: a key that lost its access gets the same answer.

    Args:
        reply: What came back.
        what: What did not happen, as the beginning of a sentence.
        secrets: What the platform may quote and the error must not.
    """
    if isinstance(reply, Silence):
        return RunnerUnavailable(
            f"{what}: {reply.reason}",
            kind=Unavailable.CONNECTION,
            hint=f"check the network and HEROKU_API_URL; {_STATUS_HINT}",
        )
    if reply.ok:
        said = f"the answer (HTTP status {reply.status}) cannot be read"
    else:
        said = reply.explain(secrets)
    refused = 400 <= reply.status < 500
    other = Unavailable.CONFLICT if refused else Unavailable.CONNECTION
    return RunnerUnavailable(
        f"{what}: {said}",
        kind=_KINDS.get(reply.status, other),
        retry_after_s=reply.retry_after_s,
        hint=_HINTS.get(reply.status, None if refused else _STATUS_HINT),
    )


def _secrets(request: LaunchRequest) -> list[str]:
    """Return what an error about `request` may quote and must not."""
    return [v for name, v in request.env.items() if not name.startswith("CLOCKD_")]


def to_dyno(item: object, *, app: str, created_at: datetime = _NEVER) -> Dyno | None:
    """Return the dyno that an item of an answer describes.

    Args:
        item: A JSON value.
        app: The app it belongs to.
        created_at: Taken where the item has no readable time of creation.

    Returns:
        None where the item has no id or no name.
    """
    if not isinstance(item, dict):
        return None
    name, dyno_id = item.get("name"), item.get("id")
    if not (isinstance(name, str) and isinstance(dyno_id, str) and name and dyno_id):
        return None
    return Dyno(
        app=app,
        name=name,
        id=dyno_id,
        command=str(item.get("command") or ""),
        process_type=str(item.get("type") or name.rpartition(".")[0]),
        state=str(item.get("state") or "unknown"),
        size=str(item["size"]) if item.get("size") else None,
        created_at=to_instant(item.get("created_at")) or created_at,
    )


def to_dynos(reply: Reply, *, app: str) -> list[Dyno]:
    """Return the dynos that an answer lists.

    Raises:
        RunnerUnavailable: It is no whole list; half of one would be taken for proof
            that a dyno is gone.
    """
    items = reply.json() if isinstance(reply, Answer) and reply.ok else None
    found = [to_dyno(x, app=app) for x in items] if isinstance(items, list) else [None]
    dynos = [dyno for dyno in found if dyno is not None]
    if len(dynos) < len(found):
        raise unavailable(reply, f"the dynos of {app} could not be listed")
    return dynos


def next_range(reply: Reply) -> str | None:
    """Return the range of a list's next page, None after the last one."""
    if isinstance(reply, Answer) and reply.status == 206:
        return reply.headers.get("Next-Range")
    return None


def to_instant(text: object) -> datetime | None:
    """Return the instant, in UTC, that an ISO 8601 text means; None if it is none."""
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _http_date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text or "").replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
