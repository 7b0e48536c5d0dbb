"""Databases that go away, fill up, freeze or change sides, and come back.

Every call ends within 15 s as `StoreUnavailable`, and works when the database does.
"""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from clockd.errors import ClockdError, StoreUnavailable
from clockd.model import Outcome, RunState
from clockd.store import OutputRow, Store, database, waits
from clockd.store.database import Database
from tests.support.postgres import PostgresServer
from tests.support.sick_postgres import refusing_server
from tests.support.stores import MINUTE, NOON, Books, execute, open_books, trigger
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """Give a server that these tests may stop, freeze and reconfigure."""
    with PostgresServer.create() as server:
        yield server


@pytest.fixture
def own_url(own_server: PostgresServer) -> Iterator[str]:
    with own_server.database() as url:
        yield url


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for PostgreSQL for more than 1.5 s."""
    for name in ("CONNECT_S", "PING_S", "ANSWER_S"):
        monkeypatch.setattr(waits, name, 1.5)


def calls(books: Books) -> list[Callable[[], Any]]:
    """Return one call of each kind."""
    return [
        lambda: books.store.lease.beat(books.fence, NOON),
        lambda: books.claim(NOON + MINUTE),
        books.store.claims.next_fire_time,
        lambda: books.take(NOON + MINUTE),
        lambda: books.store.runs.poll(NOON),
        books.store.attempts.active,
    ]


def backends(url: str) -> set[int]:
    """Return the server's processes that serve clockd."""
    rows = execute(
        url,
        "SELECT pid FROM pg_stat_activity "
        "WHERE application_name = 'clockd' AND datname = current_database()",
    )
    return {pid for (pid,) in rows}


# -- servers that go and come --------------------------------------------------


def test_a_call_ends_within_fifteen_seconds() -> None:
    assert waits.CONNECT_S + 2 * waits.LEAST_S + waits.ANSWER_S <= 15
    assert waits.PING_S < waits.CONNECT_S
    assert database.BUSY_S < 15


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
def test_a_store_outlives_a_restart(own_server: PostgresServer, mode: str) -> None:
    with own_server.database() as url, open_books(url) as books:
        books.load(trigger())
        # The tests' servers write late; a real one has written what it confirmed.
        own_server.execute("CHECKPOINT")
        if mode == "kill":
            own_server.kill()
        else:
            own_server.stop(mode)
        try:
            for call in calls(books):
                with pytest.raises(StoreUnavailable):
                    call()
        finally:
            own_server.start()

        for call in calls(books):
            call()
        assert len(books.store.attempts.active()) == 1


def test_a_connection_that_is_killed_within_a_write_writes_nothing(
    own_url: str,
) -> None:
    with open_books(own_url) as books:
        run, attempt = books.run(trigger())
        store = Database(own_url)

        def be_killed() -> None:
            with store.write() as connection:
                connection.exec_driver_sql("UPDATE clockd_runs SET state = 'finished'")
                pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
                execute(own_url, f"SELECT pg_terminate_backend({pid})")
                connection.exec_driver_sql("SELECT 1")

        with pytest.raises(StoreUnavailable, match="terminating connection") as caught:
            be_killed()
        store.close()

        assert "in_doubt" not in caught.value.data
        assert books.reload(run).state is RunState.RUNNING
        assert books.end(attempt, NOON) is not None


def test_an_error_of_ours_is_told_though_the_server_has_gone(
    own_url: str,
) -> None:
    store = Database(own_url)

    def fail() -> None:
        with store.write(lock=None) as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            execute(own_url, f"SELECT pg_terminate_backend({pid})")
            raise ClockdError("ours")

    with pytest.raises(ClockdError, match="ours"):
        fail()
    store.close()


def test_a_server_that_may_only_be_read_now_is_left_for_its_successor(
    own_server: PostgresServer, own_url: str
) -> None:
    with open_books(own_url) as books:
        books.load(trigger())
        demoted = backends(own_url)
        own_server.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        own_server.execute("SELECT pg_reload_conf()")
        try:
            with pytest.raises(StoreUnavailable, match="read-only") as caught:
                wait_until(lambda: books.claim(NOON) is None)
            assert "follower" in (caught.value.hint or "")
        finally:
            own_server.execute("ALTER SYSTEM RESET default_transaction_read_only")
            own_server.execute("SELECT pg_reload_conf()")

        # Its address may lead to another server by now: nothing old is used again.
        wait_until(lambda: _works(lambda: books.claim(NOON + MINUTE)))
        assert len(demoted & backends(own_url)) < len(demoted)


