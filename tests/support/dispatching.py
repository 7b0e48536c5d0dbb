"""The parts of an active clock, with a platform that does what a test says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from clockd import clock
from clockd.jobs import Dispatcher
from clockd.launch import Launcher, LaunchSettings
from clockd.lease import LeaseKeeper
from clockd.model import Cause, RunnerKind, RunState, ScheduleKind, Trigger
from clockd.store import Store
from clockd.watch import Watcher, WatchHooks
from tests.support.scripted import BootClock, ScriptedRunner
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from clockd.model import Run


def trigger(slug: str = "nightly", **changes: Any) -> Trigger:
    values: dict[str, Any] = {
        "slug": slug,
        "command": f"bin/{slug}",
        "schedule_kind": ScheduleKind.CRON,
        "expression": "0 3 1 1 *",
        "app": "app",
        **changes,
    }
    return Trigger(**values)


class Clockwork:
    """The parts of an active clock, put together as the daemon does."""

    def __init__(self, url: str, boot: BootClock) -> None:
        self.boot = boot
        self.store = Store.open(url)
        self.runner = ScriptedRunner()
        self.lost = threading.Event()
        self.keeper = LeaseKeeper(self.store, "test:1", self.lost.set)
        assert self.keeper.wait(threading.Event(), lambda _lease: None)
        self.launcher = Launcher(
            {RunnerKind.HEROKU: self.runner},
            LaunchSettings(
                kind=RunnerKind.HEROKU,
                host="here",
                process_type="clockd",
                environ={"TOKEN": "t0p"},
                twin=lambda _app, command: command,
            ),
        )
        self.watcher = Watcher(
            self.store,
            {RunnerKind.HEROKU: self.runner},
            host="here",
            hooks=WatchHooks(
                ended=lambda run: self.dispatcher.ended(run),
            ),
        )
        self.dispatcher = Dispatcher(
            self.store, self.launcher, self.watcher, authority=self.keeper
        )
        self.watcher.start()
        self.dispatcher.start()

    def request(self, wanted: Trigger) -> Run:
        """Ask for a run by hand."""
        now = clock.now()
        run = self.store.runs.request(wanted, cause=Cause.MANUAL, by="t", now=now)
        self.dispatcher.wake()
        return run

    def get(self, run: Run) -> Run:
        return self.store.runs.get(run.id)

    def wait_for(self, run: Run, state: RunState) -> Run:
        wait_until(
            lambda: self.get(run).state is state,
            timeout=10,
            message=lambda: f"{state}, not {self.get(run)}",
        )
        return self.get(run)

    def exit(self, run: Run, status: int) -> Run:
        """Let a run's dyno end; wait until that is on record."""
        name = self.get(run).attempts[-1].dyno
        dyno = next(d for d in self.runner.listed if d.name == name)
        self.runner.say(dyno, f"Process exited with status {status}")
        self.runner.end(dyno)
        number = self.get(run).attempts[-1].number
        wait_until(
            lambda: self.get(run).attempts[number - 1].state is RunState.FINISHED,
            timeout=10,
        )
        return self.get(run)

    def close(self) -> None:
        self.launcher.close()
        self.dispatcher.stop(5)
        self.watcher.stop(5)
        self.keeper.release()
        self.store.close()
