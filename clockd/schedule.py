"""When a trigger fires: `cron`, `every` and `at` → fire times.                (pure)

A schedule is a text in a time zone; where its process started plays no part. Fire times
are whole UTC seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from clockd import cron
from clockd.cron import Cron
from clockd.errors import ScheduleError
from clockd.every import read_every
from clockd.model import ScheduleKind

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as it was written, and its fire times.

    Exactly one of the ways to fire is set: `crons` (any of them), `step_s` (seconds
    within the minute) or `once`.
    """

    kind: ScheduleKind
    expression: str
    timezone: str
    crons: tuple[Cron, ...] = field(default=(), compare=False)
    step_s: int = field(default=0, compare=False)
    once: datetime | None = field(default=None, compare=False)
    cron_text: str = field(default="", compare=False)  #: the same as one cron, if any

    @property
    def sub_minute(self) -> bool:
        """Whether it fires more often than once a minute: for local runs only."""
        return self.step_s > 0

    def next(self, after: datetime) -> datetime | None:
        """Return the first fire time after an instant; None if there is none."""
        if self.once is not None:
            return self.once if self.once > after else None
        if self.step_s:
            whole = int(after.timestamp() // self.step_s)
            return datetime.fromtimestamp((whole + 1) * self.step_s, UTC)
        found = (each.next(after) for each in self.crons)
        return min((at for at in found if at is not None), default=None)

    def previous(self, until: datetime) -> datetime | None:
        """Return the last fire time up to and with an instant; None without one."""
        if self.once is not None:
            return self.once if self.once <= until else None
        if self.step_s:
            whole = int(until.timestamp() // self.step_s)
            return datetime.fromtimestamp(whole * self.step_s, UTC)
        found = (each.previous(until) for each in self.crons)
        return max((at for at in found if at is not None), default=None)

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many fire times lie in (after, until], without walking them."""
        if self.once is not None:
            return int(after < self.once <= until)
        if self.step_s:
            low, high = (
                after.timestamp() // self.step_s,
                until.timestamp() // self.step_s,
            )
            return max(int(high - low), 0)
        return sum(each.count(after, until) for each in self.crons)

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the fire times in (after, until], in order."""
        at = self.next(after)
        while at is not None and at <= until:
            yield at
            at = self.next(at)


@lru_cache(maxsize=20_000)
def parse(kind: ScheduleKind, expression: str, timezone: str) -> Schedule:
    """Return the schedule that a trigger's words mean.

    Raises:
        ScheduleError: It cannot be read or never fires, or there is no such zone.
    """
    if kind is ScheduleKind.CRON:
        parsed = Cron.parse(expression, timezone)
        return Schedule(kind, expression, timezone, (parsed,), cron_text=expression)
    if kind is ScheduleKind.AT:
        return Schedule(kind, expression, timezone, once=_read_at(expression, timezone))
    every = read_every(expression)
    cron.zone(timezone)
    return Schedule(
        kind,
        expression,
        timezone,
        crons=tuple(Cron.parse(text, timezone) for text in every.crons),
        step_s=every.step_s,
        cron_text=every.crons[0] if len(every.crons) == 1 else "",
    )


def _read_at(text: str, timezone: str) -> datetime:
    """Return the instant of a local date and time; of two, the first."""
    zone = cron.zone(timezone)
    try:
        local = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise _at_error(text, "write it as 2026-12-25 09:00:00") from error
    if local.tzinfo is not None:
        raise _at_error(
            text, "leave the offset out: it is meant in the trigger's `timezone`"
        )
    if len(text.strip()) <= len("2026-12-25"):
        raise _at_error(text, "it has no time of day: 2026-12-25 09:00:00")
    if local.microsecond:
        raise _at_error(text, "fire times are whole seconds")
    instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != local:
        shown = f"{local:%Y-%m-%d %H:%M:%S}"
        raise _at_error(
            text, f"clocks in {timezone} are put forward over {shown} on that day"
        )
    return instant


def _at_error(text: str, hint: str) -> ScheduleError:
    return ScheduleError(
        f"{text!r} is no date and time to fire at", hint=hint, field="at", value=text
    )
