"""Brings a database's schema up to date, under a lock, or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd.errors import StoreTooNew, StoreTooOld
from clockd.store import migrations
from clockd.store.database import SCHEMA_LOCK
from clockd.store.tables import VERSION_TABLE

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clockd.store.database import Database

#: A migration may rewrite a large table; who comes second waits for it.
_PATIENCE_S = 600.0


def ensure(
    database: Database, *, migrate: bool = True, beside_clock: bool = True
) -> None:
    """Make sure that the schema is this clockd's.

    Several processes may do this at the same time: one of them migrates.

    Args:
        database: The database.
        migrate: Whether an older schema is brought up to date.
        beside_clock: Whether that is done although a clock is on record. The clock
            goes on working, but an older clockd cannot be started again afterwards:
            this is for the clock that takes its place, not for a command.

    Raises:
        StoreTooNew: A newer clockd has written the database.
        StoreTooOld: The schema is older, and is to be left alone.
    """
    version = version_of(database)
    if version == migrations.HEAD:
        return
    _refuse_newer(version)
    if not migrate:
        raise _too_old(version)
    _upgrade(database, beside_clock=beside_clock)


def version_of(database: Database) -> str | None:
    """Return the revision of a database's schema; None where it has none yet."""
    with database.read(reserved=True) as connection:  # all that a standby needs
        return _version(connection)


def _version(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: sa.Select[str] = sa.select(sa.column("version_num", sa.String))
    found = connection.execute(revision.select_from(sa.table(VERSION_TABLE)))
    return found.scalar()


def _refuse_newer(version: str | None) -> None:
    if version is not None and version not in migrations.REVISIONS:
        raise StoreTooNew(
            f"the database was written by a newer clockd: its schema is {version}, "
            f"this one knows {migrations.HEAD}",
            hint="install that version again; nothing was changed",
            version=version,
        )


def _too_old(version: str | None, holder: str | None = None) -> StoreTooOld:
    at_work = f", and {holder} is on record as its clock" if holder else ""
    return StoreTooOld(
        f"the database's schema is {version or 'missing'}, "
        f"this clockd needs {migrations.HEAD}{at_work}",
        hint="`clockd start` of this version brings it up to date; until then, use the "
        "version of the clock that runs there",
        version=version,
    )


def _refuse_beside_clock(connection: Connection, version: str | None) -> None:
    if version is None:
        return
    # Only what every revision has: the tables are not yet as `tables` says.
    query = sa.select(sa.column("holder", sa.Text)).select_from(
        sa.table("clockd_lease")
    )
    holder = connection.execute(query).scalar()
    if holder is not None:
        raise _too_old(version, holder)


def _upgrade(database: Database, *, beside_clock: bool) -> None:
    # Slow, and most starts go without; before the transaction begins, as the server
    # ends idle ones.
    from alembic import command
    from alembic.config import Config

    config = Config()
    where = str(Path(migrations.__file__).parent)
    config.set_main_option("script_location", where.replace("%", "%%"))
    with database.write(lock=SCHEMA_LOCK, patience_s=_PATIENCE_S) as connection:
        version = _version(connection)
        _refuse_newer(version)
        if version != migrations.HEAD:
            if not beside_clock:
                _refuse_beside_clock(connection, version)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
