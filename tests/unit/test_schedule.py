"""`every` and `at`: what they mean, and when they fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clockd import schedule
from clockd.errors import ScheduleError
from clockd.model import ScheduleKind
from clockd.schedule import Schedule

HOUR = timedelta(hours=1)
T0 = datetime(2026, 3, 2, 8, 59, 30, tzinfo=UTC)


def every(text: str, zone: str = "UTC") -> Schedule:
    return schedule.parse(ScheduleKind.EVERY, text, zone)


def at(text: str, zone: str = "UTC") -> Schedule:
    return schedule.parse(ScheduleKind.AT, text, zone)


def shown(parsed: Schedule, count: int, after: datetime = T0) -> list[str]:
    found = []
    for _ in range(count):
        fire = parsed.next(after)
        assert fire is not None
        found.append(f"{fire:%a %H:%M:%S}")
        after = fire
    return found


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("10s", ["Mon 08:59:40", "Mon 08:59:50", "Mon 09:00:00"]),
        ("minute", ["Mon 09:00:00", "Mon 09:01:00", "Mon 09:02:00"]),
        ("10m", ["Mon 09:00:00", "Mon 09:10:00", "Mon 09:20:00"]),
        ("90m", ["Mon 09:00:00", "Mon 10:30:00", "Mon 12:00:00"]),
        ("1h", ["Mon 09:00:00", "Mon 10:00:00", "Mon 11:00:00"]),
        ("6h", ["Mon 12:00:00", "Mon 18:00:00", "Tue 00:00:00"]),
        ("1d", ["Tue 00:00:00", "Wed 00:00:00", "Thu 00:00:00"]),
        ("24h", ["Tue 00:00:00", "Wed 00:00:00", "Thu 00:00:00"]),
        ("hour at :15", ["Mon 09:15:00", "Mon 10:15:00", "Mon 11:15:00"]),
        ("day at 02:30", ["Tue 02:30:00", "Wed 02:30:00", "Thu 02:30:00"]),
        ("Monday at 9:00", ["Mon 09:00:00", "Mon 09:00:00", "Mon 09:00:00"]),
        ("weekday at 18:00", ["Mon 18:00:00", "Tue 18:00:00", "Wed 18:00:00"]),
        ("weekend at 10:00", ["Sat 10:00:00", "Sun 10:00:00", "Sat 10:00:00"]),
        ("mon and thursday at 09:00", ["Mon 09:00:00", "Thu 09:00:00", "Mon 09:00:00"]),
        ("sat, sun, and mon at 9:00", ["Mon 09:00:00", "Sat 09:00:00", "Sun 09:00:00"]),
        (" 10 M ", ["Mon 09:00:00", "Mon 09:10:00", "Mon 09:20:00"]),
        ("HOUR  at\t:15", ["Mon 09:15:00", "Mon 10:15:00", "Mon 11:15:00"]),
        ("60m", ["Mon 09:00:00", "Mon 10:00:00", "Mon 11:00:00"]),
        ("60s", ["Mon 09:00:00", "Mon 09:01:00", "Mon 09:02:00"]),
        ("160m", ["Mon 10:40:00", "Mon 13:20:00", "Mon 16:00:00"]),
    ],
)
def test_every_is_aligned_to_the_clock(text: str, first: list[str]) -> None:
    assert shown(every(text), 3) == first


def test_every_has_its_phase_in_the_triggers_zone() -> None:
    fire = every("6h", "Asia/Kolkata").next(T0)

    assert fire == datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "neighbours"),
    [
        ("7m", "6m or 8m"),
        ("45s", "30s or 1m"),
        ("90s", "1m or 2m"),
        ("7h", "6h or 8h"),
        ("25h", "1d; for longer ones use `cron` or `monday at 09:00`"),
        ("36h", "1d"),
        ("2d", "1d"),
        ("999999d", "1d"),
        ("0m", "such as 1m"),
        ("0s", "such as 1s"),
    ],
)
def test_what_does_not_divide_the_hour_or_day_names_its_neighbours(
    text: str, neighbours: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        every(text)

    assert neighbours in str(caught.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        *("", "often", "600", "-5m", "1.5h", "9999999m", "１０m", "10m 5s"),
        *("day at 25:00", "day at 24:00", "day at 9", "hour at :60", "hour at :5"),
        *("moonday at 09:00", "mon and at 09:00", "day and monday at 09:00"),
    ],
)
def test_an_every_that_means_nothing_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        every(text)

    assert "monday at 09:00" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "zone", "start", "fires"),
    [
        (
            "90m",
            "America/New_York",  # 2026-11-01 02:00 to 01:00
            datetime(2026, 11, 1, 4, 0, tzinfo=UTC),
            ["00:00-0400", "01:30-0400", "01:30-0500", "03:00-0500", "04:30-0500"],
        ),
        (
            "90m",
            "Antarctica/Troll",  # 2026-03-29 01:00 to 03:00
            datetime(2026, 3, 29, 0, 0, tzinfo=UTC),
            ["00:00+0000", "03:00+0200", "04:30+0200", "06:00+0200", "07:30+0200"],
        ),
    ],
    ids=["repeated", "gone"],
)
def test_every_follows_the_clock_whether_or_not_one_cron_can_say_it(
    text: str, zone: str, start: datetime, fires: list[str]
) -> None:
    parsed = every(text, zone)
    found = list(parsed.between(start - timedelta(seconds=1), start + 8 * HOUR))[:5]

    assert [f"{at.astimezone(ZoneInfo(zone)):%H:%M%z}" for at in found] == fires
    assert parsed.count(start - timedelta(seconds=1), found[-1]) == 5


@pytest.mark.parametrize("text", ["10s", "10m", "90m", "day at 02:30"])
def test_an_unknown_zone_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError, match="no time zone 'Mars/Olympus'"):
        every(text, "Mars/Olympus")


def test_only_seconds_are_below_a_minute() -> None:
    assert every("10s").sub_minute
    assert not every("1m").sub_minute
    assert not at("2026-12-25 09:00:30").sub_minute


def test_at_is_meant_in_the_triggers_zone_and_fires_once() -> None:
    once = at("2026-12-25 09:00:00", "Europe/Amsterdam")
    fire = datetime(2026, 12, 25, 8, 0, tzinfo=UTC)

    assert once.next(T0) == fire
    assert once.next(fire) is None
    assert once.previous(fire) == fire
    assert once.previous(fire - timedelta(seconds=1)) is None
    assert once.count(T0, fire) == 1


def test_at_in_a_repeated_hour_means_the_first_pass() -> None:
    once = at("2026-10-25 02:30:00", "Europe/Amsterdam")

    assert once.next(T0) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-25T09:00:00",
        "2026-12-25 9:00",
        " 2026-12-25 09:00 ",
        "2026-12-25t09:00",
    ],
)
def test_an_at_may_leave_the_seconds_out_and_have_a_t(text: str) -> None:
    assert at(text).next(T0) == datetime(2026, 12, 25, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("2027-03-28 02:30:00", "put forward"),
        ("2026-12-25T09:00:00Z", "offset"),
        ("2026-12-25 09:00:00+01:00", "offset"),
        ("2026-12-25", "time of day"),
        ("christmas", "2026-12-25 09:00:00"),
        ("2026-02-30 09:00:00", "2026-12-25 09:00:00"),
        ("2026-12-25 09:00:00.5", "whole seconds"),
        ("2026-12-25T09:00:00-0500", "offset"),
        ("2026-W52-5T09:00:00", "write it as 2026-12-25 09:00:00"),
        ("20261225T090000", "write it as 2026-12-25 09:00:00"),
        ("2026-12-25_09:00", "write it as 2026-12-25 09:00:00"),
        ("2026-12-25 09", "write it as 2026-12-25 09:00:00"),
        ("2026-12-25 24:00", "write it as 2026-12-25 09:00:00"),
        ("2026-12-25 09:00:60", "write it as 2026-12-25 09:00:00"),
        ("25.12.2026 09:00", "write it as 2026-12-25 09:00:00"),
        ("0000-12-25 09:00", "write it as 2026-12-25 09:00:00"),
        ("0001-01-01 00:00", "out of reach"),
    ],
)
def test_an_at_that_cannot_be_is_refused(text: str, hint: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        at(text, "Europe/Amsterdam")

    assert hint in str(caught.value.hint)


def test_an_at_on_a_day_that_a_zone_left_out_is_refused() -> None:
    with pytest.raises(ScheduleError) as caught:
        at("2011-12-30 12:00", "Pacific/Apia")

    assert "put forward over 2011-12-30 12:00:00" in str(caught.value.hint)
