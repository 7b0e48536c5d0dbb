"""Who is the clock: one row, changed only by whoever saw it as it is.

Uses the reserved connection, so that a burst of other work never delays a beat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd.store.tables import lease
from clockd.store.values import Lease

if TYPE_CHECKING:
    from datetime import datetime

    from clockd.store.database import Database


class Leases:
    """The lease row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> Lease:
        """Return the lease as it is."""
        with self._database.read(reserved=True) as connection:
            row = connection.execute(sa.select(lease).where(lease.c.id == 1)).one()
        return Lease(
            holder=row.holder,
            fence=row.fence,
            beat=row.beat,
            taken_at=row.taken_at,
            beat_at=row.beat_at,
        )

    def take(self, seen: Lease, holder: str, now: datetime) -> int | None:
        """Take the lease if it is still as it was seen.

        Returns the new fence number; None where somebody else was first.
        """
        as_seen = sa.and_(
            lease.c.id == 1,
            lease.c.fence == seen.fence,
            lease.c.beat == seen.beat,
            lease.c.holder.is_not_distinct_from(seen.holder),
        )
        fence = seen.fence + 1
        taken = self._change(
            as_seen, holder=holder, fence=fence, taken_at=now, beat_at=now
        )
        return fence if taken else None

    def beat(self, fence: int, now: datetime) -> bool:
        """Prove that the holder of `fence` lives; return False if it holds no more."""
        return self._change(_held(fence), beat=lease.c.beat + 1, beat_at=now)

    def release(self, fence: int) -> bool:
        """Give the lease back; return False if it had gone already."""
        return self._change(_held(fence), holder=None)

    def _change(self, condition: sa.ColumnElement[bool], **values: object) -> bool:
        with self._database.write(lock=None, reserved=True) as connection:
            change = sa.update(lease).where(condition).values(**values)
            return connection.execute(change).rowcount == 1


def _held(fence: int) -> sa.ColumnElement[bool]:
    return sa.and_(lease.c.id == 1, lease.c.fence == fence, lease.c.holder.is_not(None))
