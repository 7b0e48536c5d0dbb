"""Engines and transactions; the one place where the drivers' errors are translated.

SQLite: one pool, writers of this process one after the other. PostgreSQL: two pools, at
most five connections, one of them kept for the lease and claims. No call takes longer
than some 15 s, whatever the database does.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import make_url

from clockd import clock
from clockd.errors import LeaseLost, SettingsError, StoreUnavailable
from clockd.store import failures, tables, waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine, RootTransaction

#: Seconds a writer waits for another, or anybody for a connection.
BUSY_S = 10.0
#: Connections beside the reserved one; small Heroku plans allow 20 in all.
POOL_SIZE = 4
#: Keys of PostgreSQL's advisory locks, held by a transaction and never longer.
SCHEMA_LOCK = 0x636C6F636B640001
QUEUE_LOCK = 0x636C6F636B640002

_IDLE_MS = 5000
_POSTGRESQL = ("postgres://", "postgresql://", "postgresql+psycopg://")


class Database:
    """An engine or two, and transactions on them.

    Args:
        url: `sqlite:///path`, `postgresql://…` or `postgres://…`.

    Raises:
        SettingsError: The URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._writers: threading.Lock | None = None
        self._path: Path | None = None
        self._secrets: list[str] = []
        if url.startswith(_POSTGRESQL):
            from clockd.store import postgresql

            self.dialect = "postgresql"
            given = postgresql.parameters(url)
            self._secrets = postgresql.secrets_of(given)
            self.engine = postgresql.engine(given, POOL_SIZE)
            self._reserved = postgresql.engine(given, 1)
        else:
            self.dialect = "sqlite"
            parsed = _parse(url)
            self._path = Path(parsed.database or "")
            self._writers = threading.Lock()
            self.engine = self._reserved = _sqlite(parsed)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self._reserved.dispose()

    def prepare(self) -> None:
        """Make sure that the database can be used, and is set up for it.

        Raises:
            StoreUnavailable: It cannot be reached, made or read.
        """
        if self._path is not None:
            _check_directory(self._path)
            self._use_wal()

    @contextlib.contextmanager
    def read(self, *, reserved: bool = False) -> Iterator[Connection]:
        """Give a connection in a transaction that only reads."""
        engine = self._reserved if reserved else self.engine
        with (
            self._translated(),
            self._connected(engine) as connection,
            connection.begin(),
        ):
            yield connection

    @contextlib.contextmanager
    def write(
        self,
        *,
        lock: int | None = QUEUE_LOCK,
        reserved: bool = False,
        patience_s: float | None = None,
    ) -> Iterator[Connection]:
        """Give a connection in a transaction that writes; it commits at the end.

        Where the answer to that was lost, the error's `data["in_doubt"]` is true: all
        was written, or nothing.

        Args:
            lock: What else waits until this has ended. By default, whatever changes
                runs: their decisions are made one after the other. SQLite has one
                writer at a time anyway.
            reserved: Use the connection kept for the lease and claims.
            patience_s: How long a statement may take on PostgreSQL, where it is more
                than usual.
        """
        engine = self._reserved if reserved else self.engine
        with (
            self._translated(),
            self._turn() as busy_s,
            self._connected(engine) as connection,
            waits.answering(patience_s),
        ):
            if self._writers is not None:
                connection = connection.execution_options(clockd_busy_s=busy_s)
            transaction = connection.begin()
            try:
                if self._writers is None:
                    _begin_postgresql(connection, lock, patience_s)
                yield connection
            except BaseException as error:
                if failures.is_read_only(error):
                    connection.invalidate()
                with contextlib.suppress(exc.DBAPIError):
                    transaction.rollback()
                raise
            self._commit(transaction)

    def _commit(self, transaction: RootTransaction) -> None:
        try:
            transaction.commit()
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise self._unavailable(error, in_doubt=True) from error
            raise

    @contextlib.contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        with waits.connecting():
            connection = engine.connect()
        with connection:
            yield connection

    @contextlib.contextmanager
    def _turn(self) -> Iterator[float]:
        """Let one writer of this process after the other; SQLite's back-off is slow.

        Gives the seconds that are left to wait for writers of other processes.
        """
        if self._writers is None:
            yield 0.0
            return
        began = time.monotonic()
        if not self._writers.acquire(timeout=BUSY_S):
            raise StoreUnavailable(
                f"the database was busy with other writes for {BUSY_S:g} s"
            )
        try:
            yield max(BUSY_S - (time.monotonic() - began), 0.0)
        finally:
            self._writers.release()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.SQLAlchemyError as error:
            if failures.is_unavailable(error):
                raise self._unavailable(error) from error
            raise

    def _unavailable(
        self, error: exc.SQLAlchemyError, *, in_doubt: bool = False
    ) -> StoreUnavailable:
        return failures.unavailable(
            error, path=self._path, secrets=self._secrets, in_doubt=in_doubt
        )

    def _use_wal(self) -> None:
        """Switch the file to WAL, once and for good.

        The switch needs the file for itself and does not wait for it by itself.
        """
        deadline = clock.boottime() + BUSY_S
        while True:
            try:
                with self._translated(), self.engine.connect() as connection:
                    raw = connection.connection.driver_connection
                    assert raw is not None  # noqa: S101 – just connected
                    raw.execute("PRAGMA journal_mode = WAL")
                    return
            except StoreUnavailable as error:
                if "locked" not in error.message or clock.boottime() > deadline:
                    raise
                time.sleep(0.02)


