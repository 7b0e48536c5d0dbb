"""The output file of a task → its lines, as they come.

The same bytes give the same lines whenever they are read: lines are counted, and a
reader that starts anew leaves out as many as are on record.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Longer lines are split, as the platform does.
MAX_LINE = 10_000
#: So many are given in one turn: no more can be written down in that time.
TURN_LINES = 2000
#: Who is further behind goes on with the newest: fewer bytes are kept anyway.
BEHIND = 4 << 20
NEWEST = 2 << 20
MAX_WAITING = 20_000
_TAIL = 64


class OutputFile:
    """Reads a file that grows.

    Args:
        path: Where it is, or will be.
        skip: How many of its first lines are left out.
    """

    def __init__(self, path: Path, *, skip: int = 0) -> None:
        self.changed_at = 0.0  #: epoch seconds
        self._path = os.fspath(path)
        self._skip = skip
        self._size = 0
        self._offset = 0
        self._tail = b""  #: what stands before the offset
        self._partial = b""
        self._torn = False  #: the next line has lost its beginning
        self._waiting: deque[bytes] = deque()

    def look(self) -> int:
        """Read what has been added to the file, if not too much at once.

        Returns how many bytes are left out because they came too fast, mostly 0.
        """
        try:
            stat = os.stat(self._path)
        except FileNotFoundError:
            self._size = self._offset
            return 0
        self.changed_at, self._size = stat.st_mtime, stat.st_size
        return self._read_on() if self._size != self._offset else 0

    @property
    def behind(self) -> bool:
        """Whether there is more than the next turn gives."""
        return bool(self._waiting) or self._offset < self._size

    def turn(self) -> Iterator[bytes]:
        """Yield the next lines, not all of them where they are many."""
        if not self._waiting and self._offset < self._size:
            self._read_on()
        for _ in range(min(TURN_LINES, len(self._waiting))):
            yield self._waiting.popleft()

    def rest(self) -> Iterator[bytes]:
        """Yield the last line where no newline ends it."""
        if self._partial and not self._skip:
            yield from pieces(self._partial)
        self._partial = b""

    def _read_on(self) -> int:
        try:
            with open(self._path, "rb") as output:
                if self._was_truncated(output):
                    self._offset, self._partial = 0, b""
                left_out = self._jump()
                output.seek(self._offset)
                new = output.read(min(self._size - self._offset, BEHIND))
        except FileNotFoundError:
            left_out, new = 0, b""
        if not new:
            self._size = self._offset
        self._offset += len(new)
        self._tail = new[-_TAIL:]
        self._waiting.extend(self._split(new))
        return left_out + self._drop_oldest()

    def _was_truncated(self, output: BinaryIO) -> bool:
        """Return whether other bytes stand there by now: `> /dev/stderr` does that."""
        output.seek(self._offset - len(self._tail))
        return output.read(len(self._tail)) != self._tail

    def _jump(self) -> int:
        """Go on with the newest bytes where there are too many."""
        left_out = self._size - NEWEST - self._offset
        if self._skip or self._size - self._offset <= BEHIND:
            return 0
        self._offset += left_out
        self._partial, self._torn = b"", True
        return left_out

    def _drop_oldest(self) -> int:
        dropped = 0
        while len(self._waiting) > MAX_WAITING:
            dropped += len(self._waiting.popleft()) + 1
        return dropped

    def _split(self, new: bytes) -> Iterator[bytes]:
        *lines, self._partial = (self._partial + new).split(b"\n")
        for line in lines:
            if self._torn:
                self._torn = False
            else:
                yield from self._skipped(pieces(line))
        if len(self._partial) > MAX_LINE:
            *cut, self._partial = pieces(self._partial)
            yield from self._skipped(iter(cut))

    def _skipped(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            if self._skip:
                self._skip -= 1
            else:
                yield line


def pieces(line: bytes) -> Iterator[bytes]:
    """Cut a line into pieces of at most `MAX_LINE` bytes, between two characters."""
    start = 0
    while len(line) - start > MAX_LINE:
        end = start + MAX_LINE
        while end > start + MAX_LINE - 4 and line[end] & 0xC0 == 0x80:
            end -= 1
        yield line[start:end]
        start = end
    yield line[start:]
