"""Cron means what Debian's cron means."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clockd.cron import Cron
from clockd.errors import ScheduleError

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "debian-cron.jsonl")
    .read_text()
    .splitlines()
]
REFUSED = [case["cron"] for case in CASES if case.get("error")]
TAKEN = [case for case in CASES if not case.get("error")]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def fires(cron: Cron, after: datetime, until: datetime) -> list[datetime]:
    found = []
    at = cron.next(after)
    while at is not None and at <= until:
        found.append(at)
        at = cron.next(at)
    return found


def name(case: dict[str, Any]) -> str:
    return f"{case['cron']} {case.get('timezone', '')} {case.get('after', '')}"


def test_all_of_debians_cases_are_here() -> None:
    assert (len(CASES), len(TAKEN), len(REFUSED)) == (1124, 1109, 15)


@pytest.mark.parametrize("case", TAKEN, ids=name)
def test_fire_times_are_debians(case: dict[str, Any]) -> None:
    cron = Cron.parse(case["cron"], case["timezone"])
    after, until = utc(case["after"]), utc(case["until"])
    expected = [utc(at) for at in case["fires"]]

    assert fires(cron, after, until) == expected
    assert cron.count(after, until) == len(expected)
    if expected:
        assert cron.previous(until) == expected[-1]


@pytest.mark.parametrize("expression", REFUSED)
def test_what_debian_refuses_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        Cron.parse(expression, "UTC")


@pytest.mark.parametrize(
    ("expression", "field", "value"),
    [
        ("99 * * * *", "minute", "99"),
        ("* 24 * * *", "hour", "24"),
        ("0 0 32 * *", "day of month", "32"),
        ("0 0 * 13 *", "month", "13"),
        ("0 0 * * moon", "day of week", "moon"),
        ("0 0 * * mon#6", "day of week", "mon#6"),
        ("5-1 * * * *", "minute", "5-1"),
        ("5/10 * * * *", "minute", "5/10"),
        ("*/0 * * * *", "minute", "*/0"),
        ("@reboot", "macro", "@reboot"),
        ("0 0 ? * *", "day of month", "?"),
    ],
)
def test_an_error_names_the_field_and_the_value(
    expression: str, field: str, value: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        Cron.parse(expression, "UTC")

    assert caught.value.data == {"field": field, "value": value}
    assert caught.value.hint


@pytest.mark.parametrize("expression", ["", "* * * *", "0 0 * * * *"])
def test_five_fields_are_wanted(expression: str) -> None:
    with pytest.raises(ScheduleError, match="no cron expression"):
        Cron.parse(expression, "UTC")


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6 *"])
def test_what_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError, match="never fires"):
        Cron.parse(expression, "UTC")


def test_an_unknown_zone_is_refused_and_the_nearest_named() -> None:
    with pytest.raises(ScheduleError) as caught:
        Cron.parse("* * * * *", "Europe/Amsterdm")

    assert "Europe/Amsterdam" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 L * *", ["2026-02-28", "2026-03-31", "2026-04-30"]),
        ("0 0 L,15 2 *", ["2026-02-15", "2026-02-28", "2027-02-15"]),
        ("0 0 * * 5L", ["2026-02-27", "2026-03-27", "2026-04-24"]),
        ("0 0 * * friL", ["2026-02-27", "2026-03-27", "2026-04-24"]),
        ("0 0 * * mon#2", ["2026-02-09", "2026-03-09", "2026-04-13"]),
        ("0 0 * * 7#1", ["2026-03-01", "2026-04-05", "2026-05-03"]),
        ("0 0 * * mon#5", ["2026-03-30", "2026-06-29", "2026-08-31"]),
        ("0 0 13 * 5L", ["2026-02-13", "2026-02-27", "2026-03-13"]),
    ],
)
def test_the_extensions_mean_what_they_say(expression: str, days: list[str]) -> None:
    cron, at, found = Cron.parse(expression, "UTC"), utc("2026-02-01T00:00Z"), []
    for _ in range(3):
        fire = cron.next(at)
        assert fire is not None
        found.append(f"{fire:%Y-%m-%d}")
        at = fire

    assert found == days


def test_the_29th_of_february_is_found_across_a_year_without_one() -> None:
    cron = Cron.parse("0 0 29 2 *", "UTC")

    assert cron.next(utc("2096-03-01T00:00Z")) == utc("2104-02-29T00:00Z")
    assert cron.previous(utc("2104-02-28T00:00Z")) == utc("2096-02-29T00:00Z")


def test_a_rare_weekday_of_a_leap_day_is_found() -> None:
    cron = Cron.parse("0 0 29 2 */3", "UTC")

    found = cron.next(utc("2026-01-01T00:00Z"))

    assert found is not None
    assert (found.month, found.day) == (2, 29)
    assert found.isoweekday() % 7 in (0, 3, 6)


def test_a_day_that_a_zone_skipped_has_no_fire_times() -> None:
    cron = Cron.parse("0 12 * * *", "Pacific/Apia")
    before = datetime(2011, 12, 29, 22, 0, tzinfo=UTC)

    assert cron.next(before) == datetime(2011, 12, 30, 22, 0, tzinfo=UTC)


def test_a_repeated_hour_may_reach_over_midnight() -> None:
    """America/St_Johns, 2008-11-02: 00:01 to 23:01 of the day before."""
    change = datetime(2008, 11, 2, 2, 31, tzinfo=UTC)
    cron = Cron.parse("* * * * *", "America/St_Johns")
    minute, around = timedelta(minutes=1), timedelta(minutes=90)

    every = [change + n * minute for n in range(-89, 91)]
    assert fires(cron, change - around, change + around) == every
    assert [cron.previous(at - minute) for at in every[1:]] == every[:-1]
    assert cron.count(change - around, change + around) == len(every)


def test_midnight_is_found_from_within_the_evening_that_comes_twice() -> None:
    cron = Cron.parse("0 0 * * *", "America/St_Johns")
    midnight = datetime(2008, 11, 2, 2, 30, tzinfo=UTC)

    assert cron.previous(midnight + timedelta(minutes=40)) == midnight
    assert cron.next(midnight) == midnight + timedelta(hours=25)


@pytest.mark.parametrize("expression", ["0 3 * * *", "0 2,3 * * *", "*/30 3 * * *"])
def test_what_is_due_at_the_end_of_a_gap_runs_once(expression: str) -> None:
    """Europe/Amsterdam, 2026-03-29: 02:00 to 03:00."""
    cron = Cron.parse(expression, "Europe/Amsterdam")
    change, minute = utc("2026-03-29T01:00Z"), timedelta(minutes=1)

    assert fires(cron, change - minute, change + minute) == [change]
    assert cron.count(change - minute, change + minute) == 1
    assert cron.previous(change + minute) == change


def test_a_jump_back_of_more_than_three_hours_is_no_dst() -> None:
    """Antarctica/Vostok, 1994-02-01 00:00: seven hours back."""
    cron = Cron.parse("0 20 * * *", "Antarctica/Vostok")
    first = datetime(1994, 1, 31, 13, 0, tzinfo=UTC)

    assert fires(cron, first - timedelta(hours=1), first + timedelta(hours=12)) == [
        first,
        first + timedelta(hours=7),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_no_instant_is_too_early_or_too_late(zone: str) -> None:
    cron = Cron.parse("0 0 29 2 *", zone)
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

    assert cron.previous(first) is None
    assert cron.next(last) is None
    earliest, latest = cron.next(first), cron.previous(last)
    assert earliest is not None
    assert latest is not None
    assert (earliest.astimezone(UTC).year, latest.year) == (4, 9996)
    assert cron.next(latest) is None
    assert cron.previous(earliest - timedelta(seconds=1)) is None


@pytest.mark.parametrize("year", [1970, 2037, 2038, 2100, 9997])
def test_dst_goes_on_in_every_year(year: int) -> None:
    cron = Cron.parse("0 12 1 1,7 *", "Europe/Amsterdam")
    winter, summer = fires(
        cron, utc(f"{year}-01-01T00:00Z"), utc(f"{year}-12-31T00:00Z")
    )

    assert (winter.hour, summer.hour) == (11, 11 if year < 1977 else 10)


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(TypeError):
        Cron.parse("* * * * *", "UTC").next(datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_year_of_minutes_is_counted_without_walking_it() -> None:
    cron = Cron.parse("* * * * *", "America/New_York")
    start = utc("2026-01-01T00:00Z")

    assert cron.count(start, start + timedelta(days=365)) == 525_600


def test_fractions_of_a_second_round_to_what_is_really_later() -> None:
    cron = Cron.parse("* * * * *", "UTC")
    minute = utc("2026-01-01T00:01Z")
    instant = timedelta(microseconds=1)

    assert cron.next(minute - instant) == minute
    assert cron.next(minute) == minute + timedelta(minutes=1)
    assert cron.previous(minute - instant) == minute - timedelta(minutes=1)
    assert cron.previous(minute) == minute

    late = utc("9990-01-01T00:01Z")  # a float knows no microseconds then
    assert cron.next(late - instant) == late
    assert cron.previous(late - instant) == late - timedelta(minutes=1)
