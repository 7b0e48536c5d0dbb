"""Takes back what was put on record ahead of the clock.

A wall clock may have been ahead for a while, or the next clock's host is behind the
last one's. What was booked meanwhile would keep fire times from their runs: marks lie
in the future, and a day may be on record as missed that is still to come. What has not
started is taken back and accounted for anew; what has started stays as it is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd.errors import ScheduleError
from clockd.model import Hold
from clockd.store import planning
from clockd.store.statements import AnyRow, Values, batches, insert_new, update_each
from clockd.store.tables import (
    attempts,
    dropped,
    jobs,
    never_started,
    runs,
    triggers,
    waiting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from clockd.store.definitions import Definitions, Known

#: Clocks of two hosts may differ by this much, and nothing need be taken back.
AHEAD = timedelta(seconds=60)

_SECOND = timedelta(seconds=1)


def step_back(
    connection: Connection, definitions: Definitions, now: datetime
) -> list[str]:
    """Let the books be where the clock is, in the caller's transaction.

    Returns the uuids of the triggers whose mark lay ahead.
    """
    latest = planning.whole_second(now) + AHEAD
    _hurry(connection, now, latest)
    booked = _booked_ahead(connection, latest)
    ahead = sa.select(jobs.c.id).where(jobs.c.claimed_until > latest)
    wanted = sorted({*booked, *connection.execute(ahead).scalars()})
    moved: list[str] = []
    for some in batches(wanted, planning.BATCH):
        moved += _move(connection, definitions, some, booked, now)
    return moved


def _booked_ahead(
    connection: Connection, latest: datetime
) -> dict[str, list[tuple[int, datetime]]]:
    """Return the runs on record ahead of the clock that have not started.

    By trigger; each as its id and fire time. Two look-ups, since each has its index.
    """
    ahead = sa.and_(runs.c.claimed_at > latest, runs.c.fire_time.is_not(None))
    columns = (runs.c.trigger_id, runs.c.id, runs.c.fire_time)
    found: dict[str, list[tuple[int, datetime]]] = {}
    for which in (never_started, sa.and_(dropped, runs.c.attempt == 0)):
        query = sa.select(*columns).where(which, ahead)
        for trigger_id, run_id, fire_time in connection.execute(query):
            found.setdefault(trigger_id, []).append((run_id, fire_time))
    return found


def _move(
    connection: Connection,
    definitions: Definitions,
    trigger_ids: Sequence[str],
    booked: Mapping[str, Sequence[tuple[int, datetime]]],
    now: datetime,
) -> list[str]:
    """Take back what was booked ahead for triggers, and let them fire from there."""
    query = sa.select(
        triggers.c.uuid, triggers.c.fingerprint, triggers.c.changed_at
    ).where(triggers.c.uuid.in_(trigger_ids), triggers.c.removed_at.is_(None))
    rows = {row.uuid: row for row in connection.execute(query)}
    known = definitions.load(connection, {u: r.fingerprint for u, r in rows.items()})
    live = {uuid: it for uuid, it in known.items() if it.trigger.active}
    gone = [run_id for uuid in live for run_id, _ in booked.get(uuid, ())]
    for some in batches(gone):
        connection.execute(sa.delete(runs).where(runs.c.id.in_(some)))
    second = planning.whole_second(now)
    marks = {}
    for uuid in live:
        first = min((at for _, at in booked.get(uuid, ())), default=None)
        marks[uuid] = _mark(first, rows[uuid].changed_at, second)
    planning.forget_jobs(connection, list(live))
    insert_new(connection, jobs, list(_jobs(live, marks)))
    return list(live)


def _mark(first: datetime | None, changed_at: datetime, second: datetime) -> datetime:
    """Return until when a trigger's fire times are on record.

    Those from before its last change followed another definition.
    """
    mark = second if first is None else min(first - _SECOND, second)
    if changed_at > second:
        return mark
    return max(mark, planning.whole_second(changed_at))


def _jobs(
    known: Mapping[str, Known], marks: Mapping[str, datetime]
) -> Iterable[Values]:
    for uuid, mark in marks.items():
        try:
            at = known[uuid].schedule.next(mark)
        except ScheduleError:
            at = mark  # the next claim says on record what is wrong with it
        if at is not None:
            yield planning.job_row(uuid, at, mark)


def _hurry(connection: Connection, now: datetime, latest: datetime) -> None:
    """Let go of runs whose wait was reckoned from a clock that was ahead.

    What waits for its jitter, or for a retry that was planned before, waits on.
    """
    ended = (
        sa.select(attempts.c.finished_at)
        .where(attempts.c.run_id == runs.c.id, attempts.c.number == runs.c.attempt)
        .scalar_subquery()
    )
    query = sa.select(runs, ended.label("ended_at")).where(
        waiting, runs.c.not_before > latest
    )
    hurried = [
        {"id": row.id, "not_before": at}
        for row in connection.execute(query)
        if (at := _not_before(row, now, latest)) is not None
    ]
    update_each(connection, runs, "id", hurried, waiting)


def _not_before(row: AnyRow, now: datetime, latest: datetime) -> datetime | None:
    if row.hold == Hold.RETRY.value:
        planned_ahead = row.ended_at is not None and row.ended_at > latest
        return now + (row.not_before - row.ended_at) if planned_ahead else None
    return None if row.hold == Hold.JITTER.value else now
