"""Takes the file's triggers over: what an edit does to what was due, and what comes.

What was due until now follows the old definition, the new one starts after now, and a
trigger that is as it was is not touched. Triggers made through the API stay out of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd.model import Cause, Outcome, RunState, ScheduleKind, Source, fingerprint
from clockd.policy import PlannedRun
from clockd.store import planning
from clockd.store.definitions import Known
from clockd.store.statements import AnyRow, batches, insert_new, update_each
from clockd.store.tables import jobs, never_started, runs, triggers
from clockd.store.values import ClaimedRun, EndedRun, SyncResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from clockd.model import Trigger
    from clockd.store.definitions import Definitions

_REMOVED = "removed"
_INACTIVE = "inactive"
_PAST_AT = "in the past when first seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A trigger of the file, ready to be compared and stored."""

    uuid: str
    known: Known
    fingerprint: str

    @property
    def trigger(self) -> Trigger:
        """The trigger itself."""
        return self.known.trigger


@dataclass(kw_only=True)
class _Edit:
    """What a file changes, against what is on record."""

    added: list[Wanted] = field(default_factory=list)
    returned: list[Wanted] = field(default_factory=list)
    changed: list[Wanted] = field(default_factory=list)
    removed: list[AnyRow] = field(default_factory=list)
    unchanged: int = 0

    @property
    def defined(self) -> list[Wanted]:
        """Triggers whose fire times start anew."""
        return self.added + self.returned + self.changed


def prepare(triggers: Iterable[Trigger]) -> list[Wanted]:
    """Return triggers ready for `sync`.

    Done before the transaction begins: a server ends one that seems to be idle.
    """
    texts = ((trigger, trigger.to_json()) for trigger in triggers)
    return [
        Wanted(
            uuid=trigger.uuid,
            known=Known(trigger=trigger, definition=text),
            fingerprint=fingerprint(text),
        )
        for trigger, text in texts
    ]


def sync(
    connection: Connection,
    wanted: Iterable[Wanted],
    *,
    definitions: Definitions,
    now: datetime,
) -> SyncResult:
    """Make the triggers on record those of the file, in the caller's transaction.

    1. What changed or left: its due fire times are claimed by the old definition.
    2. New definitions are written, and fire from now on.
    3. Runs in line that can no longer start get their outcome.
    """
    edit = _compare(connection, wanted)
    planned = _settle(connection, edit, definitions, now)
    _write(connection, edit, now)
    planned += _start_anew(connection, edit.defined, now)
    _forget(connection, edit.removed, now)
    ended = _drop(connection, [row.uuid for row in edit.removed], _REMOVED, now)
    idle = [w.uuid for w in edit.defined if not w.trigger.active]
    ended += _drop(connection, idle, _INACTIVE, now, runs.c.fire_time.is_not(None))
    dropped = {run.run_id: run.reason for run in ended}
    told = {run.run_id for run in planned}
    return SyncResult(
        added=[w.trigger.slug for w in edit.added + edit.returned],
        changed=[w.trigger.slug for w in edit.changed],
        removed=[row.slug for row in edit.removed],
        unchanged=edit.unchanged,
        planned=[_as_dropped(run, dropped) for run in planned],
        ended=[run for run in ended if run.run_id not in told],
    )


def _compare(connection: Connection, wanted: Iterable[Wanted]) -> _Edit:
    columns = (
        triggers.c.uuid,
        triggers.c.slug,
        triggers.c.source,
        triggers.c.fingerprint,
        triggers.c.removed_at,
    )
    on_record = {row.uuid: row for row in connection.execute(sa.select(*columns))}
    edit = _Edit()
    for new in {new.uuid: new for new in wanted}.values():
        _sort_in(edit, new, on_record.pop(new.uuid, None))
    edit.removed = [
        row
        for row in on_record.values()
        if row.source == Source.FILE.value and row.removed_at is None
    ]
    return edit


def _sort_in(edit: _Edit, new: Wanted, old: AnyRow | None) -> None:
    if old is None:
        edit.added.append(new)
    elif old.removed_at is not None:
        edit.returned.append(new)
    elif old.fingerprint != new.fingerprint:
        edit.changed.append(new)
    else:
        edit.unchanged += 1


