"""A day of triggers on a platform that goes away, without threads and without waiting.

Dispatcher and watcher are the real ones over a real database; their turns are taken one
after the other, and time passes in steps.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from clockd import clock
from clockd.errors import LaunchUnknown, RunnerUnavailable
from clockd.jobs import Dispatcher
from clockd.launch import Launcher, LaunchSettings
from clockd.model import RunnerKind, RunState
from clockd.runner import Unavailable
from clockd.store import Store
from clockd.watch import Watcher, WatchHooks
from clockd.watch.streams import StreamKey
from tests.support.scripted import ScriptedRunner, ScriptedStream
from tests.support.watching import line_an_hour_ago

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from clockd.model import Run, Trigger
    from clockd.runner import Dyno, LaunchRequest, LogLine

#: A Tuesday.
MORNING = datetime(2026, 11, 24, 9, 35, 0, tzinfo=UTC)
KEY = StreamKey(RunnerKind.HEROKU, "app", "clockd")
TASK_S = 5.0


class FakeTime:
    """Time that passes when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed_s = 0.0
        monkeypatch.setattr(clock, "boottime", lambda: 1000.0 + self.passed_s)
        monkeypatch.setattr(clock, "now", self.now)

    def now(self) -> datetime:
        """Return the instant it is."""
        return MORNING + timedelta(seconds=self.passed_s)


@dataclass(frozen=True, kw_only=True)
class Started:
    """A dyno that was started for a run."""

    trigger: str
    run_id: int
    attempt: int
    fire_time: str
    at: datetime


class Refusing:
    """A way in which the platform can be away.

    Args:
        kind: Why launches are certainly not created; None: nobody knows.
        lists: Whether dynos can be listed, and logs be read, all the same.
        works: Whether dynos are started, though nobody is told.
    """

    def __init__(
        self,
        kind: Unavailable | None = None,
        *,
        lists: bool = False,
        works: bool = False,
    ) -> None:
        self.kind = kind
        self.lists = lists
        self.works = works

    def refuse(self) -> None:
        """Raise what a launch, or a question, gets."""
        raise RunnerUnavailable("down", kind=self.kind or Unavailable.CONNECTION)


@dataclass
class OutageRunner(ScriptedRunner):
    """A platform whose tasks take `TASK_S`, and that can be away."""

    away: Refusing | None = None
    limit: int | None = None  #: of dynos at once
    started: list[Started] = field(default_factory=list)
    ends: list[tuple[datetime, Dyno, int]] = field(default_factory=list)
    feed: Callable[[LogLine], None] = lambda _line: None
    status: Callable[[LaunchRequest], int] = lambda _request: 0

    def launch(self, request: LaunchRequest, *, guard: Callable[[], None]) -> Dyno:
        """Start a dyno, unless away."""
        guard()
        self.requests.append(request)
        away = self.away
        if away is not None and away.kind is not None:
            away.refuse()
        if self.limit is not None and len(self.listed) >= self.limit:
            raise RunnerUnavailable("no room", kind=Unavailable.OVER_LIMIT)
        if away is not None and not away.works:
            raise LaunchUnknown("503")
        dyno = self._start_for(request)
        if away is not None:
            raise LaunchUnknown("503, after the work was done")
        return dyno

    def _start_for(self, request: LaunchRequest) -> Dyno:
        now, env = clock.now(), request.env
        dyno = self.start(request.command)
        self._say(dyno, f"Starting process with command `{request.command}`")
        self.ends.append((now + timedelta(seconds=TASK_S), dyno, self.status(request)))
        self.started.append(
            Started(
                trigger=env["CLOCKD_TRIGGER"],
                run_id=int(env["CLOCKD_RUN_ID"]),
                attempt=int(env["CLOCKD_ATTEMPT"]),
                fire_time=env["CLOCKD_FIRE_TIME"],
                at=now,
            )
        )
        return dyno

    def pass_time(self) -> None:
        """Let the tasks end whose time has come."""
        now = clock.now()
        due = [end for end in self.ends if end[0] <= now]
        self.ends = [end for end in self.ends if end[0] > now]
        for _, dyno, status in due:
            self._say(dyno, f"Process exited with status {status}")
            self.end(dyno)

    def _say(self, dyno: Dyno, text: str) -> None:
        self.feed(self.say(dyno, text))

    def dynos(self, app: str, process_type: str | None = None) -> Sequence[Dyno]:
        """List what is there, unless away."""
        listed = super().dynos(app, process_type)
        if self.away is not None and not self.away.lists:
            self.away.refuse()
        return listed

    def history(self, app: str, *, lines: int) -> Sequence[LogLine]:
        """Return the whole log, unless away."""
        told = super().history(app, lines=lines)
        if self.away is not None and not self.away.lists:
            self.away.refuse()
        return told

    def follow(self, app: str, process_type: str, *, lines: int) -> ScriptedStream:
        """Open a stream on which nothing comes: lines are fed by hand."""
        del app, process_type, lines
        return ScriptedStream([])


