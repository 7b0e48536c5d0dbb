"""Debian's cron: which instants an expression means in a time zone.          (pure)

A day is looked at as a whole: its minutes are known from the fields, and how they lie
in UTC from the offsets of that day. Fixed jobs whose time a DST gap swallows run once
at the gap's end, unless three hours or more are gone; in a repeated hour they run in
the first pass only. Wild ones follow the clock.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clockd import cron_fields
from clockd.errors import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clockd.cron_fields import Fields

_DAY_S: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()
#: A local day lies within these bounds around its midnight taken as UTC.
_BEFORE_S: Final = 15 * 3600
_AFTER_S: Final = 39 * 3600
#: Debian treats a jump this long as a clock that was set, not as DST.
_TOO_LONG_S: Final = 3 * 3600
#: 29 February on a given weekday can be forty years away.
_SEARCH_DAYS: Final = 60 * 366


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in a time zone."""

    fields: Fields
    timezone: str

    @classmethod
    def parse(cls, expression: str, timezone: str) -> Cron:
        """Return the schedule of an expression of five fields, or a macro.

        Raises:
            ScheduleError: It cannot be read, never fires, or there is no such zone.
        """
        zone(timezone)
        fields = cron_fields.parse(expression)
        if not _ever_fires(fields):
            raise ScheduleError(
                f"{expression!r} never fires",
                hint="no month of its months has such a day",
                field="day of month",
                value=expression,
            )
        return cls(fields, timezone)

    def next(self, after: datetime) -> datetime | None:
        """Return the first fire time after an instant, in UTC; None if none comes."""
        limit = _ceil(after)
        first = self._local_ordinal(limit)
        if len(offsets(self.timezone, first - 1)) > 1:
            first -= 1
        for ordinal in self._matching(first, 1):
            found = self._first_after(ordinal, limit)
            if found is not None:
                return _instant(found)
        return None

    def previous(self, until: datetime) -> datetime | None:
        """Return the last fire time up to and with an instant, in UTC."""
        limit = int(until.timestamp() // 1)
        for ordinal in self._matching(self._local_ordinal(limit), -1):
            base = self._base(ordinal)
            if base is not None:
                times = self.fields.times
                count = bisect_right(times, (limit - base) // 60)
                if count:
                    return _instant(base + times[count - 1] * 60)
                continue
            past = [fire for fire in self._irregular(ordinal) if fire <= limit]
            if past:
                return _instant(past[-1])
        return None

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many fire times lie in (after, until], day by day."""
        low, high = int(after.timestamp() // 1), int(until.timestamp() // 1)
        if high <= low:
            return 0
        total, times, irregular = 0, self.fields.times, set()
        last = self._local_ordinal(high)
        for ordinal in range(self._local_ordinal(low) - 1, last + 1):
            if not self.fields.match(date.fromordinal(ordinal)):
                continue
            base = self._base(ordinal)
            if base is None:
                irregular.update(self._irregular(ordinal))
                continue
            total += bisect_right(times, (high - base) // 60)
            total -= bisect_right(times, (low - base) // 60)
        return total + sum(low < fire <= high for fire in irregular)

    def _local_ordinal(self, epoch_s: int) -> int:
        """Return the ordinal of the local date at an instant."""
        return _instant(epoch_s).astimezone(zone(self.timezone)).toordinal()

    def _matching(self, ordinal: int, step: int) -> Iterator[int]:
        """Yield the ordinals of matching dates from one on, forward or backward."""
        day, one = date.fromordinal(ordinal), timedelta(days=step)
        for _ in range(_SEARCH_DAYS):
            if self.fields.match(day):
                yield day.toordinal()
            try:
                day += one
            except OverflowError:
                return

    def _base(self, ordinal: int) -> int | None:
        """Return the epoch seconds of a day's minute 0; None on a day with a change."""
        segments = offsets(self.timezone, ordinal)
        if len(segments) > 1:
            return None
        return (ordinal - _EPOCH) * _DAY_S - segments[0][1]

    def _first_after(self, ordinal: int, limit: int) -> int | None:
        base = self._base(ordinal)
        if base is None:
            return next(
                (fire for fire in self._irregular(ordinal) if fire > limit), None
            )
        times = self.fields.times
        place = bisect_right(times, (limit - base) // 60)
        return base + times[place] * 60 if place < len(times) else None

    def _irregular(self, ordinal: int) -> list[int]:
        """Return the fire times, in epoch seconds, of a day near a DST change."""
        midnight = (ordinal - _EPOCH) * _DAY_S
        segments = offsets(self.timezone, ordinal)
        fires: set[int] = set()
        for minute in self.fields.times:
            passes = _passes(midnight + minute * 60, segments)
            if self.fields.wild:
                fires.update(passes)
            elif passes:
                fires.add(passes[0])
            else:
                end = _gap_end(midnight + minute * 60, segments)
                if end is not None:
                    fires.add(end)
        return sorted(fires)


def zone(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        ScheduleError: There is none of that name; the hint names the nearest.
    """
    try:
        return _zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        from difflib import get_close_matches  # only for the hint
        from zoneinfo import available_timezones

        near = get_close_matches(name, available_timezones(), n=1)
        raise ScheduleError(
            f"there is no time zone {name!r}",
            hint=f"did you mean {near[0]}?" if near else "write it as Europe/Amsterdam",
            field="timezone",
            value=name,
        ) from error


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=8192)
def offsets(timezone: str, ordinal: int) -> tuple[tuple[int, int], ...]:
    """Return the offsets around a local day: (from, seconds east of UTC), in order.

    `from` is in epoch seconds; the first one's is the beginning of what was looked at.
    """
    midnight = (ordinal - _EPOCH) * _DAY_S
    low, high = midnight - _BEFORE_S, midnight + _AFTER_S
    zone_ = zone(timezone)
    samples = [low, midnight, high]
    values = [_offset(zone_, at) for at in samples]
    segments = [(low, values[0])]
    for place in (0, 1):
        if values[place] != values[place + 1]:
            change = _change(zone_, samples[place], samples[place + 1])
            segments.append((change, values[place + 1]))
    return tuple(segments)


def _change(zone_: ZoneInfo, low: int, high: int) -> int:
    """Return the first second in (low, high] with high's offset."""
    offset = _offset(zone_, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone_, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _offset(zone_: ZoneInfo, epoch_s: int) -> int:
    offset = _instant(epoch_s).astimezone(zone_).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _passes(local_s: int, segments: tuple[tuple[int, int], ...]) -> list[int]:
    """Return the instants, in order, at which clocks show a local time."""
    found = []
    for place, (start, offset) in enumerate(segments):
        at = local_s - offset
        ends = segments[place + 1][0] if place + 1 < len(segments) else None
        if (at >= start or place == 0) and (ends is None or at < ends):
            found.append(at)
    return found


def _gap_end(local_s: int, segments: tuple[tuple[int, int], ...]) -> int | None:
    """Return the end of the gap that swallows a local time, None if it is too long."""
    for (_, before), (start, after) in pairwise(segments):
        inside = local_s - before >= start and local_s - after < start
        if inside and after - before < _TOO_LONG_S:
            return start
    return None


@lru_cache(maxsize=20_000)
def _ever_fires(fields: Fields) -> bool:
    start = date(2000, 1, 1)
    return any(fields.match(start + timedelta(days=n)) for n in range(_SEARCH_DAYS))


def _ceil(after: datetime) -> int:
    """Return the last whole second that is not after an instant."""
    return int(after.timestamp() // 1)


def _instant(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
