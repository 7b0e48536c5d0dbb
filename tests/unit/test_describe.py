"""Descriptions are plain English, and true: they are read back and compared."""

from __future__ import annotations

import random
import re
from calendar import day_name, month_name, monthrange
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from clockd import schedule
from clockd.describe import describe
from clockd.errors import ScheduleError
from clockd.model import ScheduleKind

if TYPE_CHECKING:
    from collections.abc import Callable

    Test = Callable[[date], bool]

DAYS = list(day_name)
MONTHS = list(month_name)
NTH = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"]
DATES = [date(2027, 1, 1) + timedelta(days=n) for n in range(2 * 366)]


def said(text: str, kind: ScheduleKind = ScheduleKind.CRON) -> str:
    return describe(schedule.parse(kind, text, "UTC"))


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("* * * * *", "Every minute"),
        ("*/10 * * * *", "Every 10 minutes"),
        ("0,30 * * * *", "Every 30 minutes"),
        ("0 */1 * * *", "Every hour"),
        ("*/60 * * * *", "Every hour"),
        ("1 * * * *", "At 1 minute past the hour"),
        ("30 * * * *", "At 30 minutes past the hour"),
        ("*/40 * * * *", "At 0 and 40 minutes past the hour"),
        (
            "0-59/7 * * * *",
            "Every 7 minutes, from 0 through 56 minutes past the hour",
        ),
        ("0 */2 * * *", "Every 2 hours"),
        ("15 */2 * * *", "Every 2 hours, from 12:15 AM through 10:15 PM"),
        ("0 */11 * * *", "At 12:00 AM, 11:00 AM, and 10:00 PM"),
        ("0 */5 * * *", "Every 5 hours, from 12:00 AM through 08:00 PM"),
        ("0 9-17 * * *", "Every hour, from 09:00 AM through 05:00 PM"),
        ("*/15 9-17 * * *", "Every 15 minutes, from 09:00 AM through 05:45 PM"),
        ("30 9,17 * * *", "At 09:30 AM and 05:30 PM"),
        (
            "*/5 */2 * * *",
            "Every 5 minutes, in every second hour from 12:00 AM through 10:59 PM",
        ),
        (
            "0 22-23,0-5 * * *",
            "Every hour, between 12:00 AM and 05:59 AM "
            "and between 10:00 PM and 11:59 PM",
        ),
    ],
)
def test_a_time_of_day_is_said_as_it_is(text: str, description: str) -> None:
    assert said(text) == description


@pytest.mark.parametrize(
    ("dates", "description"),
    [
        ("* * *", ""),
        ("* * 1", ", only on Monday"),
        ("* * 7", ", only on Sunday"),
        ("* * 0-7", ""),
        ("* * mon-fri", ", Monday through Friday"),
        ("* * sun-tue", ", Sunday through Tuesday"),
        ("* * 0,6", ", only on Saturday and Sunday"),
        ("* * */2", ", only on Tuesday, Thursday, Saturday, and Sunday"),
        ("* 3 *", ", only in March"),
        ("* jan-mar *", ", January through March"),
        ("* */3 *", ", only in January, April, July, and October"),
        ("* 1-12 *", ""),
        ("13 * *", ", on day 13 of the month"),
        ("1-7 * *", ", on day 1 through 7 of the month"),
        ("*/2 * *", ", on every second day of the month from day 1 through 31"),
        ("1,15 * mon", ", on day 1 and 15 of the month or on Monday"),
        ("1 6 mon", ", on day 1 of the month or on Monday, only in June"),
        ("1 * 0-7", ""),
        ("*/16 * 2", ", on day 1 and 17 of the month, and only if it is Tuesday"),
        ("1 * */3", ", on day 1 of the month, and only if it is Wednesday, Saturday "),
        ("L * *", ", on the last day of the month"),
        ("l,15 * *", ", on day 15 and on the last day of the month"),
        ("* * 5L", ", on the last Friday of the month"),
        ("* * mon#2", ", on the second Monday of the month"),
        ("* * mon#1,mon#3", ", on the first Monday or on the third Monday of the "),
        ("* * mon#1,fri", ", on the first Monday of the month or on Friday"),
        ("L * friL", ", on the last day of the month or on the last Friday of the "),
    ],
)
def test_a_date_is_said_as_it_is(dates: str, description: str) -> None:
    begin, end = f"At 09:00 AM{description}", said(f"0 9 {dates}")

    assert end.startswith(begin)
    assert description.endswith(" ") or end == begin


