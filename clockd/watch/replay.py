"""Tells the lines of a log stream that were seen before from those that were not.

Pure. A stream that is opened again repeats its last lines. What was seen is kept as a
multiset, and each line is dropped as often as it was seen, on replay only: tasks do
print the same line twice.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from clockd.runner import LogLine

#: More than a stream ever repeats (Logplex keeps 1,500 lines).
REMEMBERED_LINES = 4000
_KEPT_DYNOS = 256
_KEPT_LINES_PER_DYNO = 1500


class ReplayFilter:
    """Remembers the lines of one stream; not safe for use from several threads."""

    def __init__(self) -> None:
        self._seen: deque[LogLine] = deque(maxlen=REMEMBERED_LINES)
        self._repeats: Counter[LogLine] = Counter()

    def remember(self, lines: Iterable[LogLine]) -> None:
        """Take lines as seen that another process saw; they may come again."""
        known = list(lines)
        self._seen.extend(known)
        self._repeats.update(known)

    def reopened(self) -> None:
        """Expect what was seen so far to come again."""
        self._repeats = Counter(self._seen)

    def is_repeat(self, line: LogLine) -> bool:
        """Return whether `line` was seen before; remember it if it was not."""
        if self._repeats.get(line):
            self._repeats[line] -= 1
            return True
        self._seen.append(line)
        return False


class UnownedLines:
    """Keeps lines of dynos that no attempt owns yet.

    A launch's first lines can arrive before its answer, and a launch whose answer was
    lost may be found by them.
    """

    def __init__(self) -> None:
        self._by_dyno: dict[str, deque[LogLine]] = {}

    def add(self, line: LogLine) -> None:
        """Keep a line of a dyno nobody owns."""
        lines = self._by_dyno.pop(line.dyno, None)
        if lines is None:
            lines = deque(maxlen=_KEPT_LINES_PER_DYNO)
        lines.append(line)
        self._by_dyno[line.dyno] = lines
        if len(self._by_dyno) > _KEPT_DYNOS:
            del self._by_dyno[next(iter(self._by_dyno))]

    def claim(self, dyno: str, since: datetime) -> list[LogLine]:
        """Hand over the lines of `dyno` from `since` on, and forget them."""
        lines = self._by_dyno.pop(dyno, ())
        return [line for line in lines if line.at >= since]

    def lines(self) -> list[LogLine]:
        """Return every kept line, by dyno."""
        return [line for lines in self._by_dyno.values() for line in lines]
