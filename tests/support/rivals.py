"""Several clocks that share a database and a platform; their books compared."""

from __future__ import annotations

import subprocess
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from clockd import service
from tests.support.clockd import Clock, Home
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.fakes.heroku import FakeHeroku

APP = "sharp-mountain-4005"
_EARLIER = timedelta(minutes=5)


def by_hand(slug: str, command: str, more: str = "") -> str:
    """Return a trigger that fires only by hand."""
    return f"\n  {slug}:\n    command: {command}\n    cron: 0 0 1 1 *\n{more}"


class Rivals:
    """Clocks of one app, each in a folder of its own, as two releases of it are.

    Args:
        folder: Where their folders are made.
        fake: The platform.
        url: The database they share.
        program: What starts them; see `Home.program`.
    """

    def __init__(
        self,
        folder: Path,
        fake: FakeHeroku,
        url: str,
        program: tuple[str, ...] | None = None,
    ) -> None:
        self.fake = fake
        # An app's log is never empty: it shows that a launch did not happen.
        fake.app.say("app", "web.1", "serving", fake.app.now() - _EARLIER)
        self._folder = folder
        self._environ = {**fake.environ(), "CLOCKD_DATABASE_URL": url}
        self._program = program
        self.homes: list[Home] = []

    def release(self, triggers: str, environ: Mapping[str, str] | None = None) -> Home:
        """Return the folder of a new release, with its triggers.yaml."""
        folder = self._folder / f"release-{len(self.homes)}"
        folder.mkdir()
        home = Home(folder, {**self._environ, **(environ or {})})
        home.program = self._program or home.program
        home.write(triggers, top=f"app: {APP}")
        self.homes.append(home)
        return home

    @property
    def clocks(self) -> list[Clock]:
        """Every clock that was started."""
        return [clock for home in self.homes for clock in home.clocks]

    def close(self) -> None:
        """End every clock."""
        for home in self.homes:
            home.close()

    def check_books(self, runs: int) -> None:
        """Compare the platform's journal with the runs: nothing lost, nothing doubled.

        All runs are to have succeeded in their first attempt, `runs` of them.
        """
        found = self.homes[0].runs()
        outcomes = Counter(run["outcome"] for run in found)
        assert outcomes == {"succeeded": runs}, found
        started = Counter(int(dyno.env["CLOCKD_RUN_ID"]) for dyno in self.fake.journal)
        assert started == Counter(run["run_id"] for run in found)
        on_record = [attempt for run in found for attempt in run["attempts"]]
        # By name: of a dyno that was found by its log line the id is not known.
        assert {attempt["dyno"] for attempt in on_record} == {
            dyno.name for dyno in self.fake.journal
        }


def ask_all(home: Home, slugs: Iterable[str]) -> None:
    """Put a run of each trigger in the running clock's line, at once."""
    with home.store() as store:
        for slug in slugs:
            trigger = store.triggers.find(slug).trigger
            service.request_run(store, trigger, by="a test")


def wait_for_freeze(process: subprocess.Popen[Any], told: str = "") -> None:
    """Wait until a process has frozen itself, or was frozen; `told` is its log."""
    ps = ["ps", "-o", "stat=", "-p", str(process.pid)]

    def state() -> str:
        return subprocess.run(ps, capture_output=True, text=True, check=False).stdout

    wait_until(
        lambda: state().startswith("T"), 20, message=lambda: f"{state()!r}:\n{told}"
    )
