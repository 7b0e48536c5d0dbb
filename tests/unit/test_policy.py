from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clockd import schedule
from clockd.model import (
    CatchUp,
    Cause,
    Hold,
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
    Start,
    Wait,
    decide,
    jittered,
    lag_s,
    plan_fires,
    retry_at,
)

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def trigger(cron: str = "*/10 * * * *", **changes: Any) -> Trigger:
    return Trigger(
        slug="nightly",
        command="true",
        schedule_kind=ScheduleKind.CRON,
        expression=cron,
        **changes,
    )


def plan(t: Trigger, after: datetime, now: datetime, **more: Any) -> list[PlannedRun]:
    parsed = schedule.parse(t.schedule_kind, t.expression, t.timezone)
    return plan_fires(t, parsed, after=after, now=now, **more)


def run(t: Trigger | None = None, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "id": 7,
        "trigger_id": "u",
        "trigger": t or trigger(),
        "cause": Cause.SCHEDULED,
        "state": RunState.WAITING,
        "claimed_at": T0,
        "fire_time": T0,
        "not_before": T0,
        **changes,
    }
    return Run(**values)


class TestPlanFires:
    def test_a_fire_time_that_just_came_waits_to_be_launched(self) -> None:
        (planned,) = plan(trigger(), T0 - MINUTE, T0)

        assert (planned.fire_time, planned.outcome) == (T0, None)
        assert planned.cause is Cause.SCHEDULED

    def test_nothing_is_planned_between_two_fire_times(self) -> None:
        assert plan(trigger(), T0, T0 + MINUTE) == []

    def test_the_newest_missed_fire_time_is_caught_up_and_the_others_are_one_entry(
        self,
    ) -> None:
        missed, started = plan(trigger(), T0 - HOUR, T0 + 5 * MINUTE)

        assert (started.fire_time, started.cause) == (T0, Cause.CATCH_UP)
        assert missed.outcome is Outcome.MISSED
        assert missed.fire_time == T0 - 50 * MINUTE
        assert missed.last_fire_time == T0 - 10 * MINUTE
        assert missed.fire_count == 5

    def test_every_fire_time_is_accounted_for_once(self) -> None:
        planned = plan(trigger("* * * * *"), T0 - 24 * HOUR, T0)

        assert sum(entry.fire_count for entry in planned) == 24 * 60

    def test_beyond_the_catch_up_window_nothing_runs(self) -> None:
        (missed,) = plan(trigger("0 9 * * *"), T0 - HOUR, T0 + 2 * HOUR)

        assert (missed.outcome, missed.last_fire_time) == (Outcome.MISSED, None)

    def test_catch_up_none_still_allows_a_minute_for_launching(self) -> None:
        t = trigger(catch_up=CatchUp(within_s=0))

        assert plan(t, T0 - MINUTE, T0 + MINUTE)[-1].outcome is None
        assert plan(t, T0 - MINUTE, T0 + 2 * MINUTE)[-1].outcome is Outcome.MISSED

    def test_run_all_runs_each_within_the_window_in_order(self) -> None:
        t = trigger(catch_up=CatchUp(within_s=1800, run_all=True))

        planned = plan(t, T0 - HOUR, T0)

        waiting = [entry.fire_time for entry in planned if entry.outcome is None]
        assert waiting == [T0 - n * 10 * MINUTE for n in (3, 2, 1, 0)]
        assert planned[0].outcome is Outcome.MISSED
        assert planned[0].fire_count == 2

    @pytest.mark.parametrize(
        ("catch_up", "reason"),
        [
            (CatchUp(within_s=0), "found later than its catch-up window of 60 s"),
            (CatchUp(run_all=True), "found later than its catch-up window of 3600 s"),
            (CatchUp(), "superseded by a later fire time"),
        ],
        ids=["none", "all", "newest"],
    )
    def test_what_was_missed_says_why(self, catch_up: CatchUp, reason: str) -> None:
        t = trigger("0 * * * *", catch_up=catch_up)

        missed = plan(t, T0 - 5 * HOUR, T0 + 30 * MINUTE)[0]

        assert (missed.outcome, missed.reason) == (Outcome.MISSED, reason)

    def test_fire_times_under_a_pause_are_skipped(self) -> None:
        (skipped,) = plan(trigger(), T0 - HOUR, T0, pause=Pause(since=T0 - 2 * HOUR))

        assert (skipped.outcome, skipped.reason) == (Outcome.SKIPPED, "paused")
        assert skipped.fire_count == 6

    def test_a_pause_begins_and_ends_with_its_own_second(self) -> None:
        pause = Pause(since=T0, until=T0 + 20 * MINUTE)

        planned = plan(trigger(), T0 - MINUTE, T0 + 30 * MINUTE, pause=pause)

        assert [(entry.fire_time, entry.fire_count) for entry in planned] == [
            (T0, 3),
            (T0 + 30 * MINUTE, 1),
        ]
        assert [entry.outcome for entry in planned] == [Outcome.SKIPPED, None]

    def test_only_what_comes_after_a_resume_runs(self) -> None:
        pause = Pause(since=T0 - 25 * MINUTE, until=T0 - 5 * MINUTE)

        before, paused, after = plan(trigger(), T0 - 35 * MINUTE, T0, pause=pause)

        assert (before.fire_time, before.outcome) == (T0 - 30 * MINUTE, None)
        assert (paused.outcome, paused.fire_count) == (Outcome.SKIPPED, 2)
        assert (after.fire_time, after.outcome) == (T0, None)

    def test_jitter_moves_the_start_and_never_the_fire_time(self) -> None:
        t = trigger(jitter_s=30)

        (planned,) = plan(t, T0 - MINUTE, T0)

        assert planned.fire_time == T0
        assert T0 < planned.not_before <= T0 + timedelta(seconds=30)
        assert planned.hold is Hold.JITTER
        assert planned.not_before == jittered(t, T0)


