"""Triggers on record: definitions, pauses, and what the books know of each."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from clockd import failpoints
from clockd.errors import ConflictError, NotFoundError
from clockd.model import NO_LIMITS, Limits, Outcome, RunnerKind
from clockd.store import planning
from clockd.store import sync as edits
from clockd.store.database import fenced
from clockd.store.definitions import parse
from clockd.store.limits import read as read_limits
from clockd.store.limits import values_of
from clockd.store.rows import maybe
from clockd.store.statements import AnyRow
from clockd.store.tables import config, jobs, runs, triggers, unfinished
from clockd.store.values import SyncResult, TriggerRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from clockd.model import Trigger
    from clockd.store.database import Database
    from clockd.store.definitions import Definitions


class Triggers:
    """The triggers of the file, and those made through the API."""

    def __init__(self, database: Database, definitions: Definitions) -> None:
        self._database = database
        self._definitions = definitions

    def sync(
        self,
        triggers: Sequence[Trigger],
        *,
        fence: int,
        now: datetime,
        runner: RunnerKind = RunnerKind.HEROKU,
        limits: Limits = NO_LIMITS,
    ) -> SyncResult:
        """Make the file's triggers on record those given; see `store.sync`.

        A trigger that is as it was is not touched: neither a restart nor an edit of
        another trigger moves its next fire time.

        Args:
            triggers: All of the file's triggers.
            fence: The clock's.
            now: What was due until now follows the definitions on record.
            runner: Where the file's triggers run.
            limits: How much of them may run.

        Raises:
            LeaseLost: Another process is the clock now; nothing was changed.
        """
        wanted = edits.prepare(triggers)
        with self._database.write(reserved=True) as connection:
            fenced(connection, fence)
            _write_config(connection, runner, limits, now)
            result = edits.sync(
                connection, wanted, definitions=self._definitions, now=now
            )
            failpoints.reach("sync.writing")
        failpoints.reach("sync.written")
        return result

    def runner(self) -> RunnerKind | None:
        """Return where the last good set runs; None where there never was one."""
        with self._database.read() as connection:
            return maybe(
                RunnerKind, connection.execute(sa.select(config.c.runner)).scalar()
            )

    def limits(self) -> Limits:
        """Return the limits of the last good set."""
        with self._database.read() as connection:
            return read_limits(connection)

    def definitions(self) -> list[Trigger]:
        """Return every trigger that was not removed: the last good set, by slug."""
        query = sa.select(triggers.c.definition).where(triggers.c.removed_at.is_(None))
        query = query.order_by(triggers.c.slug, triggers.c.app)
        with self._database.read() as connection:
            return [parse(text) for text in connection.execute(query).scalars()]

    def list(self, *, include_removed: bool = False) -> list[TriggerRow]:
        """Return triggers with what the books know of each, by slug, then app."""
        query = _with_history().order_by(triggers.c.slug, triggers.c.app)
        if not include_removed:
            query = query.where(triggers.c.removed_at.is_(None))
        with self._database.read() as connection:
            return [_trigger_row(row) for row in connection.execute(query)]

    def find(self, slug_or_uuid: str, app: str | None = None) -> TriggerRow:
        """Return the trigger of that slug, or uuid, that was not removed.

        Args:
            slug_or_uuid: Its slug or uuid.
            app: Its app, where several have a trigger of that slug.

        Raises:
            NotFoundError: There is none; the hint names the nearest.
            ConflictError: Triggers of several apps have that slug.
        """
        named = sa.or_(triggers.c.slug == slug_or_uuid, triggers.c.uuid == slug_or_uuid)
        query = _with_history().where(named)
        if app is not None:
            query = query.where(triggers.c.app == app)
        with self._database.read() as connection:
            rows = [_trigger_row(row) for row in connection.execute(query)]
            there = [row for row in rows if row.removed_at is None]
            if not there:
                raise _not_found(slug_or_uuid, app, rows, _slugs(connection))
        if len(there) > 1:
            apps = ", ".join(sorted(row.trigger.app or "(none)" for row in there))
            raise ConflictError(
                f"several apps have a trigger {slug_or_uuid!r}: {apps}",
                hint="say which app, or use the trigger's uuid",
            )
        return there[0]

    def pause(
        self, uuid: str, *, by: str, reason: str | None = None, now: datetime
    ) -> bool:
        """Skip a trigger's fire times from now on; return False if it was paused.

        Raises:
            NotFoundError: There is no such trigger.
        """
        with self._database.write() as connection:
            row = _pause_of(connection, uuid)
            if _is_paused(row):
                return False
            self._settle_earlier_pause(connection, row, now)
            _set(
                connection,
                uuid,
                paused_at=now,
                paused_by=by,
                paused_reason=reason,
                resumed_at=None,
            )
            return True

    def resume(self, uuid: str, *, now: datetime) -> bool:
        """Let a trigger fire again after now; return False if it was not paused.

        Raises:
            NotFoundError: There is no such trigger.
        """
        with self._database.write() as connection:
            if not _is_paused(_pause_of(connection, uuid)):
                return False
            _set(connection, uuid, resumed_at=now)
            return True

    def _settle_earlier_pause(
        self, connection: Connection, row: AnyRow, now: datetime
    ) -> None:
        """Put on record what fell into a pause that is about to be overwritten."""
        if row.resumed_at is None:
            return
        due = planning.due_jobs(
            connection,
            jobs.c.id == row.uuid,
            jobs.c.next_run_time <= planning.whole_second(now).timestamp(),
        )
        planning.settle(connection, due, self._definitions, now)


def _write_config(
    connection: Connection, runner: RunnerKind, limits: Limits, now: datetime
) -> None:
    values = {"runner": runner.value, "loaded_at": now, **values_of(limits)}
    connection.execute(sa.delete(config))
    connection.execute(sa.insert(config).values(id=1, **values))


def _pause_of(connection: Connection, uuid: str) -> AnyRow:
    columns = (triggers.c.uuid, triggers.c.paused_at, triggers.c.resumed_at)
    query = sa.select(*columns).where(
        triggers.c.uuid == uuid, triggers.c.removed_at.is_(None)
    )
    row = connection.execute(query.with_for_update()).first()
    if row is None:
        raise NotFoundError(f"there is no trigger {uuid}")
    return row


def _is_paused(row: AnyRow) -> bool:
    return row.paused_at is not None and row.resumed_at is None


def _set(connection: Connection, uuid: str, **values: object) -> None:
    where = triggers.c.uuid == uuid
    connection.execute(sa.update(triggers).where(where).values(**values))


def _with_history() -> sa.Select[Any]:
    newest = (
        sa.select(runs.c.id)
        .where(
            runs.c.slug == triggers.c.slug,
            runs.c.trigger_id == triggers.c.uuid,
            ~unfinished,
        )
        .order_by(runs.c.id.desc())
        .limit(1)
        .correlate(triggers)
        .scalar_subquery()
    )
    return (
        sa.select(
            triggers,
            jobs.c.next_run_time,
            runs.c.id.label("last_run_id"),
            runs.c.outcome.label("last_outcome"),
            runs.c.finished_at.label("last_finished_at"),
        )
        .outerjoin(jobs, jobs.c.id == triggers.c.uuid)
        .outerjoin(runs, runs.c.id == newest)
    )


def _trigger_row(row: AnyRow) -> TriggerRow:
    paused, at = _is_paused(row), row.next_run_time
    return TriggerRow(
        trigger=parse(row.definition),
        uuid=row.uuid,
        first_seen=row.first_seen,
        removed_at=row.removed_at,
        paused_at=row.paused_at if paused else None,
        paused_by=row.paused_by if paused else None,
        paused_reason=row.paused_reason if paused else None,
        next_fire_time=None if at is None else planning.fire_time_of(at),
        last_outcome=maybe(Outcome, row.last_outcome),
        last_run_id=row.last_run_id,
        last_finished_at=row.last_finished_at,
    )


def _slugs(connection: Connection) -> Sequence[str]:
    query = sa.select(triggers.c.slug).where(triggers.c.removed_at.is_(None))
    return connection.execute(query.distinct()).scalars().all()


def _not_found(
    name: str, app: str | None, removed: Sequence[TriggerRow], slugs: Sequence[str]
) -> NotFoundError:
    of_app = f" of app {app}" if app else ""
    if removed:
        at = max(row.removed_at for row in removed if row.removed_at)
        return NotFoundError(
            f"trigger {name!r}{of_app} was removed on {at:%Y-%m-%d at %H:%M} UTC",
            hint="put it back into triggers.yaml to use it again",
        )
    near = get_close_matches(name, slugs, n=1)
    return NotFoundError(
        f"there is no trigger {name!r}{of_app}",
        hint=f"did you mean {near[0]}?" if near else "`clockd triggers` lists them",
    )
