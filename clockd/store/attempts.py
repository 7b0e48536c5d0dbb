"""Attempts: what became of a launch, how it ended, and what follows from it.

Nothing here is fenced: the truth may come from anyone. Every change is conditional on
the attempt still being the one that was seen; `requested_at` tells its sending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd import failpoints, policy
from clockd.model import Attempt, Hold, Outcome, Run, RunState, StopCause
from clockd.store import launches, line, planning, rows, unsent
from clockd.store.statements import AnyRow
from clockd.store.tables import attempt_open, attempts, jobs, runs, unfinished
from clockd.store.values import DatedDyno, OwnedDyno

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from clockd.store.database import Database
    from clockd.store.values import LaunchedDyno


class Attempts:
    """The attempts of all runs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: Attempts whose end was written, or not: the answer was lost.
        self._in_doubt: set[int] = set()

    # -- what became of a launch -----------------------------------------------

    def launched(self, results: Sequence[LaunchedDyno], now: datetime) -> set[int]:
        """Write the dynos of launches down; return the attempts that are not ours.

        An attempt is not ours when it was sent again or given up meanwhile, or when
        the dyno is on record as another attempt's. Saying the same twice is no harm.

        Args:
            results: What the platform answered.
            now: The instant of the call.
        """
        if not results:
            return set()
        with self._database.write() as connection:
            refused = launches.write(connection, results, now)
            failpoints.reach("dyno.writing")
        return refused

    def unknown(self, attempt_id: int, requested_at: datetime, reason: str) -> bool:
        """Note that a launch's answer was lost; return False if it is not ours."""
        with self._database.write() as connection:
            row = _sent(connection, attempt_id, requested_at)
            if row is None or row.state != RunState.LAUNCHING.value:
                return False
            _change_both(connection, row, state=RunState.UNKNOWN.value, reason=reason)
            return True

    def requeue(
        self,
        attempt_id: int,
        requested_at: datetime,
        *,
        not_before: datetime,
        hold: Hold | None,
        reason: str,
    ) -> bool:
        """Put a run back in line whose dyno certainly was not created.

        The attempt never happened and is forgotten. A run that somebody wants
        cancelled, or whose dyno was to be stopped, ends here. Returns False if the
        attempt is not ours.
        """
        with self._database.write() as connection:
            row = _sent(connection, attempt_id, requested_at)
            if row is None:
                return False
            unsent.put_back(
                connection, row, not_before=not_before, hold=hold, reason=reason
            )
            failpoints.reach("launch.requeueing")
            return True

    # -- to the end ------------------------------------------------------------

    def stopping(self, attempt_id: int, cause: StopCause, now: datetime) -> bool:
        """Note that an attempt's dyno is to be stopped, and why.

        The first cause stays. While the dyno is not known yet, the attempt stays
        launching or unknown. Returns False if it has ended or is stopped already.
        """
        with self._database.write() as connection:
            row = _open(connection, attempt_id)
            if row is None or row.stop_cause is not None:
                return False
            _change(
                connection, attempt_id, stop_cause=cause.value, stop_requested_at=now
            )
            if row.state == RunState.RUNNING.value:
                _change_both(connection, row, state=RunState.STOPPING.value)
            return True

    def finish(
        self,
        attempt_id: int,
        *,
        outcome: Outcome,
        exit_status: int | None,
        reason: str | None,
        now: datetime,
        requested_at: datetime | None = None,
    ) -> Run | None:
        """Write down how an attempt ended, and what follows.

        In one transaction: 1. the attempt's end; 2. its run waits for the next attempt,
        or has its outcome; 3. runs that waited for it are decided on anew. A run that
        somebody wants cancelled gets no further attempt.

        Args:
            attempt_id: Which attempt.
            outcome: How it ended.
            exit_status: What its dyno reported.
            reason: The same as half a sentence.
            now: The instant of the call.
            requested_at: Of who saw no dyno: the sending that is meant. Where it was
                answered or sent again meanwhile, nothing is written.

        Returns the run as it stands then; None where the end was on record already,
        or another sending is the one that counts. Where this was written before, and
        the answer to that lost, it is as if it was written now.
        """
        with (
            unsent.noting(self._in_doubt, attempt_id),
            self._database.write() as connection,
        ):
            row = (
                _open(connection, attempt_id)
                if requested_at is None
                else _sent(connection, attempt_id, requested_at)
            )
            if row is None:
                return self._written_before(connection, attempt_id, outcome)
            run = rows.run_with_id(connection, row.run_id)
            end = {
                "state": RunState.FINISHED.value,
                "outcome": outcome.value,
                "exit_status": exit_status,
                "reason": reason,
                "finished_at": now,
            }
            _change(connection, attempt_id, **end)
            retry_at = _retry_at(connection, run, outcome, now)
            if retry_at is None:
                _change_run(connection, run.id, **end, hold=None, not_before=None)
                line.wake_held(connection, [run.trigger_id], now)
            else:
                _wait_for_retry(connection, run.id, retry_at, reason)
            finished = rows.run_with_id(connection, run.id)
            failpoints.reach("finish.writing")
        self._in_doubt.discard(attempt_id)
        failpoints.reach("finish.written")
        return finished

    def _written_before(
        self, connection: Connection, attempt_id: int, outcome: Outcome
    ) -> Run | None:
        """Return the run of an attempt whose end we have written without knowing it."""
        if attempt_id not in self._in_doubt:
            return None
        self._in_doubt.discard(attempt_id)
        ended = sa.select(attempts.c.run_id).where(
            attempts.c.id == attempt_id, attempts.c.outcome == outcome.value
        )
        run_id = connection.execute(ended).scalar()
        return None if run_id is None else rows.run_with_id(connection, run_id)

    # -- looking ---------------------------------------------------------------

    def active(self, *, owner: str | None = None) -> list[tuple[Run, Attempt]]:
        """Return every attempt that has not ended, with its run, oldest first.

        Args:
            owner: Whose runs: a `run-now`'s, or those without an owner.
        """
        query = (
            sa.select(runs)
            .join(attempts, attempts.c.run_id == runs.c.id)
            .where(attempt_open, runs.c.owner.is_not_distinct_from(owner))
            .order_by(runs.c.id)
        )
        with self._database.read() as connection:
            found = connection.execute(query).all()
            made = rows.attempts_of(connection, [row.id for row in found])
        return [
            (rows.run_of(row, made[row.id]), attempt)
            for row in found
            for attempt in made[row.id]
            if attempt.state is not RunState.FINISHED
        ]

    def dynos_since(
        self, app: str, since: datetime, *, but: int | None = None
    ) -> list[OwnedDyno]:
        """Return the dynos of an app's attempts that were there at `since` or later.

        `but` is an attempt whose dyno is left out.
        """
        query = sa.select(attempts.c.dyno_id, attempts.c.dyno).where(
            attempts.c.app == app,
            attempts.c.dyno_id.is_not(None),
            sa.or_(attempts.c.finished_at.is_(None), attempts.c.finished_at >= since),
        )
        if but is not None:
            query = query.where(attempts.c.id != but)
        with self._database.read() as connection:
            return [OwnedDyno(*row) for row in connection.execute(query)]

    def dynos_created(
        self, app: str, since: datetime, *, but: int | None = None
    ) -> list[DatedDyno]:
        """Return the dynos of an app's attempts that were created at `since` or later.

        By the platform's clock; `but` is an attempt whose dyno is left out.
        """
        columns = (attempts.c.dyno_id, attempts.c.dyno, attempts.c.created_at)
        query = sa.select(*columns).where(
            attempts.c.app == app,
            attempts.c.dyno_id.is_not(None),
            attempts.c.created_at >= since,
        )
        if but is not None:
            query = query.where(attempts.c.id != but)
        with self._database.read() as connection:
            return [DatedDyno(*row) for row in connection.execute(query)]


