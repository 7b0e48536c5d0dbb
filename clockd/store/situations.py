"""Reads what a waiting run meets when its turn comes, for many runs at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from clockd.model import Hold, RunState
from clockd.store.columns import Instant
from clockd.store.statements import AnyRow
from clockd.store.tables import (
    answer_open,
    attempts,
    runs,
    triggers,
    turn,
    unfinished,
    waiting,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

#: App, process type, and what the command comes down to.
Twin = tuple[str, str, str]


class Standing(NamedTuple):
    """Where an active run stands."""

    idle: bool  #: between two attempts
    started: bool  #: it has, or has had, a dyno
    fire_time: datetime | None


@dataclass(kw_only=True)
class Line:
    """The unfinished runs of one trigger, as this take has left them so far.

    Args:
        active: Active runs by id.
        first: Runs that wait for their first start, as (turn, id).
    """

    active: dict[int, Standing] = field(default_factory=dict)
    first: set[tuple[datetime, int]] = field(default_factory=set)


def due(
    connection: Connection,
    now: datetime,
    owner: str | None,
    *,
    size: int,
    behind: AnyRow | None,
    limited: bool,
) -> Sequence[AnyRow]:
    """Return a page of the runs that are due, with what their triggers are like.

    Args:
        connection: Where to look.
        now: The instant they are due at.
        owner: Whose runs.
        size: How many at most, oldest first.
        behind: The last run of the page before.
        limited: Whether those that are held for `limits.concurrent_runs` are due, too.
    """
    its_time = runs.c.not_before <= now
    if limited:
        its_time = sa.or_(its_time, runs.c.hold == Hold.LIMIT.value)
    page = sa.select(runs, turn.label("turn")).where(
        waiting, its_time, runs.c.owner.is_not_distinct_from(owner)
    )
    if behind is not None:
        last = sa.literal(behind.turn, Instant), sa.literal(behind.id, runs.c.id.type)
        page = page.where(sa.tuple_(turn, runs.c.id) > sa.tuple_(*last))
    # Cut off before anything is joined: planners think that hardly anything waits.
    ours = page.order_by(turn, runs.c.id).limit(size).subquery("ours")
    newest = (
        sa.select(sa.func.max(runs.c.fire_time))
        # What a clock that was ahead has started early takes nobody's place.
        .where(runs.c.trigger_id == ours.c.trigger_id, runs.c.fire_time <= now)
        .scalar_subquery()
    )
    paused = sa.and_(triggers.c.paused_at.is_not(None), triggers.c.resumed_at.is_(None))
    query = (
        sa.select(
            ours,
            newest.label("newest_fire_time"),
            paused.label("paused"),
            triggers.c.removed_at,
        )
        .outerjoin(triggers, triggers.c.uuid == ours.c.trigger_id)
        .order_by(ours.c.turn, ours.c.id)
    )
    return connection.execute(query).all()


def read_lines(connection: Connection, trigger_ids: Collection[str]) -> dict[str, Line]:
    """Return the unfinished runs of each trigger."""
    lines = {trigger_id: Line() for trigger_id in trigger_ids}
    columns = (
        *(runs.c.id, runs.c.trigger_id, runs.c.state, runs.c.attempt),
        *(runs.c.launched_at, runs.c.fire_time),
    )
    query = sa.select(*columns, turn.label("turn")).where(
        unfinished, runs.c.trigger_id.in_(trigger_ids)
    )
    for row in connection.execute(query.order_by(runs.c.id)):
        in_line = row.state == RunState.WAITING.value
        if in_line and row.attempt == 0:
            lines[row.trigger_id].first.add((row.turn, row.id))
        else:
            started = row.launched_at is not None
            standing = Standing(in_line, started, row.fire_time)
            lines[row.trigger_id].active[row.id] = standing
    return lines


def open_twins(connection: Connection) -> set[Twin]:
    """Return what the launches come down to whose dyno is not known yet."""
    columns = (attempts.c.app, attempts.c.process_type, attempts.c.twin)
    found = connection.execute(sa.select(*columns).where(answer_open))
    return {(app, process_type, twin) for app, process_type, twin in found}
