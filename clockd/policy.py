"""What should happen to a fire time, a waiting run, and a run that ended.

Pure: everything that matters comes in as a value, the decision goes out as one. The
store calls these functions inside its transactions, the watcher between two lines.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from clockd.model import RETRIED, Cause, Hold, Outcome, Overlap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from clockd.model import Run, Trigger
    from clockd.schedule import Schedule

#: A fire time this young is on time; `catch_up: none` still allows it for launching.
GRACE_S = 60

_SECOND = timedelta(seconds=1)
_INSTANT = timedelta.resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """When a trigger was paused, and resumed; `until` is None while it still is."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """The entry that a fire time, or a row of missed ones, gets in the books.

    With an `outcome` the run never starts; without one it waits until `not_before`.
    """

    fire_time: datetime
    cause: Cause
    not_before: datetime
    hold: Hold | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    last_fire_time: datetime | None = None
    fire_count: int = 1


def plan_fires(
    trigger: Trigger,
    schedule: Schedule,
    *,
    after: datetime,
    now: datetime,
    pause: Pause | None = None,
) -> list[PlannedRun]:
    """Account for every fire time in (after, now], oldest first.

    Fire times under a pause are skipped. Of the others the newest runs if it is
    within the trigger's catch-up window (with `run: all`, each within the window);
    the older ones become one entry with their number, first and last.
    """
    if pause is None:
        return _plan_open(trigger, schedule, after, now)
    planned = []
    paused_from = max(after, pause.since - _SECOND)
    # By a clock that was set back meanwhile, a pause may end before it begins.
    paused_to = now if pause.until is None else max(paused_from, min(now, pause.until))
    if paused_from > after:
        planned += _plan_open(trigger, schedule, after, min(paused_from, now), now)
    if paused_to > paused_from:
        planned += _entry(schedule, paused_from, paused_to, Outcome.SKIPPED, "paused")
    if paused_to < now:
        planned += _plan_open(trigger, schedule, max(after, paused_to), now)
    return planned


def _plan_open(
    trigger: Trigger,
    schedule: Schedule,
    after: datetime,
    until: datetime,
    now: datetime | None = None,
) -> list[PlannedRun]:
    now = now or until
    newest = schedule.previous(until)
    if newest is None or newest <= after:
        return []
    horizon = now - timedelta(seconds=_window_s(trigger))
    if newest < horizon:
        started = []
    elif trigger.catch_up.run_all:
        started = list(schedule.between(max(after, horizon - _INSTANT), until))
    else:
        started = [newest]
    boundary = started[0] - _SECOND if started else until
    reason = f"found later than its catch-up window of {_window_s(trigger)} s"
    if started and not trigger.catch_up.run_all:
        reason = "superseded by a later fire time"
    missed = _entry(schedule, after, boundary, Outcome.MISSED, reason)
    return missed + [_started(trigger, t, now) for t in started]


def _window_s(trigger: Trigger) -> int:
    """Return how long after a fire time its run may still start, in seconds."""
    return max(trigger.catch_up.within_s, GRACE_S)


def _started(trigger: Trigger, fire_time: datetime, now: datetime) -> PlannedRun:
    late = (now - fire_time).total_seconds() > GRACE_S
    not_before = jittered(trigger, fire_time)
    return PlannedRun(
        fire_time=fire_time,
        cause=Cause.CATCH_UP if late else Cause.SCHEDULED,
        not_before=not_before,
        hold=Hold.JITTER if not_before > fire_time else None,
    )


def _entry(
    schedule: Schedule,
    after: datetime,
    until: datetime,
    outcome: Outcome,
    reason: str,
) -> list[PlannedRun]:
    first = schedule.next(after)
    if first is None or first > until:
        return []
    last = schedule.previous(until)
    count = schedule.count(after, until)
    return [
        PlannedRun(
            fire_time=first,
            cause=Cause.SCHEDULED,
            not_before=first,
            outcome=outcome,
            reason=reason,
            last_fire_time=last if count > 1 else None,
            fire_count=count,
        )
    ]


def part(
    planned: PlannedRun, schedule: Schedule, known: Sequence[datetime]
) -> list[PlannedRun]:
    """Part a row of fire times that never start around those known already.

    Args:
        planned: The row.
        schedule: Its trigger's.
        known: Fire times of the schedule that lie in the row, sorted.
    """
    assert planned.outcome is not None  # noqa: S101 – what starts is alone
    assert planned.last_fire_time is not None  # noqa: S101 – else it is no row
    outcome, reason = planned.outcome, planned.reason or ""
    parts, after = [], planned.fire_time - _SECOND
    for first, last in _unbroken(schedule, known):
        parts += _entry(schedule, after, first - _SECOND, outcome, reason)
        after = last
    return parts + _entry(schedule, after, planned.last_fire_time, outcome, reason)


def _unbroken(
    schedule: Schedule, known: Sequence[datetime]
) -> Iterator[tuple[datetime, datetime]]:
    """Yield stretches of `known` that leave nothing out, without walking them."""
    if not known:
        return
    first, last = known[0], known[-1]
    if schedule.count(first, last) == len(known) - 1:
        yield first, last
        return
    middle = len(known) // 2
    yield from _unbroken(schedule, known[:middle])
    yield from _unbroken(schedule, known[middle:])


def jittered(trigger: Trigger, fire_time: datetime) -> datetime:
    """Return when a run for `fire_time` is due, with the trigger's jitter added.

    The offset is stable: it depends on the trigger and the fire time alone.
    """
    if not trigger.jitter_s:
        return fire_time
    seed = f"{trigger.uuid}/{int(fire_time.timestamp())}".encode()
    fraction = int.from_bytes(hashlib.sha256(seed).digest()[:8]) / 2**64
    return fire_time + timedelta(milliseconds=round(fraction * trigger.jitter_s * 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Launch it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """It ends here, without having started."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """No further attempt is made: its last attempt's outcome is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """It stays in line for another run of its trigger.

    Args:
        reason: Why, half a sentence.
        hold: What for.
        stop: Runs that are to be stopped for it.
    """

    reason: str
    hold: Hold = Hold.OVERLAP
    stop: tuple[int, ...] = ()


Decision = Start | Drop | GiveUp | Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a waiting run meets when its turn comes.

    Args:
        active: Ids of its trigger's other active runs.
        started: Whether one of those has, or has had, a dyno.
        earlier_waiting: Whether an earlier run of its trigger is still in line.
        newest_fire_time: The latest fire time of its trigger on record.
        paused: Whether its trigger is paused now.
        removed: Whether its trigger has left the file.
    """

    active: Sequence[int] = ()
    started: bool = True
    earlier_waiting: bool = False
    newest_fire_time: datetime | None = None
    paused: bool = False
    removed: bool = False


