"""A fake Heroku Platform API over real HTTP, with real processes as dynos.

`python -m tests.fakes.heroku --app NAME [--port N] [--delay SECONDS]` runs it alone;
`tests.fakes.steering` tells what it can be asked for from outside.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import ThreadingHTTPServer
from typing import Any, Self

from tests.fakes import api
from tests.fakes.answers import RATE_LIMITED, Answer
from tests.fakes.dynos import FakeApp, FakeDyno
from tests.fakes.faults import Fault, place_of
from tests.fakes.handler import Handler
from tests.fakes.logs import Session
from tests.support.waiting import wait_until


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are part of every test."""


class FakeHeroku:
    """The platform. Use as a context manager; `url` is where it listens.

    Args:
        apps: The names of the apps there are.
        key: The API key that is accepted.
        port: Where to listen; 0 for any free port.
        delay_s: How long every answer of the API takes.
        rate_limit: The tokens of the account's pool, which is full again in an hour.
        skew_s: How far the platform's clock is ahead.
        session_s: How long a log session waits for its first connection.
        stream_s: How long it lives from then on.
    """

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
        stream_s: float = 3600.0,
    ) -> None:
        self.apps = {name: FakeApp(name) for name in apps}
        self.key = key
        self.delay_s = delay_s
        self.skew_s = skew_s
        self.session_s = session_s
        self.stream_s = stream_s
        self.page_size: int | None = None
        self.tail_buffer = 1024  #: lines that a stream may lie behind
        self.retry_after_s: float | None = None  #: told where the rate limit is reached
        self.forbidden: set[str] = set()  #: apps that answer 403
        self.faults: list[Fault] = []
        self.struck: Counter[str] = Counter()  #: faults by kind and place
        self.requests: list[dict[str, Any]] = []
        self.streams: list[dict[str, Any]] = []  #: requests for logs
        self.sessions: dict[str, Session] = {}
        self.tokens = float(rate_limit)
        self.cuts = (0, 0)  #: how often streams were ended well, and broken off
        self._limit = rate_limit
        self._refilled = time.monotonic()
        self._lock = threading.Lock()
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

    def pause(self, *, spare: socket.socket | None = None) -> None:
        """Go away: connections are closed but for one, new ones refused."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        with self._lock:
            sockets, self._sockets = list(self._sockets), set()
        for each in sockets:
            if each is spare:
                continue
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def resume(self) -> None:
        """Come back on the same port."""
        self._listen(self.port)

    def go_away(self, seconds: float, *, spare: socket.socket | None = None) -> None:
        """Go away at once, and come back after a while."""
        self.pause(spare=spare)
        timer = threading.Timer(seconds, self.resume)
        timer.daemon = True
        timer.start()

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

    def closed_one(self, connection: socket.socket) -> None:
        """Note that a connection has ended."""
        with self._lock:
            self._sockets.discard(connection)

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

    def cut_streams(self, *, clean: bool = True) -> None:
        """End every open log stream; unless `clean`, without its end being told."""
        ended, broken = self.cuts
        self.cuts = (ended + clean, broken + (not clean))
        for app in self.apps.values():
            with app.changed:
                app.changed.notify_all()

    @property
    def journal(self) -> list[FakeDyno]:
        """Every dyno ever started."""
        return [dyno for app in self.apps.values() for dyno in list(app.journal)]

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

    @property
    def skew_s(self) -> float:
        """How far the platform's clock is ahead."""
        return self.app.skew_s

    @skew_s.setter
    def skew_s(self, seconds: float) -> None:
        for app in self.apps.values():
            app.skew_s = seconds

    def strike(self, method: str, path: str) -> Fault | None:
        """Return the fault that hits a request, if any."""
        with self._lock:
            hit = next((f for f in self.faults if f.strikes(method, path)), None)
            if hit is not None:
                self.struck[f"{hit.kind} at {place_of(method, path)}"] += 1
            return hit

    def allow(self, path: str) -> bool:
        """Take a token of the rate limit; return False when there is none."""
        if path == "/account/rate-limits":
            return True
        with self._lock:
            now = time.monotonic()
            refill = (now - self._refilled) * self._limit / 3600
            self.tokens, self._refilled = min(self._limit, self.tokens + refill), now
            if self.tokens < 1:
                return False
            self.tokens -= 1
            return True

    def rate_limited(self) -> Answer:
        """Return the answer where no token is left."""
        if self.retry_after_s is None:
            return RATE_LIMITED
        headers = {"Retry-After": f"{self.retry_after_s:g}"}
        return Answer(RATE_LIMITED.status, RATE_LIMITED.body, headers)

    @property
    def remaining(self) -> int:
        """Requests left in the rate limit."""
        return int(self.tokens)

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
        return api.answer(self, method, path, body, range_)


def main() -> None:
    """Run the fake alone until it is told to end; its first line says where it is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--app", action="append", default=[])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--key", default="test-key")
    parser.add_argument("--rate-limit", type=int, default=4500)
    parser.add_argument(
        "--until-eof", action="store_true", help="end when standard input ends"
    )
    options = parser.parse_args()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with FakeHeroku(
        apps=options.app or ["sharp-mountain-4005"],
        port=options.port,
        delay_s=options.delay,
        key=options.key,
        rate_limit=options.rate_limit,
    ) as fake:
        if options.until_eof:
            threading.Thread(target=_wait_for_eof, args=(over,), daemon=True).start()
        print(f"fake Heroku on {fake.url}", flush=True)  # noqa: T201
        over.wait()


def _wait_for_eof(over: threading.Event) -> None:
    # Not through `sys.stdin`, whose lock would be held when the interpreter ends.
    while os.read(0, 1024):
        pass
    over.set()


if __name__ == "__main__":
    main()
