"""The triggers of the state machine, and when they fire, reckoned independently.

Every schedule here is `each so many minutes` or `once`: simple enough to be counted
without `clockd.schedule`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from clockd.model import CatchUp, Overlap, ScheduleKind, Trigger
from tests.chaos.machine_time import START

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "sharp-mountain"
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: What schedules are written as: every so many minutes, from a minute past the hour.
_PERIODS: Final = {
    "* * * * *": (1, 0),
    "*/2 * * * *": (2, 0),
    "*/3 * * * *": (3, 0),
    "5m": (5, 0),
    "7 * * * *": (60, 7),
    "2-59/5 * * * *": (5, 2),
}
_AT = START + timedelta(minutes=25)


def _trigger(slug: str, expression: str, overlap: Overlap, **more: Any) -> Trigger:
    every = expression.endswith("m")
    values: dict[str, Any] = {
        "command": f"bin/{slug}",
        "schedule_kind": ScheduleKind.EVERY if every else ScheduleKind.CRON,
        "timeout_s": 120,
        "retry_delay_s": 20,
        **more,
    }
    return Trigger(slug=slug, expression=expression, app=APP, overlap=overlap, **values)


#: Each overlap policy, each kind of catching up, retries, jitter, a command used twice.
TRIGGERS: Final = (
    _trigger(
        "none", "*/2 * * * *", Overlap.SKIP, retries=1, catch_up=CatchUp(within_s=0)
    ),
    _trigger("queue", "5m", Overlap.QUEUE, timeout_s=300),
    _trigger("allow", "* * * * *", Overlap.ALLOW, jitter_s=20),
    _trigger("replace", "*/3 * * * *", Overlap.REPLACE, retries=2),
    _trigger("all", "5m", Overlap.SKIP, catch_up=CatchUp(within_s=1800, run_all=True)),
    _trigger("hourly", "7 * * * *", Overlap.SKIP, retries=3, jitter_s=10),
    _trigger("twin", "7 * * * *", Overlap.ALLOW, command="bin/hourly"),
    _trigger(
        "once", f"{_AT:%Y-%m-%d %H:%M:%S}", Overlap.SKIP, schedule_kind=ScheduleKind.AT
    ),
)
SLUGS: Final = tuple(trigger.slug for trigger in TRIGGERS)


def edited(trigger: Trigger) -> Trigger:
    """Return a definition with another schedule; edits undo each other in time."""
    if trigger.schedule_kind is ScheduleKind.AT:
        later = _AT + timedelta(minutes=20)
        at = later if _only_time(trigger) == _AT else _AT
        return replace(trigger, expression=f"{at:%Y-%m-%d %H:%M:%S}")
    if trigger.schedule_kind is ScheduleKind.EVERY:
        return replace(
            trigger, schedule_kind=ScheduleKind.CRON, expression="2-59/5 * * * *"
        )
    if trigger.expression == "2-59/5 * * * *":
        return replace(trigger, schedule_kind=ScheduleKind.EVERY, expression="5m")
    other = "*/3 * * * *" if trigger.expression != "*/3 * * * *" else "*/2 * * * *"
    return replace(trigger, expression=other)


def renamed(trigger: Trigger) -> Trigger:
    """Return the same trigger under another slug, or under its first one again."""
    slug = trigger.slug.removesuffix("-new")
    return replace(trigger, slug=slug if slug != trigger.slug else f"{slug}-new")


def fires(trigger: Trigger, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the fire times of a trigger in (after, until]."""
    if trigger.schedule_kind is ScheduleKind.AT:
        at = _only_time(trigger)
        if after < at <= until:
            yield at
        return
    period, offset = _PERIODS[trigger.expression]
    minute = (after - _EPOCH) // _MINUTE + 1
    minute += (offset - minute) % period
    while (at := _EPOCH + minute * _MINUTE) <= until:
        yield at
        minute += period


def _only_time(trigger: Trigger) -> datetime:
    return datetime.fromisoformat(trigger.expression).replace(tzinfo=UTC)
