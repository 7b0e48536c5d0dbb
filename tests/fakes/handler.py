"""How the fake platform reads requests and writes answers, faults included."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.fakes.faults import Fault

if TYPE_CHECKING:
    from tests.fakes.heroku import FakeHeroku, Session


@dataclass
class Answer:
    """A status, a JSON body, and headers beside the usual ones."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


_RATE_LIMITED = Answer(
    429,
    {
        "id": "rate_limit",
        "message": "Your account reached the API rate limit\n"
        "Please wait a few minutes before making new requests",
        "url": "https://devcenter.heroku.com/articles/platform-api-reference#rate-limits",
    },
)
_UNAUTHORIZED = Answer(
    401, {"id": "unauthorized", "message": "Invalid credentials provided."}
)


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
        body = json.loads(raw) if raw else None
        if path.startswith("/_fake/"):
            self._steer(path, body)
        elif path.startswith("/_logs/"):
            self._stream(path.rpartition("/")[2])
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
        }
        self.fake.requests.append(note)
        if self.fake.delay_s:
            time.sleep(self.fake.delay_s)
        fault = self.fake.strike(self.command, path)
        if fault is not None and self._fail_before(fault, note):
            return
        answer = self._work(path, body)
        note["status"] = answer.status
        if fault is None or not self._fail_after(fault, answer):
            self._send(answer)

    def _work(self, path: str, body: Any) -> Answer:
        if not self.fake.authorized(self.headers.get("Authorization")):
            return _UNAUTHORIZED
        if not self.fake.allow(path):
            return _RATE_LIMITED
        range_ = self.headers.get("Range") or ""
        return self.fake.answer(self.command, path, body, range_)

    def _fail_before(self, fault: Fault, note: dict[str, Any]) -> bool:
        if fault.kind == "delay":
            time.sleep(fault.delay_s)
            return False
        if fault.kind == "status":
            note["status"] = fault.status
            body = fault.body or {"id": "fault", "message": f"fault {fault.status}"}
            self._send(Answer(fault.status, body, dict(fault.headers)))
            return True
        if fault.kind == "close_before":
            self._hang_up()
            return True
        if fault.kind == "hang":
            self.connection.settimeout(60)
            with contextlib.suppress(OSError):
                self.connection.recv(1)
            self.close_connection = True
            return True
        return False

    def _fail_after(self, fault: Fault, answer: Answer) -> bool:
        if fault.kind == "status_after":
            body = fault.body or {"id": "fault", "message": f"fault {fault.status}"}
            self._send(Answer(fault.status, body, dict(fault.headers)))
            return True
        if fault.kind == "close_after":
            self._hang_up()
            return True
        if fault.kind == "garbage":
            self._send_raw(answer.status, b"<html>not what you asked for</html>")
            return True
        if fault.kind == "truncate":
            text = json.dumps(answer.body).encode()
            self._send_raw(answer.status, text[: len(text) // 2], claim=len(text))
            self._hang_up()
            return True
        return False

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)

    def _send(self, answer: Answer) -> None:
        self._send_raw(
            answer.status, json.dumps(answer.body).encode(), headers=answer.headers
        )

    def _send_raw(
        self,
        status: int,
        text: bytes,
        *,
        headers: dict[str, str] | None = None,
        claim: int | None = None,
    ) -> None:
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

    # -- log streams -----------------------------------------------------------

    def _stream(self, token: str) -> None:
        session = self.fake.sessions.get(token)
        if session is None or time.monotonic() > session.expires:
            self._send_raw(404, b"Not found")
            return
        events = "text/event-stream" in (self.headers.get("Accept") or "")
        self.send_response_only(200)
        kind = "text/event-stream" if events else "text/plain"
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        try:
            self._write_lines(session, events=events)
        except OSError:
            return

    def _write_lines(self, session: Session, *, events: bool) -> None:
        app, cuts = session.app, self.fake.streams_cut
        with app.changed:
            matching = [e for e in app.log if session.takes(e.source, e.process)]
            entries, position = matching[-session.lines :], len(app.log)
        while True:
            for entry in entries:
                text = (
                    f"id: {entry.number}\ndata: {entry}\n\n" if events else f"{entry}\n"
                )
                self.wfile.write(text.encode())
            self.wfile.flush()
            if not session.tail:
                return
            with app.changed:
                if position == len(app.log):
                    app.changed.wait(0.5)
                new, position = app.log[position:], len(app.log)
            if self.fake.streams_cut != cuts:
                return
            entries = [e for e in new if session.takes(e.source, e.process)]

    # -- steering from another process -----------------------------------------

    def _steer(self, path: str, body: Any) -> None:
        if path == "/_fake/requests":
            self._send(Answer(200, self.fake.requests))
        elif path == "/_fake/journal":
            self._send(Answer(200, [dyno.to_journal() for dyno in self.fake.journal]))
        elif path == "/_fake/faults" and self.command == "POST":
            self.fake.faults.append(Fault(**body))
            self._send(Answer(201, {}))
        else:
            self._send(Answer(404, {"id": "not_found", "message": path}))
