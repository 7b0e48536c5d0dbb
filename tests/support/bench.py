"""The parts of a clock over a real database and a fake Heroku that speaks real HTTP.

Time passes when a test says so, for the clock and for the platform; the wall clock of
the clock's host can be moved on its own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from clockd import clock, procfile
from clockd.dyno import HerokuRunner
from clockd.jobs import Dispatcher
from clockd.launch import Launcher, LaunchSettings
from clockd.model import Cause, RunnerKind, RunState
from clockd.store import Store
from clockd.watch import Watcher, WatchHooks
from clockd.watch.commands import twin_of
from tests.support.dispatching import trigger
from tests.support.scripted import BootClock
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from clockd.model import Attempt, Run, Trigger
    from tests.fakes.dynos import FakeDyno
    from tests.fakes.heroku import FakeHeroku

STEP_S = 5.0
HOUR = timedelta(hours=1)


class Time:
    """The machine's clocks and the platform's: they go together, unless told not to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fake: FakeHeroku) -> None:
        self._fake = fake
        self._boot = BootClock(monkeypatch)
        self.wrong_s = 0.0  #: how far the host's wall clock is ahead
        monkeypatch.setattr(clock, "now", self._wall)

    def _wall(self) -> datetime:
        offset_s = self._boot.offset_s + self.wrong_s
        return datetime.now(UTC) + timedelta(seconds=offset_s)

    @property
    def passed_s(self) -> float:
        """How much time a test has let pass."""
        return self._boot.offset_s

    def advance(self, seconds: float) -> None:
        """Let that much time pass at once, on the platform first."""
        self._fake.skew_s += seconds
        self._boot.advance(seconds)


class _Authority:
    """The right to launch, which is never in doubt."""

    owner: str | None = None

    def __init__(self, store: Store) -> None:
        self.fence = store.lease.take(store.lease.read(), "bench:1", clock.now())

    def check(self) -> None:
        """Agree."""