def _open(connection: Connection, attempt_id: int) -> AnyRow | None:
    """Return an attempt that has not ended and is its run's current one."""
    query = (
        sa.select(attempts, runs.c.trigger_id, runs.c.cancel_requested_at)
        .join(runs, runs.c.id == attempts.c.run_id)
        .where(
            attempt_open,
            unfinished,
            attempts.c.id == attempt_id,
            attempts.c.number == runs.c.attempt,
        )
    )
    return connection.execute(query).first()


def _sent(
    connection: Connection, attempt_id: int, requested_at: datetime
) -> AnyRow | None:
    """Return an attempt whose sending at `requested_at` is not answered yet."""
    row = _open(connection, attempt_id)
    if row is None or row.requested_at != requested_at:
        return None
    unanswered = (RunState.LAUNCHING.value, RunState.UNKNOWN.value)
    return row if row.state in unanswered else None


def _change(connection: Connection, attempt_id: int, **values: object) -> None:
    where = attempts.c.id == attempt_id
    connection.execute(sa.update(attempts).where(where).values(**values))


def _change_run(connection: Connection, run_id: int, **values: object) -> None:
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**values))


def _change_both(connection: Connection, row: AnyRow, **values: object) -> None:
    _change(connection, row.id, **values)
    _change_run(connection, row.run_id, **values)


def _retry_at(
    connection: Connection, run: Run, outcome: Outcome, now: datetime
) -> datetime | None:
    if run.cancel_requested_at is not None:
        return None
    query = sa.select(jobs.c.next_run_time).where(jobs.c.id == run.trigger_id)
    seconds = connection.execute(query).scalar()
    return policy.retry_at(
        run.trigger,
        outcome=outcome,
        attempt=run.attempt,
        now=now,
        next_fire_time=None if seconds is None else planning.fire_time_of(seconds),
    )


def _wait_for_retry(
    connection: Connection, run_id: int, at: datetime, reason: str | None
) -> None:
    _change_run(
        connection,
        run_id,
        state=RunState.WAITING.value,
        hold=Hold.RETRY.value,
        not_before=at,
        reason=reason,
    )