def _settle(
    connection: Connection, edit: _Edit, definitions: Definitions, now: datetime
) -> list[ClaimedRun]:
    """Claim what was due by the old definitions of what changed or left."""
    latest = planning.whole_second(now).timestamp()
    uuids = [w.uuid for w in edit.changed] + [row.uuid for row in edit.removed]
    settled: list[ClaimedRun] = []
    for some in batches(uuids):
        due = planning.due_jobs(
            connection, jobs.c.id.in_(some), jobs.c.next_run_time <= latest
        )
        settled += planning.settle(connection, due, definitions, now)
    return settled


def _write(connection: Connection, edit: _Edit, now: datetime) -> None:
    new = [
        {"uuid": w.uuid, "first_seen": now, **_definition(w), "changed_at": now}
        for w in edit.added
    ]
    insert_new(connection, triggers, new)
    update_each(
        connection,
        triggers,
        "uuid",
        [
            {"uuid": w.uuid, **_definition(w), "changed_at": now, "removed_at": None}
            for w in edit.returned + edit.changed
        ],
    )


def _definition(wanted: Wanted) -> dict[str, str]:
    trigger = wanted.trigger
    return {
        "slug": trigger.slug,
        "app": trigger.app,
        "source": trigger.source.value,
        "definition": wanted.known.definition,
        "fingerprint": wanted.fingerprint,
    }


def _start_anew(
    connection: Connection, defined: Sequence[Wanted], now: datetime
) -> list[ClaimedRun]:
    """Let new definitions fire from now on; note those whose only time has passed."""
    second = planning.whole_second(now)
    written: list[ClaimedRun] = []
    for some in batches(defined, planning.BATCH):
        nexts: dict[str, datetime | None] = {}
        past: list[planning.Entry] = []
        for wanted in some:
            active = wanted.trigger.active
            at = wanted.known.schedule.next(second) if active else None
            nexts[wanted.uuid] = at
            if active and at is None:
                past += _past_at(wanted, second)
        planning.schedule_jobs(connection, nexts, now)
        written += planning.record(connection, past, now)
    return written


def _past_at(wanted: Wanted, now: datetime) -> list[planning.Entry]:
    """Return the entry of a one-off trigger that came too late to be fired."""
    if wanted.trigger.schedule_kind is not ScheduleKind.AT:
        return []
    fire_time = wanted.known.schedule.previous(now)
    if fire_time is None:
        return []
    missed = PlannedRun(
        fire_time=fire_time,
        cause=Cause.SCHEDULED,
        not_before=fire_time,
        outcome=Outcome.MISSED,
        reason=_PAST_AT,
    )
    return [planning.Entry(trigger_id=wanted.uuid, known=wanted.known, planned=missed)]


def _forget(connection: Connection, removed: Sequence[AnyRow], now: datetime) -> None:
    uuids = [row.uuid for row in removed]
    for some in batches(uuids):
        gone = sa.update(triggers).where(triggers.c.uuid.in_(some))
        connection.execute(gone.values(removed_at=now))
    planning.forget_jobs(connection, uuids)


def _drop(
    connection: Connection,
    trigger_ids: Sequence[str],
    reason: str,
    now: datetime,
    *where: sa.ColumnElement[bool],
) -> list[EndedRun]:
    """Skip the runs of triggers that wait for their first start; return them."""
    outcome = Outcome.SKIPPED
    ended: list[EndedRun] = []
    for some in batches(trigger_ids):
        skip = (
            sa.update(runs)
            .where(never_started, runs.c.trigger_id.in_(some), *where)
            .values(
                state=RunState.FINISHED.value,
                outcome=outcome.value,
                reason=reason,
                finished_at=now,
                hold=None,
            )
            .returning(runs.c.id, runs.c.slug, runs.c.fire_time)
        )
        ended += [
            EndedRun(row.id, row.slug, row.fire_time, outcome, reason)
            for row in connection.execute(skip)
        ]
    return ended


def _as_dropped(run: ClaimedRun, dropped: dict[int, str]) -> ClaimedRun:
    if run.run_id not in dropped:
        return run
    return replace(run, outcome=Outcome.SKIPPED, reason=dropped[run.run_id])
