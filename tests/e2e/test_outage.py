"""`clockd start` while a fake platform, over real HTTP, is away for some seconds."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.fakes.heroku import FakeHeroku
from tests.support.clockd import Clock, Home
from tests.support.hurried import HURRIED
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(150)
MANY = 8
APPS = ("sharp-mountain-4005", "other-app-17")


@pytest.fixture
def fake() -> Iterator[FakeHeroku]:
    """Give a platform with two apps, whose log reaches back."""
    with FakeHeroku(apps=APPS) as fake:
        for app in fake.apps.values():
            app.say("app", "web.1", "GET /", at=app.now() - timedelta(hours=2))
        yield fake


@pytest.fixture
def home(tmp_path: Path, fake: FakeHeroku) -> Iterator[Home]:
    """Give a folder with eight triggers that fire by hand, one of another app."""
    home = Home(tmp_path, fake.environ())
    home.program = HURRIED
    tasks = [
        f"  t-{n}: {{command: 'echo {n}', cron: 0 0 1 1 *}}\n" for n in range(MANY)
    ]
    other = f"  other: {{command: 'exit 0', cron: 0 0 1 1 *, app: {APPS[1]}}}\n"
    home.write("".join(tasks) + other, top=f"app: {APPS[0]}")
    yield home
    home.close()


def ask_all(home: Home) -> list[int]:
    return [home.ask(f"t-{n}") for n in range(MANY)]


def wait_for_all(clock: Clock, runs: list[int]) -> None:
    def ended() -> bool:
        done = {line["run_id"] for line in clock.events("run.finished")}
        return done >= set(runs)

    wait_until(ended, 60, message=lambda: clock.text[-3000:])


@pytest.mark.parametrize("status", [429, 503])
def test_what_waited_runs_once_when_the_platform_is_back(
    home: Home, fake: FakeHeroku, status: int
) -> None:
    with home.clock() as clock:
        fake.fault("status", path="^/", times=None, status=status)
        runs = ask_all(home)
        clock.wait_for("platform.unavailable", 30)
        asked = len(fake.api_requests())
        fake.faults.clear()
        wait_for_all(clock, runs)
        clock.wait_for("platform.recovered")

    assert Counter(dyno.env["CLOCKD_RUN_ID"] for dyno in fake.journal) == Counter(
        str(run_id) for run_id in runs
    )
    assert {run["outcome"] for run in home.runs()} == {"succeeded"}
    assert asked < 60
    assert len(clock.events("platform.unavailable")) == 1
    assert len(clock.events("platform.recovered")) == 1
    (recovered,) = clock.events("platform.recovered")
    assert recovered["runs_waited"] >= 1
    assert not clock.events("run.held", level="warning")


def test_a_full_app_is_filled_in_order_of_the_line_and_no_other_waits(
    home: Home, fake: FakeHeroku
) -> None:
    home.file.write_text(home.file.read_text().replace("echo", "sleep 0.7; echo"))
    fake.app.limit = 2
    with home.clock() as clock:
        runs = ask_all(home)
        clock.wait_for("run.held")
        elsewhere = home.ask("other")
        clock.wait_for("run.finished", 10, run_id=elsewhere)
        wait_for_all(clock, runs)

    started = [int(dyno.env["CLOCKD_RUN_ID"]) for dyno in fake.app.journal]
    # The first go out together, and may overtake one another.
    assert sorted(started) == runs
    assert started[2:] == sorted(started[2:])
    assert not clock.events("platform.unavailable")
    refused = [r for r in fake.launches() if r["status"] == 422]
    # Those that went out before it was known, and a probe for each that ended.
    assert len(refused) <= 2 * MANY
