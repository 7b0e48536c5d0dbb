"""The books: triggers, runs, attempts, output and the lease, in SQLite or PostgreSQL.

`Store` is the door; nothing outside this package knows tables or SQL. Every method is
one transaction and may be called from any thread; every write is conditional, so that
whoever comes second changes nothing. Instants are aware datetimes in UTC, `now` is
always the caller's. Every method raises `StoreUnavailable` when the database cannot be
reached or written just now; it has then changed nothing, or its answer was lost.

`database`   engines, transactions, the one place that translates errors
`tables`     the tables; `columns` their types, `migrations` how they came about
`lease`      who is the clock
`triggers`   definitions, pauses; `sync` takes the file over
`claims`     due fire times become runs; `planning` is what claims and edits share
`limits`     how much may run
`runs`       runs; `queue` takes what is due, `attempts` what became of it, `output`
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clockd.store import schema
from clockd.store.attempts import Attempts
from clockd.store.claims import Claims
from clockd.store.database import Database
from clockd.store.definitions import Definitions
from clockd.store.lease import Leases
from clockd.store.output import Outputs
from clockd.store.runs import Runs
from clockd.store.triggers import Triggers
from clockd.store.values import (
    AttemptPlan,
    Claimed,
    ClaimedRun,
    DatedDyno,
    LaunchedDyno,
    Lease,
    LimitReached,
    NotNow,
    OutputRow,
    OutputState,
    OwnedDyno,
    OwnedRun,
    Poll,
    SyncResult,
    Taken,
    TriggerRow,
)

if TYPE_CHECKING:
    from typing import Self

    from sqlalchemy import Engine

__all__ = [
    "AttemptPlan",
    "Claimed",
    "ClaimedRun",
    "DatedDyno",
    "LaunchedDyno",
    "Lease",
    "LimitReached",
    "NotNow",
    "OutputRow",
    "OutputState",
    "OwnedDyno",
    "OwnedRun",
    "Poll",
    "Store",
    "SyncResult",
    "Taken",
    "TriggerRow",
]


class Store:
    """An open database. Use `Store.open`; close it when done."""

    def __init__(self, database: Database) -> None:
        self._database = database
        definitions = Definitions()
        self.lease = Leases(database)
        self.triggers = Triggers(database, definitions)
        self.claims = Claims(database, definitions)
        self.runs = Runs(database)
        self.attempts = Attempts(database)
        self.output = Outputs(database)

    @classmethod
    def open(cls, url: str, *, migrate: bool = True, beside_clock: bool = True) -> Self:
        """Open the database at a URL and bring its schema up to date.

        Args:
            url: `sqlite:///path` or `postgresql://…`; may hold a password.
            migrate: Whether an older schema is brought up to date.
            beside_clock: Whether also where a clock is on record; see `schema.ensure`.

        Raises:
            StoreUnavailable: It cannot be reached, made or read.
            StoreTooNew: A newer clockd has written it.
            StoreTooOld: Its schema is older, and is to be left alone.
            SettingsError: The URL is not one of a database that clockd can use.
        """
        database = Database(url)
        try:
            database.prepare()
            schema.ensure(database, migrate=migrate, beside_clock=beside_clock)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @classmethod
    def open_as_it_is(cls, url: str) -> Self | None:
        """Open a database to look into it; None where clockd has not used it yet.

        Raises:
            StoreUnavailable, StoreTooNew, StoreTooOld, SettingsError: As for `open`.
        """
        database = Database(url)
        try:
            database.prepare()
            if schema.version_of(database) is None:
                database.close()
                return None
            schema.ensure(database, migrate=False)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Close every connection. The store cannot be used afterwards."""
        self._database.close()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._database.dialect

    @property
    def engine(self) -> Engine:
        """The engine, for APScheduler's job store, which asks for one."""
        return self._database.engine
