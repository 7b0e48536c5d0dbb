"""Tenures of one process: nothing of an earlier one may act in a later one's name."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from clockd import clock, daemon, lease
from clockd.compose import install
from clockd.daemon import Daemon
from clockd.errors import LeaseLost
from clockd.store import Store
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clockd.compose import Installation
    from clockd.lease import LeaseKeeper
    from clockd.tenure import Orders


class IdleTenure:
    """A tenure that does nothing until it is over."""

    keepers: list[LeaseKeeper]

    def __init__(
        self,
        _installation: Installation,
        _store: Store,
        keeper: LeaseKeeper,
        orders: Orders,
    ) -> None:
        self.keepers.append(keeper)
        self._orders = orders

    def serve(self) -> None:
        while self._orders.wait():
            pass


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    store = Store.open(sqlite_url)
    yield store
    store.close()


@pytest.fixture
def clockd(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Daemon]:
    """Give a daemon, running; it ends with the test."""
    monkeypatch.setattr(lease, "POLL_S", 0.01)
    monkeypatch.setattr(lease, "BEAT_S", 0.01)
    monkeypatch.setattr(daemon, "Tenure", IdleTenure)
    IdleTenure.keepers = []
    clockd = Daemon(install(path=tmp_path / "triggers.yaml", environ={}))
    thread = threading.Thread(target=clockd._live, args=(store,))
    thread.start()
    yield clockd
    clockd._orders.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert store.lease.read().holder is None


def take_away(store: Store) -> int:
    """Take the lease from whoever has it; return its fence."""

    def take() -> int | None:
        return store.lease.take(store.lease.read(), "b:1", clock.now())

    fence = wait_until(take)
    assert fence is not None
    return fence


@pytest.mark.usefixtures("clockd")
def test_what_is_left_of_a_tenure_may_not_act_in_the_next(store: Store) -> None:
    wait_until(lambda: len(IdleTenure.keepers) == 1)
    fence = take_away(store)
    wait_until(lambda: store.lease.release(fence))
    wait_until(lambda: len(IdleTenure.keepers) == 2)

    first, second = IdleTenure.keepers
    second.check()
    assert second.fence == fence + 1
    # A request that hung while it connected would ask this before its first byte.
    with pytest.raises(LeaseLost):
        first.check()
    with pytest.raises(LeaseLost):
        _ = first.fence


def test_a_lease_that_went_before_the_tenure_began_is_waited_for_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """As for a process that is frozen right after it got the lease."""
    wait, waits = lease.LeaseKeeper.wait, 0

    def frozen_at_first(keeper: LeaseKeeper, *given: object) -> bool:
        nonlocal waits
        waits += 1
        got = wait(keeper, *given)  # type: ignore[arg-type]
        if waits == 1:
            fence = take_away(store)
            wait_until(lambda: keeper._fence is None)
            store.lease.release(fence)
        return got

    monkeypatch.setattr(lease.LeaseKeeper, "wait", frozen_at_first)
    request.getfixturevalue("clockd")

    wait_until(lambda: IdleTenure.keepers)
    IdleTenure.keepers[0].check()
    assert waits == 2