def test_a_table_that_is_gone_for_a_while_is_the_databases_trouble(
    own_url: str,
) -> None:
    with open_books(own_url) as books:
        books.load(trigger())
        execute(own_url, "ALTER TABLE clockd_lease RENAME TO being_restored")

        with pytest.raises(StoreUnavailable, match="clockd_lease"):
            books.claim(NOON + MINUTE)

        execute(own_url, "ALTER TABLE being_restored RENAME TO clockd_lease")
        assert books.claim(NOON + MINUTE).due == 1


@pytest.mark.parametrize(
    ("sqlstate", "message", "hint"),
    [
        ("57P03", "the database system is starting up", "by itself"),
        ("53300", 'too many connections for role "clock"', "five at most"),
        (
            "53300",
            "remaining connection slots are reserved for superuser connections",
            "five at most",
        ),
        ("3D000", 'database "books" does not exist', "DATABASE_URL"),
        ("28P01", 'password authentication failed for user "ann"', "DATABASE_URL"),
    ],
    ids=["starting", "role-full", "server-full", "no-database", "password"],
)
def test_a_server_that_refuses_is_unavailable(
    sqlstate: str, message: str, hint: str
) -> None:
    with (
        refusing_server(sqlstate, message) as port,
        pytest.raises(StoreUnavailable) as caught,
    ):
        Store.open(f"postgres://ann:secret@127.0.0.1:{port}/books")

    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_role_without_connections_left_is_told_so(own_url: str) -> None:
    Store.open(own_url).close()
    name = own_url.rpartition("/")[2].replace("test", "guest")
    execute(own_url, f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 0")
    try:
        with pytest.raises(StoreUnavailable, match="too many connections for role"):
            Store.open(own_url.replace("postgres@", f"{name}@"))
    finally:
        execute(own_url, f"DROP ROLE {name}")


def test_a_name_that_cannot_be_looked_up_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_arguments: object, **_more: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(StoreUnavailable, match=r"resolve host 'db\.invalid'"):
        Store.open("postgres://ann@db.invalid/books")


@pytest.mark.usefixtures("hasty")
def test_a_look_up_that_takes_for_ever_holds_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()

    def hang(*_arguments: object, **_more: object) -> None:
        over.wait(30)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)

    with pytest.raises(StoreUnavailable, match=r"no connection to db\.invalid within"):
        Store.open("postgres://ann@db.invalid/books")
    over.set()


# -- servers that do not answer ------------------------------------------------


@pytest.mark.usefixtures("hasty")
def test_a_frozen_server_holds_nobody(own_server: PostgresServer) -> None:
    with own_server.database() as url, open_books(url) as books:
        books.load(trigger())
        with own_server.frozen(), ThreadPoolExecutor(6) as threads:
            began = time.monotonic()
            ends = [threads.submit(call) for call in calls(books)]
            problems = [end.exception() for end in ends]
            took_s = time.monotonic() - began

        assert [type(problem) for problem in problems] == [StoreUnavailable] * 6
        assert took_s < 2 * 1.5 + 5
        for call in calls(books):
            call()


@pytest.mark.usefixtures("hasty")
def test_a_server_that_freezes_within_a_write_holds_nobody(
    own_server: PostgresServer, own_url: str
) -> None:
    store = Database(own_url)

    def freeze() -> None:
        with store.write(lock=None) as connection, own_server.frozen():
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(StoreUnavailable, match=r"has not answered for 1\.5 s"):
        freeze()
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    store.close()


@pytest.mark.usefixtures("hasty")
def test_a_lock_that_is_not_given_back_is_waited_for_in_vain(own_url: str) -> None:
    with open_books(own_url) as books:
        other = Database(own_url)
        with other.write() as connection:
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                books.ask(trigger())
            connection.exec_driver_sql("SELECT 1")
        other.close()

        assert books.ask(trigger()).state is RunState.WAITING


@pytest.mark.usefixtures("hasty")
def test_what_may_take_long_is_waited_for(own_url: str) -> None:
    store = Database(own_url)
    with store.write(lock=None, patience_s=10) as connection:
        connection.exec_driver_sql("SELECT pg_sleep(2)")
    with (
        pytest.raises(StoreUnavailable, match="statement timeout"),
        store.write(lock=None) as connection,
    ):
        connection.exec_driver_sql("SELECT pg_sleep(2)")
    store.close()


