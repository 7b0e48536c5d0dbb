"""The scheduler's thread: what it claims, and what it survives."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from clockd import clock, events, scheduler
from clockd.errors import ConflictError, LeaseLost, StoreUnavailable
from clockd.lease import LeaseKeeper
from clockd.model import Outcome, ScheduleKind, Trigger
from clockd.scheduler import ClockScheduler, make_scheduler
from clockd.store import Claimed, Store
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ticking:
    """A scheduler over a database whose claims a test can break."""

    def __init__(self, url: str) -> None:
        self.store = Store.open(url)
        self.keeper = LeaseKeeper(self.store, "test:1", lambda: None)
        assert self.keeper.wait(threading.Event(), lambda _lease: None)
        self.fired: list[tuple[str, list[datetime]]] = []
        self.lost = threading.Event()
        self.scheduler = make_scheduler(
            self.store,
            fence=lambda: self.keeper.fence,
            fire=lambda trigger_id, times: self.fired.append((trigger_id, times)),
            on_lost=self.lost.set,
        )

    def once(self, slug: str, in_s: float) -> Trigger:
        at = clock.now() + timedelta(seconds=in_s)
        return Trigger(
            slug=slug,
            command="true",
            schedule_kind=ScheduleKind.AT,
            expression=f"{at:%Y-%m-%d %H:%M:%S}",
        )

    def load(self, *triggers: Trigger) -> None:
        self.store.triggers.sync(triggers, fence=self.keeper.fence, now=clock.now())

    def close(self) -> None:
        self.scheduler.end()
        self.keeper.release()
        self.store.close()


@pytest.fixture
def ticking(database_url: str) -> Iterator[Ticking]:
    ticking = Ticking(database_url)
    yield ticking
    ticking.close()


def test_what_is_handed_on_is_on_record_already(ticking: Ticking) -> None:
    trigger = ticking.once("t", 2)
    ticking.load(trigger)
    ticking.scheduler.start()

    wait_until(lambda: ticking.fired, timeout=10)

    ((trigger_id, times),) = ticking.fired
    (run,) = ticking.store.runs.list()
    assert trigger_id == trigger.uuid
    assert times == [run.fire_time]
    assert ticking.store.claims.next_fire_time() is None


def test_many_triggers_due_in_one_second_are_all_handed_on(ticking: Ticking) -> None:
    ticking.load(*(ticking.once(f"t-{n}", 2) for n in range(50)))
    ticking.scheduler.start()

    wait_until(lambda: len(ticking.fired) == 50, timeout=10)

    assert len(ticking.store.runs.list(limit=100)) == 50


def test_a_database_that_fails_and_comes_back_costs_no_fire_time(
    ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking.load(ticking.once("t", 1))
    calls = []

    def gone(**_: Any) -> Claimed:
        calls.append(1)
        raise StoreUnavailable("gone")

    with capture_logs() as logs:
        with monkeypatch.context() as patch:
            patch.setattr(ticking.store.claims, "claim", gone)
            ticking.scheduler.start()
            wait_until(lambda: len(calls) >= 3, timeout=15)
        wait_until(lambda: ticking.fired, timeout=15)

    names = [entry["event"] for entry in logs]
    assert names.count(events.STORE_FAILED) == 1
    assert names.count(events.STORE_RECOVERED) == 1


def test_the_loop_survives_what_nobody_expected(
    ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking.load(ticking.once("t", 2))
    broken = threading.Event()

    def break_once(_self: object) -> float:
        monkeypatch.undo()
        broken.set()
        raise RuntimeError("a bug")

    monkeypatch.setattr(ClockScheduler, "_process_jobs", break_once)
    ticking.scheduler.start()

    wait_until(broken.is_set)
    wait_until(lambda: ticking.fired, timeout=10)


def test_a_claim_without_the_lease_is_refused_and_told(
    ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking.load(ticking.once("t", 0.5))

    def refused(**_: Any) -> Claimed:
        raise LeaseLost("another clock")

    monkeypatch.setattr(ticking.store.claims, "claim", refused)
    ticking.scheduler.start()

    wait_until(ticking.lost.is_set)
    assert ticking.fired == []


@dataclass
class Wall:
    """How far the wall clock is ahead of the machine's own."""

    ahead_s: float = 0.0


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wall]:
    """A wall clock that can be set; the machine's own goes on."""
    wall, real = Wall(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + wall.ahead_s)
    monkeypatch.setattr(clock, "LASTS_S", 0.5)
    monkeypatch.setattr(scheduler, "MAX_SLEEP_S", 0.2)
    with clock.steadied():
        yield wall


