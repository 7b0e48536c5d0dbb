"""Debian's cron: which instants an expression means in a time zone.          (pure)

A day is looked at as a whole: its minutes are known from the fields, and how they lie
in UTC from the offsets of that day. Fixed jobs whose time a DST gap swallows run once
at the gap's end, unless three hours or more are gone; in a repeated hour they run in
the first pass only. Wild ones follow the clock. The years 2 to 9998 are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clockd import cron_fields
from clockd.errors import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clockd.cron_fields import Fields

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S: Final = 86_400
_DAY_MINUTES: Final = 1440
#: A local day lies within these bounds around its midnight taken as UTC.
_BEFORE_S: Final = 15 * 3600
_AFTER_S: Final = 39 * 3600
#: Debian takes a gap this long, or a longer repetition, for a clock that was set.
TOO_LONG_S: Final = 3 * 3600
#: 29 February on a given weekday can be forty years away.
_SEARCH_DAYS: Final = 60 * 366
#: Beyond these, local times would leave what a datetime can hold.
FIRST_DAY: Final = date(2, 1, 1).toordinal()
LAST_DAY: Final = date(9998, 12, 31).toordinal()


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
        return cls(cron_fields.parse(expression), timezone)

    @classmethod
    def every(cls, minutes: int, timezone: str) -> Cron:
        """Return the schedule of a day cut into equal parts; it follows the clock.

        Raises:
            ScheduleError: There is no such zone.
        """
        zone(timezone)
        return cls(cron_fields.every(minutes), timezone)

    def next(self, after: datetime) -> datetime | None:
        """Return the first fire time after an instant, in UTC; None if none comes."""
        limit = _known(whole_seconds(after))
        first = _local_day(limit, self.timezone)
        if self._changes(first - 1):
            first -= 1
        return self._nearest(first, 1, lambda day: self._first(day, limit))

    def previous(self, until: datetime) -> datetime | None:
        """Return the last fire time up to and with an instant, in UTC."""
        limit = _known(whole_seconds(until))
        last = _local_day(limit, self.timezone)
        if self._changes(last + 1):
            last += 1
        return self._nearest(last, -1, lambda day: self._last(day, limit))

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many fire times lie in (after, until], day by day."""
        low, high = _known(whole_seconds(after)), _known(whole_seconds(until))
        if high <= low:
            return 0
        total, moved, times = 0, set(), self.fields.times
        first_day = _local_day(low, self.timezone) - 1
        last_day = _local_day(high, self.timezone) + 1
        for day in filter(self._matches, range(first_day, last_day + 1)):
            for base, first, end, at in self._pieces(day):
                if at is not None:
                    if low < at <= high and _between(times, first, end):
                        moved.add(at)
                    continue
                after_low = max(first, (low - base) // 60 + 1)
                after_high = min(end, (high - base) // 60 + 1)
                total += _between(times, after_low, after_high).bit_count()
        return total + len(moved)

    def _nearest(
        self, day: int, step: int, find: Callable[[int], int | None]
    ) -> datetime | None:
        """Return what is found first from a day on, forward or backward.

        Where a repeated hour reaches over midnight, two days lie within each other.
        """
        for _ in range(_SEARCH_DAYS):
            found = find(day) if self._matches(day) else None
            if found is not None:
                if self._changes(day) and self._matches(day + step):
                    other = find(day + step)
                    if other is not None and (other - found) * step < 0:
                        found = other
                return _instant(found) if _known(found) == found else None
            day += step
            if not FIRST_DAY <= day <= LAST_DAY:
                break
        return None

    def _matches(self, day: int) -> bool:
        return self.fields.match(date.fromordinal(day))

    def _changes(self, day: int) -> bool:
        return len(offsets(self.timezone, day)) > 1

    def _pieces(self, day: int) -> tuple[_Piece, ...]:
        return _pieces(self.timezone, day, self.fields.wild)

    def _first(self, day: int, limit: int) -> int | None:
        """Return a day's first fire time after a limit, in epoch seconds."""
        times = self.fields.times
        for base, first, end, at in self._pieces(day):
            if at is not None:
                if at > limit and _between(times, first, end):
                    return at
                continue
            start = max(first, (limit - base) // 60 + 1)
            rest = _between(times, start, end)
            if rest:
                return base + (start + (rest & -rest).bit_length() - 1) * 60
        return None

    def _last(self, day: int, limit: int) -> int | None:
        """Return a day's last fire time up to a limit, in epoch seconds."""
        times = self.fields.times
        for base, first, end, at in reversed(self._pieces(day)):
            if at is not None:
                if at <= limit and _between(times, first, end):
                    return at
                continue
            rest = _between(times, first, min(end, (limit - base) // 60 + 1))
            if rest:
                return base + (first + rest.bit_length() - 1) * 60
        return None


class _Piece(NamedTuple):
    """Minutes [first, end) of a local day that follow each other without a change.

    They lie at `base` + 60 s each, or, moved out of a gap, all at one instant.
    """

    base: int
    first: int
    end: int
    at: int | None = None


def _between(times: int, first: int, end: int) -> int:
    """Return the bits [first, end) of the minutes of a day, from bit 0 on."""
    return (times >> first) & ((1 << (end - first)) - 1) if first < end else 0


@lru_cache(maxsize=8192)
def _pieces(timezone: str, day: int, wild: bool) -> tuple[_Piece, ...]:
    """Return how the minutes of a local day lie in UTC, in order."""
    midnight = _midnight(day)
    segments = offsets(timezone, day)
    found: list[_Piece] = []
    for place, (start, offset) in enumerate(segments):
        base = midnight - offset
        first = _minute(start - base) if place else 0
        end = _DAY_MINUTES
        if place + 1 < len(segments):
            end = _minute(segments[place + 1][0] - base)
        if place and not wild:
            before = segments[place - 1][1]
            shown_until = _minute(start - midnight + before)
            if 0 < offset - before < TOO_LONG_S:
                # With the gap's last minute, so that nothing fires twice at its end.
                found.append(_Piece(base, shown_until, first + 1, start))
                first += 1
            elif 0 < before - offset <= TOO_LONG_S:
                first = max(first, shown_until)
        found.append(_Piece(base, first, end))
    return tuple(kept for piece in found if (kept := _within_day(piece)))


def _within_day(piece: _Piece) -> _Piece | None:
    first, end = max(piece.first, 0), min(piece.end, _DAY_MINUTES)
    return piece._replace(first=first, end=end) if first < end else None


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
def offsets(timezone: str, day: int) -> tuple[tuple[int, int], ...]:
    """Return the offsets around a local day: (from, seconds east of UTC), in order.

    `from` is in epoch seconds; the first one's is the beginning of what was looked at.
    """
    midnight = _midnight(day)
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


def _midnight(day: int) -> int:
    """Return a day's midnight, taken as UTC, in epoch seconds."""
    return (day - EPOCH.toordinal()) * _DAY_S


def _minute(seconds: int) -> int:
    """Return the first whole minute from a number of seconds on."""
    return -(-seconds // 60)


def whole_seconds(at: datetime) -> int:
    """Return the last whole second up to an instant, without rounding."""
    return (at - EPOCH) // timedelta(seconds=1)


def local_day(at: datetime, timezone: str) -> int:
    """Return the ordinal of the local date at an instant; the nearest that is known."""
    return _local_day(_known(whole_seconds(at)), timezone)


def _local_day(epoch_s: int, timezone: str) -> int:
    return _instant(epoch_s).astimezone(zone(timezone)).toordinal()


def _known(epoch_s: int) -> int:
    """Return the nearest second of the days that are known, or the one before them."""
    return min(max(epoch_s, _midnight(FIRST_DAY) - 1), _midnight(LAST_DAY + 1) - 1)


def _instant(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
