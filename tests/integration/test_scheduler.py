"""The scheduler's thread: what it claims, and what it survives."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from clockd import clock, events
from clockd.errors import ConflictError, LeaseLost, StoreUnavailable
from clockd.lease import LeaseKeeper
from clockd.model import ScheduleKind, Trigger
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


def test_a_jump_of_the_wall_clock_is_noticed(
    ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() - timedelta(hours=2))

    with capture_logs() as logs:
        ticking.scheduler._watch_the_clock(real(), clock.boottime())

    (jump,) = [e for e in logs if e["event"] == events.CLOCK_JUMPED]
    assert jump["by_s"] == pytest.approx(-7200, abs=2)


def test_a_step_of_some_seconds_is_not_worth_a_line(ticking: Ticking) -> None:
    with capture_logs() as logs:
        ticking.scheduler._watch_the_clock(
            clock.now() - timedelta(seconds=5), clock.boottime()
        )

    assert logs == []


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
