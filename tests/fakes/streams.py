"""How the fake platform serves the log behind a log session's URL."""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING, Any

from tests.fakes.logs import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes.faults import Fault
    from tests.fakes.handler import Handler
    from tests.fakes.logs import LogEntry, Session

_LOOK_S = 0.1


class Broken(Exception):
    """The stream ends without its end being told."""


class Ended(Exception):
    """The stream ends well."""


def serve(handler: Handler, path: str) -> None:
    """Answer a request for a log."""
    fake = handler.fake
    session = fake.sessions.get(path.rpartition("/")[2])
    accept = handler.headers.get("Accept") or ""
    last_id = handler.headers.get("Last-Event-ID")
    note = {
        "path": path,
        "time": time.time(),
        "accept": accept,
        "last_event_id": last_id,
        "authorization": handler.headers.get("Authorization"),
        "status": None,
        "fault": None,
        "open": True,
    }
    fake.streams.append(note)
    try:
        fault = fake.strike("GET", path)
        note["fault"] = fault.kind if fault else None
        if fault is not None and handler.fail_before(fault, note):
            return
        if session is None or session.expired:
            note["status"] = 404
            plain = {"Content-Type": "text/plain"}
            handler.send_text(404, b"Not found", headers=plain)
            return
        note |= {"status": 200, "dyno": session.dyno, "tail": session.tail}
        note["app"] = session.app_name
        events = "text/event-stream" in accept
        _Stream(handler, session, fault, events=events).run(last_id)
    finally:
        note["open"] = False


class _Stream:
    """Writes the lines of a session to a connection, in chunks."""

    def __init__(
        self, handler: Handler, session: Session, fault: Fault | None, *, events: bool
    ) -> None:
        self._handler = handler
        self._session = session
        self._fault = fault
        self._events = events
        self._kind = fault.kind if fault is not None else ""
        self._sent = 0
        self._fake = handler.fake
        self._cuts = handler.fake.cuts

    def run(self, last_id: str | None) -> None:
        """Serve it to its end."""
        self._begin()
        try:
            self._write_all(last_id)
        except Ended:
            self._raw(b"0\r\n\r\n")
        except (Broken, OSError):
            self._handler.hang_up()

    def _begin(self) -> None:
        self._session.connect(self._fake.stream_s)
        kind = "text/event-stream" if self._events else "text/plain"
        self._handler.send_response_only(200)
        self._handler.send_header("Content-Type", kind)
        self._handler.send_header("Transfer-Encoding", "chunked")
        self._handler.send_header("Connection", "close")
        self._handler.end_headers()
        self._handler.wfile.flush()
        self._handler.close_connection = True

    def _write_all(self, last_id: str | None) -> None:
        app = self._session.app
        with app.changed:
            position = len(app.log)
            if last_id is not None and last_id.isdigit():
                first = [e for e in app.log if e.number > int(last_id)]
                entries = [e for e in first if self._session.takes(e)]
            else:
                entries = self._session.history()
        self._write(entries)
        if not self._session.tail and self._kind != "never_closed":
            raise Ended
        while True:
            self._watch()
            with app.changed:
                if position == len(app.log):
                    app.changed.wait(_LOOK_S)
                new, position = app.log[position:], len(app.log)
            if self._session.tail:
                self._write_new(new)

    def _watch(self) -> None:
        """Raise where the stream is to end, or the client has gone."""
        ends, breaks = self._fake.cuts
        if breaks != self._cuts[1] or self._client_is_gone():
            raise Broken
        if ends != self._cuts[0] or self._session.expired:
            raise Ended

    def _client_is_gone(self) -> bool:
        connection = self._handler.connection
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and not connection.recv(1, socket.MSG_PEEK)

    def _write_new(self, new: list[LogEntry]) -> None:
        lost = len(new) - self._fake.tail_buffer
        if lost > 0:
            since, new = new[0].at, new[lost:]
            now = iso(self._session.app.now())
            text = "Error L11 (Tail buffer overflow) -> This tail session dropped"
            line = f"{now} logplex[1]: {text} {lost} messages since {iso(since)}."
            self._chunk(self._format(line, None))
        self._write(entry for entry in new if self._session.takes(entry))

    def _write(self, entries: Iterable[LogEntry]) -> None:
        if self._kind == "mute":
            return
        texts = []
        for entry in entries:
            if self._is_over():
                break
            text = self._format(str(entry), entry.number)
            texts.append(text * 2 if self._kind == "duplicate" else text)
            self._sent += 1
        self._chunk("".join(texts))
        if self._is_over():
            raise Ended if self._kind == "end" else Broken

    def _is_over(self) -> bool:
        if self._fault is None or self._kind not in ("cut", "end"):
            return False
        if self._kind == "end" and not self._session.tail:
            return False
        return self._sent >= self._fault.lines

    def _format(self, line: str, number: int | None) -> str:
        if not self._events:
            return f"{line}\n"
        id_ = "" if number is None else f"id: {number}\n"
        return f"{id_}data: {line}\n\n"

    def _chunk(self, text: str) -> None:
        data = text.encode()
        if data:
            self._raw(b"%x\r\n%b\r\n" % (len(data), data))

    def _raw(self, data: bytes) -> Any:
        self._handler.wfile.write(data)
        self._handler.wfile.flush()
