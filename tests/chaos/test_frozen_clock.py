"""A clock that was frozen past its lease and wakes up does nothing: none doubled.

Frozen with SIGSTOP, which is what being swapped out, or suspended, comes to.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.fakes.heroku import FakeHeroku
from tests.support.hurried import HURRIED, STALE_S
from tests.support.rivals import APP, Rivals, ask_all, by_hand, wait_for_freeze
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.clockd import Clock, Home

pytestmark = pytest.mark.timeout(90)
#: Where many tasks begin at once.
TASKS = [f"task-{number}" for number in range(24)]
BURST = "".join(by_hand(slug, f"test {slug}") for slug in TASKS)


@pytest.fixture
def fake() -> Iterator[FakeHeroku]:
    with FakeHeroku() as fake:
        yield fake


@pytest.fixture
def rivals(tmp_path: Path, fake: FakeHeroku, database_url: str) -> Iterator[Rivals]:
    rivals = Rivals(tmp_path, fake, database_url, HURRIED)
    yield rivals
    rivals.close()


def standby(home: Home) -> Clock:
    """Start a clock that is not the first."""
    clock = home.start(ready=False)
    clock.wait_for("clock.standby")
    return clock


def freeze(clock: Clock) -> None:
    clock.send(signal.SIGSTOP)
    wait_for_freeze(clock.process)


def test_a_clock_wakes_up_as_a_standby_and_writes_neither_triggers_nor_output(
    rivals: Rivals,
) -> None:
    # As containers are: whoever looks at names takes both for the same process.
    names = {"HURRIED_NAME": "clock.1:4"}
    count = "for n in $(seq 60); do echo line $n; sleep 0.1; done"
    old = rivals.release(by_hand("count", count) + by_hand("task", "test old"), names)
    new = rivals.release(by_hand("count", count) + by_hand("task", "test new"), names)
    first = old.start()
    second = standby(new)
    counting = old.ask("count")
    with old.store() as store:
        wait_until(lambda: store.output.state(counting).next_sequence > 5)
    freeze(first)
    second.wait_for("run.adopted", run_id=counting)

    old.write(by_hand("task", "test edited"), top=f"app: {APP}")
    first.send(signal.SIGCONT)
    first.wait_for("clock.standby", fence=2)
    new.ask()
    new.wait_for_run("task", state="finished")
    second.wait_for("run.finished", run_id=counting)

    assert len(first.events("clock.deposed")) == 1
    assert not first.events("trigger.changed")
    assert [dyno.command for dyno in rivals.fake.journal] == [count, "test new"]
    assert {row["trigger"] for row in new.json("triggers")} == {"task", "count"}
    assert printed(new, counting) == [f"line {n}" for n in range(1, 61)]

    second.stop()
    first.wait_for("clock.activated", 5, fence=3)
    rivals.check_books(2)


def printed(home: Home, run_id: int) -> list[str]:
    with home.store() as store:
        return [
            line.text for line in store.output.lines(run_id) if line.source == "app"
        ]


def test_a_clock_frozen_in_a_burst_of_launches_doubles_none(
    rivals: Rivals, fake: FakeHeroku
) -> None:
    """Frozen with requests that are not sent, not answered, and not on record."""
    fake.delay_s = 0.2
    home = rivals.release(BURST)
    with home.clock():
        pass  # its triggers are on record
    ask_all(home, TASKS)
    home.environ["CLOCKD_FAILPOINT"] = "launch.guarding:20=stop"
    first = home.start()
    wait_for_freeze(first.process)
    del home.environ["CLOCKD_FAILPOINT"]
    second = standby(home)
    # SQLite: if it was inside a write as well, it has to go on before any other can.
    wait_until(
        lambda: second.events("clock.ready") or second.events("store.failed"), 20
    )

    first.send(signal.SIGCONT)
    wait_until(
        lambda: len(home.runs(state="finished")) == len(TASKS),
        40,
        message=lambda: str(home.runs()),
    )
    rivals.check_books(len(TASKS))


def test_what_a_clock_sends_though_its_lease_is_gone_is_stopped(
    tmp_path: Path, postgres_url: str, fake: FakeHeroku
) -> None:
    """Frozen between the guard and the first byte, where nothing can keep it back."""
    rivals = Rivals(tmp_path, fake, postgres_url, HURRIED)
    told = tmp_path / "told"
    command = f"until [ -e {told} ]; do sleep 0.1; done"
    failpoint = {"CLOCKD_FAILPOINT": "launch.guarded=stop"}
    home = rivals.release(by_hand("task", command), failpoint)
    try:
        first = home.start()
        del home.environ["CLOCKD_FAILPOINT"]
        second = standby(home)
        run = home.ask()
        wait_for_freeze(first.process)
        second.wait_for("run.launched", run_id=run)

        first.send(signal.SIGCONT)
        first.wait_for("dyno.orphaned", run_id=run)
        wait_until(lambda: fake.journal[-1].ended_at, message="the orphan's end")
        told.touch()
        second.wait_for("run.finished", run_id=run, outcome="succeeded")
    finally:
        rivals.close()

    assert [dyno.stopped_by for dyno in fake.journal] == [None, "api"]
    ((attempt,),) = (each["attempts"] for each in home.runs())
    assert attempt["dyno_id"] == fake.journal[0].id


def test_a_clock_frozen_inside_a_write_is_undone_by_postgresql(
    tmp_path: Path, postgres_url: str, fake: FakeHeroku
) -> None:
    rivals = Rivals(tmp_path, fake, postgres_url, HURRIED)
    first, second = frozen_inside_a_write(rivals)
    try:
        frozen_at = time.monotonic()
        second.wait_for("run.finished")
        assert time.monotonic() - frozen_at < 5 + STALE_S + 10  # a busy machine's

        first.send(signal.SIGCONT)
        first.wait_for("clock.standby")
        rivals.check_books(1)
    finally:
        rivals.close()
    assert not first.events("run.launched")


def test_a_clock_frozen_inside_a_write_on_sqlite_is_waited_for(
    tmp_path: Path, sqlite_url: str, fake: FakeHeroku
) -> None:
    rivals = Rivals(tmp_path, fake, sqlite_url, HURRIED)
    first, second = frozen_inside_a_write(rivals)
    try:
        told = second.wait_for("store.failed", during="taking the lease")
        assert "database is locked" in told["reason"]
        holder = f":{first.process.pid} gives no sign of life and may be frozen"
        assert holder in told["hint"]

        first.kill()
        second.wait_for("clock.ready")
        second.wait_for("run.finished")
        rivals.check_books(1)
    finally:
        rivals.close()


def frozen_inside_a_write(rivals: Rivals) -> tuple[Clock, Clock]:
    """Return a clock that is frozen as it takes a run, and its standby."""
    failpoint = {"CLOCKD_FAILPOINT": "take.writing=stop"}
    home = rivals.release(by_hand("task", "test task"), failpoint)
    first = home.start()
    del home.environ["CLOCKD_FAILPOINT"]
    second = standby(home)
    home.ask()
    wait_for_freeze(first.process)
    return first, second


def test_a_run_now_that_was_frozen_leaves_its_run_to_the_clock(
    tmp_path: Path, sqlite_url: str, fake: FakeHeroku
) -> None:
    rivals = Rivals(tmp_path, fake, sqlite_url, HURRIED)
    failpoint = {"CLOCKD_FAILPOINT": "launch.guarding=stop"}
    home = rivals.release(by_hand("task", "exit 7"), failpoint)
    run_now = home.begin("run-now", "task")
    try:
        wait_for_freeze(run_now)
        del home.environ["CLOCKD_FAILPOINT"]
        clock = home.start()
        finished = clock.wait_for("run.finished", 30)

        run_now.send_signal(signal.SIGCONT)
        run_now.communicate(timeout=20)
    finally:
        run_now.kill()
        run_now.communicate()
        rivals.close()
    assert (finished["exit_status"], run_now.returncode) == (7, 7)
    assert len(fake.journal) == 1
