"""Writes the dynos of a burst of launches down, in the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd import policy
from clockd.model import FROM_LOG, Attempt, Hold, RunState
from clockd.store import line, rows
from clockd.store.statements import Values, batches, update_each
from clockd.store.tables import attempts, runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from clockd.model import Run
    from clockd.store.values import LaunchedDyno


def write(
    connection: Connection, results: Sequence[LaunchedDyno], now: datetime
) -> set[int]:
    """Write what launches gave; return the ids of attempts that are not ours."""
    found = _read(connection, [result.attempt_id for result in results])
    owners = _owners(connection, results)
    refused: set[int] = set()
    of_attempts: list[Values] = []
    of_runs: list[Values] = []
    for result in results:
        run, attempt = found.get(result.attempt_id, (None, None))
        if run is None or attempt is None or not _is_ours(attempt, result, owners):
            refused.add(result.attempt_id)
        elif attempt.dyno_id != result.dyno.id:
            owners[attempt.app, result.dyno.id] = attempt.id
            of_attempts.append(_attempt_values(attempt, result))
            of_runs.append(_run_values(run, attempt, result))
    update_each(connection, attempts, "id", of_attempts)
    update_each(connection, runs, "id", of_runs)
    started = {run.trigger_id for run, _ in found.values()}
    for some in batches(sorted(started)):
        line.wake_held(connection, some, now, Hold.START)
    return refused


def _read(
    connection: Connection, attempt_ids: Sequence[int]
) -> dict[int, tuple[Run, Attempt]]:
    found = {}
    for some in batches(attempt_ids):
        made = {
            row.id: rows.attempt_of(row)
            for row in connection.execute(
                sa.select(attempts).where(attempts.c.id.in_(some))
            )
        }
        run_ids = [attempt.run_id for attempt in made.values()]
        query = sa.select(runs).where(runs.c.id.in_(run_ids))
        of_id = {row.id: rows.run_of(row) for row in connection.execute(query)}
        found.update({id_: (of_id[made[id_].run_id], made[id_]) for id_ in made})
    return found


def _owners(
    connection: Connection, results: Sequence[LaunchedDyno]
) -> dict[tuple[str, str], int]:
    """Return which attempts have the dynos of `results` on record."""
    owners = {}
    columns = (attempts.c.app, attempts.c.dyno_id, attempts.c.id)
    for some in batches([result.dyno.id for result in results]):
        query = sa.select(*columns).where(attempts.c.dyno_id.in_(some))
        for app, dyno_id, attempt_id in connection.execute(query):
            owners[app, dyno_id] = attempt_id
    return owners


def _is_ours(
    attempt: Attempt, result: LaunchedDyno, owners: dict[tuple[str, str], int]
) -> bool:
    owner = owners.get((attempt.app, result.dyno.id))
    if owner is not None:
        return owner == attempt.id
    if attempt.requested_at != result.requested_at:
        return False
    if attempt.state in (RunState.LAUNCHING, RunState.UNKNOWN):
        return True
    # Found by its log line, which has no id: here it comes.
    by_line = (attempt.dyno_id or "").startswith(FROM_LOG)
    open_ = attempt.state is not RunState.FINISHED
    return open_ and by_line and attempt.dyno == result.dyno.name


def _attempt_values(attempt: Attempt, result: LaunchedDyno) -> Values:
    dyno = result.dyno
    return {
        "id": attempt.id,
        "state": _state(attempt),
        "dyno": dyno.name,
        "dyno_id": dyno.id,
        "size": dyno.size or attempt.size,
        "created_at": dyno.created_at,
        "launched_at": result.launched_at,
        "warning": dyno.warning,
        "reason": None,
    }


def _run_values(run: Run, attempt: Attempt, result: LaunchedDyno) -> Values:
    first = run.launched_at is None
    return {
        "id": run.id,
        "state": _state(attempt),
        "launched_at": result.launched_at if first else run.launched_at,
        "lag_s": policy.lag_s(run, result.launched_at) if first else run.lag_s,
        "reason": None,
    }


def _state(attempt: Attempt) -> str:
    """Return what an attempt is once its dyno is known."""
    stopping = attempt.stop_cause is not None
    return (RunState.STOPPING if stopping else RunState.RUNNING).value
