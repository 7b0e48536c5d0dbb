"""Heroku's log streams: bytes to lines, and a thread that reads while nobody waits.

Lines come as plain text or as server-sent events. What cannot be read as a line is
left out and counted; a line without its end is left out too, because half of "exited
with status 137" would be a lie.
"""

from __future__ import annotations

import contextlib
import queue
import re
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from clockd import clock
from clockd.errors import RunnerUnavailable
from clockd.runner import LogLine, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Heroku splits lines at 10,000 bytes; what is longer than this is cut.
LONGEST_LINE: Final = 65_536
#: An iteration gives None after this much silence.
TICK_S: Final = 1.0
#: After this much silence a stream is taken for ended, to be opened again.
SILENCE_S: Final = 900.0
_QUEUED_BLOCKS = 64
_PUT_S = 0.5

_LINE = re.compile(r"(\S+) ([^\s\[\]:]+)(?:\[([^\]\s]*)\])?: ?(.*)", re.DOTALL)


class ByteSource(Protocol):
    """Where the bytes come from; see `http.ByteStream`."""

    @property
    def content_type(self) -> str:
        """The answer's Content-Type, empty if there is none."""
        ...

    def read(self) -> bytes:
        """Return the next bytes as they come, none at the end; OSError if it broke."""
        ...

    def interrupt(self) -> None:
        """Wake a thread that is reading."""
        ...

    def close(self) -> None:
        """Release the source; only when nobody is reading."""
        ...


def parse_line(text: str) -> LogLine | None:
    """Return the line `<time> <source>[<dyno>]: <text>`, None if it is none."""
    match = _LINE.fullmatch(text)
    if match is None:
        return None
    try:
        at = datetime.fromisoformat(match[1])
        if at.tzinfo is None:
            return None
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return LogLine(at=at, source=match[2], dyno=match[3] or "", text=match[4])


class LineDecoder:
    """Turns bytes into log lines, however the bytes are cut.

    Args:
        content_type: Tells server-sent events from plain text.
    """

    def __init__(self, content_type: str) -> None:
        self.malformed = 0  #: how many lines were left out
        self._events = content_type.strip().lower().startswith("text/event-stream")
        self._rest = bytearray()
        self._overlong = False

    def feed(self, block: bytes) -> list[LogLine]:
        """Return the lines that `block` completes."""
        found = []
        for text in self._split(block):
            candidate = _event_data(text) if self._events else text
            line = parse_line(candidate)
            if line is not None:
                found.append(line)
            elif candidate.strip():
                self.malformed += 1
        return found

    def _split(self, block: bytes) -> Iterator[str]:
        begin = 0
        while (end := block.find(b"\n", begin)) >= 0:
            self._keep(block[begin:end])
            yield self._to_text()
            begin = end + 1
        self._keep(block[begin:])

    def _keep(self, piece: bytes) -> None:
        room = LONGEST_LINE - len(self._rest)
        self._overlong = self._overlong or len(piece) > room
        self._rest += piece[:room]

    def _to_text(self) -> str:
        text = self._rest.decode("utf-8", "replace")
        if self._overlong:
            text += "…"
        self._rest.clear()
        self._overlong = False
        # A NUL is text for no database.
        return text.removesuffix("\r").replace("\0", "\ufffd")


def _event_data(text: str) -> str:
    """Return the data in a line of an event stream, empty for all else in it."""
    name, _, value = text.removeprefix("\ufeff").partition(":")
    return value.removeprefix(" ") if name == "data" else ""


class HerokuLogStream:
    """An open log stream, as `runner.LogStream` describes it.

    A thread of its own reads, so that a silent stream still ticks, a partial line
    survives silence, and `close` takes effect at once.
    """

    def __init__(self, source: ByteSource, *, tick_s: float = TICK_S) -> None:
        self._source = source
        self._tick_s = tick_s
        self._decoder = LineDecoder(source.content_type)
        self._blocks: queue.Queue[bytes | OSError] = queue.Queue(_QUEUED_BLOCKS)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None

    @property
    def malformed(self) -> int:
        """How many lines could not be read so far."""
        return self._decoder.malformed

    def resume(self, dyno_id: str, lines_seen: int) -> None:
        """Do nothing: the lines carry the platform's time."""

    def __iter__(self) -> Iterator[LogLine | None]:
        """Yield lines, and None about once a second of silence.

        Raises:
            RunnerUnavailable: The stream broke.
        """
        self._start_reader()
        heard = ticked = clock.boottime()
        while not self._closed.is_set():
            now = clock.boottime()
            block = self._next_block(ticked + self._tick_s - now)
            if block is None:
                ticked = clock.boottime()
                if ticked - heard > SILENCE_S:
                    return
                yield None
                continue
            if isinstance(block, OSError):
                raise RunnerUnavailable(
                    f"the log stream broke: {block}", kind=Unavailable.CONNECTION
                )
            if not block:
                return
            for line in self._decoder.feed(block):
                if self._closed.is_set():
                    return
                heard = ticked = clock.boottime()
                yield line

    def close(self) -> None:
        """End the stream; callable from any thread, more than once."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            self._source.interrupt()
            if self._reader is None:
                self._source.close()
        # Where there is no room, nobody waits for a block.
        with contextlib.suppress(queue.Full):
            self._blocks.put_nowait(b"")

    def _start_reader(self) -> None:
        with self._lock:
            if self._reader is None and not self._closed.is_set():
                self._reader = threading.Thread(
                    target=self._read, name="log-stream", daemon=True
                )
                self._reader.start()

    def _next_block(self, wait_s: float) -> bytes | OSError | None:
        try:
            return self._blocks.get(timeout=max(wait_s, 0.001))
        except queue.Empty:
            return None

    def _read(self) -> None:
        try:
            while self._pass_on(block := self._read_block()):
                if isinstance(block, OSError) or not block:
                    return
        finally:
            self._source.close()

    def _read_block(self) -> bytes | OSError:
        try:
            return self._source.read()
        except OSError as error:
            return error

    def _pass_on(self, block: bytes | OSError) -> bool:
        """Wait for room, which slows the platform down; return False if closed."""
        while not self._closed.is_set():
            try:
                self._blocks.put(block, timeout=_PUT_S)
            except queue.Full:
                continue
            return True
        return False
