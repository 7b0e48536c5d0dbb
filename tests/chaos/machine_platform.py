"""A Heroku in memory, in the time of the machine, that remembers everything.

Its journal is the truth with which the books are compared: which dynos there were, for
which attempt, how each ended. It has the habits that matter: names recycle, a list may
lag, the exit line comes last, lines get lost, a time to live ends whatever runs.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from clockd import clock
from clockd.errors import LaunchRejected, LaunchUnknown, RunnerUnavailable
from clockd.model import RunnerKind
from clockd.runner import Dyno, LogLine, Unavailable
from tests.chaos.machine_threads import Killed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clockd.runner import LaunchRequest
    from tests.chaos.machine_time import Time

#: A request may be on its way for so long although its sender is gone.
LATE_S = 15.0
#: A dyno may be missing from lists for so long.
UNLISTED_S = 4.0
_NAMES = 40


class Answer(StrEnum):
    """What comes of a launch request."""

    DYNO = "dyno"
    NO_CONNECTION = "no connection"
    RATE_LIMITED = "rate limited"
    OVER_LIMIT = "over limit"
    REJECTED = "rejected"
    LOST = "the answer is lost, there is a dyno"
    LOST_LATE = "the answer is lost, the dyno comes later"
    NOTHING = "no answer, and no dyno"
    KILLED = "the sender is killed, there is a dyno"
    KILLED_LATE = "the sender is killed, the dyno comes later"


class End(StrEnum):
    """How a dyno truly ended."""

    EXITED = "exited"
    STOPPED = "stopped"
    TIME_TO_LIVE = "time to live"
    CYCLED = "cycled"


class Line(StrEnum):
    """What becomes of a dyno's exit line."""

    HEARD = "heard"
    NOT_STREAMED = "not streamed"  #: it is in the log's history only
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What tasks do from now on, and what is heard of their end."""

    lasts_s: float = 20.0
    status: int = 0
    stop_takes_s: float = 3.0
    stop_status: int = 143
    line: Line = Line.HEARD


@dataclass(eq=False, kw_only=True)
class Started:
    """A dyno in the journal; seconds are true ones since the start."""

    dyno: Dyno
    run_id: int
    attempt: int
    task: Task
    created_s: float
    ended_s: float | None = None
    end: End | None = None
    status: int | None = None
    stop_asked_s: float | None = None
    line_lost: bool = False

    @property
    def alive(self) -> bool:
        """Whether it is there."""
        return self.ended_s is None


@dataclass(eq=False)
class Platform:
    """One app on the platform."""

    time: Time
    task: Task = field(default_factory=Task)
    answers: list[Answer] = field(default_factory=list)  #: of the next launches
    journal: list[Started] = field(default_factory=list)
    log: list[tuple[LogLine, Line]] = field(default_factory=list)
    log_lost_s: list[float] = field(default_factory=list)
    streams: int = 0  #: counts up when all open streams are cut
    _down_since_s: float | None = None
    _outages: list[tuple[float, float]] = field(default_factory=list)
    _events: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.say("web.1", "GET /", source="app", earlier_s=3600)

    # -- time ------------------------------------------------------------------

    def advance(self, until_s: float) -> None:
        """Let what is to happen until then happen, each at its instant."""
        while self._events and self._events[0][0] <= until_s:
            at, _, act = heapq.heappop(self._events)
            self.time.elapsed_s = max(at, self.time.elapsed_s)
            act()
        self.time.elapsed_s = until_s

    def _later(self, in_s: float, act: Callable[[], object]) -> None:
        event = (self.time.elapsed_s + in_s, next(self._numbers), act)
        heapq.heappush(self._events, event)

    # -- outages ---------------------------------------------------------------

    @property
    def down(self) -> bool:
        """Whether it cannot be asked."""
        return self._down_since_s is not None

    def fail(self) -> None:
        """Go down."""
        if self._down_since_s is None:
            self._down_since_s = self.time.elapsed_s

    def recover(self) -> None:
        """Come back."""
        if self._down_since_s is not None:
            self._outages.append((self._down_since_s, self.time.elapsed_s))
        self._down_since_s = None

    def was_away(self, since_s: float, seconds: float) -> bool:
        """Return whether it could not be asked for so long at a time, at or after."""
        now_s, since = self.time.elapsed_s, self._down_since_s
        outages = [*self._outages, *([] if since is None else [(since, now_s)])]
        return any(
            until > since_s and until - began >= seconds for began, until in outages
        )

    # -- dynos -----------------------------------------------------------------

    @property
    def alive(self) -> list[Started]:
        """The dynos that are there."""
        return [it for it in self.journal if it.alive]

    def create(self, request: LaunchRequest) -> Dyno:
        """Start a dyno."""
        dyno = Dyno(
            app=request.app,
            name=self._free_name(),
            id=f"id-{len(self.journal)}",
            command=request.command,
            process_type=request.process_type,
            state="up",
            size=None,
            created_at=self.time.true.replace(microsecond=0),
        )
        started = Started(
            dyno=dyno,
            run_id=int(request.env["CLOCKD_RUN_ID"]),
            attempt=int(request.env["CLOCKD_ATTEMPT"]),
            task=self.task,
            created_s=self.time.elapsed_s,
        )
        self.journal.append(started)
        self.say(dyno.name, f"Starting process with command `{dyno.command}`")
        self._later(
            started.task.lasts_s,
            lambda: self._end(started, End.EXITED, started.task.status),
        )
        self._later(
            request.time_to_live_s, lambda: self._terminate(started, End.TIME_TO_LIVE)
        )
        return dyno

    def _free_name(self) -> str:
        number, taken = len(self.journal), {it.dyno.name for it in self.alive}
        while (name := f"clockd.{number % _NAMES + 1}") in taken:
            number += 1
        return name

    def create_later(self, request: LaunchRequest) -> None:
        """Start a dyno whose request is still on its way."""
        self._later(LATE_S, lambda: self.create(request))

    def stop(self, name: str) -> None:
        """Stop the dyno of a name; one that is not there is fine."""
        for it in self.alive:
            if it.dyno.name == name and it.stop_asked_s is None:
                it.stop_asked_s = self.time.elapsed_s
                self._terminate(it, End.STOPPED)

    def cycle(self, started: Started) -> None:
        """Stop a dyno as the platform does of its own accord."""
        self._terminate(started, End.CYCLED)

    def _terminate(self, it: Started, end: End) -> None:
        if not it.alive or it.end is not None:
            return
        it.end = end
        if end is not End.STOPPED:
            self.say(it.dyno.name, "Cycling")
        self.say(it.dyno.name, "State changed from up to complete")
        self.say(it.dyno.name, "Stopping all processes with SIGTERM")
        self._later(
            it.task.stop_takes_s, lambda: self._end(it, end, it.task.stop_status)
        )

    def _end(self, it: Started, end: End, status: int) -> None:
        if not it.alive:
            return
        it.ended_s, it.end, it.status = self.time.elapsed_s, it.end or end, status
        it.line_lost = it.task.line is Line.LOST
        text = f"Process exited with status {status}"
        self.say(it.dyno.name, text, line=it.task.line)

    # -- the log ---------------------------------------------------------------

    def say(
        self,
        dyno: str,
        text: str,
        *,
        source: str = "heroku",
        earlier_s: float = 0,
        line: Line = Line.HEARD,
    ) -> None:
        """Let a line appear in the log."""
        number = timedelta(microseconds=len(self.log) % 1000)
        at = self.time.true - timedelta(seconds=earlier_s) + number
        said = LogLine(at=at, source=source, dyno=dyno, text=text)
        self.log.append((said, line))

    def lose_log(self) -> None:
        """Let others' lines push everything out of the log's history."""
        self.log = [(line, Line.LOST) for line, _ in self.log]
        self.log_lost_s.append(self.time.elapsed_s)
        self.streams += 1
        self.say("web.1", "GET /", source="app")

    def history(self) -> list[LogLine]:
        """Return what the log holds."""
        return [line for line, fate in self.log if fate is not Line.LOST]


class Followed:
    """An open stream: gives what has come since it was read last."""

    def __init__(self, platform: Platform, process_type: str) -> None:
        self._platform = platform
        self._prefix = f"{process_type}."
        self._opened = platform.streams
        self._next = 0
        self._replaying = True

    def __iter__(self) -> Iterator[LogLine]:
        if self._platform.down or self._platform.streams != self._opened:
            raise RunnerUnavailable("the stream was cut", kind=Unavailable.CONNECTION)
        lines = self._platform.log[self._next :]
        self._next += len(lines)
        replaying, self._replaying = self._replaying, False
        for line, fate in lines:
            heard = fate is Line.HEARD or (replaying and fate is Line.NOT_STREAMED)
            if heard and line.dyno.startswith(self._prefix):
                yield line

    def resume(self, dyno_id: str, lines_seen: int) -> None:
        """Do nothing: the lines carry their own time."""

    def close(self) -> None:
        """Do nothing: nobody reads on."""


class PlatformRunner:
    """The platform as one process sees it."""

    kind = RunnerKind.HEROKU
    authoritative = False
    allowance = None

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.skew_s: float | None = None

    def _ask(self) -> None:
        if self._platform.down:
            raise RunnerUnavailable("no connection", kind=Unavailable.CONNECTION)
        # Every answer shows the platform's time, against ours.
        self.skew_s = (clock.now() - self._platform.time.true).total_seconds()

    def launch(self, request: LaunchRequest, *, guard: Callable[[], None]) -> Dyno:
        """Start a dyno, or whatever the next answer is to be."""
        guard()
        self._ask()
        platform = self._platform
        answer = platform.answers.pop(0) if platform.answers else Answer.DYNO
        match answer:
            case Answer.NO_CONNECTION:
                raise RunnerUnavailable("no", kind=Unavailable.CONNECTION)
            case Answer.RATE_LIMITED:
                raise RunnerUnavailable("no", kind=Unavailable.RATE_LIMITED)
            case Answer.OVER_LIMIT:
                raise RunnerUnavailable("no", kind=Unavailable.OVER_LIMIT)
            case Answer.REJECTED:
                raise LaunchRejected("no such command")
            case Answer.NOTHING:
                raise LaunchUnknown("no answer")
            case Answer.LOST_LATE:
                platform.create_later(request)
                raise LaunchUnknown("no answer")
            case Answer.KILLED_LATE:
                platform.create_later(request)
                raise Killed
        dyno = platform.create(request)
        if answer is Answer.LOST:
            raise LaunchUnknown("no answer")
        if answer is Answer.KILLED:
            raise Killed
        return dyno

    def dynos(self, app: str, process_type: str | None = None) -> Sequence[Dyno]:
        """List what is there; the youngest may be missing."""
        del app, process_type
        self._ask()
        now_s = self._platform.time.elapsed_s
        return [
            it.dyno
            for it in self._platform.alive
            if it.end is None and now_s - it.created_s >= UNLISTED_S
        ]

    def stop(self, dyno: Dyno) -> None:
        """Ask for a stop."""
        self._ask()
        self._platform.stop(dyno.name)

    def follow(self, app: str, process_type: str, *, lines: int) -> Followed:
        """Open a stream."""
        del app, lines
        self._ask()
        return Followed(self._platform, process_type)

    def history(self, app: str, *, lines: int) -> Sequence[LogLine]:
        """Return the whole log."""
        del app, lines
        self._ask()
        return self._platform.history()

    def forget(self, dyno: Dyno) -> None:
        """Keep nothing."""