@pytest.mark.parametrize(
    ("macro", "description"),
    [
        ("@hourly", "Every hour"),
        ("@daily", "At 12:00 AM"),
        ("@midnight", "At 12:00 AM"),
        ("@weekly", "At 12:00 AM, only on Sunday"),
        ("@monthly", "At 12:00 AM, on day 1 of the month"),
        ("@yearly", "At 12:00 AM, on day 1 of the month, only in January"),
        ("@annually", "At 12:00 AM, on day 1 of the month, only in January"),
    ],
)
def test_a_macro_is_said_as_what_it_stands_for(macro: str, description: str) -> None:
    assert said(macro) == description


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("1s", "Every second"),
        ("30s", "Every 30 seconds"),
        ("10m", "Every 10 minutes"),
        ("60m", "Every hour"),
        ("90m", "Every 90 minutes"),
        ("160m", "Every 160 minutes"),
        ("720m", "At 12:00 AM and 12:00 PM"),
        ("6h", "Every 6 hours"),
        ("day", "At 12:00 AM"),
        ("day at 02:30", "At 02:30 AM"),
        ("hour at :15", "At 15 minutes past the hour"),
        ("monday at 09:00", "At 09:00 AM, only on Monday"),
        ("weekday at 18:00", "At 06:00 PM, Monday through Friday"),
        ("weekend at 10:00", "At 10:00 AM, only on Saturday and Sunday"),
        (
            "sunday, wednesday and friday at 6:05",
            "At 06:05 AM, only on Wednesday, Friday, and Sunday",
        ),
    ],
)
def test_an_every_is_said_in_plain_english(text: str, description: str) -> None:
    assert said(text, ScheduleKind.EVERY) == description


@pytest.mark.parametrize("text", ["2026-12-25 09:00:00", " 2026-12-25T9:00 "])
def test_an_at_is_said_with_its_date(text: str) -> None:
    assert said(text, ScheduleKind.AT) == "Once, at 2026-12-25 09:00:00"


# -- an oracle: English, read back ---------------------------------------------------


def minute_of(clock: str) -> int:
    hour, minute, half = int(clock[:2]), int(clock[3:5]), clock[6:]
    return hour % 12 * 60 + minute + (720 if half == "PM" else 0)


def numbers(words: str) -> set[int]:
    """Return what "1 through 3, 5, and 7" names."""
    found: set[int] = set()
    for part in re.split(r", and |, | and ", words):
        first, _, last = part.partition(" through ")
        found.update(range(int(first), int(last or first) + 1))
    return found


def names(words: str, order: list[str]) -> set[str]:
    """Return what "Monday through Friday, and Sunday" names."""
    found: set[str] = set()
    for part in re.split(r", and |, | and | or ", words):
        first, _, last = part.partition(" through ")
        at = order.index(first)
        found.add(first)
        while last and order[at % len(order)] != last:
            at += 1
            found.add(order[at % len(order)])
    return found


CLOCK = r"\d\d:\d\d [AP]M"
EVERY = re.compile(r"Every (?:(\d+) )?(minute|hour)s?")
FROM = re.compile(rf", from ({CLOCK}) through ({CLOCK})")
PAST = re.compile(r", from (\d+) through (\d+) minutes past the hour")
BETWEEN = re.compile(rf"between ({CLOCK}) and ({CLOCK})")
WITHIN = re.compile(rf", in every (\w+) hour from ({CLOCK}) through ({CLOCK})")
EVERY_DAY = re.compile(r"every (\w+) day of the month from day (\d+) through (\d+)")
EITHER = re.compile(r" or on | and on (?=the last day of the month)")
ONLY_IF = ", and only if it is "
AT = re.compile(r"At ([\d, and through]+) minutes? past the hour")


