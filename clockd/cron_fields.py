"""The five fields of a cron expression: text → what they match.          (pure)

Debian's cron decides what an expression means. Three extensions: `L` for the last day
of the month, `5L` for the last Friday of it, `mon#2` for its second Monday. Nonsense
that Debian takes (`5-1`, `1#6`) is refused.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from clockd.errors import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MACROS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
#: Within 28 years each date has fallen on each day of the week.
_SAMPLE_DAYS: Final = 28 * 366
_NUMBER = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    name: str
    low: int
    high: int
    names: Mapping[str, int]


_MINUTE = _Field("minute", 0, 59, {})
_HOUR = _Field("hour", 0, 23, {})
_DAY = _Field("day of month", 1, 31, {})
_MONTH = _Field("month", 1, 12, {name: n for n, name in enumerate(MONTHS, 1)})
_WEEKDAY = _Field("day of week", 0, 7, {name: n for n, name in enumerate(WEEKDAYS)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What the fields match.

    Args:
        times: Minutes of the day; bit 0 stands for 00:00, bit 1439 for 23:59.
        days: Days of the month; `last_day` stands for its last one beside them.
        months: Months, from 1.
        weekdays: Days of the week, Sunday is 0.
        last_weekdays: Days of the week whose last one in the month matches.
        nth_weekdays: (weekday, n): the n-th such day of the month matches.
        both: A date must match day of month *and* day of week; else either will do.
        wild: Minute or hour begin with `*`: the job follows the clock through a DST
            change; else it runs once, after a gap or in the first of two passes.
    """

    times: int
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    last_day: bool = False
    last_weekdays: frozenset[int] = frozenset()
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()
    both: bool = True
    wild: bool = False

    def match(self, day: date) -> bool:
        """Return whether the job may run on a date."""
        if day.month not in self.months:
            return False
        weekday = day.isoweekday() % 7
        by_day = day.day in self.days
        by_weekday = weekday in self.weekdays
        if self.last_day or self.last_weekdays or self.nth_weekdays:
            last = monthrange(day.year, day.month)[1]
            by_day = by_day or (self.last_day and day.day == last)
            by_weekday = (
                by_weekday
                or (weekday in self.last_weekdays and day.day > last - 7)
                or (weekday, (day.day + 6) // 7) in self.nth_weekdays
            )
        return (by_day and by_weekday) if self.both else (by_day or by_weekday)


@lru_cache(maxsize=1024)
def parse(expression: str) -> Fields:
    """Return what an expression of five fields, or a macro, matches.

    Raises:
        ScheduleError: It cannot be read or never fires; `data["field"]` and
            `data["value"]` say what is wrong.
    """
    minute, hour, day, month, weekday = split(expression)
    days, last_day = _days(day)
    weekdays, last_weekdays, nth_weekdays = _weekdays(weekday)
    minutes = _bits(_values(minute, _MINUTE))
    fields = Fields(
        times=sum(minutes << 60 * each for each in _values(hour, _HOUR)),
        days=days,
        last_day=last_day,
        months=_values(month, _MONTH),
        weekdays=weekdays,
        last_weekdays=last_weekdays,
        nth_weekdays=nth_weekdays,
        both=day.startswith("*") or weekday.startswith("*"),
        wild=minute.startswith("*") or hour.startswith("*"),
    )
    if not _ever_fires(fields):
        raise ScheduleError(
            f"{expression!r} never fires",
            hint="none of its months has such a day; `L` is the last day of any month",
            field=_DAY.name,
            value=expression,
        )
    return fields


def every(minutes: int) -> Fields:
    """Return what cuts each day into parts of as many minutes, from 00:00 on."""
    return replace(parse("* * * * *"), times=_bits(range(0, 24 * 60, minutes)))


def split(expression: str) -> list[str]:
    """Return the five fields of an expression, macros written out.

    Raises:
        ScheduleError: There are not five.
    """
    text = expression.strip()
    if text.startswith("@"):
        if text.lower() not in MACROS:
            raise _error("macro", text, "the macros are " + ", ".join(sorted(MACROS)))
        text = MACROS[text.lower()]
    fields = text.split()
    if len(fields) != 5:
        raise _error(
            "expression",
            expression,
            f"it has {len(fields)} fields; cron has five: minute, hour, day of month, "
            "month, day of week",
        )
    return fields


def _ever_fires(fields: Fields) -> bool:
    start = date(2000, 1, 1)
    return any(fields.match(start + timedelta(days=n)) for n in range(_SAMPLE_DAYS))


def _bits(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in numbers)


def _days(text: str) -> tuple[frozenset[int], bool]:
    plain = [part for part in text.split(",") if part.upper() != "L"]
    last = len(plain) < len(text.split(","))
    return (_values(",".join(plain), _DAY) if plain else frozenset()), last


def _weekdays(
    text: str,
) -> tuple[frozenset[int], frozenset[int], frozenset[tuple[int, int]]]:
    plain, last, nth = [], set(), set()
    for part in text.split(","):
        if "#" in part:
            name, _, number = part.partition("#")
            if number not in ("1", "2", "3", "4", "5"):
                raise _error(_WEEKDAY.name, part, "after # stands 1, 2, 3, 4 or 5")
            nth.add((_value(name, part, _WEEKDAY) % 7, int(number)))
        elif part[-1:].upper() == "L" and part[:-1]:
            last.add(_value(part[:-1], part, _WEEKDAY) % 7)
        else:
            plain.append(part)
    days = _values(",".join(plain), _WEEKDAY) if plain else frozenset[int]()
    return frozenset(day % 7 for day in days), frozenset(last), frozenset(nth)


@lru_cache(maxsize=1024)
def _values(text: str, field: _Field) -> frozenset[int]:
    return frozenset(value for part in text.split(",") for value in _range(part, field))


def _range(part: str, field: _Field) -> Iterator[int]:
    body, slash, step_text = part.partition("/")
    step = 1
    if slash:
        if not _NUMBER.fullmatch(step_text) or int(step_text) == 0:
            raise _error(field.name, part, "after / stands a number from 1")
        step = int(step_text)
    if body == "*":
        return iter(range(field.low, field.high + 1, step))
    first, dash, last = body.partition("-")
    low = _value(first, part, field)
    if not dash:
        if slash:
            raise _error(
                field.name, part, f"a step needs a range: {first}-{field.high}/{step}"
            )
        return iter((low,))
    high = _value(last, part, field)
    if low > high:
        raise _error(field.name, part, f"a range rises: {high}-{low}, or two ranges")
    return iter(range(low, high + 1, step))


def _value(text: str, part: str, field: _Field) -> int:
    named = field.names.get(text.lower())
    if named is not None:
        return named
    if _NUMBER.fullmatch(text) and field.low <= int(text) <= field.high:
        return int(text)
    names = f", or {next(iter(field.names))} …" if field.names else ""
    raise _error(field.name, part, f"it takes {field.low} to {field.high}{names}")


def _error(field: str, value: str, hint: str) -> ScheduleError:
    return ScheduleError(
        f"{value!r} cannot be the {field}"
        if field != "expression"
        else f"{value!r} is no cron expression",
        hint=hint,
        field=field,
        value=value,
    )
