"""A fake Heroku Platform API over real HTTP, with real processes as dynos.

`python -m tests.fakes.heroku --app NAME [--port N] [--delay SECONDS]` runs it alone.
"""

from __future__ import annotations

import argparse
import base64
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import ThreadingHTTPServer
from typing import Any, Self

from tests.fakes.dynos import FakeApp, FakeDyno
from tests.fakes.faults import Fault
from tests.fakes.handler import Answer, Handler
from tests.support.waiting import wait_until

DOCS = "https://devcenter.heroku.com/articles"


@dataclass
class Session:
    """A log session: the URL's token is its only key."""

    app: FakeApp
    dyno: str | None
    source: str | None
    lines: int
    tail: bool
    expires: float

    def takes(self, source: str, process: str) -> bool:
        """Return whether a line passes the filter."""
        if self.source and source != self.source:
            return False
        return not self.dyno or self.dyno in (process, process.rpartition(".")[0])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are part of every test."""


class FakeHeroku:
    """The platform. Use as a context manager; `url` is where it listens."""

    def __init__(
        self,
        *,
        apps: list[str] | tuple[str, ...] = ("sharp-mountain-4005",),
        key: str = "test-key",
        port: int = 0,
        delay_s: float = 0.0,
        rate_limit: int = 4500,
        skew_s: float = 0.0,
        session_s: float = 300.0,
    ) -> None:
        self.apps = {name: FakeApp(name) for name in apps}
        self.key = key
        self.delay_s = delay_s
        self.skew_s = skew_s
        self.session_s = session_s
        self.page_size: int | None = None
        self.forbidden: set[str] = set()
        self.faults: list[Fault] = []
        self.requests: list[dict[str, Any]] = []
        self.sessions: dict[str, Session] = {}
        self._limit, self._tokens = rate_limit, float(rate_limit)
        self._refilled = time.monotonic()
        self._lock = threading.Lock()
        self.streams_cut = 0
        self._sockets: set[socket.socket] = set()
        self._server: _Server | None = None
        self._listen(port)

    # -- life ------------------------------------------------------------------

    def _listen(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), Handler)
        self._server.fake = self  # type: ignore[attr-defined]
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        ).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def app(self) -> FakeApp:
        """The first app."""
        return next(iter(self.apps.values()))

    def pause(self) -> None:
        """Go away: connections are closed, new ones refused."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        with self._lock:
            sockets, self._sockets = list(self._sockets), set()
        for each in sockets:
            _shut(each)

    def resume(self) -> None:
        """Come back on the same port."""
        self._listen(self.port)

    def close(self) -> None:
        """End everything, the dynos too."""
        if self._server is not None:
            self.pause()
        for app in self.apps.values():
            app.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def opened(self, connection: socket.socket) -> None:
        """Note a connection, so that `pause` can close it."""
        with self._lock:
            self._sockets.add(connection)

    # -- for tests -------------------------------------------------------------

    def environ(self) -> dict[str, str]:
        """Return what a clockd needs in its environment."""
        return {
            "HEROKU_API_URL": self.url,
            "HEROKU_API_KEY": self.key,
            "HEROKU_APP_NAME": self.app.name,
        }

    def fault(self, kind: str, **options: Any) -> Fault:
        """Let something go wrong; see `Fault`."""
        fault = Fault(kind, **options)
        self.faults.append(fault)
        return fault

    def cut_streams(self) -> None:
        """End every open log stream."""
        self.streams_cut += 1
        for app in self.apps.values():
            with app.changed:
                app.changed.notify_all()

    @property
    def journal(self) -> list[FakeDyno]:
        """Every dyno ever started."""
        return [dyno for app in self.apps.values() for dyno in app.journal]

    def api_requests(self) -> list[dict[str, Any]]:
        """Return the requests that count against the rate limit."""
        return [
            request
            for request in self.requests
            if request["path"].startswith(("/apps", "/account"))
            and request["path"] != "/account/rate-limits"
        ]

    def launches(self) -> list[dict[str, Any]]:
        """Return the requests to start a dyno."""
        return [
            request
            for request in self.requests
            if request["method"] == "POST" and request["path"].endswith("/dynos")
        ]

    def wait_for(self, predicate: Callable[[], Any], timeout: float = 10) -> Any:
        """Wait until something is so."""
        return wait_until(predicate, timeout)

    # -- answering -------------------------------------------------------------

    def strike(self, method: str, path: str) -> Fault | None:
        """Return the fault that hits a request, if any."""
        with self._lock:
            return next((f for f in self.faults if f.strikes(method, path)), None)

    def allow(self, path: str) -> bool:
        """Take a token of the rate limit; return False when there is none."""
        if path == "/account/rate-limits":
            return True
        with self._lock:
            now = time.monotonic()
            refill = (now - self._refilled) * self._limit / 3600
            self._tokens, self._refilled = min(self._limit, self._tokens + refill), now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    @property
    def remaining(self) -> int:
        """Requests left in the rate limit."""
        return int(self._tokens)

    def authorized(self, header: str | None) -> bool:
        """Return whether an Authorization header carries the key."""
        basic = base64.b64encode(f":{self.key}".encode()).decode()
        return header in (f"Bearer {self.key}", f"Basic {basic}")

    def date(self) -> str:
        """Return the Date header."""
        now = datetime.now(UTC) + timedelta(seconds=self.skew_s)
        return format_datetime(now, usegmt=True)

    def answer(self, method: str, path: str, body: Any, range_: str) -> Answer:
        """Do what a request asks for."""
        if path == "/account":
            return Answer(200, {"id": str(uuid.uuid4()), "email": "me@example.com"})
        if path == "/account/rate-limits":
            return Answer(200, {"remaining": self.remaining})
        match = re.fullmatch(r"/apps/([^/]+)(/.*)?", path)
        if not match:
            return _error(404, "not_found", "The requested API endpoint was not found.")
        if match[1] in self.forbidden:
            return _error(403, "forbidden", "You do not have access to the app.")
        app = next((a for a in self.apps.values() if match[1] in (a.name, a.id)), None)
        if app is None:
            return _error(404, "not_found", "Couldn't find that app.", resource="app")
        return self._answer_app(app, method, match[2] or "", body, range_)

    def _answer_app(
        self, app: FakeApp, method: str, rest: str, body: Any, range_: str
    ) -> Answer:
        if (method, rest) == ("POST", "/dynos"):
            return self._create(app, body)
        if (method, rest) == ("GET", "/dynos"):
            return self._list(app, range_)
        if (method, rest) == ("POST", "/log-sessions"):
            return self._open_session(app, body)
        match = re.fullmatch(r"/dynos/([^/]+)(/actions/stop)?", rest)
        if match:
            return self._one_dyno(app, method, match[1], stop=bool(match[2]))
        return _describe(app, rest)

    def _create(self, app: FakeApp, body: Any) -> Answer:
        problem = _check_create(body)
        if problem:
            return _error(422, "invalid_params", problem)
        size = body.get("size")
        if size and size.lower() not in {s.lower() for s in app.sizes}:
            return _error(
                422,
                "invalid_params",
                f"No such size as {size}. Available dyno sizes are "
                f"{', '.join(app.sizes)}.",
            )
        if len(app.dynos) >= app.limit:
            return _error(
                422,
                "cannot_run_above_limit",
                f"Cannot run more than {app.limit} Standard-1X size dynos.",
                limit=app.limit,
            )
        dyno = app.start(
            body["command"],
            type_=body.get("type") or "run",
            size=size,
            env=body.get("env") or {},
            time_to_live=body.get("time_to_live"),
        )
        return Answer(201, dyno.to_json(app))

    def _list(self, app: FakeApp, range_: str) -> Answer:
        dynos = sorted(app.listed(), key=lambda dyno: dyno.id)
        after = re.search(r"id \](\S+?)\.\.", range_)
        if after:
            dynos = [dyno for dyno in dynos if dyno.id > after[1]]
        shown = dynos[: self.page_size] if self.page_size else dynos
        headers = {}
        if len(shown) < len(dynos):
            headers["Next-Range"] = f"id ]{shown[-1].id}..; max={self.page_size}"
        body = [dyno.to_json(app) for dyno in shown]
        return Answer(206 if headers else 200, body, headers)

    def _one_dyno(self, app: FakeApp, method: str, name: str, *, stop: bool) -> Answer:
        dyno = app.find(name)
        if stop and method == "POST":
            if dyno is not None:
                app.stop(dyno, "api")
            return Answer(202, {})
        if method == "DELETE":
            if dyno is not None and dyno.type == "run":
                app.stop(dyno, "api")
            return Answer(202, {})
        if dyno is None:
            return _error(404, "not_found", "Couldn't find that dyno.", resource="dyno")
        return Answer(200, dyno.to_json(app))

    def _open_session(self, app: FakeApp, body: Any) -> Answer:
        body = body or {}
        token = uuid.uuid4().hex
        self.sessions[token] = Session(
            app=app,
            dyno=body.get("dyno") or body.get("dyno_name") or body.get("type"),
            source=body.get("source"),
            lines=min(int(body.get("lines") or 100), 1500),
            tail=bool(body.get("tail")),
            expires=time.monotonic() + self.session_s,
        )
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        url = f"{self.url}/_logs/{token}"
        return Answer(
            201,
            {
                "id": str(uuid.uuid4()),
                "logplex_url": url,
                "created_at": stamp,
                "updated_at": stamp,
            },
        )