class Inline:
    """A pool of threads without threads."""

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        """Do the work at once."""
        done: Future[Any] = Future()
        done.set_result(work(*given))
        return done

    def shutdown(self, **_: object) -> None:
        """Do nothing."""


class Right:
    """The right to be the clock, which nobody contests."""

    owner: str | None = None

    def __init__(self, store: Store) -> None:
        fence = store.lease.take(store.lease.read(), "test:1", clock.now())
        assert fence is not None
        self.fence: int | None = fence

    def check(self) -> None:
        """Let everything pass."""


@dataclass(frozen=True)
class Books:
    """The runs on record, oldest fire time first, and which of them had a dyno."""

    all: list[Run]
    started: set[int]

    def runs(self, trigger: str) -> list[Run]:
        """Return a trigger's runs."""
        return [run for run in self.all if run.trigger.slug == trigger]

    def launched(self, trigger: str) -> list[Run]:
        """Return those that had a dyno."""
        return [run for run in self.runs(trigger) if run.id in self.started]

    def unfinished(self) -> list[Run]:
        """Return the runs that are neither finished nor young."""
        return [
            run
            for run in self.all
            if run.state is not RunState.FINISHED
            and clock.now() - run.claimed_at > timedelta(minutes=5)
        ]


class Day:
    """A clock at work from `MORNING` on.

    Args:
        url: The database.
        time: Passes in steps.
    """

    def __init__(self, url: str, time: FakeTime) -> None:
        self.time = time
        self.store = Store.open(url)
        self.runner = OutageRunner(past=[line_an_hour_ago()])
        self.right = Right(self.store)
        runners = {RunnerKind.HEROKU: self.runner}
        settings = LaunchSettings(
            kind=RunnerKind.HEROKU,
            host="here",
            process_type="clockd",
            environ={},
            twin=lambda _app, command: command,
        )
        self.launcher = Launcher(runners, settings)
        self.watcher = Watcher(
            self.store,
            runners,
            host="here",
            hooks=WatchHooks(ended=lambda run: self.dispatcher.ended(run)),
        )
        self.dispatcher = Dispatcher(
            self.store, self.launcher, self.watcher, authority=self.right
        )
        self._without_threads()

    def _without_threads(self) -> None:
        inbox, questions = self.watcher._inbox, self.watcher._questions
        inbox.run_for = lambda *_: inbox.run_rest()  # type: ignore[method-assign]
        self.launcher._pool = Inline()  # type: ignore[assignment]
        questions._pool = questions._stops = Inline()  # type: ignore[assignment]
        streams = self.watcher._streams
        self.runner.feed = lambda line: inbox.put(lambda: streams.take(KEY, line))

    def load(self, *triggers: Trigger) -> None:
        """Take a file's triggers over."""
        fence = self.right.fence
        assert fence is not None
        self.store.triggers.sync(triggers, fence=fence, now=clock.now())

    def pass_time(self, seconds: float, *, step_s: float) -> None:
        """Let time pass in steps, and everything happen that is due in each."""
        for _ in range(round(seconds / step_s)):
            self.time.passed_s += step_s
            self.come_round()

    def come_round(self) -> None:
        """Claim, launch and watch until nothing is left to do at this instant."""
        assert self.right.fence is not None
        self.store.claims.claim(fence=self.right.fence, now=clock.now())
        self.runner.pass_time()
        for _ in range(50):
            self.watcher._turn()
            self.dispatcher._turn()
            if self.watcher._inbox._messages.empty() and not self._is_busy():
                return
        raise AssertionError("this instant has no end")

    def _is_busy(self) -> bool:
        it = self.dispatcher
        return bool(it._results or it._due_hint or it._room_made)

    # -- the books -------------------------------------------------------------

    def books(self) -> Books:
        """Return what is on record."""
        runs = self.store.runs.list(limit=100_000)
        runs.sort(key=lambda run: run.fire_time or run.claimed_at)
        return Books(runs, {it.run_id for it in self.runner.started})

    def doubled(self) -> list[tuple[int, int]]:
        """Return the attempts that had more than one dyno."""
        count = Counter((it.run_id, it.attempt) for it in self.runner.started)
        return [key for key, times in count.items() if times > 1]

    def close(self) -> None:
        """End it."""
        closing = threading.Thread(target=self.watcher._streams.close)
        closing.start()
        closing.join(5)
        self.store.close()
