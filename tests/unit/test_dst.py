"""Notes on changes of the clocks: what they say, and that the engine does so."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from clockd import dst, schedule
from clockd.model import ScheduleKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clockd.dst import DstNote
    from clockd.schedule import Schedule

CRON, EVERY, AT = ScheduleKind.CRON, ScheduleKind.EVERY, ScheduleKind.AT


def notes(text: str, zone: str, start: str, kind: ScheduleKind = CRON) -> list[DstNote]:
    instant = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return dst.notes(schedule.parse(kind, text, zone), instant, 250)


class TestAmsterdam:
    """2026-10-25 03:00 to 02:00, 2027-03-28 02:00 to 03:00."""

    SPRING = "On Sunday 28 March 2027 clocks in Europe/Amsterdam go from 02:00 to 03:00"
    AUTUMN = (
        "On Sunday 25 October 2026 clocks in Europe/Amsterdam go from 03:00 to 02:00"
    )

    def notes(self, text: str, kind: ScheduleKind = CRON) -> list[tuple[str, str]]:
        found = notes(text, "Europe/Amsterdam", "2026-09-01", kind)
        return [(note.kind, note.text) for note in found]

    def test_a_fixed_time_in_the_gap_is_moved(self) -> None:
        text = f"{self.SPRING}: 02:30 does not exist; it runs at 03:00 instead."

        assert self.notes("30 2 * * *") == [("moved", text)]
        assert self.notes("day at 02:30", EVERY) == [("moved", text)]

    def test_several_fixed_times_in_the_gap_are_moved_to_one(self) -> None:
        text = (
            f"{self.SPRING}: 02:10 and 02:40 do not exist; it runs once at 03:00 "
            "instead."
        )

        assert self.notes("10,40 2 * * *") == [("moved", text)]

    def test_a_fixed_time_that_would_move_onto_another_is_skipped(self) -> None:
        text = (
            f"{self.SPRING}: 02:00 does not exist and is skipped; 03:00 runs as usual."
        )

        assert self.notes("0 1-5 * * *") == [("skipped", text)]

    def test_what_follows_the_clock_is_doubled_and_skipped(self) -> None:
        assert self.notes("*/30 * * * *") == [
            (
                "doubled",
                f"{self.AUTUMN}: 02:00 and 02:30 come twice and run both times.",
            ),
            (
                "skipped",
                f"{self.SPRING}: 02:00 and 02:30 do not exist and are skipped.",
            ),
        ]

    def test_many_times_are_counted(self) -> None:
        (autumn, _) = self.notes("10m", EVERY)

        assert autumn[1].endswith(
            ": 6 fire times from 02:00 to 02:50 come twice and run both times."
        )

    def test_a_time_that_no_change_touches_has_no_note(self) -> None:
        assert self.notes("0 9 * * *") == []
        assert self.notes("30 2 * * 1") == []

    def test_every_in_seconds_and_single_dates_have_no_note(self) -> None:
        assert self.notes("10s", EVERY) == []
        assert self.notes("2027-03-28 03:00", AT) == []


def test_a_zone_without_changes_has_no_note() -> None:
    assert notes("*/5 * * * *", "UTC", "2026-09-01") == []


def test_a_change_over_midnight_names_both_days() -> None:
    (note,) = notes("0 * * * *", "Asia/Beirut", "2026-10-01")[:1]

    assert "On Sunday 25 October 2026 " in note.text
    assert " go from 00:00 to 23:00 on Saturday: 23:00 comes twice" in note.text


def test_a_day_that_is_left_out_is_not_made_up_for() -> None:
    (note,) = notes("0 12 * * *", "Pacific/Apia", "2011-12-01")

    assert note.kind == "skipped"
    assert note.text == (
        "On Friday 30 December 2011 clocks in Pacific/Apia go from 00:00 to 00:00 on "
        "Saturday: 12:00 does not exist and is skipped."
    )


def test_ninety_minutes_get_one_note_for_each_change() -> None:
    """Antarctica/Troll loses two hours at 01:00 and repeats them at 03:00."""
    found = notes("90m", "Antarctica/Troll", "2026-09-01", EVERY)

    assert [note.text.partition(": ")[2] for note in found] == [
        "01:30 comes twice and runs both times.",
        "01:30 does not exist and is skipped.",
    ]


def test_only_changes_within_the_days_asked_for_are_told() -> None:
    parsed = schedule.parse(CRON, "* * * * *", "Europe/Amsterdam")
    change = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)

    assert [note.at for note in dst.notes(parsed, change, 7)] == []
    before = change - timedelta(days=7)
    assert [note.at for note in dst.notes(parsed, before, 7)] == [change]
    assert dst.notes(parsed, before - timedelta(seconds=1), 7) == []


@pytest.mark.parametrize("year", [1, 1970, 2037, 2100, 9998, 9999])
def test_no_year_is_too_far(year: int) -> None:
    parsed = schedule.parse(CRON, "* * * * *", "America/New_York")

    found = dst.notes(parsed, datetime(year, 6, 1, tzinfo=UTC))

    assert len(found) == {1: 0, 1970: 2, 2037: 2, 2100: 2, 9998: 1, 9999: 0}[year]


# -- an oracle: what the clock showed at each fire time ------------------------------

SCHEDULES = [
    *((CRON, text) for text in ("30 2 * * *", "*/7 * * * *", "0 0-3 * * *")),
    *((CRON, text) for text in ("15 * * * *", "0,30 0-3,23 * * 0,6", "5 */2 * * *")),
    *((EVERY, text) for text in ("10m", "90m", "48m", "2h", "12h", "hour at :15")),
    *((EVERY, text) for text in ("day at 00:00", "day at 01:30", "sunday at 02:15")),
]
#: Zones and when to look: 400 days with changes of all kinds.
PLACES = [
    ("Europe/Amsterdam", 2026),
    ("America/New_York", 2026),
    ("America/Sao_Paulo", 2017),
    ("America/St_Johns", 2008),
    ("Australia/Lord_Howe", 2026),
    ("Antarctica/Troll", 2026),
    ("Africa/Casablanca", 2026),
    ("Asia/Beirut", 2026),
    ("America/Nuuk", 2026),
    ("Pacific/Apia", 2011),
]
HOUR = timedelta(hours=1)


def changes(zone: ZoneInfo, start: datetime) -> Iterator[datetime]:
    """Yield the changes of the next 400 days, found by looking at each quarter."""
    at, quarter = start, timedelta(minutes=15)
    while at < start + timedelta(days=400):
        before, at = at, at + quarter
        if before.astimezone(zone).utcoffset() != at.astimezone(zone).utcoffset():
            while (at - timedelta(minutes=1)).astimezone(zone).utcoffset() == (
                at.astimezone(zone).utcoffset()
            ):
                at -= timedelta(minutes=1)
            yield at
            at += quarter


def what_happens(parsed: Schedule, change: datetime) -> tuple[str, int]:
    """Return what a change does to a schedule and to how many of its fire times.

    Compares what clocks showed at its fire times with what they show in other weeks.
    """
    zone = ZoneInfo(parsed.timezone)
    old = (change - HOUR).astimezone(zone).replace(tzinfo=None) + HOUR
    new = change.astimezone(zone).replace(tzinfo=None)
    low, high = min(old, new), max(old, new)
    fires = parsed.between(change - 30 * HOUR, change + 30 * HOUR)
    shown = Counter(at.astimezone(zone).replace(tzinfo=None) for at in fires)
    assert parsed.cron is not None
    fields, wanted = parsed.cron.fields, []
    minute = low
    while minute <= high:
        of_day = minute.hour * 60 + minute.minute
        if fields.times >> of_day & 1 and fields.match(minute.date()):
            wanted.append(minute)
        minute += timedelta(minutes=1)
    touched = [at for at in wanted if at < high]
    if new < old:
        twice = [at for at in touched if shown[at] == 2]
        assert twice in ([], touched)
        assert all(shown[at] for at in touched)
        return ("doubled", len(twice)) if twice else ("", 0)
    if not touched:
        return "", 0
    assert not any(shown[at] for at in touched)
    moved = shown[high] and high not in wanted
    return ("moved" if moved else "skipped", len(touched))


def told(note: DstNote) -> tuple[str, int]:
    said = note.text.partition("to ")[2].partition(": ")[2]
    many = re.match(r"(\d+) fire times", said)
    subject = re.split(" do| come| comes", said)[0]
    return note.kind, int(many[1]) if many else len(re.findall(r"\d\d:\d\d", subject))


@pytest.mark.parametrize(("zone", "year"), PLACES)
def test_the_notes_are_true_and_none_is_missing(zone: str, year: int) -> None:
    start = datetime(year, 1, 10, tzinfo=UTC)
    seen = list(changes(ZoneInfo(zone), start))
    assert len(seen) >= 2
    for kind, text in SCHEDULES:
        parsed = schedule.parse(kind, text, zone)

        happens = {at: what_happens(parsed, at) for at in seen}
        notes_ = {note.at: told(note) for note in dst.notes(parsed, start)}

        assert notes_ == {at: it for at, it in happens.items() if it[0]}, text