# -- disks that are full -------------------------------------------------------


def test_a_server_whose_disk_is_full_is_unavailable(own_url: str) -> None:
    with open_books(own_url) as books:
        run, attempt = books.run(trigger())
        execute(
            own_url,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RAISE EXCEPTION USING ERRCODE = ''53100'', "
            "MESSAGE = ''could not extend file: No space left on device''; END'",
        )
        execute(
            own_url,
            "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON clockd_runs "
            "FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )
        with pytest.raises(StoreUnavailable, match="No space left on device"):
            books.end(attempt, NOON)
        execute(own_url, "DROP TRIGGER full_disk ON clockd_runs")

        ended = books.end(attempt, NOON)
        assert ended is not None
        assert (ended.id, ended.outcome) == (run.id, Outcome.SUCCEEDED)


def test_a_full_disk_under_sqlite_loses_nothing(
    sqlite_url: str, tmp_path: Path
) -> None:
    with open_books(sqlite_url) as books:
        books.load(trigger())
        run, attempt = books.run(trigger("other"))
        rows = [
            OutputRow(
                run_id=run.id,
                attempt=1,
                sequence=n,
                at=NOON,
                source="app",
                text="x" * 1000,
            )
            for n in range(1, 200)
        ]
        _limit_pages(books, tmp_path)
        with pytest.raises(StoreUnavailable, match="full") as caught:
            books.store.output.append(rows)
        assert "space on its disk" in (caught.value.hint or "")
        assert books.store.output.lines(run.id) == []
        _limit_pages(books, tmp_path, more=1000)

        books.store.output.append(rows)
        assert len(books.store.output.lines(run.id)) == 199
        assert books.claim(NOON + MINUTE).due == 1
        assert books.end(attempt, NOON) is not None
    with closing(sqlite3.connect(tmp_path / "clockd.db")) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _limit_pages(books: Books, folder: Path, more: int = 0) -> None:
    """Let the file grow by so many pages and no more; holds for each connection."""
    with closing(sqlite3.connect(folder / "clockd.db")) as file:
        (pages,) = file.execute("PRAGMA page_count").fetchone()
    engine = books.store.engine
    connections = [engine.connect() for _ in range(4)]
    for connection in connections:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + more}")
    for connection in connections:
        connection.close()


# -- a file that another process holds -----------------------------------------


def test_a_file_that_is_held_delays_and_loses_nothing(
    sqlite_url: str, tmp_path: Path
) -> None:
    with open_books(sqlite_url) as books:
        books.load(trigger())
        _, attempt = books.run(trigger("other"))
        wanted = [
            lambda: books.store.lease.beat(books.fence, NOON),
            lambda: books.claim(NOON + MINUTE).due == 1,
            lambda: books.end(attempt, NOON) is not None,
        ]
        with (
            closing(sqlite3.connect(tmp_path / "clockd.db", isolation_level=None)) as f,
            ThreadPoolExecutor(4) as threads,
        ):
            f.execute("BEGIN IMMEDIATE")
            ends = [threads.submit(call) for call in wanted]
            # Who only reads is not held up, and sees what was there before.
            assert len(books.store.attempts.active()) == 1
            assert not any(end.done() for end in ends)
            f.execute("ROLLBACK")

            assert [end.result(10) for end in ends] == [True] * 3


def test_a_file_that_is_held_for_long_is_unavailable_to_all_in_time(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_S", 1.0)
    with open_books(sqlite_url) as books:
        books.load(trigger())
        writers = [
            *(lambda: books.claim(NOON + MINUTE), lambda: books.ask(trigger("x"))),
            *(lambda: books.take(NOON), lambda: books.ask(trigger("y"))),
        ]
        with (
            closing(sqlite3.connect(tmp_path / "clockd.db", isolation_level=None)) as f,
            ThreadPoolExecutor(4) as threads,
        ):
            f.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            ends = [threads.submit(call) for call in writers]
            problems = [type(end.exception()) for end in ends]
            took_s = time.monotonic() - began
            f.execute("ROLLBACK")

        assert problems == [StoreUnavailable] * 4
        # All wait at the same time, however many they are.
        assert took_s < 3.5
        assert books.claim(NOON + MINUTE).due == 1


def _works(call: Callable[[], object]) -> bool:
    try:
        call()
    except StoreUnavailable:
        return False
    return True
