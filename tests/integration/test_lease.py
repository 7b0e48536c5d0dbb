"""Who is the clock: taking, keeping, losing and handing over the lease."""

from __future__ import annotations

import itertools
import math
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from clockd import clock, lease
from clockd.errors import LeaseLost, StoreUnavailable
from clockd.lease import MARGIN_S, STALE_S, LeaseKeeper
from clockd.model import Cause, ScheduleKind, Trigger
from clockd.ownership import AbandonedRuns, RunOwner
from clockd.store import Store
from tests.support.scripted import BootClock
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clockd.store import Lease


@pytest.fixture
def boot(monkeypatch: pytest.MonkeyPatch) -> BootClock:
    monkeypatch.setattr(lease, "POLL_S", 0.01)
    # Time passes at once here: nobody can look meanwhile.
    monkeypatch.setattr(lease, "GAP_S", math.inf)
    return BootClock(monkeypatch)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store.open(database_url)
    yield store
    store.close()


class Candidate:
    """A process that wants to be the clock."""

    def __init__(self, store: Store, name: str) -> None:
        self.stopping = threading.Event()
        self.lost = threading.Event()
        self.standing_by: list[Lease] = []
        self.got: bool | None = None
        self.keeper = LeaseKeeper(store, name, self.lost.set)
        self.thread = threading.Thread(target=self._wait, daemon=True)
        self.thread.start()

    def _wait(self) -> None:
        self.got = self.keeper.wait(self.stopping, self.standing_by.append)

    def close(self) -> None:
        self.stopping.set()
        self.thread.join(5)
        self.keeper.release()


@pytest.fixture
def candidates(store: Store, boot: BootClock) -> Iterator[tuple[Candidate, Candidate]]:
    del boot
    first = Candidate(store, "first:1")
    wait_until(lambda: first.got)
    second = Candidate(store, "second:2")
    wait_until(lambda: second.standing_by)
    yield first, second
    first.close()
    second.close()


def test_a_free_lease_is_taken_at_once_and_carries_a_fence(
    store: Store, boot: BootClock
) -> None:
    del boot
    candidate = Candidate(store, "only:1")
    wait_until(lambda: candidate.got)

    assert store.lease.read().holder == "only:1"
    assert store.lease.read().fence == candidate.keeper.fence
    candidate.keeper.check()
    candidate.close()


def test_a_second_clock_stands_by_and_knows_for_whom(
    candidates: tuple[Candidate, Candidate],
) -> None:
    first, second = candidates

    assert second.got is None
    assert [row.holder for row in second.standing_by] == ["first:1"]
    first.keeper.check()
    with pytest.raises(LeaseLost):
        second.keeper.check()


def test_a_stopped_clock_hands_over_at_once(
    candidates: tuple[Candidate, Candidate],
) -> None:
    first, second = candidates
    fence = first.keeper.fence

    first.keeper.release()

    wait_until(lambda: second.got)
    assert second.keeper.fence > fence
    assert not first.lost.is_set()