def fenced(connection: Connection, fence: int) -> None:
    """Make sure that `fence` is the lease's, and stays so until the transaction ends.

    Raises:
        LeaseLost: Another process is the clock now, or nobody is.
    """
    row = tables.lease
    held = (
        sa.select(row.c.fence)
        .where(row.c.id == 1, row.c.fence == fence, row.c.holder.is_not(None))
        .with_for_update(read=True)
    )
    if connection.execute(held).first() is None:
        raise LeaseLost(
            f"the lease with fence {fence} has gone to another clock",
            hint="nothing was changed; this clock stands by",
            fence=fence,
        )


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
        drivername = url.drivername
    except (exc.ArgumentError, ValueError):
        drivername = "one that cannot be read"
    if drivername not in ("sqlite", "sqlite+pysqlite"):
        raise SettingsError(
            f"the database URL is {drivername}; clockd uses SQLite and PostgreSQL",
            hint="write sqlite:///path/to/clockd.db or postgresql://user@host/database",
        )
    if url.database in (None, "", ":memory:"):
        raise SettingsError(
            "the database URL names no file",
            hint="write sqlite:///path/to/clockd.db; a database in memory is "
            "forgotten with the process",
        )
    return url


def _sqlite(url: URL) -> Engine:
    engine = sa.create_engine(
        url,
        connect_args={"timeout": BUSY_S},
        pool_size=POOL_SIZE,
        max_overflow=20,
        pool_timeout=BUSY_S,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        # The driver would begin transactions of its own, and only before writes.
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        busy_s = connection.get_execution_options().get("clockd_busy_s")
        wait_ms = int(1000 * (BUSY_S if busy_s is None else busy_s))
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {wait_ms}")
        connection.exec_driver_sql("BEGIN" if busy_s is None else "BEGIN IMMEDIATE")

    return engine


def _begin_postgresql(
    connection: Connection, lock: int | None, patience_s: float | None
) -> None:
    # Not at connecting: a transaction pooler would hand the settings to others.
    given_up_s = (patience_s or waits.ANSWER_S) - 1.0
    settings = {
        "idle_in_transaction_session_timeout": _IDLE_MS,
        "statement_timeout": int(given_up_s * 1000),
        # The one for statements does not yet hold while this one waits for a lock.
        "lock_timeout": int(given_up_s * 1000),
    }
    asked = [f"set_config('{k}', '{v}', true)" for k, v in settings.items()]
    if lock is not None:
        asked.append(f"pg_advisory_xact_lock({lock})")
    connection.exec_driver_sql(f"SELECT {', '.join(asked)}")


def _check_directory(path: Path) -> None:
    if not path.parent.is_dir():
        raise StoreUnavailable(
            f"the database {path} cannot be made: there is no directory {path.parent}",
            hint=f"make it (mkdir -p {path.parent}), or set CLOCKD_DATABASE_URL",
        )
    if path.is_dir():
        raise StoreUnavailable(
            f"the database {path} cannot be opened: it is a directory",
            hint="name a file in CLOCKD_DATABASE_URL",
        )
