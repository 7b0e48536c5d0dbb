"""One attempt as its files show it: its output, then its end.

An attempt that is quiet is looked at less often, so that many long ones cost little;
one that prints faster than anybody reads does not hold up its own end.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from clockd import clock
from clockd.local.output import OutputFile
from clockd.runner import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from clockd.local.files import AttemptFiles

#: Seconds between two looks: a twentieth of the time for which nothing came.
POLL_S = 0.05
CALM_POLL_S = 0.25
_QUIET_SHARE = 20
#: Seconds between two looks whether its processes are still there.
ALIVE_S = 1.0


class Reader:
    """Reads one attempt.

    Args:
        files: The attempt's files; they need not be there (any more).
        dyno: The name its lines bear.
        created_at: When it was launched: no line is older. None where nobody knows.
        skip: How many of its first lines are left out.
    """

    def __init__(
        self,
        files: AttemptFiles,
        dyno: str,
        *,
        created_at: datetime | None,
        skip: int = 0,
    ) -> None:
        self.files: Final = files
        self.due = 0.0  #: when to look again, on `boottime`
        self.ended = False
        self._dyno = dyno
        self._created_at = created_at
        self._status_path = os.fspath(files.path / "status")
        self._output = OutputFile(files.output, skip=skip)
        self._status: int | None = None
        self._vanished = False
        self._heard_at = clock.boottime()
        self._look_alive_at = 0.0

    def read(self, now: float) -> Iterator[LogLine]:
        """Yield some of the lines that have come, and the end when it has.

        Args:
            now: The current instant on `boottime`.

        Raises:
            OSError: The files cannot be read just now.
        """
        self.due = now + self._patience(now)
        if self._status is None and not self._vanished:
            self._look_for_end(now)
            # What comes after the end is not the task's.
            if left_out := self._output.look():
                yield self._say(f"{left_out} bytes left out: too much output at once")
        for line in self._output.turn():
            self._heard_at = now
            yield self._printed(line)
        if self._output.behind:
            self.due = now + POLL_S
        elif self._status is not None or self._vanished:
            yield from map(self._printed, self._output.rest())
            self.ended = True
            yield self._end()

    def _patience(self, now: float) -> float:
        quiet_s = now - self._heard_at
        return min(max(quiet_s / _QUIET_SHARE, POLL_S), CALM_POLL_S)

    def _look_for_end(self, now: float) -> None:
        # This is what a long attempt costs: a path that is text is the cheapest.
        if os.path.exists(self._status_path):
            self._status = self.files.status()
        if self._status is None and now >= self._look_alive_at:
            self._look_alive_at = now + ALIVE_S
            if self._is_dead():
                self._status = self.files.status()
                self._vanished = self._status is None

    def _is_dead(self) -> bool:
        """Return whether nobody is left who runs, or could write a status."""
        if self.files.alive():
            return False
        return self.files.started or self.files.prevent()

    def _printed(self, line: bytes) -> LogLine:
        at = min(clock.from_epoch(self._output.changed_at), clock.now())
        text = line.decode("utf-8", errors="replace")
        return self._line("app", text, at)

    def _end(self) -> LogLine:
        if self._status is None:
            return self._say("Process vanished without an exit status")
        text = f"Process exited with status {self._status}"
        return self._line("clockd", text, self.files.ended_at())

    def _say(self, text: str) -> LogLine:
        return self._line("clockd", text, clock.now())

    def _line(self, source: str, text: str, at: datetime) -> LogLine:
        # Clocks are set back, and files bear coarse times.
        at = max(at, self._created_at or at)
        return LogLine(at=at, source=source, dyno=self._dyno, text=text)
