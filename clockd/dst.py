"""What changes of the clocks do to a schedule, in sentences.                  (pure)"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from clockd import cron

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clockd.cron_fields import Fields
    from clockd.schedule import Schedule

_TOO_LONG = timedelta(seconds=cron.TOO_LONG_S)


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


class _Change(NamedTuple):
    """A change of a zone's clocks: when, and what they show before and after."""

    at: datetime  #: in UTC
    old: datetime  #: local, without a zone
    new: datetime


def notes(schedule: Schedule, start: datetime, days: int = 400) -> list[DstNote]:
    """Say what changes of the clocks do to a schedule in the days after `start`.

    Only changes that touch it are told, in order; a schedule in seconds or a single
    date is not touched by any.
    """
    if schedule.cron is None:
        return []
    zone = schedule.timezone
    found = [
        _note(schedule.cron.fields, zone, change)
        for change in _changes(zone, cron.local_day(start, zone), days)
        if timedelta() < change.at - start <= timedelta(days=days)
    ]
    return [note for note in found if note is not None]


@lru_cache(maxsize=256)
def _changes(timezone: str, first: int, days: int) -> tuple[_Change, ...]:
    """Return the changes of a zone from one day on, in order."""
    found: dict[int, _Change] = {}
    for day in range(first, min(first + days, cron.LAST_DAY) + 1):
        for (_, before), (at, after) in pairwise(cron.offsets(timezone, day)):
            change = cron.EPOCH + timedelta(seconds=at)
            local = change.replace(tzinfo=None)
            old, new = (local + timedelta(seconds=east) for east in (before, after))
            found[at] = _Change(change, old, new)
    return tuple(found.values())


def _note(fields: Fields, zone: str, change: _Change) -> DstNote | None:
    kind, said = "", ""
    if change.old < change.new:
        kind, said = _gap(fields, change)
    elif fields.wild or change.old - change.new > _TOO_LONG:
        kind, said = _overlap(fields, change)
    if not kind:
        return None
    return DstNote(at=change.at, kind=kind, text=f"{_told(zone, change)}: {said}.")


def _gap(fields: Fields, change: _Change) -> tuple[str, str]:
    """Compare with the fire times that clocks without the change would have shown."""
    gone = _local_times(fields, change.old, change.new)
    if not gone:
        return "", ""
    one = len(gone) == 1
    said = f"{_list(gone)} {'does' if one else 'do'} not exist"
    skipped = f"{said} and {'is' if one else 'are'} skipped"
    if fields.wild or change.new - change.old >= _TOO_LONG:
        return "skipped", skipped
    if _local_times(fields, change.new, change.new + timedelta(minutes=1)):
        return "skipped", f"{skipped}; {change.new:%H:%M} runs as usual"
    once = "" if one else "once "
    return "moved", f"{said}; it runs {once}at {change.new:%H:%M} instead"


def _overlap(fields: Fields, change: _Change) -> tuple[str, str]:
    twice = _local_times(fields, change.new, change.old)
    if not twice:
        return "", ""
    comes = "comes twice and runs" if len(twice) == 1 else "come twice and run"
    return "doubled", f"{_list(twice)} {comes} both times"


def _local_times(fields: Fields, start: datetime, end: datetime) -> list[datetime]:
    """Return the times from start up to end, on a wall clock, that the fields match."""
    at, found = start.replace(second=0), []
    while at < end:
        if fields.times >> (at.hour * 60 + at.minute) & 1 and fields.match(at.date()):
            found.append(at)
        at += timedelta(minutes=1)
    return found


def _told(zone: str, change: _Change) -> str:
    old, new = change.old, change.new
    other_day = "" if new.date() == old.date() else f" on {new:%A}"
    return (
        f"On {old:%A} {old.day} {old:%B %Y} clocks in {zone} go from "
        f"{old:%H:%M} to {new:%H:%M}{other_day}"
    )


def _list(times: Sequence[datetime]) -> str:
    if len(times) <= 3:
        return " and ".join(f"{at:%H:%M}" for at in times)
    return f"{len(times)} fire times from {times[0]:%H:%M} to {times[-1]:%H:%M}"