def test_a_jump_of_the_wall_clock_is_told_and_followed_once_it_has_lasted(
    ticking: Ticking, wall: Wall
) -> None:
    ticking.load(ticking.once("t", 3600))
    ticking.scheduler.start()

    with capture_logs() as logs:
        wall.ahead_s = 3700
        wait_until(lambda: ticking.store.runs.list(), timeout=15)

    jumps = [entry for entry in logs if entry["event"] == events.CLOCK_JUMPED]
    assert [jump["by_s"] for jump in jumps] == [pytest.approx(3700, abs=1)] * 2
    assert ["followed" in jump["reason"] for jump in jumps] == [True, True]


def test_a_jump_that_is_undone_has_fired_nothing(ticking: Ticking, wall: Wall) -> None:
    ticking.load(ticking.once("t", 3600))
    ticking.scheduler.start()

    with capture_logs() as logs:
        wall.ahead_s = 86_400
        wait_until(lambda: [e for e in logs if e["event"] == events.CLOCK_JUMPED])
        wall.ahead_s = 0
        wait_until(lambda: [e for e in logs if "undone" in str(e.get("reason"))])

    assert not ticking.fired
    assert not ticking.store.runs.list()


def test_waiting_for_a_jump_to_last_is_no_busy_loop(
    ticking: Ticking, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "LASTS_S", 60)
    ticking.load(ticking.once("t", 3600))
    ticking.scheduler.start()
    wait_until(lambda: ticking.scheduler._jobstore.next_at)

    wall.ahead_s = 86_400

    assert ticking.scheduler._due_in_s() == scheduler.MAX_SLEEP_S


@pytest.mark.parametrize(
    ("in_s", "wait_s"), [(-1.0, 0.0), (3.0, 3.0), (9.0, 5.0), (None, 5.0)]
)
def test_what_is_due_already_is_not_slept_over(
    ticking: Ticking, in_s: float | None, wait_s: float
) -> None:
    at = None if in_s is None else clock.now() + timedelta(seconds=in_s)
    ticking.scheduler._jobstore.next_at = at

    assert ticking.scheduler._due_in_s() == pytest.approx(wait_s, abs=0.2)


def test_after_a_jump_back_what_was_booked_ahead_comes_at_its_time(
    ticking: Ticking, wall: Wall
) -> None:
    ticking.load(ticking.once("t", 7200))
    ticking.scheduler.start()
    wall.ahead_s = 86_400
    (missed,) = wait_until(lambda: ticking.store.runs.list(), timeout=15)

    with capture_logs() as logs:
        wall.ahead_s = 0
        wait_until(lambda: not ticking.store.runs.list(), timeout=15)

    assert missed.outcome is Outcome.MISSED
    assert ticking.store.claims.next_fire_time() == missed.fire_time
    assert [e["triggers"] for e in logs if e["event"] == events.CLOCK_STEPPED_BACK]


def test_a_clock_that_starts_behind_the_books_takes_back_what_is_ahead(
    ticking: Ticking,
) -> None:
    trigger = ticking.once("t", 7200)
    ticking.load(trigger)
    later = clock.now() + timedelta(days=1)
    ticking.store.claims.claim(fence=ticking.keeper.fence, now=later)

    ticking.scheduler.start()

    wait_until(lambda: not ticking.store.runs.list())
    wait_until(lambda: ticking.store.claims.next_fire_time())


def test_jobs_enter_through_the_file_alone(ticking: Ticking) -> None:
    ticking.scheduler.start()

    with pytest.raises(ConflictError):
        ticking.scheduler.add_job(print, "interval", seconds=1)


def test_housekeeping_has_a_thread_of_its_own(ticking: Ticking) -> None:
    done = threading.Event()
    ticking.scheduler.start()

    ticking.scheduler.every(0.1, done.set)

    wait_until(done.is_set)
    assert ticking.store.runs.list() == []