class Bench:
    """A clock's parts; `start` sets them going."""

    def __init__(self, url: str, fake: FakeHeroku, time: Time) -> None:
        self.url = url
        self.fake = fake
        self.time = time
        self.successor: Bench | None = None
        self._started = self._closed = False
        self.store = Store.open(url)
        self.runner = HerokuRunner(
            fake.key, api_url=fake.url, connect_s=2.0, read_s=1.0
        )
        self.launcher = Launcher(
            {RunnerKind.HEROKU: self.runner},
            LaunchSettings(
                kind=RunnerKind.HEROKU,
                host="here",
                process_type="clockd",
                environ={},
                twin=lambda _app, command: twin_of(self._expanded(command)),
            ),
        )
        self._authority = _Authority(self.store)
        self.watcher = Watcher(
            self.store,
            {RunnerKind.HEROKU: self.runner},
            host="here",
            hooks=WatchHooks(
                ended=lambda run: self.dispatcher.ended(run),
                shown=lambda _app, text: frozenset({text, self._expanded(text)}),
            ),
        )
        self.dispatcher = Dispatcher(
            self.store, self.launcher, self.watcher, authority=self._authority
        )

    def _expanded(self, command: str) -> str:
        return procfile.expand(command, self.fake.app.procfile)

    def start(self) -> Bench:
        """Become the clock."""
        self._started = True
        self.watcher.start()
        self.watcher.adopt()
        self.dispatcher.start()
        return self

    def again(self) -> Bench:
        """End, with all that is not on record by now; return the clock after it."""
        self.close()
        self.successor = Bench(self.url, self.fake, self.time)
        return self.successor

    def close(self) -> None:
        """End."""
        if self.successor is not None:
            self.successor.close()
        if self._closed:
            return
        self._closed = True
        self.launcher.close()
        if self._started:
            self.dispatcher.stop(5)
            self.watcher.stop(5)
        self.store.close()
        self.runner.close()

    # -- runs ------------------------------------------------------------------

    def ask(self, command: str, slug: str = "task", **more: Any) -> Run:
        """Ask for a run by hand."""
        app = more.pop("app", self.fake.app.name)
        run = self._request(trigger(slug, command=command, app=app, **more))
        self.dispatcher.wake()
        return run

    def _request(self, wanted: Trigger) -> Run:
        return self.store.runs.request(
            wanted, cause=Cause.MANUAL, by="a test", now=clock.now()
        )

    def leave(
        self, command: str, slug: str = "task", *, sent: bool, **more: Any
    ) -> tuple[Run, Attempt]:
        """Leave a launch as a clock does that is killed before, or after, it sends."""
        wanted = trigger(slug, command=command, app=self.fake.app.name, **more)
        asked = self._request(wanted)
        ((run, attempt),) = self.store.runs.take(
            now=clock.now(),
            limit=1,
            plan=self.launcher.plan,
            fence=self._authority.fence,
        ).started
        assert run.id == asked.id
        if sent:
            request = self.launcher._request(run, attempt)
            self.runner.launch(request, guard=lambda: None)
        return run, attempt

    def get(self, run: Run) -> Run:
        """Return a run as it is on record."""
        return self.store.runs.get(run.id)

    def state(self, run: Run) -> RunState:
        """Return what state a run is in."""
        return self.get(run).state

    def finished(
        self, run: Run, within_s: float = 300, *, step_s: float = STEP_S
    ) -> Run:
        """Let time pass until a run has ended; return it."""
        ended = RunState.FINISHED
        self.after(within_s, lambda: self.state(run) is ended, step_s=step_s)
        return self.get(run)

    def wait_for(self, run: Run, state: RunState) -> Run:
        """Wait, without letting time pass, until a run is in a state."""
        wait_until(
            lambda: self.state(run) is state,
            message=lambda: f"{state}, not {self.get(run)}",
        )
        return self.get(run)

    # -- time ------------------------------------------------------------------

    def after(
        self, seconds: float, predicate: Callable[[], Any], *, step_s: float = STEP_S
    ) -> None:
        """Let time pass in steps until something is so."""
        for _ in range(int(seconds / step_s)):
            if self._soon(predicate):
                return
            self.pass_time(step_s)
        wait_until(predicate, message=lambda: f"{seconds} s to be enough")

    def _soon(self, predicate: Callable[[], Any]) -> bool:
        """Return whether something is so, or is when what is under way has come."""
        try:
            wait_until(predicate, timeout=0.05)
        except AssertionError:
            return False
        return True

    def pass_time(self, seconds: float) -> None:
        """Let time pass at once; wait until the clock has noticed."""
        self.time.advance(seconds)
        instant = clock.boottime()
        self.watcher._inbox.put(lambda: None)
        self.dispatcher.wake()
        wait_until(lambda: self.watcher.beat >= instant)

    # -- the platform ----------------------------------------------------------

    def tell_past(self) -> None:
        """Let the log of each app reach back for two hours."""
        for app in self.fake.apps.values():
            app.say("app", "web.1", "GET /", at=app.now() - 2 * HOUR)

    def deafen(self) -> None:
        """Let the log streams that stay open tell nothing; the log still does."""
        self.fake.fault("mute", path="/_logs/", times=1)

    def lose(self, kind: str, times: int = 1, **options: Any) -> None:
        """Let launches end with a fault."""
        self.fake.fault(kind, method="POST", path="/dynos$", times=times, **options)

    def lists(self) -> int:
        """Return how often the dyno list was read."""
        return self._count("GET", "/dynos")

    def sessions(self) -> int:
        """Return how many log sessions were asked for that have an end."""
        return sum(
            request["body"].get("tail") is False
            for request in self.fake.requests
            if request["path"].endswith("/log-sessions")
        )

    def _count(self, method: str, end: str) -> int:
        return sum(
            request["method"] == method and request["path"].endswith(end)
            for request in self.fake.requests
        )

    def stranger(self, command: str, *, ago_s: float = 0.0) -> FakeDyno:
        """Start a dyno of our process type that is not ours."""
        app = self.fake.app
        app.skew_s -= ago_s
        try:
            return app.start(command, type_="clockd")
        finally:
            app.skew_s += ago_s


def broken(error: Exception) -> Callable[..., Any]:
    """Return a function that fails."""

    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail
