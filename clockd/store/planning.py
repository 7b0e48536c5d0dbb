"""Puts fire times on record: what claims and edits have in common.

Accounts for every fire time between a trigger's high-water mark and now, and moves the
mark, in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from clockd import policy
from clockd.clock import from_epoch
from clockd.errors import ScheduleError
from clockd.model import Cause, Outcome, RunState
from clockd.policy import Pause, PlannedRun
from clockd.store.statements import AnyRow, Values, batches, insert_new, update_each
from clockd.store.tables import jobs, runs, triggers
from clockd.store.values import ClaimedRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from clockd.store.definitions import Definitions, Known

_SECOND = timedelta(seconds=1)
#: A trigger whose schedule cannot be used is looked at again after this long.
_BROKEN = timedelta(hours=1)
#: Planned between two statements: a server ends transactions that seem to be idle.
BATCH = 500
#: Rows of missed fire times that are compared with what is on record, likewise.
_ROWS = 50
#: Entries that are written before the next trigger is planned, for the same reason.
_FULL = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run to be put on record."""

    trigger_id: str
    known: Known
    planned: PlannedRun


def whole_second(at: datetime) -> datetime:
    """Return the whole second that an instant lies in; fire times are such."""
    return at.replace(microsecond=0)


def due_jobs(
    connection: Connection, *where: sa.ColumnElement[bool]
) -> Sequence[AnyRow]:
    """Return the jobs that meet all conditions, and keep them from others' claims."""
    query = (
        sa.select(
            jobs.c.id,
            jobs.c.next_run_time,
            jobs.c.claimed_until,
            triggers.c.fingerprint,
            triggers.c.paused_at,
            triggers.c.resumed_at,
        )
        .join(triggers, triggers.c.uuid == jobs.c.id)
        .where(*where)
        .order_by(jobs.c.next_run_time, jobs.c.id)
        .with_for_update(of=jobs)
    )
    return connection.execute(query).all()


def settle(
    connection: Connection,
    due: Sequence[AnyRow],
    definitions: Definitions,
    now: datetime,
) -> list[ClaimedRun]:
    """Put on record what jobs have had due until now, and move their marks.

    A trigger whose stored schedule cannot be used has its fire time recorded as
    skipped, with the reason, and keeps nobody else from firing.
    """
    settled: list[ClaimedRun] = []
    for some in batches(due, BATCH):
        settled += _settle(connection, some, definitions, now)
    return settled


def _settle(
    connection: Connection,
    due: Sequence[AnyRow],
    definitions: Definitions,
    now: datetime,
) -> list[ClaimedRun]:
    until = whole_second(now)
    known = definitions.load(connection, {row.id: row.fingerprint for row in due})
    entries: list[Entry] = []
    written: list[ClaimedRun] = []
    marks: list[tuple[str, datetime | None]] = []
    for row in due:
        try:
            schedule = known[row.id].schedule
        except ScheduleError as error:
            entries.append(_broken(row, known[row.id], error))
            marks.append((row.id, until + _BROKEN))
            continue
        planned = policy.plan_fires(
            known[row.id].trigger,
            schedule,
            after=row.claimed_until,
            now=until,
            pause=_pause(row),
        )
        entries += [
            Entry(trigger_id=row.id, known=known[row.id], planned=p) for p in planned
        ]
        marks.append((row.id, schedule.next(until)))
        if len(entries) >= _FULL:
            written += record(connection, _around_known(connection, entries), now)
            entries.clear()
    written += record(connection, _around_known(connection, entries), now)
    _move(connection, marks, until)
    return written


def _around_known(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """Part the rows of missed fire times where one is on record by itself.

    Such a run was started by a clock that was ahead.
    """
    rows = [entry for entry in entries if entry.planned.last_fire_time]
    parted = [entry for entry in entries if not entry.planned.last_fire_time]
    for some in batches(rows, _ROWS):
        known = _known_in(connection, some)
        for entry in some:
            inside = _inside(entry, known.get(entry.trigger_id, ()))
            parts = policy.part(entry.planned, entry.known.schedule, inside)
            parted += [replace(entry, planned=part) for part in parts]
    return parted


def _known_in(
    connection: Connection, rows: Sequence[Entry]
) -> dict[str, list[datetime]]:
    """Return the fire times of rows that are on record, by trigger, sorted.

    What an earlier definition has fired at other times is left out.
    """
    schedules = {row.trigger_id: row.known.schedule for row in rows}
    first = min(row.planned.fire_time for row in rows)
    same = runs.c.definition == triggers.c.definition
    query = (
        sa.select(runs.c.trigger_id, runs.c.fire_time, same)
        .join(triggers, triggers.c.uuid == runs.c.trigger_id)
        .where(runs.c.trigger_id.in_(schedules), runs.c.fire_time >= first)
        .order_by(runs.c.trigger_id, runs.c.fire_time)
    )
    known: dict[str, list[datetime]] = {}
    for trigger_id, at, is_same in connection.execute(query):
        if is_same or schedules[trigger_id].next(at - _SECOND) == at:
            known.setdefault(trigger_id, []).append(at)
    return known


def _inside(entry: Entry, known: Iterable[datetime]) -> list[datetime]:
    first, last = entry.planned.fire_time, entry.planned.last_fire_time
    return [at for at in known if last and first <= at <= last]


def record(
    connection: Connection, entries: Iterable[Entry], now: datetime
) -> list[ClaimedRun]:
    """Write entries, oldest first; return those that were not on record already."""
    oldest_first = sorted(entries, key=lambda entry: entry.planned.fire_time)
    found = insert_new(
        connection,
        runs,
        [_row(entry, now) for entry in oldest_first],
        returning=(runs.c.trigger_id, runs.c.fire_time, runs.c.id),
    )
    ids = {(trigger_id, fire_time): run_id for trigger_id, fire_time, run_id in found}
    return [
        claimed_run(entry, run_id)
        for entry in oldest_first
        if (run_id := ids.pop((entry.trigger_id, entry.planned.fire_time), None))
    ]


def schedule_jobs(
    connection: Connection, nexts: Mapping[str, datetime | None], now: datetime
) -> None:
    """Set the next fire times of triggers, counted from now; None removes the job."""
    forget_jobs(connection, list(nexts))
    until = whole_second(now)
    rows = [job_row(id_, at, until) for id_, at in nexts.items() if at is not None]
    insert_new(connection, jobs, rows)


def job_row(trigger_id: str, next_at: datetime, until: datetime) -> Values:
    """Return the job of a trigger whose fire times are on record up to `until`."""
    return {
        "id": trigger_id,
        "next_run_time": next_at.timestamp(),
        "claimed_until": until,
    }


def forget_jobs(connection: Connection, trigger_ids: Sequence[str]) -> None:
    """Let triggers never fire again."""
    for some in batches(trigger_ids):
        connection.execute(sa.delete(jobs).where(jobs.c.id.in_(some)))


def fire_time_of(next_run_time: float) -> datetime:
    """Return the instant of a job's next fire time as stored."""
    return from_epoch(next_run_time)


def claimed_run(entry: Entry, run_id: int) -> ClaimedRun:
    """Return what others are told of an entry."""
    planned = entry.planned
    return ClaimedRun(
        run_id=run_id,
        trigger_id=entry.trigger_id,
        slug=entry.known.trigger.slug,
        fire_time=planned.fire_time,
        not_before=planned.not_before,
        cause=planned.cause,
        outcome=planned.outcome,
        reason=planned.reason,
        fire_count=planned.fire_count,
        last_fire_time=planned.last_fire_time,
    )


def _row(entry: Entry, now: datetime) -> dict[str, Any]:
    planned, trigger = entry.planned, entry.known.trigger
    over = planned.outcome is not None
    return {
        "trigger_id": entry.trigger_id,
        "slug": trigger.slug,
        "app": trigger.app,
        "definition": entry.known.definition,
        "cause": planned.cause.value,
        "state": (RunState.FINISHED if over else RunState.WAITING).value,
        "fire_time": planned.fire_time,
        "not_before": None if over else planned.not_before,
        "hold": planned.hold.value if planned.hold else None,
        "attempt": 0,
        "claimed_at": now,
        "finished_at": now if over else None,
        "outcome": planned.outcome.value if planned.outcome else None,
        "reason": planned.reason,
        "last_fire_time": planned.last_fire_time,
        "fire_count": planned.fire_count,
    }


def _move(
    connection: Connection,
    marks: Sequence[tuple[str, datetime | None]],
    until: datetime,
) -> None:
    ahead = [job_row(id_, at, until) for id_, at in marks if at is not None]
    update_each(connection, jobs, "id", ahead)
    forget_jobs(connection, [id_ for id_, at in marks if at is None])


def _pause(row: AnyRow) -> Pause | None:
    if row.paused_at is None:
        return None
    until = row.resumed_at
    return Pause(
        since=whole_second(row.paused_at),
        until=None if until is None else whole_second(until),
    )


def _broken(row: AnyRow, known: Known, error: ScheduleError) -> Entry:
    fire_time = fire_time_of(row.next_run_time)
    return Entry(
        trigger_id=row.id,
        known=known,
        planned=PlannedRun(
            fire_time=fire_time,
            cause=Cause.SCHEDULED,
            not_before=fire_time,
            outcome=Outcome.SKIPPED,
            reason=f"its schedule cannot be used: {error.message}",
        ),
    )
