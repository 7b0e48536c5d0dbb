"""What the file's limits leave for one take, in its transaction.

Runs at a time are counted by their open attempts, runs of a month by their turn: the
month is that of the fire time, or of the asking, in the file's time zone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from clockd.clock import in_utc
from clockd.model import NO_LIMITS, Limits, Outcome
from clockd.policy import Drop
from clockd.store.tables import attempt_open, attempts, config, months, runs, turn
from clockd.store.tables import started as ever_started
from clockd.store.values import LimitReached

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clockd.model import Run


class Allowance:
    """What may still start.

    Args:
        connection: The take's, which holds the queue's lock: nobody starts anything
            else meanwhile.
        limits: Those in force.
        now: The instant of the take.
    """

    def __init__(self, connection: Connection, limits: Limits, now: datetime) -> None:
        self._connection = connection
        self._limits = limits
        self._now = now
        self._room = _room(connection, limits)
        self._left: dict[str, int] = {}
        self.reached: LimitReached | None = None  #: to be told now, and never again

    @property
    def room(self) -> bool:
        """Whether another run may have a dyno now."""
        return _is_left(self._room)

    @property
    def waited_for(self) -> str:
        """What a run without room waits for, half a sentence."""
        return f"the limit of {self._limits.concurrent_runs} concurrent runs is reached"

    def refuse(self, run: Run) -> Drop | None:
        """Return how a run ends whose month has had its runs; None if it may start."""
        most = self._limits.runs_per_month
        if most is None or run.attempt > 0:
            return None
        month = self._month(run)
        if self._runs_left(month, most) > 0:
            return None
        self._tell(month, most)
        return Drop(
            outcome=Outcome.SKIPPED,
            reason=f"limit: {most} runs have started in {month}, and no more may",
        )

    def start(self, run: Run) -> None:
        """Count a run that starts."""
        if self._room is not None:
            self._room -= 1
        if self._limits.runs_per_month is not None and run.attempt == 0:
            self._left[self._month(run)] -= 1

    def _month(self, run: Run) -> str:
        at = run.fire_time or run.claimed_at
        return f"{at.astimezone(ZoneInfo(self._limits.timezone)):%Y-%m}"

    def _runs_left(self, month: str, most: int) -> int:
        if month not in self._left:
            had = _runs_of(self._connection, month, self._limits.timezone, most)
            self._left[month] = most - had
        return self._left[month]

    def _tell(self, month: str, most: int) -> None:
        """Note that a month's limit is to be told of, once for each it ever was."""
        if self.reached is not None:
            return
        this = months.c.month == month
        query = sa.select(months.c.limit_told).where(this)
        told = self._connection.execute(query).scalar()
        if told is not None and told >= most:
            return
        values = {"limit_told": most, "told_at": self._now}
        self._connection.execute(
            sa.insert(months).values(month=month, **values)
            if told is None
            else sa.update(months).where(this).values(**values)
        )
        self.reached = LimitReached(
            runs=most, month=month, timezone=self._limits.timezone
        )


def has_room(connection: Connection, limits: Limits) -> bool:
    """Return whether another run may have a dyno now."""
    return _is_left(_room(connection, limits))


def values_of(limits: Limits) -> dict[str, object]:
    """Return limits as columns of `clockd_config`."""
    return {
        "concurrent_runs": limits.concurrent_runs,
        "runs_per_month": limits.runs_per_month,
        "max_triggers": limits.triggers,
        "timezone": limits.timezone,
    }


def read(connection: Connection) -> Limits:
    """Return the limits of the last good file."""
    row = connection.execute(sa.select(config)).first()
    if row is None:
        return NO_LIMITS
    return Limits(
        concurrent_runs=row.concurrent_runs,
        runs_per_month=row.runs_per_month,
        triggers=row.max_triggers,
        # An older clockd has written the row.
        timezone=row.timezone or NO_LIMITS.timezone,
    )


def bounds(month: str, timezone: str) -> tuple[datetime, datetime]:
    """Return the first instant of a month such as 2026-11 in a zone, and of the next.

    Both are in UTC.
    """
    zone = ZoneInfo(timezone)
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    after = (first + timedelta(days=31)).replace(day=1)
    return in_utc(first), in_utc(after)


def _is_left(room: int | None) -> bool:
    return room is None or room > 0


def _room(connection: Connection, limits: Limits) -> int | None:
    most = limits.concurrent_runs
    if most is None:
        return None
    count = sa.select(sa.func.count()).select_from(attempts).where(attempt_open)
    active: int = connection.execute(count).scalar_one()
    return most - active


def _runs_of(connection: Connection, month: str, timezone: str, most: int) -> int:
    """Return how many runs of a month have started, counting no further than `most`."""
    first, after = bounds(month, timezone)
    this_month = sa.and_(ever_started, turn >= first, turn < after)
    found = sa.select(runs.c.id).where(this_month).limit(most)
    count = sa.select(sa.func.count()).select_from(found.subquery())
    had: int = connection.execute(count).scalar_one()
    return had
