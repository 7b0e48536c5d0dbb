"""Statements in the dialect of the database, and in sizes it takes.

Many rows at once: SQLite runs one statement for each, which is fast there; PostgreSQL
gets them as one table, which is several times faster than row by row.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Table

T = TypeVar("T")

#: A row of some query; its attributes are the columns' names.
AnyRow: TypeAlias = Any
#: Values of columns by name; all rows of one statement have the same names.
Values: TypeAlias = dict[str, Any]

_BATCH = 1000
#: So few rows PostgreSQL updates one by one: it plans for a hundred otherwise.
_FEW = 50


def batches(values: Sequence[T], size: int = _BATCH) -> Iterator[Sequence[T]]:
    """Yield `values` in parts that fit into one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def insert_new(
    connection: Connection,
    table: Table,
    values: Sequence[Values],
    *,
    returning: Sequence[sa.ColumnElement[Any]] = (),
) -> list[AnyRow]:
    """Insert rows, but those that collide with a row that is there.

    Returns what was asked for of each row that was inserted, in no order.
    """
    if not values:
        return []
    if connection.dialect.name == "sqlite":
        return _insert_rows(connection, table, values, returning)
    # What is empty everywhere need not be sent.
    names = [n for n in values[0] if any(row[n] is not None for row in values)]
    given = _as_table(connection, table, values, names)
    new: Any = postgresql.insert(table).from_select(names, sa.select(given))
    new = new.on_conflict_do_nothing()
    result = connection.execute(new.returning(*returning) if returning else new)
    return list(result) if returning else []


def _insert_rows(
    connection: Connection,
    table: Table,
    values: Sequence[Values],
    returning: Sequence[sa.ColumnElement[Any]],
) -> list[AnyRow]:
    new: Any = sqlite.insert(table).on_conflict_do_nothing()
    if not returning:
        connection.execute(new, values)
        return []
    return [
        row
        for some in batches(values)
        for row in connection.execute(new.returning(*returning), some)
    ]


def update_each(
    connection: Connection,
    table: Table,
    key: str,
    values: Sequence[Values],
    *where: sa.ColumnElement[bool],
) -> None:
    """Update rows by their key, each with values of its own, where conditions hold."""
    if not values:
        return
    names = [name for name in values[0] if name != key]
    if connection.dialect.name == "sqlite" or len(values) <= _FEW:
        one = sa.update(table).where(table.c[key] == sa.bindparam("_key"), *where)
        one = one.values({name: sa.bindparam(name) for name in names})
        rows = [{"_key": row[key], **{n: row[n] for n in names}} for row in values]
        connection.execute(one, rows)
        return
    given = _as_table(connection, table, values, list(values[0]))
    all_ = sa.update(table).where(table.c[key] == given.c[key], *where)
    connection.execute(all_.values({name: given.c[name] for name in names}))


def _as_table(
    connection: Connection, table: Table, values: Sequence[Values], names: Sequence[str]
) -> Any:
    """Return rows as a table: one text of JSON, which beats arrays by far here."""
    dialect = connection.dialect
    types = [table.c[name].type for name in names]
    bind = [
        kind.dialect_impl(dialect).bind_processor(dialect) or _as_it_is
        for kind in types
    ]
    convert = list(zip(names, bind, strict=True))
    text = json.dumps(
        [{name: store(row[name]) for name, store in convert} for row in values]
    )
    rows = sa.func.json_to_recordset(sa.cast(sa.literal(text), postgresql.JSON))
    columns = [sa.column(n, kind) for n, kind in zip(names, types, strict=True)]
    return rows.table_valued(*columns, name="given").render_derived(with_types=True)


def _as_it_is(value: T) -> T:
    return value