def decide(run: Run, now: datetime, situation: Situation) -> Decision:
    """Decide what becomes of a waiting run whose `not_before` has come."""
    if run.attempt > 0:
        return GiveUp() if _is_superseded(run, situation) else Start()
    return (
        _drop_for_good(run, situation)
        or _drop_for_time(run, now, situation)
        or _mind_overlap(run, situation, _overlap(run, now, situation))
    )


def _drop_for_good(run: Run, situation: Situation) -> Drop | None:
    if situation.removed:
        return Drop(outcome=Outcome.SKIPPED, reason="removed")
    if situation.paused and run.fire_time is not None:
        return Drop(outcome=Outcome.SKIPPED, reason="paused")
    return None


def _drop_for_time(run: Run, now: datetime, situation: Situation) -> Drop | None:
    trigger, newest = run.trigger, situation.newest_fire_time
    if _is_superseded(run, situation):
        return Drop(
            outcome=Outcome.SKIPPED,
            reason=f"superseded by the fire time {newest:%Y-%m-%dT%H:%M:%SZ}",
        )
    patient = keeps_all(trigger) or trigger.overlap is Overlap.REPLACE
    if run.hold is Hold.OVERLAP and patient:
        return None
    if now > start_deadline(run):
        window_s = _window_s(trigger)
        return Drop(
            outcome=Outcome.MISSED,
            reason=f"could not be started within its catch-up window of {window_s} s",
        )
    return None


def keeps_all(trigger: Trigger) -> bool:
    """Return whether a trigger's fire times do not take the place of earlier ones."""
    return trigger.catch_up.run_all or trigger.overlap is Overlap.QUEUE


def _is_superseded(run: Run, situation: Situation) -> bool:
    newest = situation.newest_fire_time
    if run.fire_time is None or newest is None or keeps_all(run.trigger):
        return False
    return newest > run.fire_time


def start_deadline(run: Run) -> datetime:
    """Return the last instant at which a run that never started may still start."""
    return (run.released_at or _due(run)) + timedelta(seconds=_window_s(run.trigger))


def _due(run: Run) -> datetime:
    return jittered(run.trigger, run.fire_time) if run.fire_time else run.claimed_at


def _overlap(run: Run, now: datetime, situation: Situation) -> Overlap:
    """Return the overlap policy for a run: its trigger's, but a backlog queues.

    Else the runs that `run: all` caught up would skip or replace one another.
    """
    overlap = run.trigger.overlap
    if run.fire_time is None or not run.trigger.catch_up.run_all:
        return overlap
    late = now > _due(run) + timedelta(seconds=GRACE_S)
    backlog = overlap is not Overlap.ALLOW and (late or situation.earlier_waiting)
    return Overlap.QUEUE if backlog else overlap


def _mind_overlap(run: Run, situation: Situation, overlap: Overlap) -> Decision:
    if overlap is Overlap.ALLOW:
        return Start()
    if not situation.active:
        if overlap is Overlap.QUEUE and situation.earlier_waiting:
            return Wait(reason="an earlier run is still in line")
        return Start()
    others = ", ".join(str(run_id) for run_id in situation.active)
    if overlap is Overlap.SKIP and not situation.started:
        reason = f"run {others} has not started yet, and may never"
        return Wait(reason=reason, hold=Hold.START)
    if overlap is Overlap.SKIP:
        return Drop(
            outcome=Outcome.SKIPPED, reason=f"overlap: run {others} is still active"
        )
    if overlap is Overlap.REPLACE:
        return Wait(reason=f"replaces run {others}", stop=tuple(situation.active))
    return Wait(reason=f"queued behind run {others}")


def retry_at(
    trigger: Trigger,
    *,
    outcome: Outcome,
    attempt: int,
    now: datetime,
    next_fire_time: datetime | None,
) -> datetime | None:
    """Return when the next attempt may start; None where there is none.

    Waits double from `retry_delay`, and never reach the trigger's next fire time.
    """
    if outcome not in RETRIED or attempt > trigger.retries:
        return None
    at = now + timedelta(seconds=trigger.retry_delay_s * 2 ** (attempt - 1))
    if next_fire_time is not None and at >= next_fire_time:
        return None
    return at


def lag_s(run: Run, launched_at: datetime) -> float | None:
    """Return the seconds from a run's (jittered) fire time to its launch request.

    None for a run that nobody scheduled.
    """
    if run.fire_time is None:
        return None
    due = jittered(run.trigger, run.fire_time)
    return round((launched_at - due).total_seconds(), 6)
