"""`clockd explain`: what a cron expression means, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import time_machine

from tests.support.commands import clockd

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
MONDAYS = "0 9 * * 1"


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def test_it_says_what_an_expression_means_and_when_it_fires_next() -> None:
    said = clockd("explain", MONDAYS, "-n", "2")

    assert (said.code, said.err) == (0, "")
    assert said.lines == [
        "At 09:00 AM, only on Monday (UTC)",
        "  Mon 2026-11-30 09:00:00 +00:00  in 5 d",
        "  Mon 2026-12-07 09:00:00 +00:00  in 12 d",
    ]


def test_five_fire_times_are_shown_unless_told_otherwise() -> None:
    assert len(clockd("explain", MONDAYS).lines) == 6


def test_fire_times_carry_the_offset_of_their_day_and_clock_changes_are_told() -> None:
    words = ("30 2 * * *", "--timezone", "Europe/Amsterdam", "--from", "2026-03-28")
    said = clockd("explain", *words, "-n", "3")

    assert [line[:32] for line in said.lines[1:4]] == [
        "  Sat 2026-03-28 02:30:00 +01:00",
        "  Sun 2026-03-29 03:00:00 +02:00",
        "  Mon 2026-03-30 02:30:00 +02:00",
    ]
    assert said.lines[4] == (
        "  ! On Sunday 29 March 2026 clocks in Europe/Amsterdam go from 02:00 to 03:00"
        ": 02:30 does not exist; it runs at 03:00 instead."
    )


def test_times_are_in_utc_on_request() -> None:
    words = (MONDAYS, "--timezone", "Europe/Amsterdam", "--utc", "-n", "1")

    assert clockd("explain", *words).lines[1].startswith("  Mon 2026-11-30 08:00:00 Z")


def test_json_has_fire_times_as_utc_instants() -> None:
    words = (MONDAYS, "--timezone", "Asia/Tokyo", "-n", "2", "--json")

    assert clockd("explain", *words).json == {
        "cron": MONDAYS,
        "timezone": "Asia/Tokyo",
        "description": "At 09:00 AM, only on Monday",
        "fire_times": ["2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"],
        "dst_notes": [],
    }


@pytest.mark.parametrize(
    ("start", "first"),
    [
        ("now", "2026-11-30T00:00:00Z"),
        ("2026-12-21", "2026-12-21T00:00:00Z"),
        ("2026-12-21T08:59", "2026-12-21T00:00:00Z"),
        ("2026-12-21 09:00:00", "2026-12-28T00:00:00Z"),
        ("2026-12-20T23:59:59Z", "2026-12-21T00:00:00Z"),
        ("2026-12-21T00:00:00Z", "2026-12-28T00:00:00Z"),
        ("2026-12-21T01:00+02:00", "2026-12-21T00:00:00Z"),
        ("20261221", "2026-12-21T00:00:00Z"),
    ],
)
def test_from_is_an_instant_in_the_zone_unless_it_has_an_offset(
    start: str, first: str
) -> None:
    words = (MONDAYS, "--timezone", "Asia/Tokyo", "--from", start, "-n", "1", "-j")

    assert clockd("explain", *words).json["fire_times"] == [first]


@pytest.mark.parametrize(
    ("start", "why"),
    [
        ("tomorrow", "'tomorrow' is no date and time; write 2026-12-25T09:00"),
        ("1766653200", "'1766653200' is no date and time"),
        ("0001-01-01", "'0001-01-01' is not between 1900 and 2999"),
        ("9999-12-31T23:59", "'9999-12-31T23:59' is not between 1900 and 2999"),
    ],
)
def test_from_must_be_an_instant_of_our_times(start: str, why: str) -> None:
    said = clockd("explain", MONDAYS, "--from", start)

    assert (said.code, said.out) == (2, "")
    assert why in said.err


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        ("0 99 * * 1", "'99' cannot be the hour", "it takes 0 to 23"),
        ("60 * * * *", "'60' cannot be the minute", "it takes 0 to 59"),
        ("* * * * mno", "'mno' cannot be the day of week", "or sun"),
        ("* * 30 2 *", "'* * 30 2 *' never fires", "none of its months has"),
        ("* * * *", "'* * * *' is no cron expression", "it has 4 fields"),
        ("@reboot", "'@reboot' cannot be the macro", "the macros are @annually"),
    ],
)
def test_a_bad_expression_is_told_with_its_field_and_what_it_takes(
    expression: str, message: str, hint: str
) -> None:
    said = clockd("explain", expression)
    first, second = said.err.splitlines()

    assert (said.code, said.out) == (1, "")
    assert first == f"Error: {message}"
    assert second.startswith("  ")
    assert hint in second


def test_a_bad_expression_is_told_to_programs_too() -> None:
    said = clockd("explain", "0 99 * * 1", "--json")

    assert said.code == 1
    assert said.json == {
        "error": {
            "code": "schedule",
            "message": "'99' cannot be the hour",
            "hint": "it takes 0 to 23",
            "data": {"field": "hour", "value": "99"},
        }
    }
    assert said.err.startswith("Error: '99' cannot be the hour\n")


@pytest.mark.parametrize("zone", ["Europe/Amstrdam", "europe/amsterdam", "Amsterdam"])
def test_an_unknown_zone_comes_with_the_one_that_was_meant(zone: str) -> None:
    said = clockd("explain", MONDAYS, "--timezone", zone)

    assert said.code == 1
    assert said.err == (
        f"Error: there is no time zone '{zone}'\n  did you mean Europe/Amsterdam?\n"
    )


@pytest.mark.parametrize("zone", ["", "../../etc/passwd", "/etc/localtime", "\x00"])
def test_what_is_no_name_of_a_zone_opens_no_file(zone: str) -> None:
    said = clockd("explain", MONDAYS, "--timezone", zone)

    assert said.code == 1
    assert "Error: there is no time zone" in said.err


@pytest.mark.parametrize("count", ["0", "-1", "10001", "many"])
def test_the_number_of_fire_times_has_bounds(count: str) -> None:
    said = clockd("explain", MONDAYS, "-n", count)

    assert said.code == 2
    assert "Invalid value for '-n'" in said.err


def test_fire_times_end_with_the_calendar() -> None:
    said = clockd("explain", "@yearly", "-n", "10000", "--json")

    assert said.code == 0
    assert said.json["fire_times"][-1] == "9998-01-01T00:00:00Z"


def test_an_expression_without_quotes_is_answered_with_quotes() -> None:
    said = clockd("explain", "0", "9", "README.md", "docs", "1")

    assert said.code == 2
    assert "put it in quotes" in said.err
    assert 'clockd explain "0 9 * * 1"' in said.err


def test_an_expression_is_needed() -> None:
    said = clockd("explain")

    assert said.code == 2
    assert "Missing argument 'EXPRESSION" in said.err
