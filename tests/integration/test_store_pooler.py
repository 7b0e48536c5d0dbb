"""PostgreSQL behind PgBouncer, which hands a connection on after each transaction.

So nothing may be held by a connection, nor set for it, beyond a transaction.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest

from clockd.errors import LeaseLost, StoreUnavailable
from clockd.model import Outcome
from clockd.store import OutputRow, Store, waits
from tests.support.pgbouncer import running_pgbouncer
from tests.support.stores import (
    MINUTE,
    NOON,
    SECOND,
    Books,
    execute,
    open_books,
    trigger,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.pgbouncer import PgBouncer
    from tests.support.postgres import PostgresServer

#: Connections to the server that the pooler has for all of them.
POOL = 2


@dataclass(frozen=True)
class Pooled:
    """A database, straight and through a pooler."""

    direct: str
    url: str
    pooler: PgBouncer

    @property
    def dsn(self) -> str:
        """The same for psycopg."""
        return self.url.replace("+psycopg", "")


@pytest.fixture
def pooled(postgres_server: PostgresServer, postgres_url: str) -> Iterator[Pooled]:
    with running_pgbouncer(postgres_server, pool_size=POOL) as pooler:
        yield Pooled(postgres_url, pooler.url(postgres_url), pooler)


def test_the_life_of_a_fire_time(pooled: Pooled) -> None:
    with open_books(pooled.url) as books:
        books.load(*(trigger(f"t{n}") for n in range(120)))
        assert books.claim(NOON + MINUTE).due == 120
        started = books.take(NOON + MINUTE, limit=200).started
        answers = [books.answer(attempt) for _, attempt in started]
        assert books.store.attempts.launched(answers, NOON + MINUTE) == set()
        rows = [
            OutputRow(
                run_id=run.id,
                attempt=1,
                sequence=1,
                at=NOON,
                source="app",
                text="done",
            )
            for run, _ in started
        ]
        books.store.output.append(rows)
        for _, attempt in started:
            books.end(attempt, NOON + 2 * MINUTE)

        ended = books.store.runs.list(outcome=Outcome.SUCCEEDED, limit=999)
        assert len(ended) == 120
        assert len(books.store.triggers.list()) == 120
        assert books.store.output.prune(NOON + 3 * MINUTE) == 120


def test_many_open_a_new_database_at_once(pooled: Pooled) -> None:
    with ThreadPoolExecutor(6) as threads:
        stores = list(threads.map(lambda _: Store.open(pooled.url), range(6)))
    try:
        assert [store.lease.read().fence for store in stores] == [0] * 6
    finally:
        for store in stores:
            store.close()


def test_one_of_many_gets_the_lease(pooled: Pooled) -> None:
    stores = [Store.open(pooled.url) for _ in range(5)]
    try:
        seen = stores[0].lease.read()
        with ThreadPoolExecutor(5) as threads:
            fences = list(
                threads.map(lambda s: s.lease.take(seen, "a clock", NOON), stores)
            )
        assert sorted(fences, key=str) == [1, None, None, None, None]
    finally:
        for store in stores:
            store.close()


def test_two_clocks_that_race_do_everything_once(pooled: Pooled) -> None:
    with open_books(pooled.url) as one, open_books(pooled.url) as other:
        other.load(*(trigger(f"t{n}") for n in range(8)))
        for n in range(20):
            one.ask(trigger(f"h{n}"))
        started: list[int] = []
        barrier = threading.Barrier(4)

        def race(books: Books) -> None:
            barrier.wait()
            for minute in range(1, 6):
                try:
                    other.claim(NOON + minute * MINUTE)
                    books.claim(NOON + minute * MINUTE)
                    taken = books.take(NOON + minute * MINUTE, limit=5).started
                    started.extend(run.id for run, _ in taken)
                except LeaseLost:
                    assert books is one

        threads = [
            threading.Thread(target=race, args=(books,)) for books in (one, other) * 2
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        fire_times = [
            (run.trigger.slug, run.fire_time)
            for run in other.store.runs.list(limit=999)
            if run.fire_time
        ]

    assert len(started) == len(set(started)) > 0
    assert len(fire_times) == len(set(fire_times)) == 40


def test_eight_threads_share_two_connections(pooled: Pooled) -> None:
    with open_books(pooled.url) as books:
        books.load(trigger())

        def work(number: int) -> None:
            for turn in range(4):
                books.ask(trigger(f"t{number}"), NOON + turn * SECOND)
                books.store.lease.beat(books.fence, NOON)
                books.take(NOON + turn * SECOND)
                books.store.runs.poll(NOON)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))

        assert books.store.lease.read().beat == 32
        assert len(books.store.runs.list(limit=999)) == 32
        assert len(pooled.pooler.show("servers")) <= POOL


def test_nothing_is_left_behind_for_other_clients(pooled: Pooled) -> None:
    with open_books(pooled.url) as books:
        books.load(*(trigger(f"t{n}") for n in range(10)))
        for minute in range(1, 9):
            books.claim(NOON + minute * MINUTE)
            books.take(NOON + minute * MINUTE)
        with (
            psycopg.connect(pooled.dsn, prepare_threshold=None) as one,
            psycopg.connect(pooled.dsn, prepare_threshold=None) as other,
        ):
            # Both in a transaction: between them they see every connection there is.
            clients = (one, other)
            pids = {
                client.execute("SELECT pg_backend_pid()").fetchone()
                for client in clients
            }
            changed = [
                row
                for client in clients
                for row in client.execute(
                    "SELECT name FROM pg_settings WHERE source = 'session' "
                    "AND name LIKE ANY (ARRAY['%timeout', 'search_path', 'role'])"
                )
            ]
            prepared = [
                row
                for client in clients
                for row in client.execute("SELECT name FROM pg_prepared_statements")
            ]
            locks = one.execute(
                "SELECT * FROM pg_locks WHERE locktype = 'advisory'"
            ).fetchall()

    assert len(pids) == POOL
    assert (changed, prepared, locks) == ([], [], [])


def test_a_pooler_that_refuses_an_option_is_told_of(pooled: Pooled) -> None:
    with pytest.raises(StoreUnavailable, match="startup parameter: options") as caught:
        Store.open(f"{pooled.url}?options=-csearch_path%3Dclock")

    assert "ignore_startup_parameters" in (caught.value.hint or "")


def test_connections_that_were_killed_behind_the_pooler_are_replaced(
    pooled: Pooled,
) -> None:
    with open_books(pooled.url) as books:
        books.load(trigger())
        execute(
            pooled.direct,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'clockd' AND datname = current_database()",
        )

        # One that died under the pooler's hands may cost one call.
        wait_until(lambda: _claims(books))


def test_a_server_that_is_frozen_behind_the_pooler_holds_nobody(
    private_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONNECT_S", "PING_S", "ANSWER_S"):
        monkeypatch.setattr(waits, name, 1.5)
    with (
        running_pgbouncer(private_postgres, pool_size=POOL) as pooler,
        open_books(pooler.url(private_postgres.url())) as books,
    ):
        books.load(trigger())
        with private_postgres.frozen(), pytest.raises(StoreUnavailable):
            books.claim(NOON + MINUTE)

        wait_until(lambda: _claims(books))


def _claims(books: Books) -> bool:
    try:
        books.claim(NOON + MINUTE)
    except StoreUnavailable:
        return False
    return len(books.store.runs.list()) == 1
