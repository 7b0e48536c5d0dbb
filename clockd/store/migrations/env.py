"""Alembic's entry point: runs the steps on the connection `schema` hands over."""

from __future__ import annotations

from alembic import context

from clockd.store.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
