"""`every`, `at`, descriptions and notes on changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clockd import dst, schedule
from clockd.describe import describe
from clockd.errors import ScheduleError
from clockd.model import ScheduleKind
from clockd.schedule import Schedule

T0 = datetime(2026, 3, 2, 8, 59, 30, tzinfo=UTC)
MONDAY = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)


def every(text: str, zone: str = "UTC") -> Schedule:
    return schedule.parse(ScheduleKind.EVERY, text, zone)


def cron(text: str, zone: str = "UTC") -> Schedule:
    return schedule.parse(ScheduleKind.CRON, text, zone)


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
        ("7h", "6h or 8h"),
        ("36h", "1d"),
        ("0m", "1s"),
    ],
)
def test_what_does_not_divide_the_hour_or_day_names_its_neighbours(
    text: str, neighbours: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        every(text)

    assert neighbours in str(caught.value.hint)


@pytest.mark.parametrize(
    "text", ["", "often", "day at 25:00", "hour at :60", "moonday at 09:00", "-5m"]
)
def test_an_every_that_means_nothing_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        every(text)

    assert "monday at 09:00" in str(caught.value.hint)


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
    ("text", "hint"),
    [
        ("2027-03-28 02:30:00", "put forward"),
        ("2026-12-25T09:00:00Z", "offset"),
        ("2026-12-25 09:00:00+01:00", "offset"),
        ("2026-12-25", "time of day"),
        ("christmas", "2026-12-25 09:00:00"),
        ("2026-02-30 09:00:00", "2026-12-25 09:00:00"),
        ("2026-12-25 09:00:00.5", "whole seconds"),
    ],
)
def test_an_at_that_cannot_be_is_refused(text: str, hint: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        at(text, "Europe/Amsterdam")

    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("0 9 * * 1", "At 09:00 AM, only on Monday"),
        ("@daily", "At 12:00 AM"),
        ("*/10 * * * *", "Every 10 minutes"),
        ("0 */1 * * *", "Every hour"),
        ("0 0 1,15 * mon", "At 12:00 AM, on day 1 and 15 of the month or on Monday"),
        (
            "0 0 */2 * mon",
            "At 12:00 AM, every 2 days of the month, and only if it is Monday",
        ),
        ("0 0 * * 0-7", "At 12:00 AM"),
        ("0 0 1 * 0-7", "At 12:00 AM"),
        ("0 0 * * 7", "At 12:00 AM, only on Sunday"),
        ("30 4 L * *", "At 04:30 AM, on the last day of the month"),
        ("0 9 L,15 * *", "At 09:00 AM, on the last day of the month and on day 15"),
        ("0 9 * * 5L", "At 09:00 AM, on the last Friday of the month"),
        ("0 9 * * mon#2", "At 09:00 AM, on the second Monday of the month"),
        (
            "0 9 * * mon#1,fri",
            "At 09:00 AM, on the first Monday of the month or on Friday",
        ),
        ("0 9 * 3 *", "At 09:00 AM, only in March"),
    ],
)
def test_a_cron_is_said_in_plain_and_true_english(text: str, description: str) -> None:
    assert describe(cron(text)) == description


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("10m", "Every 10 minutes"),
        ("90m", "Every 90 minutes"),
        ("1h", "Every hour"),
        ("hour", "Every hour"),
        ("30s", "Every 30 seconds"),
        ("day at 02:30", "At 02:30 AM"),
        ("monday at 09:00", "At 09:00 AM, only on Monday"),
        ("weekday at 18:00", "At 06:00 PM, Monday through Friday"),
    ],
)
def test_an_every_is_said_in_plain_english(text: str, description: str) -> None:
    assert describe(every(text)) == description


def test_an_at_is_said_with_its_date() -> None:
    assert describe(at("2026-12-25 09:00:00")) == "Once, at 2026-12-25 09:00:00"


class TestDstNotes:
    """Europe/Amsterdam: 2026-10-25 03:00 to 02:00, 2027-03-28 02:00 to 03:00."""

    ZONE = "Europe/Amsterdam"
    START = datetime(2026, 9, 1, tzinfo=UTC)

    def notes(self, text: str, zone: str = ZONE) -> list[tuple[str, str]]:
        found = dst.notes(cron(text, zone), self.START, 250)
        return [(note.kind, note.text) for note in found]

    def test_a_fixed_time_in_the_gap_is_moved(self) -> None:
        assert self.notes("30 2 * * *") == [
            (
                "moved",
                "On Sunday 28 March 2027 clocks in Europe/Amsterdam go from 02:00 to "
                "03:00: 02:30 does not exist; it runs at 03:00 instead.",
            )
        ]

    def test_wild_minutes_are_doubled_and_skipped(self) -> None:
        kinds = [kind for kind, _ in self.notes("*/30 * * * *")]

        assert kinds == ["doubled", "skipped"]

    def test_a_time_that_no_change_touches_has_no_note(self) -> None:
        assert self.notes("0 9 * * *") == []
        assert self.notes("30 2 * * 1") == []

    def test_a_zone_without_changes_has_no_note(self) -> None:
        assert self.notes("30 2 * * *", "UTC") == []

    def test_every_in_seconds_and_single_dates_have_no_note(self) -> None:
        assert dst.notes(every("10s", self.ZONE), self.START) == []
        assert dst.notes(at("2027-01-01 00:00:00", self.ZONE), self.START) == []

    def test_the_notes_are_true(self) -> None:
        """What is said to be moved or doubled is what the engine does."""
        parsed = cron("30 2 * * *", self.ZONE)
        change = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)

        assert parsed.next(change - timedelta(hours=12)) == change
        wild = cron("30 * * * *", self.ZONE)
        (doubled, _) = dst.notes(wild, self.START, 250)
        around = (doubled.at - timedelta(hours=1), doubled.at + timedelta(hours=1))
        assert wild.count(*around) == 2
