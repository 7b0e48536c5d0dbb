"""A watcher over a real database and a platform that does what a test says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from clockd import clock
from clockd.model import Cause, RunnerKind, RunState, ScheduleKind, Trigger
from clockd.runner import LogLine
from clockd.store import AttemptPlan, LaunchedDyno, Store
from clockd.watch import Watcher, WatchHooks
from tests.support.scripted import BootClock, ScriptedRunner
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from clockd.model import Attempt, Run
    from clockd.runner import Dyno

TRIGGER = Trigger(
    slug="nightly",
    command="bin/nightly",
    schedule_kind=ScheduleKind.CRON,
    expression="0 3 * * *",
    app="app",
    timeout_s=600,
)


STEP_S = 5.0


class World:
    """A database, a platform, a clock, and a watcher over them."""

    def __init__(self, url: str, boot: BootClock) -> None:
        self.boot = boot
        self.store = Store.open(url)
        self.runner = ScriptedRunner()
        self.watchers: list[Watcher] = []
        self.watcher = self.watch()

    def watch(self) -> Watcher:
        """Start another watcher, as a restarted process would."""
        started = Watcher(
            self.store,
            {RunnerKind.HEROKU: self.runner},
            host="here",
            hooks=WatchHooks(),
        )
        started.start()
        self.watchers.append(started)
        self.watcher = started
        return started

    def restart(self) -> None:
        """End the watcher and start another that adopts what is unfinished."""
        self.watcher.stop(5)
        self.watch().adopt()

    def take(self, trigger: Trigger = TRIGGER) -> tuple[Run, Attempt]:
        """Put a run in the line and take it out for launching."""
        now = clock.now()
        self.store.runs.request(
            trigger, cause=Cause.MANUAL, by="test", now=now, owner="t"
        )
        taken = self.store.runs.take(now=now, limit=1, plan=self._plan, owner="t")
        return taken.started[0]

    def _plan(self, run: Run) -> AttemptPlan:
        return AttemptPlan(
            runner=RunnerKind.HEROKU,
            app="app",
            command=run.trigger.command,
            process_type="clockd",
            size=None,
            time_to_live_s=run.trigger.timeout_s + 60,
        )

    def launch(self, trigger: Trigger = TRIGGER) -> tuple[Run, Dyno]:
        """Launch a run whose answer arrives."""
        run, attempt = self.take(trigger)
        self.watcher.expect(attempt)
        dyno = self.runner.start(trigger.command)
        self.record(run, attempt, dyno)
        return run, dyno

    def record(self, run: Run, attempt: Attempt, dyno: Dyno) -> None:
        """Do what the dispatcher does with an answer."""
        now = clock.now()
        self.watcher.launched(run, attempt, dyno, clock.boottime())
        launched = LaunchedDyno(
            attempt_id=attempt.id,
            requested_at=attempt.requested_at,
            dyno=dyno,
            launched_at=now,
        )
        assert not self.store.attempts.launched([launched], now)
        self.watcher.settle(attempt.id)

    def lose_answer(self, trigger: Trigger = TRIGGER) -> tuple[Run, Attempt]:
        """Launch a run whose answer is lost; whether a dyno started is open."""
        run, attempt = self.take(trigger)
        self.watcher.expect(attempt)
        self.store.attempts.unknown(attempt.id, attempt.requested_at, "no answer")
        self.watcher.unknown(run, attempt, clock.boottime())
        self.watcher.settle(attempt.id)
        return run, attempt

    def get(self, run: Run) -> Run:
        return self.store.runs.get(run.id)

    def is_in_line(self, run: Run) -> bool:
        """Return whether a run waits as if its attempt had never been."""
        now = self.get(run)
        assert now.state is not RunState.WAITING or (now.attempt, now.attempts) == (
            0,
            (),
        )
        return now.state is RunState.WAITING

    def finished(self, run: Run) -> Run:
        """Wait for a run's end, letting time pass."""

        def ended() -> bool:
            return self.get(run).state is RunState.FINISHED

        wait_until(ended, timeout=15, message=f"run {run.id} to finish")
        return self.get(run)

    def after(self, seconds: float, predicate: Any, message: str = "") -> None:
        """Let time pass in steps until something is so."""
        for _ in range(int(seconds / STEP_S)):
            if predicate():
                return
            self.boot.advance(STEP_S)
            self._come_round(clock.boottime())
        wait_until(predicate, timeout=5, message=message)

    def leap(self, seconds: float) -> None:
        """Let much time pass at once."""
        self.boot.advance(seconds)
        self._come_round(clock.boottime())

    def _come_round(self, instant: float) -> None:
        """Wait until the watcher has had a turn at or after an instant."""
        self.watcher._inbox.put(lambda: None)
        wait_until(lambda: self.watcher.beat >= instant, timeout=5)

    def texts(self, run: Run) -> list[str]:
        return [line.text for line in self.store.output.lines(run.id)]

    def close(self) -> None:
        for started in self.watchers:
            started.stop(5)
        self.store.close()


def line_an_hour_ago() -> LogLine:
    """Return a line that shows how far the log reaches back."""
    return LogLine(
        at=clock.now() - timedelta(hours=1), source="app", dyno="web.1", text="GET /"
    )
