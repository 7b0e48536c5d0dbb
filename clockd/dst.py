"""What changes of the clocks do to a schedule, in sentences.                  (pure)"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from clockd import cron

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clockd.cron import Cron
    from clockd.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class DstNote:
    """What one change of the clocks does to a schedule.

    Args:
        at: The instant of the change, in UTC.
        kind: `skipped`, `moved` or `doubled`.
        text: The same as a sentence.
    """

    at: datetime
    kind: str
    text: str


def notes(schedule: Schedule, start: datetime, days: int = 400) -> list[DstNote]:
    """Say what changes of the clocks do to a schedule in the days after `start`.

    Only changes that touch it are told, in order; a schedule in seconds or a single
    date is not touched by any.
    """
    found: list[DstNote] = []
    if not schedule.crons:
        return found
    for change, before, after in _changes(schedule.timezone, start, days):
        for each in schedule.crons:
            note = _note(each, change, before, after)
            if note is not None:
                found.append(note)
                break
    return found


def _changes(
    timezone: str, start: datetime, days: int
) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    """Yield the changes of a zone: instant, offset before, offset after."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    last, end = None, start + timedelta(days=days)
    first = start.astimezone(cron.zone(timezone)).toordinal()
    for ordinal in range(first, first + days + 1):
        segments = cron.offsets(timezone, ordinal)
        for (_, before), (at, after) in pairwise(segments):
            change = epoch + timedelta(seconds=at)
            if at != last and start < change <= end:
                last = at
                yield change, timedelta(seconds=before), timedelta(seconds=after)


def _note(
    each: Cron, change: datetime, before: timedelta, after: timedelta
) -> DstNote | None:
    length = after - before
    if length > timedelta(0):
        return _gap_note(each, change, before, after)
    return _overlap_note(each, change, before, after)


def _gap_note(
    each: Cron, change: datetime, before: timedelta, after: timedelta
) -> DstNote | None:
    """Compare with the fire times that clocks without the change would have shown."""
    gone = _local_times(each, change + before, change + after)
    if not gone:
        return None
    told = f"{_told(each, change, before, after)}: "
    if each.fields.wild:
        text = f"{told}{_list(gone)} {_do(gone)} not exist and {_is(gone)} skipped."
        return DstNote(at=change, kind="skipped", text=text)
    if after - before >= timedelta(hours=3):
        text = f"{told}{_list(gone)} {_do(gone)} not exist; nothing runs instead."
        return DstNote(at=change, kind="skipped", text=text)
    at = change + after
    text = f"{told}{_list(gone)} {_do(gone)} not exist; it runs at {at:%H:%M} instead."
    return DstNote(at=change, kind="moved", text=text)


def _overlap_note(
    each: Cron, change: datetime, before: timedelta, after: timedelta
) -> DstNote | None:
    twice = _local_times(each, change + after, change + before)
    if not twice or not each.fields.wild:
        return None
    times = "comes twice and runs" if len(twice) == 1 else "come twice and run"
    text = f"{_told(each, change, before, after)}: {_list(twice)} {times} both times."
    return DstNote(at=change, kind="doubled", text=text)


def _local_times(each: Cron, start: datetime, end: datetime) -> list[datetime]:
    """Return the times from start up to end, on a wall clock, that the cron names."""
    at, found = start.replace(second=0, microsecond=0), []
    minutes = set(each.fields.times)
    while at < end:
        if at.hour * 60 + at.minute in minutes and each.fields.match(at.date()):
            found.append(at)
        at += timedelta(minutes=1)
    return found


def _told(each: Cron, change: datetime, before: timedelta, after: timedelta) -> str:
    old, new = change + before, change + after
    return (
        f"On {old:%A} {old.day} {old:%B %Y} clocks in {each.timezone} go from "
        f"{old:%H:%M} to {new:%H:%M}"
    )


def _list(times: list[datetime]) -> str:
    if len(times) <= 3:
        return " and ".join(f"{at:%H:%M}" for at in times)
    return f"{len(times)} fire times from {times[0]:%H:%M} to {times[-1]:%H:%M}"


def _do(times: list[datetime]) -> str:
    return "does" if len(times) == 1 else "do"


def _is(times: list[datetime]) -> str:
    return "is" if len(times) == 1 else "are"
