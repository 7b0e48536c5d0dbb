"""What the fake platform answers to each request of the Platform API."""

from __future__ import annotations

import re
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.fakes.answers import (
    BAD_RANGE,
    FORBIDDEN,
    NO_APP,
    NO_DYNO,
    NO_ENDPOINT,
    Answer,
    above_limit,
    error,
)
from tests.fakes.dynos import ALL_SIZES, FakeApp
from tests.fakes.logs import KEPT, Session

if TYPE_CHECKING:
    from tests.fakes.heroku import FakeHeroku

_LONGEST_TTL_S = 86_400
_MOST_ON_A_PAGE = 1000
_USUAL_PAGE = 200
#: `id ]after..; max=10, order=desc`, and heroku3's `id ..; ;`.
_RANGE = re.compile(
    r"\s*\w+\s+(?:\](?P<after>\S+?))?\s*\.\.\s*"
    r"(?:;\s*(?:max=(?P<max>\d+))?[\s,;]*(?:order=(?:asc|desc))?[\s;]*)?"
)


def answer(fake: FakeHeroku, method: str, path: str, body: Any, range_: str) -> Answer:
    """Do what a request asks for."""
    if path == "/account":
        return Answer(200, {"id": str(uuid.uuid4()), "email": "me@example.com"})
    if path == "/account/rate-limits":
        return Answer(200, {"remaining": fake.remaining})
    match = re.fullmatch(r"/apps/([^/]+)(/.*)?", path)
    if not match:
        return NO_ENDPOINT
    if match[1] in fake.forbidden:
        return FORBIDDEN
    app = next((a for a in fake.apps.values() if match[1] in (a.name, a.id)), None)
    if app is None:
        return NO_APP
    return _answer_app(fake, app, method, match[2] or "", body, range_)


def _answer_app(
    fake: FakeHeroku, app: FakeApp, method: str, rest: str, body: Any, range_: str
) -> Answer:
    if (method, rest) == ("POST", "/dynos"):
        return _create(app, body)
    if (method, rest) == ("GET", "/dynos"):
        return _list(app, range_, fake.page_size)
    if (method, rest) == ("POST", "/log-sessions"):
        return _open_session(fake, app, body)
    match = re.fullmatch(r"/dynos/([^/]+)(/actions/stop)?", rest)
    if match:
        return _one_dyno(app, method, match[1], stop=bool(match[2]))
    return _describe(app, rest) if method == "GET" else NO_ENDPOINT


# -- dynos ---------------------------------------------------------------------


def _create(app: FakeApp, body: Any) -> Answer:
    problem = _check_create(body)
    if problem:
        return error(422, "invalid_params", problem)
    size = app.size_named(body.get("size"))
    if size is None:
        return error(422, "invalid_params", _refuse_size(app, body["size"]))
    limit = app.limit_for(size)
    if limit is not None:
        return above_limit(limit, size)
    dyno = app.start(
        body["command"],
        type_=body.get("type") or "run",
        size=body.get("size"),
        env=body.get("env") or {},
        time_to_live=body.get("time_to_live"),
    )
    return Answer(201, dyno.to_json(app))


def _check_create(body: Any) -> str | None:
    if not isinstance(body, dict) or not isinstance(body.get("command"), str):
        return "Missing parameter: command"
    for name in ("size", "type"):
        if not isinstance(body.get(name), str | None):
            return f"Invalid {name}"
    env = body.get("env") or {}
    if not isinstance(env, dict) or not all(
        re.fullmatch(r"\w+", k) and isinstance(v, str) for k, v in env.items()
    ):
        return "Invalid env"
    ttl = body.get("time_to_live")
    if ttl is not None and (not isinstance(ttl, int) or not 0 < ttl <= _LONGEST_TTL_S):
        return "Invalid time_to_live"
    return None


def _refuse_size(app: FakeApp, size: str) -> str:
    if size.lower() in {known.lower() for known in ALL_SIZES}:
        return f"Requested type {size} is not available in this dyno type."
    return f"No such size as {size}. Available dyno sizes are {', '.join(app.sizes)}."


def _list(app: FakeApp, range_: str, page_size: int | None) -> Answer:
    match = _RANGE.fullmatch(range_ or "id ..")
    if match is None:
        return BAD_RANGE
    wanted = int(match["max"] or _USUAL_PAGE)
    most = min(wanted, page_size or _MOST_ON_A_PAGE, _MOST_ON_A_PAGE)
    dynos = sorted(app.listed(), key=lambda dyno: dyno.id)
    rest = [dyno for dyno in dynos if dyno.id > (match["after"] or "")]
    shown = rest[:most]
    headers = {"Accept-Ranges": "id, name, updated_at"}
    whole = len(shown) == len(rest)
    if not whole:
        headers["Next-Range"] = f"id ]{shown[-1].id}..; max={most}"
    return Answer(200 if whole else 206, [d.to_json(app) for d in shown], headers)


def _one_dyno(app: FakeApp, method: str, name: str, *, stop: bool) -> Answer:
    dyno = app.find(name)
    if stop and method != "POST":
        return NO_ENDPOINT
    if stop or method == "DELETE":
        # Answered well also for a dyno that does not exist, or is not stopped.
        by_hand = stop or (dyno is not None and dyno.type == "run")
        if dyno is not None and by_hand and not app.ignores_stops:
            app.stop(dyno, "api")
        return Answer(202, {})
    if method != "GET":
        return NO_ENDPOINT
    return NO_DYNO if dyno is None else Answer(200, dyno.to_json(app))


# -- everything else -----------------------------------------------------------


def _open_session(fake: FakeHeroku, app: FakeApp, body: Any) -> Answer:
    body = body or {}
    token = uuid.uuid4().hex
    lines = body.get("lines")
    fake.sessions[token] = Session(
        app=app,
        app_name=app.name,
        dyno=body.get("dyno") or body.get("dyno_name") or body.get("type"),
        source=body.get("source"),
        lines=min(100 if lines is None else int(lines), KEPT),
        tail=bool(body.get("tail")),
        expires=time.monotonic() + fake.session_s,
    )
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Answer(
        201,
        {
            "id": str(uuid.uuid4()),
            "logplex_url": f"{fake.url}/_logs/{token}",
            "created_at": stamp,
            "updated_at": stamp,
        },
    )


def _describe(app: FakeApp, rest: str) -> Answer:
    if rest == "":
        return Answer(
            200,
            {
                "id": app.id,
                "name": app.name,
                "owner": {"id": "owner", "email": "me@example.com"},
                "process_tier": app.tier,
                "stack": {"name": "heroku-24"},
                "generation": {"name": app.generation},
                "space": app.space,
            },
        )
    if rest == "/formation":
        return Answer(200, [{"type": "web", "quantity": 1, "size": app.default_size}])
    if rest == "/config-vars":
        return Answer(200, app.config_vars)
    if rest == "/available-dyno-sizes":
        return Answer(200, [{"id": size, "name": size} for size in app.sizes])
    return NO_ENDPOINT
