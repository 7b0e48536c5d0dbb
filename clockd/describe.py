"""Schedules in plain English, true to what they mean.                         (pure)

cron-descriptor has the words, but not always the truth: `*/40` is not "every 40
minutes", and where both day fields are set it takes "or" for "and". So it is asked only
for what it says well, with values instead of what was written; the rest is put into
words here, in its manner.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from clockd import cron

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clockd.cron_fields import Fields
    from clockd.schedule import Schedule

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_NTH = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
#: Up to so many clock times or days are named one by one, whatever lies between them.
_FEW = 6


def describe(schedule: Schedule) -> str:
    """Return what a schedule means, without its time zone."""
    if schedule.once is not None:
        local = schedule.once.astimezone(cron.zone(schedule.timezone))
        return f"Once, at {local.replace(tzinfo=None)}"
    if schedule.cron is None:
        return _each(schedule.step_s, "second")
    return describe_fields(schedule.cron.fields)


@lru_cache(maxsize=1024)
def describe_fields(fields: Fields) -> str:
    """Return what the fields of a cron expression mean."""
    parts = [_time(fields.times), _dates(fields), _months(fields)]
    return ", ".join(part for part in parts if part)


# -- the time of day -----------------------------------------------------------------


def _time(times: int) -> str:
    of_day = [minute for minute, bit in enumerate(bin(times)[:1:-1]) if bit == "1"]
    minutes = sorted({minute % 60 for minute in of_day})
    hours = sorted({minute // 60 for minute in of_day})
    step = _step(of_day)
    if len(of_day) > 2 and of_day[0] == 0 and step * len(of_day) == 24 * 60:
        return _each(step)
    if len(hours) == 24:
        return _minutes(minutes)
    if len(of_day) > 3 and step:
        return f"{_each(step)}, from {_clock(of_day[0])} through {_clock(of_day[-1])}"
    if len(of_day) <= (_FEW if len(minutes) == 1 else 4):
        return f"At {_list([_clock(minute) for minute in of_day])}"
    return f"{_minutes(minutes)}, {_hours(hours)}"


def _minutes(minutes: Sequence[int]) -> str:
    step = _step(minutes)
    if step * len(minutes) == 60 and minutes[0] == 0:
        return _each(step)
    if len(minutes) > 3 and step:
        span = f"from {minutes[0]} through {minutes[-1]} minutes past the hour"
        return f"{_each(step)}, {span}"
    said = _say(minute=_text(minutes, shortest=4))
    return re.sub("^At 1 minutes", "At 1 minute", said)


def _hours(hours: Sequence[int]) -> str:
    """Return the words for the hours within which something repeats."""
    step = _step(hours)
    if len(hours) > 3 and step > 1:
        first, last = _clock(hours[0] * 60), _clock(hours[-1] * 60 + 59)
        return f"in every {_NTH[step - 1]} hour from {first} through {last}"
    return _list(
        [
            f"between {_clock(first * 60)} and {_clock(last * 60 + 59)}"
            for first, last in _spans(hours)
        ]
    )


# -- the date ------------------------------------------------------------------------


def _dates(fields: Fields) -> str:
    """Return the words for the two day fields together."""
    any_day, any_weekday = len(fields.days) == 31, len(fields.weekdays) == 7
    if (any_day and any_weekday) or (not fields.both and (any_day or any_weekday)):
        return ""
    if any_weekday:
        return _days(fields)
    if any_day:
        special = fields.nth_weekdays or fields.last_weekdays
        return _on_weekdays(fields) if special else _plain_weekdays(fields)
    if fields.both:
        weekdays = re.sub(r",? and ", " or ", _on_weekdays(fields).removeprefix("on "))
        return f"{_days(fields)}, and only if it is {weekdays}"
    return f"{_days(fields)} or {_on_weekdays(fields)}"


def _days(fields: Fields) -> str:
    days = sorted(fields.days)
    if not days:
        return "on the last day of the month"
    step = _step(days)
    if step > 1 and len(days) > _FEW:
        span = f"from day {days[0]} through {days[-1]}"
        said = f"on every {_NTH[step - 1]} day of the month {span}"
    else:
        said = _say(day=_text(days))
        said = re.sub(r"^between day (\d+) and", r"on day \1 through", said)
    if fields.last_day:
        return f"{said.removesuffix(' of the month')} and on the last day of the month"
    return said


def _on_weekdays(fields: Fields) -> str:
    nth = sorted((n, day) for day, n in fields.nth_weekdays)
    names = [f"the {_NTH[n - 1]} {_DAYS[day]}" for n, day in nth]
    names += [f"the last {_DAYS[day]}" for day in sorted(fields.last_weekdays)]
    said = f"on {' or on '.join(names)} of the month" if names else ""
    if not fields.weekdays:
        return said
    plain = f"on {_plain_weekdays(fields).removeprefix('only on ')}"
    return f"{said} or {plain}" if said else plain


def _plain_weekdays(fields: Fields) -> str:
    from_sunday = sorted(fields.weekdays)
    from_monday = sorted(day or 7 for day in fields.weekdays)
    in_a_row = _step(from_sunday) == 1 and _step(from_monday) != 1
    return _say(weekday=_text(from_sunday if in_a_row else from_monday))


def _months(fields: Fields) -> str:
    months = sorted(fields.months)
    return "" if len(months) == 12 else _say(month=_text(months))


# -- words ---------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _say(
    *,
    minute: str = "0",
    hour: str = "*",
    day: str = "*",
    month: str = "*",
    weekday: str = "*",
) -> str:
    """Return cron-descriptor's words; of a date without those for its time."""
    from cron_descriptor import Options, get_description  # slow to import

    options = Options()
    options.use_24hour_time_format = False
    fields = " ".join((minute, hour, day, month, weekday))
    said: str = get_description(fields, options=options)
    return said.removeprefix("Every hour, ")


def _each(number: int, unit: str = "minute") -> str:
    if unit == "minute" and number % 60 == 0:
        number, unit = number // 60, "hour"
    return f"Every {unit}" if number == 1 else f"Every {number} {unit}s"


def _clock(minute: int) -> str:
    """Return a minute of the day as 09:05 AM."""
    hour, minute = divmod(minute, 60)
    return f"{hour % 12 or 12:02}:{minute:02} {'AM' if hour < 12 else 'PM'}"


def _list(words: Sequence[str]) -> str:
    if len(words) <= 2:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def _step(values: Sequence[int]) -> int:
    """Return the distance between neighbours where it is the same; else 0."""
    steps = {after - before for before, after in pairwise(values)}
    return steps.pop() if len(steps) == 1 else 0


def _spans(values: Iterable[int]) -> list[tuple[int, int]]:
    """Return first and last of each row of neighbours."""
    spans: list[tuple[int, int]] = []
    for value in values:
        if spans and value == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], value)
        else:
            spans.append((value, value))
    return spans


def _text(values: Sequence[int], *, shortest: int = 3) -> str:
    """Return values as a field of cron, with ranges where they are long enough."""
    parts = []
    for first, last in _spans(values):
        if last - first + 1 >= shortest:
            parts.append(f"{first}-{last}")
        else:
            parts += map(str, range(first, last + 1))
    return ",".join(parts)
