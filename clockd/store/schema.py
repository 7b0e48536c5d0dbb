"""Brings a database's schema up to date, under a lock, or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd.errors import StoreError, StoreTooNew
from clockd.store import migrations
from clockd.store.database import SCHEMA_LOCK
from clockd.store.tables import VERSION_TABLE

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clockd.store.database import Database


def ensure(database: Database, *, migrate: bool) -> None:
    """Make sure that the schema is this clockd's.

    Several processes may do this at the same time: one of them migrates.

    Raises:
        StoreTooNew: A newer clockd has written the database.
        StoreError: The schema is older, and `migrate` is off.
    """
    with database.read() as connection:
        version = _version(connection)
    if version == migrations.HEAD:
        return
    _refuse_newer(version)
    if not migrate:
        raise StoreError(
            f"the database's schema is {version or 'missing'}, "
            f"this clockd needs {migrations.HEAD}",
            hint="`clockd start` brings it up to date",
        )
    _upgrade(database)


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


def _upgrade(database: Database) -> None:
    # Slow, and most starts go without; before the transaction begins, as the server
    # ends idle ones.
    from alembic import command
    from alembic.config import Config

    config = Config()
    where = str(Path(migrations.__file__).parent)
    config.set_main_option("script_location", where.replace("%", "%%"))
    with database.write(lock=SCHEMA_LOCK) as connection:
        version = _version(connection)
        _refuse_newer(version)
        if version != migrations.HEAD:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