class TestDecide:
    def decide(self, r: Run, now: datetime = T0, **situation: Any) -> object:
        return decide(r, now, Situation(**situation))

    def test_a_run_with_nothing_in_its_way_starts(self) -> None:
        assert self.decide(run()) == Start()

    def test_a_removed_triggers_waiting_run_is_skipped(self) -> None:
        assert self.decide(run(), removed=True) == Drop(
            outcome=Outcome.SKIPPED, reason="removed"
        )

    def test_a_pause_holds_what_was_scheduled_but_not_what_a_person_asks_for(
        self,
    ) -> None:
        by_hand = run(fire_time=None, cause=Cause.MANUAL)

        assert isinstance(self.decide(run(), paused=True), Drop)
        assert self.decide(by_hand, paused=True) == Start()

    def test_a_run_that_never_started_is_superseded_by_the_next_fire_time(self) -> None:
        later = T0 + 10 * MINUTE

        decision = self.decide(run(), now=later, newest_fire_time=later)

        assert isinstance(decision, Drop)
        assert decision.outcome is Outcome.SKIPPED
        assert "superseded" in decision.reason

    @pytest.mark.parametrize(
        "kept",
        [
            {"overlap": Overlap.QUEUE},
            {"catch_up": CatchUp(within_s=3600, run_all=True)},
        ],
    )
    def test_queue_and_run_all_supersede_nothing(self, kept: dict[str, Any]) -> None:
        later = T0 + 10 * MINUTE

        decision = self.decide(run(trigger(**kept)), later, newest_fire_time=later)

        assert decision == Start()

    def test_a_run_that_waited_past_its_window_is_missed(self) -> None:
        at_the_edge = T0 + timedelta(seconds=3600)

        assert self.decide(run(), at_the_edge) == Start()
        late = self.decide(run(), at_the_edge + MINUTE)
        assert isinstance(late, Drop)
        assert late.outcome is Outcome.MISSED

    def test_a_run_in_a_queue_does_not_run_out_of_time(self) -> None:
        queued = run(trigger(overlap=Overlap.QUEUE), hold=Hold.OVERLAP)

        assert self.decide(queued, T0 + 9 * HOUR) == Start()

    def test_overlap_skip_names_the_run_in_the_way(self) -> None:
        decision = self.decide(run(), active=(3,))

        assert decision == Drop(
            outcome=Outcome.SKIPPED, reason="overlap: run 3 is still active"
        )

    def test_overlap_allow_starts_beside_others(self) -> None:
        assert self.decide(run(trigger(overlap=Overlap.ALLOW)), active=(3,)) == Start()

    def test_overlap_queue_waits_for_active_and_earlier_runs(self) -> None:
        queued = run(trigger(overlap=Overlap.QUEUE))

        assert isinstance(self.decide(queued, active=(3,)), Wait)
        assert isinstance(self.decide(queued, earlier_waiting=True), Wait)

    @pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.REPLACE])
    def test_what_run_all_caught_up_waits_instead_of_skipping_or_replacing(
        self, overlap: Overlap
    ) -> None:
        t = trigger(catch_up=CatchUp(run_all=True), overlap=overlap)
        late = T0 + 2 * MINUTE

        assert self.decide(run(t), late) == Start()
        assert self.decide(run(t), late, active=(3,)) == Wait(
            reason="queued behind run 3"
        )
        assert isinstance(self.decide(run(t), earlier_waiting=True), Wait)
        held = run(t, hold=Hold.OVERLAP)
        assert self.decide(held, T0 + 9 * HOUR) == Start()

    def test_run_all_leaves_a_run_that_is_on_time_to_its_overlap_policy(self) -> None:
        every, skip = CatchUp(run_all=True), Overlap.SKIP
        on_time = run(trigger(catch_up=every, overlap=skip))
        side_by_side = run(trigger(catch_up=every, overlap=Overlap.ALLOW))

        assert isinstance(self.decide(on_time, active=(3,)), Drop)
        assert self.decide(side_by_side, T0 + HOUR, active=(3,)) == Start()

    def test_overlap_replace_stops_the_old_and_waits_for_its_end(self) -> None:
        decision = self.decide(run(trigger(overlap=Overlap.REPLACE)), active=(3, 4))

        assert isinstance(decision, Wait)
        assert decision.stop == (3, 4)

    def test_a_further_attempt_starts_whatever_the_policies_say(self) -> None:
        again = run(attempt=1)

        assert self.decide(again, T0 + 9 * HOUR, paused=True) == Start()


