"""The log of an app of the fake platform, and the sessions that read it."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

#: What Logplex keeps of an app's log.
KEPT = 1500
LONGEST_LINE = 10_000  #: bytes; longer ones are split


def iso(at: datetime) -> str:
    """Return an instant as log lines have it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


@dataclass(frozen=True)
class LogEntry:
    """A line as the log keeps it; `number` is the order of delivery."""

    arrived: float  #: seconds since 1970
    number: int
    at: datetime
    source: str
    process: str
    text: str

    def __str__(self) -> str:
        return f"{iso(self.at)} {self.source}[{self.process}]: {self.text}"


@dataclass(eq=False, kw_only=True)
class AppLog:
    """An app's log: what was written to it, in the order of delivery.

    Args:
        skew_s: How far the platform's clock is ahead.
        drops: Lines that never reach the log.
        delays: Lines that are delivered after the next one.
    """

    skew_s: float = 0.0
    drops: re.Pattern[str] | None = None
    delays: re.Pattern[str] | None = None
    log: list[LogEntry] = field(default_factory=list)
    dropped: list[tuple[float, str, str]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    _held: list[tuple[datetime, str, str, str]] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the platform's time."""
        return datetime.now(UTC) + timedelta(seconds=self.skew_s)

    def say(
        self, source: str, process: str, text: str, at: datetime | None = None
    ) -> None:
        """Write to the log; a text of several lines becomes several entries."""
        for line in text.split("\n"):
            self._say_line(source, process, line, at or self.now())

    def _say_line(self, source: str, process: str, text: str, at: datetime) -> None:
        entry = (at, source, process, text)
        with self.changed:
            if self.drops is not None and self.drops.search(text):
                self.dropped.append((at.timestamp(), process, text))
                return
            if self.delays is not None and self.delays.search(text):
                self._held.append(entry)
                return
            for each in [entry, *self._held]:
                self.log.append(LogEntry(time.time(), len(self.log), *each))
            self._held.clear()
            self.changed.notify_all()

    def say_output(self, process: str, line: bytes) -> None:
        """Write a line of a task's output, split as the platform splits long ones."""
        line = line.rstrip(b"\n")
        for start in range(0, max(len(line), 1), LONGEST_LINE):
            piece = line[start : start + LONGEST_LINE]
            self._say_line(
                "app", process, piece.decode("utf-8", errors="replace"), self.now()
            )


@dataclass
class Session:
    """A log session: the URL's token is its only key."""

    app: AppLog
    app_name: str
    dyno: str | None
    source: str | None
    lines: int
    tail: bool
    expires: float  #: on the monotonic clock
    connected: bool = False

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() > self.expires

    def connect(self, stream_s: float) -> None:
        """Note the first connection: from now it lives for `stream_s`."""
        if not self.connected:
            self.connected = True
            self.expires = time.monotonic() + stream_s

    def takes(self, entry: LogEntry) -> bool:
        """Return whether a line passes the filter."""
        if self.source and entry.source != self.source:
            return False
        names = (entry.process, entry.process.rpartition(".")[0])
        return not self.dyno or self.dyno in names

    def history(self) -> list[LogEntry]:
        """Return the older lines that come first: of what is kept, the last ones."""
        matching = [entry for entry in self.app.log[-KEPT:] if self.takes(entry)]
        return matching[-self.lines :] if self.lines else []
