"""The lease: one clock at a time, and whoever comes second changes nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from clockd.errors import LeaseLost
from clockd.store import Store
from tests.support.stores import MINUTE, NOON, Books, trigger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store.open(database_url)
    yield store
    store.close()


def test_a_new_database_has_a_lease_that_nobody_holds(store: Store) -> None:
    lease = store.lease.read()

    assert (lease.holder, lease.fence, lease.beat) == (None, 0, 0)


def test_whoever_takes_the_lease_gets_the_next_fence(store: Store) -> None:
    assert store.lease.take(store.lease.read(), "clock.1:4", NOON) == 1

    lease = store.lease.read()
    assert (lease.holder, lease.fence, lease.taken_at) == ("clock.1:4", 1, NOON)
    assert store.lease.take(lease, "clock.2:4", NOON + MINUTE) == 2


def test_a_lease_that_has_moved_since_it_was_seen_is_not_taken(store: Store) -> None:
    seen = store.lease.read()
    fence = store.lease.take(seen, "clock.1:4", NOON)
    assert fence is not None
    assert store.lease.take(seen, "clock.2:4", NOON) is None

    seen = store.lease.read()
    assert store.lease.beat(fence, NOON)
    assert store.lease.take(seen, "clock.2:4", NOON) is None

    seen = store.lease.read()
    assert store.lease.release(fence)
    assert store.lease.take(seen, "clock.2:4", NOON) is None
    assert store.lease.read().holder is None


def test_a_beat_counts_up_and_shows_when(store: Store) -> None:
    fence = store.lease.take(store.lease.read(), "clock.1:4", NOON)
    assert fence is not None

    assert store.lease.beat(fence, NOON + MINUTE)

    lease = store.lease.read()
    assert (lease.beat, lease.beat_at, lease.fence) == (1, NOON + MINUTE, fence)


def test_a_holder_that_was_deposed_can_neither_beat_nor_release(store: Store) -> None:
    old = store.lease.take(store.lease.read(), "clock.1:4", NOON)
    assert old is not None
    new = store.lease.take(store.lease.read(), "clock.2:4", NOON)

    assert not store.lease.beat(old, NOON)
    assert not store.lease.release(old)

    assert store.lease.read().holder == "clock.2:4"
    assert new == old + 1


def test_a_lease_that_was_given_back_is_beaten_no_more(store: Store) -> None:
    fence = store.lease.take(store.lease.read(), "clock.1:4", NOON)
    assert fence is not None

    assert store.lease.release(fence)

    assert not store.lease.release(fence)
    assert not store.lease.beat(fence, NOON)


def test_of_many_who_saw_the_same_lease_one_takes_it(store: Store) -> None:
    seen = store.lease.read()
    barrier = threading.Barrier(4)
    fences: list[int | None] = []

    def take(name: str) -> None:
        barrier.wait()
        fences.append(store.lease.take(seen, name, NOON))

    threads = [threading.Thread(target=take, args=(f"c:{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(fences, key=str) == [1, None, None, None]


def test_a_deposed_clock_can_no_longer_write(books: Books) -> None:
    books.load(trigger())
    new = books.store.lease.take(books.store.lease.read(), "clock.2:4", NOON)
    assert new is not None

    with pytest.raises(LeaseLost):
        books.claim(NOON + MINUTE)
    with pytest.raises(LeaseLost):
        books.load(trigger(), trigger("other"))
    books.ask(trigger())
    with pytest.raises(LeaseLost):
        books.take(NOON)

    assert [row.trigger.slug for row in books.store.triggers.list()] == ["report"]
    assert [run.attempts for run in books.store.runs.list()] == [()]
    books.fence = new
    assert books.claim(NOON + MINUTE).due == 1


def test_a_clock_that_gave_the_lease_back_can_no_longer_write(books: Books) -> None:
    books.load(trigger())
    assert books.store.lease.release(books.fence)

    with pytest.raises(LeaseLost):
        books.claim(NOON + MINUTE)
