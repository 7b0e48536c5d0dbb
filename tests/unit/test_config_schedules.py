"""Schedules in triggers.yaml, and the timeouts and jitters that go with them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clockd import schedule
from clockd.model import ScheduleKind
from clockd.settings import Settings
from tests.support.configs import (
    HEROKU,
    LOCAL,
    entry,
    errors,
    read,
    scheduled,
    trigger,
    warnings,
)


@pytest.mark.parametrize(
    ("line", "kind", "expression"),
    [
        ('cron: "0 9 * * 1"', ScheduleKind.CRON, "0 9 * * 1"),
        ("cron: 0 9 * * mon#2", ScheduleKind.CRON, "0 9 * * mon#2"),
        ('cron: "@daily"', ScheduleKind.CRON, "@daily"),
        ("every: 10m", ScheduleKind.EVERY, "10m"),
        ("every: day at 02:30", ScheduleKind.EVERY, "day at 02:30"),
        ("every: hour at :15", ScheduleKind.EVERY, "hour at :15"),
        ("every: weekday at 18:00", ScheduleKind.EVERY, "weekday at 18:00"),
        ("at: 2026-12-25 09:00:00", ScheduleKind.AT, "2026-12-25 09:00:00"),
        ('at: "2026-12-25T09:00"', ScheduleKind.AT, "2026-12-25T09:00"),
    ],
)
def test_a_schedule_is_kept_as_written(
    line: str, kind: ScheduleKind, expression: str
) -> None:
    found = trigger(scheduled(line))

    assert (found.schedule_kind, found.expression) == (kind, expression)


@pytest.mark.parametrize("line", ["every: 600", 'every: "600"', "every: 600s"])
def test_a_number_alone_is_one_of_seconds(line: str) -> None:
    found = trigger(scheduled(line))

    assert found.expression == "600s"
    parsed = schedule.parse(found.schedule_kind, found.expression, found.timezone)
    first = parsed.next(datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC))
    assert first == datetime(2026, 1, 1, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "every: 7m",
            "5:12: '7m' cannot be used as `every` "
            "(it must divide the hour or the day, such as 6m or 8m)",
        ),
        (
            "every: 420",
            "5:12: '420s' cannot be used as `every` "
            "(it must divide the hour or the day, such as 6m or 8m)",
        ),
        ("every: 0", "5:12: '0s' cannot be used as `every`"),
        ("every: 1.5", "5:12: '1.5' cannot be used as `every`"),
        ("every: -5", "5:12: '-5' cannot be used as `every`"),
        ("every: funday at 9:00", "5:12: 'funday at 9:00' cannot be used"),
        ("cron: 99 * * * *", "5:11: '99' cannot be the minute (it takes 0 to 59)"),
        ("cron: 0 9 * *", "5:11: '0 9 * *' is no cron expression (it has 4 fields"),
        ("cron: 5", "5:11: '5' is no cron expression"),
        ("cron: 0 0 30 2 *", "5:11: '0 0 30 2 *' never fires"),
        ('cron: "@dayly"', "5:11: '@dayly' "),
        ("at: tomorrow", "5:9: 'tomorrow' is no date and time to fire at"),
        ("at: 2026-12-25", "5:9: '2026-12-25' is no date and time to fire at"),
        ("at: 20261225", "5:9: '20261225' is no date and time to fire at"),
        ("at: 2026-12-25 09:00Z", "5:9: '2026-12-25 09:00Z' is no date and time"),
        ("at: 2026-02-29 09:00", "5:9: '2026-02-29 09:00' is no date and time"),
    ],
)
def test_a_schedule_that_means_nothing_is_an_error_at_its_place(
    line: str, told: str
) -> None:
    (problem,) = errors(scheduled(line))

    place, _, message = told.partition(" ")
    assert problem.startswith(f"{place} error[schedule]: {message}")
    assert problem.endswith(")")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("cron:", "5:10: error[type]: there is no value (write a schedule"),
        ("cron: [a]", "5:11: error[type]: this is a list, not a schedule"),
        ("cron: true", "5:11: error[type]: 'true' is true or false, not a schedule"),
        ('cron: ""', "5:11: error[value]: the text is empty"),
        (f"cron: {'*,' * 300}", "5:12: error[yaml]: a value cannot begin with"),
        (f"cron: {'0,' * 300}", "5:11: error[length]: the text has 600 characters"),
        ("cron: * * * * *", "5:12: error[yaml]: a value cannot begin with * or &"),
        ("cron: */5 * * * *", "5:12: error[yaml]: a value cannot begin with * or &"),
        ("cron: @daily", "5:11: error[yaml]: a value cannot begin with this character"),
    ],
    ids=[
        *("nothing", "list", "flag", "empty", "stars", "long"),
        *("star", "star-step", "macro"),
    ],
)
def test_a_schedule_is_a_text(line: str, told: str) -> None:
    (problem,) = errors(scheduled(line))

    assert problem.startswith(told)


def test_an_at_that_a_gap_swallows_is_an_error() -> None:
    text = scheduled("at: 2026-03-29 02:30:00", "timezone: Europe/Amsterdam")

    (problem,) = errors(text)

    assert problem.startswith("5:9: error[schedule]: '2026-03-29 02:30:00' is no date")
    assert "clocks in Europe/Amsterdam are put forward" in problem
    assert errors(scheduled("at: 2026-03-29 02:30:00")) == []


@pytest.mark.parametrize(
    ("at", "zone"),
    [("0001-01-01 00:00", "Asia/Tokyo"), ("9999-12-31 23:59", "America/New_York")],
)
def test_an_at_out_of_reach_is_an_error(at: str, zone: str) -> None:
    (problem,) = errors(scheduled(f"at: {at}", f"timezone: {zone}"))

    assert problem.startswith(f"5:9: error[schedule]: {at!r} is no date and time")


def test_a_schedule_is_read_in_the_files_zone() -> None:
    text = "timezone: Europe/Amsterdam\n" + scheduled("at: 2026-03-29 02:30:00")

    assert len(errors(text)) == 1


def test_an_at_in_a_repeated_hour_or_in_the_past_is_none() -> None:
    for line in ("at: 2026-10-25 02:30", "at: 2001-01-01 00:00"):
        assert errors(scheduled(line, "timezone: Europe/Amsterdam")) == []


def test_a_trigger_has_one_schedule() -> None:
    text = scheduled("every: 1h", "cron: 0 9 * * 1", "at: 2026-12-25 09:00")

    assert errors(text) == [
        "6:11: error[schedule]: a trigger cannot have both every and cron "
        "(keep one, or write two triggers)",
        "7:9: error[schedule]: a trigger cannot have both every and at "
        "(keep one, or write two triggers)",
    ]


@pytest.mark.parametrize("text", ["10s", "10", "1s"])
def test_less_than_a_minute_is_for_local_runs_only(text: str) -> None:
    (problem,) = errors(scheduled(f"every: {text}"), HEROKU)

    assert problem == (
        f"5:12: error[schedule]: {text.removesuffix('s') + 's'!r} is less than a "
        "minute, which only local runs can "
        "(write 1m or more: a dyno takes seconds to start)"
    )
    assert errors(scheduled(f"every: {text}"), LOCAL) == []
    assert errors(scheduled("every: 60s"), HEROKU) == []


class TestTimeout:
    @pytest.mark.parametrize(
        ("lines", "settings", "least"),
        [
            ((), LOCAL, 1),
            ((), HEROKU, 60),
            (("dyno: standard-2x",), HEROKU, 60),
            (("dyno: performance-l-ram",), HEROKU, 60),
            (("dyno: private-s",), HEROKU, 240),
            (("dyno: Shield-L",), HEROKU, 240),
            (("dyno: private-s",), LOCAL, 1),
        ],
        ids=["local", "heroku", "standard", "performance", "private", "shield", "both"],
    )
    def test_the_least_is_that_of_the_place(
        self, lines: tuple[str, ...], settings: Settings, least: int
    ) -> None:
        assert errors(entry(*lines, f"timeout: {least}"), settings) == []

        place = f"{6 + len(lines)}:14: error[range]: "
        (problem,) = errors(entry(*lines, f"timeout: {least - 1}"), settings)
        assert problem.startswith(place)
        assert " is too short" in problem

    def test_what_is_too_short_says_for_what(self) -> None:
        assert errors(entry("timeout: 30")) == [
            "6:14: error[range]: a timeout of 30s is too short for a dyno "
            "(write 1m or more)"
        ]
        assert errors(entry("timeout: 100", "dyno: shield-s")) == [
            "6:14: error[range]: a timeout of 100s is too short for a dyno of size "
            "shield-s (write 4m or more)"
        ]

    def test_the_place_is_where_the_conflict_was_made(self) -> None:
        text = "defaults: {timeout: 100}\n" + entry("dyno: private-s")

        (problem,) = errors(text)

        assert problem.startswith("7:11: error[range]: a timeout of 100s")

    def test_the_defaults_size_counts(self) -> None:
        text = "defaults: {dyno: private-s}\n" + entry("timeout: 239")

        assert len(errors(text)) == 1
        assert errors(text.replace("239", "240")) == []

    @pytest.mark.parametrize("settings", [LOCAL, HEROKU], ids=["local", "heroku"])
    def test_the_most_is_a_day(self, settings: Settings) -> None:
        assert errors(entry("timeout: 86400"), settings) == []
        assert len(errors(entry("timeout: 86401"), settings)) == 1


class TestJitter:
    @pytest.mark.parametrize(
        ("line", "jitter", "gap"),
        [
            ("every: 10m", "10m", "10m"),
            ("every: 1h", "2h", "1h"),
            ('cron: "0,5 * * * *"', "6m", "5m"),
            ('cron: "* * * * *"', "60", "1m"),
            ("every: mon and tue at 09:00", "24h", "24h"),
        ],
    )
    def test_one_as_long_as_the_pause_between_fire_times_is_a_warning(
        self, line: str, jitter: str, gap: str
    ) -> None:
        shown = {"60": "1m"}.get(jitter, jitter)

        assert warnings(scheduled(line, f"jitter: {jitter}")) == [
            f"6:13: warning[jitter]: a jitter of {shown} is not shorter than the {gap} "
            "between two fire times "
            "(a run that still waits is skipped when the next is due)"
        ]

    def test_it_is_measured_in_seconds_too(self) -> None:
        for jitter, count in (("9", 0), ("10", 1)):
            loaded = read(scheduled("every: 10s", f"jitter: {jitter}"), LOCAL)

            assert (len(loaded.problems), len(loaded.warnings)) == (0, count)

    @pytest.mark.parametrize(
        ("line", "jitter"),
        [
            ("every: 10m", "599"),
            ('cron: "0,5 * * * *"', "4m"),
            ("at: 2026-12-25 09:00", "24h"),
            ("every: weekday at 09:00", "23h"),
        ],
    )
    def test_a_shorter_one_is_none(self, line: str, jitter: str) -> None:
        assert warnings(scheduled(line, f"jitter: {jitter}")) == []

    def test_one_of_the_defaults_is_told_of_at_the_schedule(self) -> None:
        text = "defaults: {jitter: 1h}\n" + entry()

        (told,) = warnings(text)

        assert told.startswith("6:12: warning[jitter]: ")
