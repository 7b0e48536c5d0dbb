"""Rows of runs and attempts as values, and how both are read."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from clockd.errors import NotFoundError
from clockd.model import Attempt, Cause, Hold, Outcome, Run, RunnerKind, RunState
from clockd.model import StopCause as Stop
from clockd.store import tables
from clockd.store.definitions import parse_cached
from clockd.store.statements import AnyRow, batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection

T = TypeVar("T")


def maybe(convert: Callable[[str], T], value: str | None) -> T | None:
    """Return `value` converted, or None as it is."""
    return None if value is None else convert(value)


def run_of(row: AnyRow, attempts: Iterable[Attempt] = ()) -> Run:
    """Return the run of a row that has all columns of `clockd_runs`."""
    return Run(
        id=row.id,
        trigger_id=row.trigger_id,
        trigger=parse_cached(row.definition),
        cause=Cause(row.cause),
        state=RunState(row.state),
        claimed_at=row.claimed_at,
        fire_time=row.fire_time,
        not_before=row.not_before,
        hold=maybe(Hold, row.hold),
        released_at=row.released_at,
        attempt=row.attempt,
        launched_at=row.launched_at,
        finished_at=row.finished_at,
        lag_s=row.lag_s,
        outcome=maybe(Outcome, row.outcome),
        exit_status=row.exit_status,
        reason=row.reason,
        last_fire_time=row.last_fire_time,
        fire_count=row.fire_count,
        cancel_requested_at=row.cancel_requested_at,
        cancel_requested_by=row.cancel_requested_by,
        owner=row.owner,
        attempts=tuple(attempts),
    )


def attempt_of(row: AnyRow) -> Attempt:
    """Return the attempt of a row that has all columns of `clockd_attempts`."""
    return Attempt(
        id=row.id,
        run_id=row.run_id,
        number=row.number,
        state=RunState(row.state),
        runner=RunnerKind(row.runner),
        app=row.app,
        command=row.command,
        process_type=row.process_type,
        requested_at=row.requested_at,
        time_to_live_s=row.time_to_live_s,
        host=row.host,
        size=row.size,
        dyno=row.dyno,
        dyno_id=row.dyno_id,
        created_at=row.created_at,
        launched_at=row.launched_at,
        finished_at=row.finished_at,
        stop_requested_at=row.stop_requested_at,
        stop_cause=maybe(Stop, row.stop_cause),
        exit_status=row.exit_status,
        outcome=maybe(Outcome, row.outcome),
        reason=row.reason,
        warning=row.warning,
    )


def runs_where(
    connection: Connection, *where: sa.ColumnElement[bool], limit: int | None = None
) -> list[Run]:
    """Return the runs that meet all conditions, newest first, with their attempts."""
    query = sa.select(tables.runs).where(*where).order_by(tables.runs.c.id.desc())
    rows = connection.execute(query.limit(limit)).all()
    made = attempts_of(connection, [row.id for row in rows])
    return [run_of(row, made[row.id]) for row in rows]


def run_with_id(connection: Connection, run_id: int) -> Run:
    """Return a run with its attempts.

    Raises:
        NotFoundError: There is no such run.
    """
    for run in runs_where(connection, tables.runs.c.id == run_id):
        return run
    raise NotFoundError(f"there is no run {run_id}", hint="`clockd runs` lists them")


def attempts_of(
    connection: Connection, run_ids: Sequence[int]
) -> defaultdict[int, list[Attempt]]:
    """Return the attempts of some runs, each run's in order."""
    made: defaultdict[int, list[Attempt]] = defaultdict(list)
    table = tables.attempts
    for some in batches(run_ids):
        query = sa.select(table).where(table.c.run_id.in_(some))
        for row in connection.execute(query.order_by(table.c.run_id, table.c.number)):
            made[row.run_id].append(attempt_of(row))
    return made
