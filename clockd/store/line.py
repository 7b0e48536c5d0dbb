"""Changes to runs in line that several others make, in their transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd.model import Hold, Outcome, RunState
from clockd.store.tables import runs, unfinished, waiting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection


def end_waiting(
    connection: Connection,
    run_ids: Sequence[int],
    *,
    outcome: Outcome,
    reason: str,
    now: datetime,
) -> None:
    """Give runs that wait an outcome; others are left as they are."""
    end = sa.update(runs).where(waiting, runs.c.id.in_(run_ids))
    connection.execute(
        end.values(
            state=RunState.FINISHED.value,
            outcome=outcome.value,
            reason=reason,
            finished_at=now,
            hold=None,
        )
    )


def want_cancelled(
    connection: Connection, run_ids: Sequence[int], *, by: str, now: datetime
) -> None:
    """Ask for runs to be cancelled; who asked first stays on record."""
    ask = sa.update(runs).where(
        unfinished, runs.c.id.in_(run_ids), runs.c.cancel_requested_at.is_(None)
    )
    connection.execute(ask.values(cancel_requested_at=now, cancel_requested_by=by))


def wake_held(
    connection: Connection,
    trigger_ids: Sequence[str],
    now: datetime,
    *holds: Hold,
) -> None:
    """Let the runs that wait for another run of their trigger be decided on anew.

    `holds` are those that are over; by default both kinds.
    """
    over = [hold.value for hold in holds or (Hold.OVERLAP, Hold.START)]
    held = sa.update(runs).where(
        waiting,
        runs.c.trigger_id.in_(trigger_ids),
        runs.c.hold.in_(over),
        runs.c.not_before > now,
    )
    connection.execute(held.values(not_before=now))
