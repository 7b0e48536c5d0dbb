"""Databases as they really are: missing, busy, gone for a while, full of threads."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from clockd.errors import SettingsError, StoreUnavailable
from clockd.model import Outcome
from clockd.store import OutputRow, Store
from clockd.store.database import Database
from clockd.store.tables import runs
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
    from pathlib import Path

SECRET = "open-sesame"


def _all_of(caught: pytest.ExceptionInfo[BaseException]) -> str:
    """Return everything a log could show of an error."""
    return "".join(traceback.format_exception(caught.value)) + repr(caught.value)


# -- opening -------------------------------------------------------------------


def test_a_store_says_what_it_is(database_url: str) -> None:
    store = Store.open(database_url)
    try:
        assert store.dialect == database_url.partition(":")[0].partition("+")[0]
        assert store.engine.dialect.name == store.dialect
    finally:
        store.close()


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no directory") as caught:
        Store.open(f"sqlite:///{tmp_path}/not/there/clockd.db")

    assert f"mkdir -p {tmp_path}/not/there" in (caught.value.hint or "")


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="is a directory"):
        Store.open(f"sqlite:///{tmp_path}")


def test_a_file_of_something_else_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "clockd.db"
    path.write_text("triggers:\n" * 200)

    with pytest.raises(StoreUnavailable, match="not a database"):
        Store.open(f"sqlite:///{path}")

    assert path.read_text() == "triggers:\n" * 200


def test_a_place_that_cannot_be_written_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="unable to open"):
        Store.open("sqlite:////proc/clockd.db")


def test_a_server_that_is_not_there_is_unavailable_and_keeps_secrets() -> None:
    with pytest.raises(StoreUnavailable, match="refused") as caught:
        Store.open(f"postgresql://ann:{SECRET}@127.0.0.1:1/books")

    assert SECRET not in _all_of(caught)
    assert "DATABASE_URL" in (caught.value.hint or "")


def test_a_password_is_struck_out_wherever_a_driver_puts_it() -> None:
    with pytest.raises(StoreUnavailable, match="refused") as caught:
        Store.open("postgresql://ann:127.0.0.1@localhost:1/books")

    assert "127.0.0.1" not in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://ann:{SECRET}@host/books",
        f"postgresql+asyncpg://ann:{SECRET}@host/books",
        f"ann:{SECRET}@host",
        f"postgresql://ann:{SECRET}@host:port/books",
        "",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_a_url_of_no_use_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Store.open(url)

    assert SECRET not in _all_of(caught)
    assert "://" in (caught.value.hint or "")


def test_a_user_who_may_make_no_tables_is_told_so(postgres_url: str) -> None:
    execute(postgres_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    role = postgres_url.rpartition("/")[2].replace("test", "guest")
    execute(postgres_url, f"CREATE ROLE {role} LOGIN")
    try:
        with pytest.raises(StoreUnavailable, match="permission denied for schema"):
            Store.open(postgres_url.replace("postgres@", f"{role}@"))
    finally:
        execute(postgres_url, f"DROP ROLE {role}")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_herokus_urls_are_understood(postgres_url: str, scheme: str) -> None:
    store = Store.open(postgres_url.replace("postgresql+psycopg", scheme))
    try:
        assert store.lease.read().fence == 0
    finally:
        store.close()


def test_sqlite_is_durable_and_lets_readers_read(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    with store.engine.connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas
        ]
    store.close()

    assert values == ["wal", 2, 1, 10_000]


# -- errors --------------------------------------------------------------------


def test_a_broken_promise_of_ours_stays_loud(books: Books) -> None:
    books.load(trigger())
    books.claim(NOON + MINUTE)
    copy = "INSERT INTO clockd_runs ({0}) SELECT {0} FROM clockd_runs"
    columns = ", ".join(column.name for column in runs.c if column.name != "id")

    with pytest.raises(sa.exc.IntegrityError):
        execute(books.url, copy.format(columns))
    database = Database(books.url)
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.exec_driver_sql(copy.format(columns))
    database.close()


def test_a_naive_instant_is_refused(books: Books) -> None:
    with pytest.raises(sa.exc.StatementError, match="needs a time zone"):
        books.ask(trigger(), NOON.replace(tzinfo=None))


def test_an_instant_is_stored_to_the_microsecond(books: Books) -> None:
    exact = NOON.replace(microsecond=999_999)

    assert books.reload(books.ask(trigger(), exact)).claimed_at == exact


def test_text_that_cannot_be_stored_is_no_reason_to_fail(books: Books) -> None:
    _, attempt = books.run(trigger())

    ended = books.store.attempts.finish(
        attempt.id,
        outcome=Outcome.FAILED,
        exit_status=1,
        reason="nul \0 half \udc80",
        now=NOON,
    )

    assert ended is not None
    assert ended.reason == "nul \N{REPLACEMENT CHARACTER} half ?"


def test_a_server_that_is_read_only_for_now_is_unavailable(postgres_url: str) -> None:
    Store.open(postgres_url).close()
    name = postgres_url.rpartition("/")[2]
    execute(
        postgres_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on"
    )
    store = Store.open(postgres_url)
    try:
        with pytest.raises(StoreUnavailable, match="read-only"):
            store.lease.take(store.lease.read(), "clock.1:4", NOON)
    finally:
        store.close()


def test_a_connection_that_was_cut_is_replaced(postgres_url: str) -> None:
    with open_books(postgres_url) as books:
        books.load(trigger())
        execute(
            postgres_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'clockd' AND datname = current_database()",
        )

        assert books.claim(NOON + MINUTE).due == 1
        assert books.store.lease.beat(books.fence, NOON)


def test_a_locked_file_is_waited_for(sqlite_url: str) -> None:
    with open_books(sqlite_url) as books:
        other = Database(sqlite_url)
        done = threading.Event()

        def ask() -> None:
            books.ask(trigger())
            done.set()

        thread = threading.Thread(target=ask)
        with other.write():
            thread.start()
            assert not done.wait(0.2)
        thread.join()
        other.close()

        assert done.is_set()


def test_a_file_that_stays_locked_is_unavailable(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(sqlite_url).close()
    monkeypatch.setattr("clockd.store.database.BUSY_S", 0.05)
    other, store = Database(sqlite_url), Store.open(sqlite_url)

    with other.write(), pytest.raises(StoreUnavailable, match="locked"):
        store.lease.take(store.lease.read(), "clock.1:4", NOON)

    assert store.lease.take(store.lease.read(), "clock.1:4", NOON) == 1
    store.close()
    other.close()


# -- many at once --------------------------------------------------------------


def test_sixteen_threads_never_meet_a_locked_database(books: Books) -> None:
    books.load(trigger())
    problems: list[Exception] = []

    def hammer(number: int) -> None:
        try:
            for turn in range(8):
                run = books.ask(trigger(f"t{number}"), NOON + turn * SECOND)
                row = OutputRow(
                    run_id=run.id,
                    attempt=1,
                    sequence=1,
                    at=NOON,
                    source="app",
                    text="hello",
                )
                books.store.output.append([row])
                books.store.lease.beat(books.fence, NOON)
                books.take(NOON + turn * SECOND)
                books.claim(NOON + turn * MINUTE)
                for _, attempt in books.store.attempts.active():
                    books.end(attempt, NOON)
        except Exception as error:  # noqa: BLE001 – told below, by the test's thread
            problems.append(error)

    threads = [threading.Thread(target=hammer, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    by_hand = [run for run in books.store.runs.list(limit=999) if not run.fire_time]
    assert len(by_hand) == 128
    assert books.store.lease.read().beat == 128


def test_a_store_never_has_more_than_five_connections(postgres_url: str) -> None:
    with open_books(postgres_url) as books:
        books.load(trigger())
        stopping = threading.Event()

        def hammer(number: int) -> None:
            while not stopping.is_set():
                books.store.triggers.list()
                books.store.lease.beat(books.fence, NOON)
                books.ask(trigger(f"t{number}"))

        threads = [threading.Thread(target=hammer, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        counts = [_connections(postgres_url) for _ in range(20)]
        stopping.set()
        for thread in threads:
            thread.join()

    assert max(counts) == 5


def test_a_beat_is_not_delayed_when_every_other_connection_is_in_use(
    postgres_url: str,
) -> None:
    with open_books(postgres_url) as books:
        books.load(trigger())
        busy = [books.store.engine.connect() for _ in range(4)]

        assert books.store.lease.beat(books.fence, NOON)
        assert books.claim(NOON + MINUTE).due == 1

        for connection in busy:
            connection.close()


def test_output_of_many_runs_is_written_in_one_go(books: Books) -> None:
    run_ids = [books.ask(trigger(f"t{n}")).id for n in range(10)]
    rows = [
        OutputRow(
            run_id=run_id,
            attempt=1,
            sequence=n,
            at=NOON,
            source="app",
            text=f"line {n}",
        )
        for n in range(1, 1001)
        for run_id in run_ids
    ]
    statements: list[str] = []
    commits: list[object] = []
    engine = books.store.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    sa.event.listen(engine, "commit", commits.append)

    books.store.output.append(rows)

    assert len(commits) == 1
    assert len(statements) < 20
    assert len(books.store.output.lines(run_ids[0])) == 1000


def test_a_frozen_process_does_not_hold_up_the_others(postgres_url: str) -> None:
    with open_books(postgres_url) as books:
        frozen = Database(postgres_url)

        def freeze_within_a_write() -> None:
            with frozen.write() as connection:
                # Waits for the frozen transaction until the server has ended it.
                books.ask(trigger())
                connection.exec_driver_sql("SELECT 1")

        with pytest.raises(StoreUnavailable, match="idle-in-transaction"):
            freeze_within_a_write()
        frozen.close()

        assert len(books.store.runs.list()) == 1


def test_connections_are_named_and_closed(postgres_url: str) -> None:
    with open_books(postgres_url):
        assert _connections(postgres_url) >= 1

    wait_until(lambda: _connections(postgres_url) == 0)


def _connections(url: str) -> int:
    ((count,),) = execute(
        url,
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name = 'clockd' AND datname = current_database()",
    )
    return int(count)
