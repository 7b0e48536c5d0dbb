"""Who is the clock: taking, keeping, losing and handing over the lease."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from clockd import clock, lease
from clockd.errors import LeaseLost, StoreUnavailable
from clockd.lease import STALE_S, LeaseKeeper
from clockd.model import Cause, ScheduleKind, Trigger
from clockd.ownership import AbandonedRuns
from clockd.store import Store
from tests.support.scripted import BootClock
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clockd.store import Lease


@pytest.fixture
def boot(monkeypatch: pytest.MonkeyPatch) -> BootClock:
    monkeypatch.setattr(lease, "POLL_S", 0.01)
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

    boot.advance(STALE_S - lease.MARGIN_S)

    with pytest.raises(LeaseLost):
        first.keeper.check()


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
