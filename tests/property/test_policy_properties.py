"""What must hold of every plan: each fire time is on record once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clockd import schedule
from clockd.model import (
    RETRIED,
    CatchUp,
    Cause,
    Outcome,
    Overlap,
    Run,
    RunState,
    ScheduleKind,
    Trigger,
)
from clockd.policy import (
    Drop,
    Pause,
    PlannedRun,
    Situation,
    decide,
    jittered,
    plan_fires,
    retry_at,
    start_deadline,
)

if TYPE_CHECKING:
    from clockd.schedule import Schedule

quick = settings(deadline=None, max_examples=150)
#: Around two changes of the clocks, and away from any.
STARTS = [
    datetime(2026, 3, 29, 0, 0, tzinfo=UTC),
    datetime(2026, 10, 24, 23, 0, tzinfo=UTC),
    datetime(2026, 7, 1, 8, 59, 59, tzinfo=UTC),
]
starts = st.tuples(st.sampled_from(STARTS), st.integers(0, 7200)).map(
    lambda x: x[0] + timedelta(seconds=x[1])
)
#: Outages of minutes, and of up to three days.
spans = st.one_of(st.integers(0, 4000), st.integers(0, 260_000))
texts = st.sampled_from(
    ["* * * * *", "*/10 * * * *", "7 * * * *", "30 2 * * *", "0 */6 * * *", "0 9 * * 1"]
)


@st.composite
def triggers(draw: st.DrawFn) -> Trigger:
    within_s = draw(st.sampled_from([0, 60, 600, 3600, 86_400]))
    return Trigger(
        slug="nightly",
        command="true",
        schedule_kind=ScheduleKind.CRON,
        expression=draw(texts),
        timezone=draw(st.sampled_from(["UTC", "Europe/Amsterdam", "Asia/Kathmandu"])),
        catch_up=CatchUp(within_s=within_s, run_all=draw(st.booleans())),
        overlap=draw(st.sampled_from(Overlap)),
        jitter_s=draw(st.sampled_from([0, 30])),
        retries=draw(st.integers(0, 10)),
        retry_delay_s=draw(st.integers(1, 3600)),
    )


@st.composite
def pauses(draw: st.DrawFn, start: datetime) -> Pause | None:
    since, length = draw(st.integers(-4000, 90_000)), draw(st.integers(-1, 90_000))
    if draw(st.booleans()):
        return None
    begin = start + timedelta(seconds=since)
    ends = begin + timedelta(seconds=length) if length >= 0 else None
    return Pause(since=begin, until=ends)


def schedule_of(trigger: Trigger) -> Schedule:
    return schedule.parse(trigger.schedule_kind, trigger.expression, trigger.timezone)


def on_record(trigger: Trigger, planned: list[PlannedRun]) -> Counter[datetime]:
    """Return how often each fire time is accounted for."""
    found: Counter[datetime] = Counter()
    for entry in planned:
        before = entry.fire_time - timedelta(seconds=1)
        last = entry.last_fire_time or entry.fire_time
        fires = list(schedule_of(trigger).between(before, last))
        assert entry.fire_count == len(fires)
        found.update(fires)
    return found


@quick
@given(triggers(), starts, spans, st.data())
def test_every_fire_time_is_accounted_for_exactly_once(
    trigger: Trigger, start: datetime, span_s: int, data: st.DataObject
) -> None:
    now, pause = start + timedelta(seconds=span_s), data.draw(pauses(start))
    parsed = schedule_of(trigger)

    planned = plan_fires(trigger, parsed, after=start, now=now, pause=pause)

    assert on_record(trigger, planned) == Counter(parsed.between(start, now))
    in_order = [entry.fire_time for entry in planned]
    assert in_order == sorted(in_order)


@quick
@given(triggers(), starts, st.lists(spans, min_size=2, max_size=4), st.data())
def test_several_claims_account_for_what_one_does(
    trigger: Trigger, start: datetime, spans_s: list[int], data: st.DataObject
) -> None:
    parsed, pause = schedule_of(trigger), data.draw(pauses(start))
    planned, mark = [], start
    for span_s in spans_s:
        now = mark + timedelta(seconds=span_s)
        planned += plan_fires(trigger, parsed, after=mark, now=now, pause=pause)
        mark = now

    assert on_record(trigger, planned) == Counter(parsed.between(start, mark))


@quick
@given(triggers(), starts, spans, st.data())
def test_only_what_is_young_enough_and_not_paused_runs(
    trigger: Trigger, start: datetime, span_s: int, data: st.DataObject
) -> None:
    now, pause = start + timedelta(seconds=span_s), data.draw(pauses(start))

    planned = plan_fires(
        trigger, schedule_of(trigger), after=start, now=now, pause=pause
    )

    runs = [entry for entry in planned if entry.outcome is None]
    window = timedelta(seconds=max(trigger.catch_up.within_s, 60))
    assert all(now - window <= entry.fire_time for entry in runs)
    assert all(entry.fire_count == 1 for entry in runs)
    paused = [entry for entry in planned if entry.outcome is Outcome.SKIPPED]
    for entry in paused:
        assert pause is not None
        last = entry.last_fire_time or entry.fire_time
        assert pause.since <= entry.fire_time
        assert pause.until is None or last <= pause.until
    for entry in planned:
        if pause is not None and entry.outcome is not Outcome.SKIPPED:
            last = entry.last_fire_time or entry.fire_time
            assert last < pause.since or entry.fire_time > (pause.until or now)
    if pause is None and not trigger.catch_up.run_all:
        assert [entry.fire_time for entry in runs] in (
            [],
            [schedule_of(trigger).previous(now)],
        )


@quick
@given(triggers(), starts, spans)
def test_what_is_planned_to_run_is_not_too_late_at_once(
    trigger: Trigger, start: datetime, span_s: int
) -> None:
    now = start + timedelta(seconds=span_s)
    for entry in plan_fires(trigger, schedule_of(trigger), after=start, now=now):
        if entry.outcome is not None:
            continue
        run = waiting(trigger, entry, now)

        assert start_deadline(run) >= now
        assert not isinstance(decide(run, now, Situation()), Drop)


@quick
@given(triggers(), starts, st.sampled_from(sorted(RETRIED)), st.integers(0, 10**6))
def test_waits_between_attempts_grow_and_end_before_the_next_fire_time(
    trigger: Trigger, now: datetime, outcome: Outcome, until_next_s: int
) -> None:
    next_fire_time = now + timedelta(seconds=until_next_s)

    def at(attempt: int, **more: Any) -> datetime | None:
        return retry_at(trigger, outcome=outcome, attempt=attempt, now=now, **more)

    free = [at(n, next_fire_time=None) for n in range(1, trigger.retries + 2)]
    bound = [
        at(n, next_fire_time=next_fire_time) for n in range(1, trigger.retries + 2)
    ]

    waits = [when - now for when in free[:-1] if when is not None]
    assert len(waits) == trigger.retries
    assert all(2 * before == after for before, after in pairwise(waits))
    assert free[-1] is None
    for unbound, when in zip(free, bound, strict=True):
        late = unbound is None or unbound >= next_fire_time
        assert when == (None if late else unbound)


@quick
@given(triggers(), starts, st.integers(0, 86_400))
def test_jitter_depends_on_trigger_and_fire_time_alone(
    trigger: Trigger, fire_time: datetime, jitter_s: int
) -> None:
    spread = replace(trigger, jitter_s=jitter_s)
    offset = jittered(spread, fire_time) - fire_time

    assert timedelta() <= offset <= timedelta(seconds=jitter_s)
    edited = replace(spread, command="false", expression="0 0 * * *", retries=3)
    assert jittered(edited, fire_time) - fire_time == offset


def waiting(trigger: Trigger, entry: PlannedRun, now: datetime) -> Run:
    return Run(
        id=1,
        trigger_id=trigger.uuid,
        trigger=trigger,
        cause=Cause.SCHEDULED,
        state=RunState.WAITING,
        claimed_at=now,
        fire_time=entry.fire_time,
        not_before=entry.not_before,
        hold=entry.hold,
    )
