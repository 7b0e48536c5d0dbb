"""`clockd start` killed in the middle of a launch: its successor starts no second dyno.

What it waits for is a matter of moments here (`tests.support.hurried`). The other steps
are the campaign's, which kills at each of them (`tests/chaos`).
"""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.hurried import HURRIED
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.fakes.heroku import FakeHeroku
    from tests.support.clockd import Clock, Home

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def killed(heroku: Home, fake: FakeHeroku) -> Home:
    """Give a folder whose first clock dies at a failpoint; the log reaches back."""
    heroku.program = HURRIED
    heroku.write(
        "\n  task:\n    command: sleep 0.3; exit 8\n    cron: 0 0 1 1 *\n",
        top=f"app: {fake.app.name}",
    )
    fake.app.say("app", "web.1", "GET /", at=fake.app.now() - timedelta(hours=2))
    return heroku


def start_and_die(home: Home, step: str) -> int:
    """Have a clock launch a run, and be killed at a step; return the run's id."""
    home.environ["CLOCKD_FAILPOINT"] = step
    clock = home.start()
    run_id = home.ask()
    wait_until(lambda: clock.process.poll() is not None, 20, message=step)
    assert clock.process.returncode == -signal.SIGKILL
    del home.environ["CLOCKD_FAILPOINT"]
    return run_id


def finish(clock: Clock, run_id: int) -> dict[str, Any]:
    return clock.wait_for("run.finished", 40, run_id=run_id)


def test_killed_before_the_request_its_run_is_sent_once(
    killed: Home, fake: FakeHeroku
) -> None:
    run_id = start_and_die(killed, "launch.guarded")
    assert fake.launches() == []

    with killed.clock() as successor:
        finished = finish(successor, run_id)

    assert (finished["outcome"], finished["exit_status"]) == ("failed", 8)
    assert len(fake.journal) == len(fake.launches()) == 1


@pytest.mark.parametrize("step", ["launch.sent", "launch.answered"])
def test_killed_after_the_request_its_dyno_is_adopted(
    killed: Home, fake: FakeHeroku, step: str
) -> None:
    run_id = start_and_die(killed, step)
    wait_until(lambda: fake.journal)

    with killed.clock() as successor:
        finished = finish(successor, run_id)

    assert (finished["outcome"], finished["exit_status"]) == ("failed", 8)
    assert len(fake.journal) == len(fake.launches()) == 1
    assert successor.events("run.adopted", run_id=run_id)


def test_killed_while_it_looks_its_dyno_is_adopted(
    killed: Home, fake: FakeHeroku
) -> None:
    fake.fault("close_after", method="POST", path="/dynos$")
    run_id = start_and_die(killed, "adopt.recording")

    with killed.clock() as successor:
        finished = finish(successor, run_id)

    assert (finished["outcome"], finished["exit_status"]) == ("failed", 8)
    assert len(fake.journal) == len(fake.launches()) == 1


def test_killed_while_its_database_is_gone_its_dyno_is_adopted(
    killed: Home, fake: FakeHeroku
) -> None:
    fake.fault("delay", method="POST", path="/dynos$", delay_s=1.0)
    clock = killed.start()
    run_id = killed.ask()
    wait_until(fake.launches)
    with closing(sqlite3.connect(killed.folder / "clockd.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        clock.wait_for("store.failed")
        wait_until(lambda: fake.journal)
        clock.kill()
        other.rollback()

    with killed.clock() as successor:
        finished = finish(successor, run_id)

    assert (finished["outcome"], finished["exit_status"]) == ("failed", 8)
    assert len(fake.journal) == len(fake.launches()) == 1
