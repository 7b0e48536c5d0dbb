"""A runner that does what a test says, and a boot clock that a test can move."""

from __future__ import annotations

import itertools
import queue
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clockd import clock
from clockd.model import RunnerKind
from clockd.runner import Dyno, LaunchRequest, LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pytest

    from clockd.pace import Allowance

_REAL_BOOTTIME = clock.boottime


class BootClock:
    """The machine's own clock, moved forward at will; the wall clock goes with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offset_s = 0.0
        monkeypatch.setattr(clock, "boottime", lambda: _REAL_BOOTTIME() + self.offset_s)
        monkeypatch.setattr(
            clock, "now", lambda: datetime.now(UTC) + timedelta(seconds=self.offset_s)
        )

    def advance(self, seconds: float) -> None:
        """Let that much time pass at once."""
        self.offset_s += seconds


class ScriptedStream:
    """A log stream fed by a test."""

    def __init__(self, lines: Sequence[LogLine]) -> None:
        self._lines: queue.Queue[LogLine | None] = queue.Queue()
        self.closed = False
        for line in lines:
            self._lines.put(line)

    def feed(self, line: LogLine) -> None:
        """Let a line arrive."""
        self._lines.put(line)

    def resume(self, dyno_id: str, lines_seen: int) -> None:
        """Do nothing: the lines carry their own time."""

    def close(self) -> None:
        """End the stream."""
        self.closed = True
        self._lines.put(None)

    def __iter__(self) -> Iterator[LogLine | None]:
        while not self.closed:
            line = self._lines.get()
            if line is not None:
                yield line


@dataclass
class ScriptedRunner:
    """A platform on which everything happens by hand."""

    kind: RunnerKind = RunnerKind.HEROKU
    authoritative: bool = False
    skew_s: float = 0.0
    allowance: Allowance | None = None
    listed: list[Dyno] = field(default_factory=list)
    log: list[LogLine] = field(default_factory=list)
    past: list[LogLine] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    requests: list[LaunchRequest] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    streams: list[ScriptedStream] = field(default_factory=list)
    histories: int = 0
    lists: int = 0
    list_failure: Exception | None = None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def launch(self, request: LaunchRequest, *, guard: Callable[[], None]) -> Dyno:
        """Start a dyno, or fail as the test said."""
        guard()
        self.requests.append(request)
        if self.failures:
            raise self.failures.pop(0)
        return self.start(request.command)

    def start(self, command: str) -> Dyno:
        """Start a dyno nobody asked for, as a lost answer would."""
        number = next(self.numbers)
        dyno = Dyno(
            app="app",
            name=f"clockd.{number}",
            id=f"id-{number}",
            command=command,
            process_type="clockd",
            state="up",
            size="Standard-1X",
            created_at=clock.now().replace(microsecond=0),
        )
        self.listed.append(dyno)
        return dyno

    def end(self, dyno: Dyno) -> None:
        """Let a dyno vanish from the list."""
        self.listed.remove(dyno)

    def say(self, dyno: Dyno, text: str, source: str = "heroku") -> LogLine:
        """Let a line arrive on the stream, and in the log."""
        line = LogLine(at=clock.now(), source=source, dyno=dyno.name, text=text)
        self.log.append(line)
        for stream in self.streams:
            stream.feed(line)
        return line

    def dynos(self, app: str, process_type: str | None = None) -> Sequence[Dyno]:
        """List what is there."""
        del app, process_type
        self.lists += 1
        if self.list_failure is not None:
            raise self.list_failure
        return list(self.listed)

    def stop(self, dyno: Dyno) -> None:
        """Note the wish."""
        self.stopped.append(dyno.name)

    def follow(self, app: str, process_type: str, *, lines: int) -> ScriptedStream:
        """Open a stream that repeats the log first."""
        del app, process_type, lines
        stream = ScriptedStream(self.log)
        self.streams.append(stream)
        return stream

    def cut(self) -> None:
        """Let the platform end every stream."""
        streams, self.streams = self.streams, []
        for stream in streams:
            stream.close()

    def forget(self, dyno: Dyno) -> None:
        """Keep nothing."""

    def history(self, app: str, *, lines: int) -> Sequence[LogLine]:
        """Return the whole log, with what came before this test."""
        del app, lines
        self.histories += 1
        return [*self.past, *self.log]
