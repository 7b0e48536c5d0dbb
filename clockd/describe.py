"""Schedules in plain English, true to what they mean.                         (pure)

cron-descriptor has the words; where both day fields are set, what it says of "and" and
"or" is not Debian's rule, so the parts are put together here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from clockd import cron_fields
from clockd.model import ScheduleKind

if TYPE_CHECKING:
    from clockd.cron_fields import Fields
    from clockd.schedule import Schedule

_PERIOD = re.compile(r"(\d+)\s*([smhd])")
_DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
_NTH = ("first", "second", "third", "fourth", "fifth")
_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}


def describe(schedule: Schedule) -> str:
    """Return what a schedule means, without its time zone."""
    if schedule.once is not None:
        at = schedule.expression.strip().replace("T", " ")
        return f"Once, at {at}"
    if schedule.kind is ScheduleKind.EVERY:
        words = " ".join(schedule.expression.lower().split())
        words = {"minute": "1m", "hour": "1h", "day": "1d"}.get(words, words)
        if match := _PERIOD.fullmatch(words):
            return _period(int(match[1]), _UNITS[match[2]])
    return describe_cron(schedule.cron_text)


def _period(number: int, unit: str) -> str:
    return f"Every {unit}" if number == 1 else f"Every {number} {unit}s"


@lru_cache(maxsize=4096)
def describe_cron(expression: str) -> str:
    """Return what an expression that can be parsed means."""
    minute, hour, day, month, weekday = cron_fields.split(expression)
    fields = cron_fields.parse(expression)
    time = _say(minute, hour, "*", "*", "*")
    month_words = _after(time, _say(minute, hour, "*", month, "*"))
    parts = [time, _dates(fields, day, weekday, minute, hour, time), month_words]
    return _polish(", ".join(part for part in parts if part))


def _dates(fields: Fields, day: str, weekday: str, *clock: str) -> str:
    """Return the words for the two day fields together."""
    minute, hour, time = clock
    any_day, any_weekday = len(fields.days) == 31, len(fields.weekdays) == 7
    if not fields.both and (any_day or any_weekday):
        return ""
    days = "" if any_day else _days(day, _after(time, _say(minute, hour, day)))
    weekdays = ""
    if not any_weekday:
        said = _after(time, _say(minute, hour, "*", "*", weekday))
        weekdays = _weekdays(fields, weekday, said)
    if days and weekdays and fields.both:
        return f"{days}, and only if it is {re.sub(r'^(only )?on ', '', weekdays)}"
    if days and weekdays:
        return f"{days} or {weekdays.removeprefix('only ')}"
    return days or weekdays


def _days(text: str, said: str) -> str:
    """Return the words for days of the month, lists with `L` in our own."""
    parts = text.split(",")
    if len(parts) > 1 and "L" in text.upper():
        rest = [part for part in parts if part.upper() != "L"]
        return f"on the last day of the month and on day {', '.join(rest)}"
    return re.sub(r"^every (\d+) days$", r"every \1 days of the month", said)


def _weekdays(fields: Fields, text: str, said: str) -> str:
    """Return the words for days of the week, lists with `#` and `5L` in our own."""
    if "," not in text or not (fields.nth_weekdays or fields.last_weekdays):
        return said
    names = [f"on the {_NTH[n - 1]} {_DAYS[day]}" for day, n in fields.nth_weekdays]
    names += [f"on the last {_DAYS[day]}" for day in fields.last_weekdays]
    names = [f"{name} of the month" for name in sorted(names)]
    return " or ".join(names + [f"on {_DAYS[day]}" for day in sorted(fields.weekdays)])


def _after(start: str, whole: str) -> str:
    return whole.removeprefix(start).removeprefix(", ").strip()


def _say(minute: str, hour: str, *others: str) -> str:
    from cron_descriptor import Options, get_description  # slow to import

    options = Options()
    options.use_24hour_time_format = False
    fields = (minute, hour, *others, "*", "*", "*")[:5]
    text: str = get_description(" ".join(fields), options=options)
    return text


def _polish(text: str) -> str:
    text = re.sub(r"\bevery 1 (hour|minute|day)s?\b", r"every \1", text, flags=re.I)
    return text[:1].upper() + text[1:]
