"""How another process steers the fake platform, at /_fake/…

GET     requests, journal, streams, log, faults, struck, running; records: each line of
        each app's log with its arrival, and those that were dropped
POST    faults                  a `Fault`'s arguments
DELETE  faults                  ends them all
POST    platform                attributes of `FakeHeroku`: delay_s, tokens …
POST    apps/NAME               attributes of `FakeApp`: stop_grace_s, config_vars …;
                                `tier` sets sizes and limit too
POST    apps/NAME/log           source, process, text: a line of the log
POST    apps/NAME/dynos         command, type_ …: a dyno that nobody asked the API for
POST    dynos/NAME              do: stop, cycle, expire, exceed_memory or vanish
POST    streams/cut             clean: whether streams end well
POST    outage                  seconds: how long nothing answers
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.fakes.answers import Answer, error
from tests.fakes.faults import Fault

if TYPE_CHECKING:
    import socket

    from tests.fakes.dynos import FakeApp
    from tests.fakes.heroku import FakeHeroku

_PLATFORM = frozenset(
    {
        "delay_s", "skew_s", "session_s", "stream_s", "page_size", "tail_buffer",
        "tokens", "retry_after_s", "key", "forbidden",
    }
)  # fmt: skip
_APP = frozenset(
    {
        "generation", "space", "default_size", "sizes", "limit", "procfile",
        "config_vars", "shows_expanded", "boot_s", "skips_up", "stop_grace_s",
        "list_lag_s", "lingers_s", "gone_at_stop", "ignores_stops", "recycles",
    }
)  # fmt: skip
_PATTERNS = frozenset({"drops", "delays"})


def steer(
    fake: FakeHeroku, method: str, path: str, body: Any, connection: socket.socket
) -> Answer:
    """Do what another process, at the end of `connection`, wants of the fake."""
    try:
        if method == "GET":
            return Answer(200, _look(fake, path))
        if (method, path) == ("DELETE", "faults"):
            fake.faults.clear()
        elif path == "outage":
            fake.go_away(float(body["seconds"]), spare=connection)
        else:
            _change(fake, path, **(body or {}))
    except (TypeError, ValueError, KeyError, AttributeError, re.error) as problem:
        return error(400, "bad_request", f"{type(problem).__name__}: {problem}")
    return Answer(201, {})


def _look(fake: FakeHeroku, what: str) -> Any:
    if what == "requests":
        return list(fake.requests)
    if what == "streams":
        return list(fake.streams)
    if what == "journal":
        return [
            {"app": app.name, **dyno.to_journal()}
            for app in fake.apps.values()
            for dyno in list(app.journal)
        ]
    if what == "log":
        return [str(line) for app in fake.apps.values() for line in list(app.log)]
    if what == "running":
        return [dyno.name for app in fake.apps.values() for dyno in list(app.dynos)]
    if what == "records":
        return {app.name: _records(app) for app in fake.apps.values()}
    if what == "struck":
        return dict(fake.struck)
    if what == "faults":
        return [vars(fault) | {"_random": None} for fault in fake.faults]
    raise KeyError(what)


def _records(app: FakeApp) -> dict[str, Any]:
    log = [
        (line.arrived, line.at.timestamp(), line.source, line.process, line.text)
        for line in list(app.log)
    ]
    return {"log": log, "dropped": list(app.dropped)}


def _change(fake: FakeHeroku, path: str, /, **body: Any) -> None:
    if path == "faults":
        fake.faults.append(Fault(**body))
    elif path == "platform":
        _set_platform(fake, body)
    elif path == "streams/cut":
        fake.cut_streams(clean=bool(body.get("clean", True)))
    elif match := re.fullmatch(r"dynos/([^/]+)", path):
        _do(fake, match[1], **body)
    elif match := re.fullmatch(r"apps/([^/]+)", path):
        _set_app(fake.apps[match[1]], body)
    elif match := re.fullmatch(r"apps/([^/]+)/log", path):
        fake.apps[match[1]].say(**body)
    elif match := re.fullmatch(r"apps/([^/]+)/dynos", path):
        fake.apps[match[1]].start(**body)
    else:
        raise KeyError(path)


def _set_platform(fake: FakeHeroku, body: dict[str, Any]) -> None:
    _require(body, _PLATFORM)
    for name, value in body.items():
        setattr(fake, name, set(value) if name == "forbidden" else value)


def _set_app(app: FakeApp, body: dict[str, Any]) -> None:
    _require(body, _APP | _PATTERNS | {"tier"})
    if "tier" in body:
        app.become(body.pop("tier"))
    for name, value in body.items():
        is_pattern = name in _PATTERNS and value is not None
        setattr(app, name, re.compile(value) if is_pattern else value)


def _require(body: dict[str, Any], names: frozenset[str]) -> None:
    unknown = sorted(body.keys() - names)
    if unknown:
        raise ValueError(f"no such setting: {', '.join(unknown)}")


def _do(fake: FakeHeroku, name: str, *, do: str) -> None:
    running = ((app, dyno) for app in fake.apps.values() for dyno in app.dynos)
    found = [pair for pair in running if name in (pair[1].name, pair[1].id)]
    if not found:
        raise KeyError(name)
    app, dyno = found[0]
    works = {
        "stop": lambda: app.stop(dyno, "platform"),
        "cycle": lambda: app.cycle(dyno),
        "expire": lambda: app.expire(dyno),
        "exceed_memory": lambda: app.exceed_memory(dyno),
        "vanish": lambda: app.vanish(dyno),
    }
    works[do]()