def minutes_said(text: str) -> set[int]:
    """Return the minutes of the day that a description names."""
    day = set(range(24 * 60))
    if windows := BETWEEN.findall(text):
        spans = [range(minute_of(a), minute_of(b) + 1) for a, b in windows]
        day = set().union(*spans)
    if within := WITHIN.search(text):
        first, last = minute_of(within[2]), minute_of(within[3])
        step = 60 * (NTH.index(within[1]) + 1)
        day = {
            minute for minute in range(first, last + 1) if (minute - first) % step < 60
        }
    if past := AT.match(text):
        return {minute for minute in day if minute % 60 in numbers(past[1])}
    every = EVERY.match(text)
    if every is None:
        return {minute_of(clock) for clock in re.findall(CLOCK, text.split(", on")[0])}
    step = int(every[1] or 1) * (60 if every[2] == "hour" else 1)
    if span := FROM.match(text, every.end()):
        return set(range(minute_of(span[1]), minute_of(span[2]) + 1, step))
    if past := PAST.match(text, every.end()):
        hour = range(int(past[1]), int(past[2]) + 1, step)
        return {minute for minute in day if minute % 60 in hour}
    return {minute for minute in day if minute % step == 0}


def dates_said(text: str) -> Test:
    """Return a test for the dates that a description names."""
    month = re.search(rf", (?:only in )?((?:{'|'.join(MONTHS[1:])})[\w, ]*)$", text)
    months = names(month[1], MONTHS[1:]) if month else set(MONTHS)
    text, _, condition = text[: month.start() if month else None].partition(ONLY_IF)
    start = re.search(rf", (?:only )?(?:on )?(?=day|every|the|{'|'.join(DAYS)})", text)
    any_of = parts_said(text[start.end() :]) if start else [lambda _: True]
    also = parts_said(condition) if condition else [lambda _: True]
    return lambda day: (
        MONTHS[day.month] in months
        and any(test(day) for test in any_of)
        and any(test(day) for test in also)
    )


def parts_said(text: str) -> list[Test]:
    return [part_said(part) for part in EITHER.split(text)]


def part_said(part: str) -> Test:
    if part.startswith("the last day"):
        return lambda day: day.day == monthrange(day.year, day.month)[1]
    if match := EVERY_DAY.match(part):
        days = set(range(int(match[2]), int(match[3]) + 1, NTH.index(match[1]) + 1))
        return lambda day: day.day in days
    if part.startswith("day "):
        days = numbers(part.removeprefix("day ").removesuffix(" of the month"))
        return lambda day: day.day in days
    match = re.match(r"the (\w+) (\w+day)", part)
    weekdays = names(match[2] if match else part, DAYS)
    if match and match[1] == "last":
        week = timedelta(days=7)
        return lambda day: (
            DAYS[day.weekday()] in weekdays and (day + week).month != day.month
        )
    nth = [NTH.index(match[1])] if match else range(5)
    return lambda day: DAYS[day.weekday()] in weekdays and (day.day - 1) // 7 in nth


def some_field(dice: random.Random, low: int, high: int) -> str:
    a, b = sorted(dice.choices(range(low, high + 1), k=2))
    step = dice.randint(1, high)
    several = dice.sample(range(low, high + 1), dice.randint(2, 5))
    forms = ["*", "*", f"*/{step}", f"{a}", f"{a}-{b}", f"{a}-{b}/{min(step, 9)}"]
    return dice.choice([*forms, ",".join(map(str, several)), f"{a},{a}-{b}"])


def some_cron(dice: random.Random) -> str:
    day, weekday = some_field(dice, 1, 31), some_field(dice, 0, 7)
    day = dice.choice([day, day, "*", "*", "L", f"L,{day}" if "*" not in day else "L"])
    n, name = dice.randint(1, 5), dice.choice(["mon", "TUE", "fri", "0", "7"])
    rare = [f"{name}#{n}", f"{name}L", f"{name}#{n},{weekday}", f"{name}L,3#1"]
    weekday = dice.choice([weekday, weekday, "*", "*", "*", dice.choice(rare)])
    minute, hour = some_field(dice, 0, 59), some_field(dice, 0, 23)
    return f"{minute} {hour} {day} {some_field(dice, 1, 12)} {weekday}"


@pytest.mark.parametrize("seed", range(40))
def test_a_description_read_back_means_the_same(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(20):
        text = some_cron(dice)
        try:
            parsed = schedule.parse(ScheduleKind.CRON, text, "UTC")
        except ScheduleError:
            continue
        assert parsed.cron is not None
        fields, description = parsed.cron.fields, describe(parsed)

        times = {minute for minute in range(24 * 60) if fields.times >> minute & 1}
        assert minutes_said(description) == times, (text, description)
        named = dates_said(description)
        wrong = [day for day in DATES if named(day) != fields.match(day)]
        assert not wrong, (text, description)
