"""Engines and transactions; the one place where the drivers' errors are translated.

SQLite: one pool, writers of this process one after the other. PostgreSQL: two pools, at
most five connections, one of them kept for the lease and claims.
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
from clockd.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine

#: Seconds a writer waits for another, or anybody for a connection.
BUSY_S = 10.0
#: Connections beside the reserved one; small Heroku plans allow 20 in all.
POOL_SIZE = 4
#: Keys of PostgreSQL's advisory locks, held by a transaction and never longer.
SCHEMA_LOCK = 0x636C6F636B640001
QUEUE_LOCK = 0x636C6F636B640002

_IDLE_MS = 5000
_POSTGRESQL: dict[str, Any] = {
    "application_name": "clockd",
    "connect_timeout": 10,
    # A connection that was cut without a word is noticed within seconds, not hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_NOT_PERMITTED = "42501"
#: Also a server that is read-only for now or closes idle transactions (class 25).
_UNAVAILABLE = (exc.OperationalError, exc.InterfaceError, exc.InternalError)


class Database:
    """An engine or two, and transactions on them.

    Args:
        url: `sqlite:///path`, `postgresql://…` or `postgres://…`.

    Raises:
        SettingsError: The URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self.dialect = self._url.get_backend_name()
        if self.dialect == "sqlite":
            self.engine = self._reserved = _sqlite(self._url)
            self._writers: threading.Lock | None = threading.Lock()
        else:
            self.engine = _postgresql(self._url, POOL_SIZE)
            self._reserved = _postgresql(self._url, 1)
            self._writers = None

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self._reserved.dispose()

    def prepare(self) -> None:
        """Make sure that the database can be used, and is set up for it.

        Raises:
            StoreUnavailable: It cannot be reached, made or read.
        """
        if self.dialect == "sqlite":
            _check_directory(Path(self._url.database or ""))
            self._use_wal()

    @contextlib.contextmanager
    def read(self, *, reserved: bool = False) -> Iterator[Connection]:
        """Give a connection in a transaction that only reads."""
        engine = self._reserved if reserved else self.engine
        with self._translated(), engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(
        self, *, lock: int | None = QUEUE_LOCK, reserved: bool = False
    ) -> Iterator[Connection]:
        """Give a connection in a transaction that writes; it commits at the end.

        Args:
            lock: What else waits until this has ended. By default, whatever changes
                runs: their decisions are made one after the other. SQLite has one
                writer at a time anyway.
            reserved: Use the connection kept for the lease and claims.
        """
        engine = self._reserved if reserved else self.engine
        with self._translated(), self._turn(), engine.connect() as connection:
            connection = connection.execution_options(clockd_writes=True)
            with connection.begin():
                if self._writers is None:
                    _begin_postgresql(connection, lock)
                yield connection

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one writer of this process after the other; SQLite's back-off is slow."""
        if self._writers is None:
            yield
            return
        if not self._writers.acquire(timeout=3 * BUSY_S):
            raise StoreUnavailable(
                f"the database was busy with another write for {3 * BUSY_S:.0f} s"
            )
        try:
            yield
        finally:
            self._writers.release()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _UNAVAILABLE as error:
            raise self._unavailable(error) from error
        except exc.DBAPIError as error:
            if _is_unavailable(error):
                raise self._unavailable(error) from error
            raise
        except exc.TimeoutError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: exc.SQLAlchemyError) -> StoreUnavailable:
        cause = getattr(error, "orig", None) or error
        text = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        if self._url.password:
            text = text.replace(str(self._url.password), "***")
        return StoreUnavailable(
            f"the database cannot be used just now: {text}",
            hint="clockd tries again by itself; "
            + (
                f"look at the file {self._url.database} and the space on its disk"
                if self.dialect == "sqlite"
                else "look at the server, and at CLOCKD_DATABASE_URL or DATABASE_URL"
            ),
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


def _is_unavailable(error: exc.DBAPIError) -> bool:
    """Whether an error is the database's, though its class says that it is ours."""
    return (
        error.connection_invalidated
        # Its bare class: "file is not a database", "disk image is malformed".
        or type(error) is exc.DatabaseError
        or getattr(error.orig, "sqlstate", None) == _NOT_PERMITTED
    )


def _parse(text: str) -> URL:
    for short in ("postgres://", "postgresql://"):
        if text.startswith(short):
            text = "postgresql+psycopg://" + text[len(short) :]
    try:
        url = make_url(text)
        drivername = url.drivername
    except (exc.ArgumentError, ValueError):
        drivername = "one that cannot be read"
    if drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise SettingsError(
            f"the database URL is {drivername}; clockd uses SQLite and PostgreSQL",
            hint="write sqlite:///path/to/clockd.db or postgresql://user@host/database",
        )
    if drivername.startswith("sqlite") and url.database in (None, "", ":memory:"):
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
        writes = connection.get_execution_options().get("clockd_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL, size: int) -> Engine:
    given = {k: v for k, v in _POSTGRESQL.items() if k not in url.query}
    return sa.create_engine(
        url,
        # Prepared statements do not survive a transaction pooler.
        connect_args={**given, "prepare_threshold": None},
        pool_size=size,
        max_overflow=0,
        pool_timeout=BUSY_S,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def _begin_postgresql(connection: Connection, lock: int | None) -> None:
    # Not at connecting: a transaction pooler would hand the setting to others.
    ask = f"set_config('idle_in_transaction_session_timeout', '{_IDLE_MS}', true)"
    if lock is not None:
        ask += f", pg_advisory_xact_lock({lock})"
    connection.exec_driver_sql(f"SELECT {ask}")


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
