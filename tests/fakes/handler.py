"""How the fake platform reads requests and writes answers, faults included."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
import uuid
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.fakes import steering, streams
from tests.fakes.answers import NOT_JSON, UNAUTHORIZED, Answer

if TYPE_CHECKING:
    from tests.fakes.faults import Fault
    from tests.fakes.heroku import FakeHeroku

_PATIENCE_S = 60


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def fake(self) -> FakeHeroku:
        """The platform."""
        fake: FakeHeroku = self.server.fake  # type: ignore[attr-defined]
        return fake

    def setup(self) -> None:
        """Note the connection."""
        super().setup()
        self.fake.opened(self.connection)

    def finish(self) -> None:
        """Note its end."""
        self.fake.closed_one(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write no access log."""

    def do_GET(self) -> None:
        """Answer a GET."""
        self._handle()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._handle()

    def do_DELETE(self) -> None:
        """Answer a DELETE."""
        self._handle()

    def _handle(self) -> None:
        arrived = time.time()
        path = urlsplit(self.path).path
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            self.send(NOT_JSON)
            return
        if path.startswith("/_fake/"):
            self.close_connection = True
            what = path.removeprefix("/_fake/")
            self.send(
                steering.steer(self.fake, self.command, what, body, self.connection)
            )
        elif path.startswith("/_logs/"):
            streams.serve(self, path)
        else:
            self._api(path, body, arrived)

    # -- the API ---------------------------------------------------------------

    def _api(self, path: str, body: Any, arrived: float) -> None:
        note = {
            "method": self.command,
            "path": path,
            "body": body,
            "time": arrived,
            "status": None,
            "fault": None,
        }
        self.fake.requests.append(note)
        if self.fake.delay_s:
            time.sleep(self.fake.delay_s)
        fault = self.fake.strike(self.command, path)
        note["fault"] = fault.kind if fault else None
        if fault is not None and self.fail_before(fault, note):
            return
        answer = self._work(path, body)
        note["status"] = answer.status
        if fault is None or not self._fail_after(fault, answer):
            self.send(answer)

    def _work(self, path: str, body: Any) -> Answer:
        if not self.fake.authorized(self.headers.get("Authorization")):
            return UNAUTHORIZED
        if not self.fake.allow(path):
            return self.fake.rate_limited()
        range_ = self.headers.get("Range") or ""
        return self.fake.answer(self.command, path, body, range_)

    # -- faults ----------------------------------------------------------------

    def fail_before(self, fault: Fault, note: dict[str, Any]) -> bool:
        """Let a fault do its harm; return whether the request is done with."""
        if fault.kind == "delay":
            time.sleep(fault.delay_s)
            return False
        if fault.kind == "status":
            note["status"] = fault.status
            self.send(fault.answer())
            return True
        return self._cut_off(fault.kind.removesuffix("_before"))

    def _fail_after(self, fault: Fault, answer: Answer) -> bool:
        if fault.kind == "status_after":
            self.send(fault.answer())
            return True
        if fault.kind == "garbage":
            self.send_text(answer.status, b"<html>not what you asked for</html>")
            return True
        if fault.kind == "truncate":
            text = json.dumps(answer.body).encode()
            self.send_text(answer.status, text[: len(text) // 2], claim=len(text))
            self.hang_up()
            return True
        return self._cut_off(fault.kind.removesuffix("_after"))

    def _cut_off(self, kind: str) -> bool:
        if kind == "close":
            self.hang_up()
        elif kind == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            # The request's own files hold the socket open.
            self.rfile.close()
            self.wfile.close()
            self.connection.close()
        elif kind == "hang":
            self.connection.settimeout(_PATIENCE_S)
            with contextlib.suppress(OSError):
                self.connection.recv(1)
            self.close_connection = True
        else:
            return False
        return True

    def hang_up(self) -> None:
        """Close the connection, whatever was promised."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    # -- answering -------------------------------------------------------------

    def send(self, answer: Answer) -> None:
        """Send an answer of the API."""
        text = json.dumps(answer.body).encode()
        self.send_text(answer.status, text, headers=answer.headers)

    def send_text(
        self,
        status: int,
        text: bytes,
        *,
        headers: dict[str, str] | None = None,
        claim: int | None = None,
    ) -> None:
        """Send an answer, which claims to be `claim` bytes long."""
        self.send_response_only(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(text) if claim is None else claim),
            "Date": self.fake.date(),
            "Request-Id": str(uuid.uuid4()),
            "RateLimit-Remaining": str(self.fake.remaining),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()
