"""The log stream of local processes: their output files, read as they grow."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clockd import clock
from clockd.runner import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clockd.local.files import AttemptFiles
    from clockd.runner import Dyno

POLL_S = 0.05
IDLE_S = 1.0
#: Longer lines are split, as the platform does.
MAX_LINE = 10_000
_BLOCK = 1 << 16


@dataclass
class _Reader:
    """Reads one attempt's output, line by line."""

    files: AttemptFiles
    dyno: Dyno
    skip: int = 0
    offset: int = 0
    partial: bytes = b""
    ended: bool = False
    ready: list[LogLine] = field(default_factory=list)

    def read(self) -> Iterator[LogLine]:
        """Yield the lines that have come, and the end when it has."""
        status = self.files.status()
        vanished = status is None and not self.files.wrapper_alive()
        if vanished:
            status = self.files.status()
        yield from self._read_output()
        if status is None and not vanished:
            return
        if self.partial:
            yield from self._line(self.partial)
            self.partial = b""
        self.ended = True
        yield self._say(
            "Process vanished without an exit status"
            if status is None
            else f"Process exited with status {status}"
        )

    def _read_output(self) -> Iterator[LogLine]:
        while block := self._block():
            self.offset += len(block)
            *lines, self.partial = (self.partial + block).split(b"\n")
            for line in lines:
                yield from self._line(line)
            while len(self.partial) >= MAX_LINE:
                piece, self.partial = self.partial[:MAX_LINE], self.partial[MAX_LINE:]
                yield from self._line(piece)

    def _block(self) -> bytes:
        try:
            with self.files.output.open("rb") as output:
                output.seek(self.offset)
                return output.read(_BLOCK)
        except FileNotFoundError:
            return b""

    def _line(self, line: bytes) -> Iterator[LogLine]:
        for start in range(0, max(len(line), 1), MAX_LINE):
            if self.skip:
                self.skip -= 1
                continue
            text = line[start : start + MAX_LINE].decode("utf-8", errors="replace")
            yield LogLine(at=clock.now(), source="app", dyno=self.dyno.name, text=text)

    def _say(self, text: str) -> LogLine:
        return LogLine(at=clock.now(), source="clockd", dyno=self.dyno.name, text=text)


class Launches:
    """Counts launches, so that a stream that sleeps hears of each of them."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def tell(self) -> None:
        """Wake every stream."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout_s: float) -> int:
        """Wait for more than `seen` calls of `tell`; return how many there were."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != seen, timeout_s)
            return self._count


class LocalStream:
    """Lines of all attempts in a directory; ends when closed.

    Args:
        attempts: Lists the attempts with their files.
        launched: Told whenever one is launched by this process.
    """

    def __init__(
        self,
        attempts: Callable[[], Sequence[tuple[AttemptFiles, Dyno]]],
        launched: Launches,
    ) -> None:
        self._attempts = attempts
        self._launched = launched
        self._readers: dict[str, _Reader] = {}
        self._seen: dict[str, int] = {}
        self._closed = False
        self._heard = 0

    def resume(self, dyno_id: str, lines_seen: int) -> None:
        """Leave out the first lines of an attempt that are on record already."""
        self._seen[dyno_id] = lines_seen

    def close(self) -> None:
        """End the stream; may be called from any thread, more than once."""
        self._closed = True
        self._launched.tell()

    def __iter__(self) -> Iterator[LogLine | None]:
        silent_since = clock.boottime()
        while not self._closed:
            self._find_attempts()
            for reader in list(self._readers.values()):
                if reader.ended:
                    continue
                for line in reader.read():
                    silent_since = clock.boottime()
                    yield line
            if clock.boottime() - silent_since >= IDLE_S:
                silent_since = clock.boottime()
                yield None
            self._pause()

    def _find_attempts(self) -> None:
        found = {files.key: (files, dyno) for files, dyno in self._attempts()}
        for key in [key for key in self._readers if key not in found]:
            del self._readers[key]
        for key, (files, dyno) in found.items():
            if key not in self._readers:
                self._readers[key] = _Reader(files, dyno, self._seen.get(key, 0))

    def _pause(self) -> None:
        busy = any(not reader.ended for reader in self._readers.values())
        self._heard = self._launched.wait(self._heard, POLL_S if busy else IDLE_S)