def _check_create(body: Any) -> str | None:
    if not isinstance(body, dict) or not isinstance(body.get("command"), str):
        return "Missing parameter: command"
    if "size" in body and not isinstance(body["size"], str | None):
        return "Invalid size"
    env = body.get("env") or {}
    if not all(re.fullmatch(r"\w+", k) and isinstance(v, str) for k, v in env.items()):
        return "Invalid env"
    ttl = body.get("time_to_live")
    if ttl is not None and (not isinstance(ttl, int) or not 0 < ttl <= 86_400):
        return "Invalid time_to_live"
    return None


def _describe(app: FakeApp, rest: str) -> Answer:
    if rest == "":
        return Answer(
            200,
            {
                "id": app.id,
                "name": app.name,
                "owner": {"id": "owner", "email": "me@example.com"},
                "process_tier": "production",
                "stack": {"name": "heroku-24"},
                "generation": {"name": "cedar"},
                "space": None,
            },
        )
    if rest == "/formation":
        return Answer(200, [{"type": "web", "quantity": 1, "size": app.default_size}])
    if rest == "/config-vars":
        return Answer(200, app.config_vars)
    if rest == "/available-dyno-sizes":
        return Answer(200, [{"id": size, "name": size} for size in app.sizes])
    return _error(404, "not_found", "The requested API endpoint was not found.")


def _error(status: int, id_: str, message: str, **more: Any) -> Answer:
    return Answer(status, {"id": id_, "message": message, "url": DOCS, **more})


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def main() -> None:
    """Run the fake alone until interrupted; its first line says where it listens."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--app", action="append", default=[])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--key", default="test-key")
    options = parser.parse_args()
    with FakeHeroku(
        apps=options.app or ["sharp-mountain-4005"],
        port=options.port,
        delay_s=options.delay,
        key=options.key,
    ) as fake:
        print(f"fake Heroku on {fake.url}", flush=True)  # noqa: T201
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