def test_a_clock_whose_beat_stands_still_is_replaced_and_may_not_act(
    store: Store,
    boot: BootClock,
    candidates: tuple[Candidate, Candidate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = candidates

    def gone(*_: object) -> bool:
        raise StoreUnavailable("frozen")

    with monkeypatch.context() as patch:
        patch.setattr(first.keeper._store.lease, "beat", gone)
        boot.advance(STALE_S)
        wait_until(lambda: second.got, timeout=15)
        with pytest.raises(LeaseLost):
            first.keeper.check()
    second.keeper.check()
    assert store.lease.read().holder == "second:2"
    wait_until(first.lost.is_set, timeout=10, message="the first to learn of it")


def test_the_holder_distrusts_itself_before_a_standby_may_take_over(
    boot: BootClock, candidates: tuple[Candidate, Candidate]
) -> None:
    first, _ = candidates

    boot.advance(STALE_S - MARGIN_S)

    with pytest.raises(LeaseLost):
        first.keeper.check()


def test_no_hosts_wall_clock_decides_who_is_the_clock(
    store: Store, boot: BootClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    del boot
    monkeypatch.setattr(lease, "BEAT_S", 0.01)
    now, days = clock.now(), itertools.cycle((-1, 0, 1))
    # Whoever asks for the time is on another host, a day apart from the last.
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=next(days)))
    first = Candidate(store, "first:1")
    wait_until(lambda: first.got)
    second = Candidate(store, "second:2")
    wait_until(lambda: second.standing_by)

    beats = store.lease.read().beat
    wait_until(lambda: store.lease.read().beat > beats + 20)
    first.keeper.check()
    assert second.got is None

    first.keeper.release()
    wait_until(lambda: second.got)
    second.close()


def test_a_namesake_of_the_holder_waits_like_any_other(
    store: Store, boot: BootClock
) -> None:
    first = Candidate(store, "clock.1:4")
    wait_until(lambda: first.got)
    second = Candidate(store, "clock.1:4")
    wait_until(lambda: second.standing_by)
    boot.advance(STALE_S - MARGIN_S - 1)
    assert second.got is None
    first.keeper.check()

    first.keeper.release()
    wait_until(lambda: second.got)
    with pytest.raises(LeaseLost):
        first.keeper.check()
    first.keeper.release()
    second.keeper.check()
    second.close()


def test_of_many_standbys_one_takes_a_stale_lease(
    database_url: str, store: Store, boot: BootClock
) -> None:
    assert store.lease.take(store.lease.read(), "dead:1", clock.now())
    stores = [Store.open(database_url) for _ in range(5)]
    standbys = [Candidate(own, f"standby:{n}") for n, own in enumerate(stores)]
    wait_until(lambda: all(each.standing_by for each in standbys))

    boot.advance(STALE_S)

    wait_until(
        lambda: all(len(each.standing_by) + bool(each.got) == 2 for each in standbys)
    )
    assert [each.got for each in standbys].count(True) == 1
    assert store.lease.read().fence == 2
    for each, own in zip(standbys, stores, strict=True):
        each.close()
        own.close()


class Away:
    """A database that cannot be reached for a while, for beats."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lease, "BEAT_S", 0.01)
        monkeypatch.setattr(lease, "RETRY_S", 0.01)
        self.away = threading.Event()
        self.asked = 0
        self._beat = store.lease.beat
        monkeypatch.setattr(store.lease, "beat", self._beat_or_fail)

    def _beat_or_fail(self, *arguments: Any) -> bool:
        self.asked += 1
        if self.away.is_set():
            raise StoreUnavailable("no connection")
        return self._beat(*arguments)

    def leave(self) -> None:
        self.away.set()
        asked = self.asked
        wait_until(lambda: self.asked > asked + 2)


def test_a_holder_without_a_database_stops_launching_and_goes_on_if_none_took_over(
    store: Store, boot: BootClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Away(store, monkeypatch)
    holder = Candidate(store, "holder:1")
    wait_until(lambda: holder.got)
    fence = holder.keeper.fence
    with capture_logs() as logs:
        database.leave()
        holder.keeper.check()
        boot.advance(STALE_S - MARGIN_S)
        with pytest.raises(LeaseLost):
            holder.keeper.check()
        wait_until(lambda: any(line["event"] == "clock.warned" for line in logs))

        boot.advance(1800)
        database.away.clear()
        wait_until(lambda: any(line["event"] == "store.recovered" for line in logs))

    holder.keeper.check()
    assert holder.keeper.fence == fence == store.lease.read().fence
    told = [(line["event"], line.get("during")) for line in logs]
    assert told == [
        ("store.failed", "beat"),
        ("clock.warned", None),
        ("store.recovered", "beat"),
    ]
    assert "still the clock" in logs[-1]["reason"]
    holder.close()


def test_a_holder_learns_at_the_first_contact_that_another_took_over(
    store: Store, boot: BootClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    del boot
    database = Away(store, monkeypatch)
    holder = Candidate(store, "holder:1")
    wait_until(lambda: holder.got)
    database.leave()
    assert store.lease.take(store.lease.read(), "other:1", clock.now()) == 2

    asked = database.asked
    database.away.clear()

    wait_until(holder.lost.is_set)
    assert database.asked - asked <= 2
    with pytest.raises(LeaseLost):
        holder.keeper.check()
    holder.close()
    assert store.lease.read().holder == "other:1"


def test_a_standby_gives_the_holder_time_after_the_database_was_away(
    store: Store, boot: BootClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.lease.take(store.lease.read(), "holder:1", clock.now())
    standby = Candidate(store, "standby:1")
    wait_until(lambda: standby.standing_by)
    read, away = store.lease.read, threading.Event()
    outcomes: list[bool] = []

    def may_fail() -> Lease:
        outcomes.append(not away.is_set())
        if away.is_set():
            raise StoreUnavailable("no connection")
        return read()

    monkeypatch.setattr(store.lease, "read", may_fail)
    away.set()
    wait_until(lambda: outcomes.count(False) > 1)
    boot.advance(STALE_S)
    away.clear()
    wait_until(lambda: outcomes[-3:] == [True] * 3)
    assert standby.got is None

    boot.advance(STALE_S)
    wait_until(lambda: standby.got)
    standby.close()


def test_waiting_ends_when_the_process_is_told_to_stop(
    candidates: tuple[Candidate, Candidate],
) -> None:
    _, second = candidates

    second.stopping.set()

    wait_until(lambda: second.got is False)


def test_a_run_whose_owner_beats_no_more_is_freed(
    store: Store, boot: BootClock
) -> None:
    trigger = Trigger(
        slug="t",
        command="true",
        schedule_kind=ScheduleKind.CRON,
        expression="0 0 * * *",
    )
    for name in ("alive", "dead"):
        store.runs.request(
            trigger, cause=Cause.MANUAL, by="x", now=clock.now(), owner=name
        )
    abandoned = AbandonedRuns(store)
    assert abandoned.sweep() == 0
    ids = {row.owner: row.run_id for row in store.runs.owned()}

    boot.advance(STALE_S)
    store.runs.own_beat(ids["alive"], "alive")

    assert abandoned.sweep() == 1
    assert [row.owner for row in store.runs.owned()] == ["alive"]


def test_an_owner_whose_run_was_freed_may_not_launch(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clockd.ownership.BEAT_S", 0.01)
    trigger = Trigger(
        slug="t",
        command="true",
        schedule_kind=ScheduleKind.CRON,
        expression="0 0 * * *",
    )
    run = store.runs.request(
        trigger, cause=Cause.MANUAL, by="x", now=clock.now(), owner="me"
    )
    owner = RunOwner(store, run.id, "me")
    owner.start()
    owner.check()
    wait_until(lambda: store.runs.owned()[0].beat > 1)

    while not store.runs.disown(run.id, "me", store.runs.owned()[0].beat):
        pass

    wait_until(lambda: not owner._thread.is_alive())
    with pytest.raises(LeaseLost):
        owner.check()
    owner.release()
