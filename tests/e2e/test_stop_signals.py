"""SIGTERM at a bad moment: the exit comes within 5 s, nothing is lost or doubled."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy.engine import make_url

from clockd.store.database import SCHEMA_LOCK
from tests.support.hurried import HURRIED
from tests.support.rivals import Rivals, ask_all, by_hand
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.heroku import FakeHeroku
    from tests.support.clockd import Home
    from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.timeout(120)

TASKS = [f"task-{number}" for number in range(100)]
BURST = "".join(by_hand(slug, f"test {slug}") for slug in TASKS)
#: Heroku gives 30 s, and may say so more than once.
GRACE_S = 5.0


@pytest.fixture
def rivals(tmp_path: Path, fake: FakeHeroku, database_url: str) -> Iterator[Rivals]:
    rivals = Rivals(tmp_path, fake, database_url, HURRIED)
    yield rivals
    rivals.close()


def wait_for_end(home: Home, runs: int) -> None:
    wait_until(
        lambda: len(home.runs(state="finished")) == runs,
        40,
        message=lambda: str([run for run in home.runs() if not run["outcome"]]),
    )


def test_in_the_middle_of_a_burst_of_launches(rivals: Rivals, fake: FakeHeroku) -> None:
    fake.delay_s = 0.2
    home = rivals.release(BURST)
    clock = home.start()
    ask_all(home, TASKS)
    wait_until(lambda: len(fake.journal) > 30)

    clock.send(signal.SIGHUP)
    clock.send(signal.SIGTERM)
    clock.send(signal.SIGHUP)
    assert clock.stop() < GRACE_S
    assert len(fake.launches()) < len(TASKS)

    with home.clock():
        wait_for_end(home, len(TASKS))
    rivals.check_books(len(TASKS))


@pytest.mark.parametrize("step", ["launch.sent", "launch.guarding"])
def test_while_it_adopts_what_a_killed_clock_left(
    tmp_path: Path, sqlite_url: str, fake: FakeHeroku, step: str
) -> None:
    rivals = Rivals(tmp_path, fake, sqlite_url, HURRIED)
    told = tmp_path / "told"
    command = f"until [ -e {told} ]; do sleep 0.1; done"
    home = rivals.release(
        by_hand("task", command), {"CLOCKD_FAILPOINT": f"{step}=kill"}
    )
    try:
        killed = home.start()
        del home.environ["CLOCKD_FAILPOINT"]
        run = home.ask()
        killed.process.wait(20)

        adopting = home.start(ready=False)
        adopting.wait_for("run.unknown", run_id=run)
        assert adopting.stop() < GRACE_S
        assert home.runs(state="finished") == []

        with home.clock():
            home.wait_for_run("task", state="running")
            told.touch()
            wait_for_end(home, 1)
        rivals.check_books(1)
    finally:
        rivals.close()


def test_while_the_database_is_away(
    home: Home, private_postgres: PostgresServer
) -> None:
    home.write(by_hand("task", "test task"), top="runner: local")
    home.environ["CLOCKD_DATABASE_URL"] = private_postgres.url()
    private_postgres.stop()
    clock = home.start(ready=False)
    clock.wait_for("store.failed")

    assert clock.stop() < GRACE_S
    assert not clock.events("clock.activated")


def test_while_it_waits_for_another_to_migrate(home: Home, postgres_url: str) -> None:
    home.write(by_hand("task", "test task"), top="runner: local")
    home.environ["CLOCKD_DATABASE_URL"] = postgres_url
    url = make_url(postgres_url).set(drivername="postgresql")
    plain = url.render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (SCHEMA_LOCK,))
        clock = home.start(ready=False)
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: other.execute(waiting).fetchone(), 20)
        assert clock.stop() < GRACE_S + 1

    with home.clock() as successor:
        assert successor.events("clock.activated", fence=1)
