"""Attempts that never happened: their runs go back in line, as if never taken.

Works in the caller's transaction.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from clockd.errors import StoreUnavailable
from clockd.model import Hold, Outcome, RunState
from clockd.store import line
from clockd.store.statements import AnyRow
from clockd.store.tables import attempts, runs, unfinished

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from sqlalchemy import Connection

T = TypeVar("T")


@contextlib.contextmanager
def noting(doubts: set[T], key: T) -> Iterator[None]:
    """Add `key` to `doubts` where the answer to a commit within is lost."""
    try:
        yield
    except StoreUnavailable as error:
        if error.data.get("in_doubt"):
            doubts.add(key)
        raise


def put_back(
    connection: Connection,
    row: AnyRow,
    *,
    not_before: datetime,
    hold: Hold | None,
    reason: str | None,
) -> None:
    """Forget an attempt that was never sent, and put its run back in line.

    A run that somebody wants cancelled, or whose dyno was to be stopped, ends here.

    Args:
        connection: Where.
        row: The attempt, with its run's `trigger_id` and `cancel_requested_at`.
        not_before: From when on the run may start.
        hold: What it waits for.
        reason: The same as half a sentence.
    """
    connection.execute(sa.delete(attempts).where(attempts.c.id == row.id))
    back = sa.update(runs).where(runs.c.id == row.run_id)
    connection.execute(
        back.values(
            state=RunState.WAITING.value,
            attempt=row.number - 1,
            not_before=not_before,
            hold=hold.value if hold else None,
            reason=reason,
        )
    )
    if row.stop_cause is not None or row.cancel_requested_at is not None:
        line.end_waiting(
            connection,
            [row.run_id],
            outcome=Outcome.CANCELLED,
            reason="cancelled before its dyno was created",
            now=not_before,
        )
        line.wake_held(connection, [row.trigger_id], not_before)
    line.wake_held(connection, [row.trigger_id], row.requested_at, Hold.START)


def take_back(
    connection: Connection,
    instants: Collection[datetime],
    *,
    owner: str | None,
    now: datetime,
) -> None:
    """Put back what takes at some instants have written without knowing it.

    Nobody sent these: who took them was told that it had failed.
    """
    mine = sa.select(attempts, runs.c.trigger_id, runs.c.cancel_requested_at)
    mine = mine.join(runs, runs.c.id == attempts.c.run_id).where(
        unfinished,
        attempts.c.state == RunState.LAUNCHING.value,
        attempts.c.number == runs.c.attempt,
        attempts.c.requested_at.in_(instants),
        runs.c.owner.is_not_distinct_from(owner),
    )
    for row in connection.execute(mine.order_by(attempts.c.id)).all():
        put_back(connection, row, not_before=now, hold=None, reason=None)
