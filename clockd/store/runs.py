"""Runs: asked for, taken from the line, cancelled, owned, listed.

The runs table is the queue: whatever waits is a row in state `waiting` with the instant
from which it may start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa

from clockd import failpoints
from clockd.errors import ConflictError, UsageError
from clockd.model import NO_LIMITS, Cause, Hold, Limits, Outcome, Run, RunState
from clockd.store import line, queue, rows, unsent
from clockd.store.database import fenced
from clockd.store.limits import has_room
from clockd.store.tables import cancel_wanted, owned, runs, turn, unfinished, waiting
from clockd.store.values import OwnedRun, Poll, Taken

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from clockd.model import Trigger
    from clockd.store.database import Database
    from clockd.store.values import AttemptPlan, NotNow


class Runs:
    """The runs of all triggers, and the line of those that wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: When takes were made that were written, or not: the answer was lost.
        self._in_doubt: set[datetime] = set()

    # -- the line --------------------------------------------------------------

    def request(
        self,
        trigger: Trigger,
        *,
        cause: Cause,
        by: str | None,
        now: datetime,
        owner: str | None = None,
    ) -> Run:
        """Put a run that a person asked for in the line, to start at once.

        Args:
            trigger: The definition it runs with.
            cause: Why it exists.
            by: Who asked.
            now: When.
            owner: Who follows the run itself; None leaves it to the clock.
        """
        values = {
            "trigger_id": trigger.uuid,
            "slug": trigger.slug,
            "app": trigger.app,
            "definition": trigger.to_json(),
            "cause": cause.value,
            "state": RunState.WAITING.value,
            "not_before": now,
            "attempt": 0,
            "claimed_at": now,
            "fire_count": 1,
            "requested_by": by,
            "owner": owner,
            "owner_beat": None if owner is None else 0,
        }
        with self._database.write() as connection:
            made = connection.execute(sa.insert(runs).values(values).returning(runs))
            return rows.run_of(made.one())

    def take(
        self,
        *,
        now: datetime,
        limit: int,
        plan: Callable[[Run], AttemptPlan],
        admit: Callable[[Run], NotNow | None] = lambda _run: None,
        fence: int | None = None,
        owner: str | None = None,
        limits: Limits = NO_LIMITS,
    ) -> Taken:
        """Decide on the runs that are due, and put those that start on record.

        Oldest first. When `limit` runs have started the rest stays in line, but for a
        few that are found to end here. All takes, of all processes, happen one after
        the other, and so does whatever else changes runs: two runs of one trigger
        never both see nothing active. The runs that come back have no `attempts`.

        Args:
            now: The instant of the decision.
            limit: How many may start.
            plan: Says what a run's attempt asks for. It must not use the store.
            admit: Says whether a run that may start has to wait all the same; nothing
                but this keeps it from starting then. It must not use the store.
            fence: The clock's: it takes runs without owner.
            owner: A `run-now`'s: it takes its own runs.
            limits: How much may run; runs of every owner count.

        Raises:
            LeaseLost: Another process is the clock now; nothing was changed.
            UsageError: Neither a fence nor an owner is given, or both are.
        """
        if (fence is None) is (owner is None):
            raise UsageError("runs are taken with a fence or as an owner")
        doubts = set(self._in_doubt)
        with (
            unsent.noting(self._in_doubt, now),
            self._database.write() as connection,
        ):
            if fence is not None:
                fenced(connection, fence)
            if doubts:
                unsent.take_back(connection, doubts, owner=owner, now=now)
            taken = queue.take(
                connection,
                now=now,
                limit=limit,
                plan=plan,
                admit=admit,
                owner=owner,
                limits=limits,
            )
            if taken.started:
                failpoints.reach("take.writing")
        self._in_doubt -= doubts
        if taken.started:
            failpoints.reach("take.written")
        return taken

    def poll(
        self,
        now: datetime,
        *,
        owner: str | None = None,
        limits: Limits = NO_LIMITS,
    ) -> Poll:
        """Return what the clock, or a `run-now`, has to do, in a few indexed look-ups.

        Args:
            now: The instant that counts as the present.
            owner: Whose runs: a `run-now`'s, or those without an owner.
            limits: How much may run; what is held for them is due where there is room.
        """
        ours = runs.c.owner.is_not_distinct_from(owner)
        first = sa.select(sa.func.min(runs.c.not_before)).where(waiting, ours)
        wanted = sa.select(runs.c.id).where(cancel_wanted, ours)
        with self._database.read() as connection:
            earliest = connection.execute(first).scalar()
            due = earliest is not None and earliest <= now
            if due:
                later = first.where(runs.c.not_before > now)
                earliest = connection.execute(later).scalar()
            due = due or bool(self._in_doubt) or _is_let_in(connection, limits, ours)
            cancels = connection.execute(wanted.order_by(runs.c.id)).scalars().all()
        return Poll(due=due, next_not_before=earliest, cancels=list(cancels))

    def wake_line(self, app: str, now: datetime, *, limit: int = 1) -> int:
        """Let the oldest runs that wait for room in an app try again at once.

        Returns how many were woken.
        """
        oldest = (
            sa.select(runs.c.id)
            .where(
                waiting,
                runs.c.hold == Hold.LINE.value,
                runs.c.app == app,
                runs.c.not_before > now,
            )
            .order_by(turn, runs.c.id)
            .limit(limit)
        )
        with self._database.write() as connection:
            wake = sa.update(runs).where(runs.c.id.in_(oldest.scalar_subquery()))
            return connection.execute(wake.values(not_before=now)).rowcount

    # -- one run ---------------------------------------------------------------

    def get(self, run_id: int) -> Run:
        """Return a run with its attempts.

        Raises:
            NotFoundError: There is no such run.
        """
        with self._database.read() as connection:
            return rows.run_with_id(connection, run_id)

    def list(
        self,
        *,
        trigger: str | None = None,
        outcome: Outcome | None = None,
        state: RunState | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> builtins.list[Run]:
        """Return runs with their attempts, newest first.

        Args:
            trigger: Only those of this slug, or uuid.
            outcome: Only those that ended so.
            state: Only those that stand so.
            limit: At most so many.
            before: Only those older than this run: the next page.
        """
        where: list[sa.ColumnElement[bool]] = []
        if trigger is not None:
            column = runs.c.trigger_id if _is_uuid(trigger) else runs.c.slug
            where.append(column == trigger)
        if outcome is not None:
            where.append(runs.c.outcome == outcome.value)
        if state is not None:
            where.append(runs.c.state == state.value)
        if before is not None:
            where.append(runs.c.id < before)
        with self._database.read() as connection:
            return rows.runs_where(connection, *where, limit=limit)

    def cancel(self, run_id: int, *, by: str, now: datetime) -> Run:
        """End a run that waits; ask for one that is under way to be stopped.

        The first who asks is on record. Returns the run as it stands then.

        Raises:
            NotFoundError: There is no such run.
            ConflictError: It has ended already.
        """
        with self._database.write() as connection:
            run = rows.run_with_id(connection, run_id)
            if run.state is RunState.FINISHED:
                raise ConflictError(
                    f"run {run_id} has ended already: {run.outcome}",
                    hint=f"`clockd runs show {run_id}` says how",
                )
            line.want_cancelled(connection, [run_id], by=by, now=now)
            if run.state is RunState.WAITING:
                _cancel_waiting(connection, run, by=by, now=now)
            return rows.run_with_id(connection, run_id)

    # -- runs with an owner ----------------------------------------------------

    def own_beat(self, run_id: int, owner: str) -> bool:
        """Prove that a run's owner lives; return False if it owns the run no more."""
        return self._change_owner(
            (runs.c.id == run_id, runs.c.owner == owner),
            owner_beat=runs.c.owner_beat + 1,
        )

    def owned(self) -> builtins.list[OwnedRun]:
        """Return the unfinished runs that have an owner, oldest first."""
        query = sa.select(runs.c.id, runs.c.owner, runs.c.owner_beat).where(owned)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(runs.c.id))
            return [OwnedRun(*row) for row in found]

    def disown(self, run_id: int, owner: str, beat: int) -> bool:
        """Leave a run to the clock if its owner has not beaten since `beat` was seen.

        Returns False where the owner has, or has gone.
        """
        return self._change_owner(
            (
                unfinished,
                runs.c.id == run_id,
                runs.c.owner == owner,
                runs.c.owner_beat == beat,
            ),
            owner=None,
            owner_beat=None,
        )

    def take_over(self, run_id: int, owner: str) -> bool:
        """Own a run that waits and that nobody owns; return False if that is not so."""
        free = sa.or_(runs.c.owner.is_(None), runs.c.owner == owner)
        return self._change_owner(
            (waiting, runs.c.id == run_id, free),
            owner=owner,
            owner_beat=0,
        )

    def _change_owner(
        self, where: tuple[sa.ColumnElement[bool], ...], **values: object
    ) -> bool:
        with self._database.write() as connection:
            change = sa.update(runs).where(*where).values(**values)
            return connection.execute(change).rowcount == 1


def _is_let_in(
    connection: Connection, limits: Limits, ours: sa.ColumnElement[bool]
) -> bool:
    """Return whether there is room for a run that is held for want of it."""
    if limits.concurrent_runs is None or not has_room(connection, limits):
        return False
    held = sa.select(runs.c.id).where(waiting, ours, runs.c.hold == Hold.LIMIT.value)
    return connection.execute(held.limit(1)).first() is not None


def _cancel_waiting(
    connection: Connection, run: Run, *, by: str, now: datetime
) -> None:
    line.end_waiting(
        connection,
        [run.id],
        outcome=Outcome.CANCELLED,
        reason=f"cancelled by {by}",
        now=now,
    )
    line.wake_held(connection, [run.trigger_id], now)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