class TestRetries:
    def at(self, outcome: Outcome, attempt: int, **changes: Any) -> datetime | None:
        return retry_at(
            trigger(retries=3),
            outcome=outcome,
            attempt=attempt,
            now=T0,
            next_fire_time=changes.get("next_fire_time"),
        )

    def test_waits_double(self) -> None:
        waits = [self.at(Outcome.FAILED, attempt) for attempt in (1, 2, 3, 4)]

        assert waits == [T0 + MINUTE, T0 + 2 * MINUTE, T0 + 4 * MINUTE, None]

    @pytest.mark.parametrize(
        "outcome", [Outcome.SUCCEEDED, Outcome.CANCELLED, Outcome.LOST]
    )
    def test_what_may_have_worked_or_was_stopped_is_not_tried_again(
        self, outcome: Outcome
    ) -> None:
        assert self.at(outcome, 1) is None

    def test_no_retry_reaches_the_next_fire_time(self) -> None:
        assert self.at(Outcome.FAILED, 1, next_fire_time=T0 + MINUTE) is None
        assert self.at(Outcome.FAILED, 1, next_fire_time=T0 + 2 * MINUTE) is not None


def test_jitter_is_stable_spread_and_within_its_bound() -> None:
    t = trigger(jitter_s=30)
    offsets = {
        (jittered(t, T0 + n * HOUR) - (T0 + n * HOUR)).total_seconds()
        for n in range(200)
    }

    assert jittered(t, T0) == jittered(t, T0)
    assert min(offsets) >= 0
    assert max(offsets) <= 30
    assert max(offsets) - min(offsets) > 20


def test_lag_counts_from_the_jittered_time() -> None:
    t = trigger(jitter_s=30)
    sent = jittered(t, T0) + timedelta(milliseconds=250)

    assert lag_s(run(t), sent) == 0.25
    assert lag_s(run(fire_time=None), sent) is None
