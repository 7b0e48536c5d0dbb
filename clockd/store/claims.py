"""Claims: every due fire time becomes a run, once, before anybody acts on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd import failpoints
from clockd.store import planning, stepback
from clockd.store.database import fenced
from clockd.store.tables import jobs
from clockd.store.values import Claimed

if TYPE_CHECKING:
    from datetime import datetime

    from clockd.store.database import Database
    from clockd.store.definitions import Definitions


class Claims:
    """The fire times of all triggers, and how far they are on record.

    Uses the reserved connection, so that nothing else makes a fire time late.
    """

    def __init__(self, database: Database, definitions: Definitions) -> None:
        self._database = database
        self._definitions = definitions

    def claim(self, *, fence: int, now: datetime) -> Claimed:
        """Put on record every fire time that is due, and move the next ones.

        All in one transaction: 1. the fence; 2. a run for each due fire time, or an
        entry for those that were missed; 3. each trigger's next fire time.

        Raises:
            LeaseLost: Another process is the clock now; nothing was changed.
        """
        with self._database.write(lock=None, reserved=True) as connection:
            fenced(connection, fence)
            latest = planning.whole_second(now).timestamp()
            due = planning.due_jobs(connection, jobs.c.next_run_time <= latest)
            if not due:
                return Claimed()
            runs = planning.settle(connection, due, self._definitions, now)
            failpoints.reach("claim.writing")
        failpoints.reach("claim.written")
        return Claimed(runs=runs, due=len(due))

    def step_back(self, *, fence: int, now: datetime) -> int:
        """Take back what was put on record ahead of `now` by more than a minute.

        For a start, and after the wall clock went back. Returns how many triggers
        fire anew from now on.

        Raises:
            LeaseLost: Another process is the clock now; nothing was changed.
        """
        with self._database.write(reserved=True) as connection:
            fenced(connection, fence)
            return len(stepback.step_back(connection, self._definitions, now))

    def next_fire_time(self) -> datetime | None:
        """Return the earliest fire time that is not on record, None without any."""
        with self._database.read(reserved=True) as connection:
            at = connection.execute(sa.select(sa.func.min(jobs.c.next_run_time)))
            seconds: float | None = at.scalar()
        return None if seconds is None else planning.fire_time_of(seconds)
