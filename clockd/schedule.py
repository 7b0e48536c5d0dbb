"""When a trigger fires: `cron`, `every` and `at` → fire times.                (pure)

A schedule is a text in a time zone; where its process started plays no part. Fire times
are whole UTC seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from clockd import cron
from clockd.cron import Cron
from clockd.errors import ScheduleError
from clockd.every import read_every
from clockd.model import ScheduleKind

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Stricter than `fromisoformat`, which reads more from one Python to the next.
_AT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ] *(?P<hour>[0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?"
    r"(?P<fraction>[.,][0-9]+)?)?"
    r" *(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as it was written, and its fire times.

    Exactly one of the ways to fire is set: `cron`, `step_s` (a divisor of the minute)
    or `once`.
    """

    kind: ScheduleKind
    expression: str
    timezone: str
    cron: Cron | None = field(default=None, compare=False)
    step_s: int = field(default=0, compare=False)
    once: datetime | None = field(default=None, compare=False)

    @property
    def sub_minute(self) -> bool:
        """Whether it fires more often than once a minute: for local runs only."""
        return self.step_s > 0

    def next(self, after: datetime) -> datetime | None:
        """Return the first fire time after an instant; None if there is none."""
        if self.once is not None:
            return self.once if self.once > after else None
        if self.cron is not None:
            return self.cron.next(after)
        return self._step(cron.whole_seconds(after) // self.step_s + 1)

    def previous(self, until: datetime) -> datetime | None:
        """Return the last fire time up to and with an instant; None without one."""
        if self.once is not None:
            return self.once if self.once <= until else None
        if self.cron is not None:
            return self.cron.previous(until)
        return self._step(cron.whole_seconds(until) // self.step_s)

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many fire times lie in (after, until], without walking them."""
        if self.once is not None:
            return int(after < self.once <= until)
        if self.cron is not None:
            return self.cron.count(after, until)
        low, high = cron.whole_seconds(after), cron.whole_seconds(until)
        return max(high // self.step_s - low // self.step_s, 0)

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the fire times in (after, until], in order."""
        at = self.next(after)
        while at is not None and at <= until:
            yield at
            at = self.next(at)

    def _step(self, number: int) -> datetime | None:
        """Return the fire time of a number of steps after 1970; None out of reach."""
        try:
            return cron.EPOCH + timedelta(seconds=number * self.step_s)
        except OverflowError:
            return None


@lru_cache(maxsize=20_000)
def parse(kind: ScheduleKind, expression: str, timezone: str) -> Schedule:
    """Return the schedule that a trigger's words mean.

    Raises:
        ScheduleError: It cannot be read or never fires, or there is no such zone.
    """
    if kind is ScheduleKind.CRON:
        parsed = Cron.parse(expression, timezone)
        return Schedule(kind, expression, timezone, cron=parsed)
    if kind is ScheduleKind.AT:
        return Schedule(kind, expression, timezone, once=_read_at(expression, timezone))
    every = read_every(expression)
    if every.step_s:
        cron.zone(timezone)
        return Schedule(kind, expression, timezone, step_s=every.step_s)
    if every.minutes:
        parsed = Cron.every(every.minutes, timezone)
    else:
        parsed = Cron.parse(every.cron, timezone)
    return Schedule(kind, expression, timezone, cron=parsed)


def _read_at(text: str, timezone: str) -> datetime:
    """Return the instant of a local date and time; of two, the first."""
    zone = cron.zone(timezone)
    local = _local(text)
    try:
        instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        exists = instant.astimezone(zone).replace(tzinfo=None) == local
    except OverflowError as error:
        raise _at_error(text, "that year is out of reach") from error
    if not exists:
        raise _at_error(
            text, f"clocks in {timezone} are put forward over {local} on that day"
        )
    return instant


def _local(text: str) -> datetime:
    """Return a date and time without a zone."""
    match = _AT.fullmatch(text.strip())
    if match is None:
        raise _at_error(text, "write it as 2026-12-25 09:00:00")
    if match["offset"]:
        hint = "leave the offset out: it is meant in the trigger's `timezone`"
        raise _at_error(text, hint)
    if match["hour"] is None:
        raise _at_error(text, "it has no time of day: 2026-12-25 09:00:00")
    if match["fraction"]:
        raise _at_error(text, "fire times are whole seconds: 2026-12-25 09:00:00")
    year, month, day, hour, minute, second = (
        int(part or 0) for part in match.groups()[:6]
    )
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - local
    except ValueError as error:
        raise _at_error(text, f"{error}; write it as 2026-12-25 09:00:00") from error


def _at_error(text: str, hint: str) -> ScheduleError:
    return ScheduleError(
        f"{text!r} is no date and time to fire at", hint=hint, field="at", value=text
    )
