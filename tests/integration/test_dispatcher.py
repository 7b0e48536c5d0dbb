"""The way from a due fire time to a launch, with a platform that obeys the test."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from clockd import clock
from clockd.errors import (
    LaunchRejected,
    LaunchUnknown,
    LeaseLost,
    RunnerUnavailable,
    StoreUnavailable,
)
from clockd.model import (
    Cause,
    Hold,
    Outcome,
    Overlap,
    RunState,
    ScheduleKind,
)
from clockd.runner import Unavailable
from clockd.scheduler import make_scheduler
from tests.support.dispatching import Clockwork, trigger
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    pass


def test_a_requested_run_is_launched_with_what_its_task_needs(work: Clockwork) -> None:
    run = work.request(trigger(env={"KEY": "${TOKEN}", "MODE": "x"}, dyno="eco"))
    work.wait_for(run, RunState.RUNNING)

    (request,) = work.runner.requests
    assert request.command == "bin/nightly"
    assert request.size == "eco"
    assert request.time_to_live_s == 1860
    assert request.env["KEY"] == "t0p"
    assert request.env["CLOCKD_TRIGGER"] == "nightly"
    assert request.env["CLOCKD_RUN_ID"] == str(run.id)
    assert request.env["CLOCKD_ATTEMPT"] == "1"
    assert request.env["CLOCKD_FIRE_TIME"].endswith("Z")


def test_the_time_to_live_never_exceeds_the_platforms_maximum(work: Clockwork) -> None:
    run = work.request(trigger(timeout_s=86_400))
    work.wait_for(run, RunState.RUNNING)

    assert work.runner.requests[0].time_to_live_s == 86_400


def test_a_refused_launch_ends_as_launch_failed_with_the_reason(
    work: Clockwork,
) -> None:
    work.runner.failures = [LaunchRejected("no such app")]
    run = work.wait_for(work.request(trigger()), RunState.FINISHED)

    assert (run.outcome, run.exit_status) == (Outcome.LAUNCH_FAILED, None)
    assert run.reason is not None
    assert "no such app" in run.reason


def test_an_unset_variable_in_env_fails_the_launch_and_names_it(
    work: Clockwork,
) -> None:
    run = work.request(trigger(env={"KEY": "${NOT_THERE}"}))

    finished = work.wait_for(run, RunState.FINISHED)

    assert finished.outcome is Outcome.LAUNCH_FAILED
    assert "NOT_THERE" in (finished.reason or "")
    assert work.runner.requests == []


@pytest.mark.parametrize(
    ("kind", "hold"),
    [
        (Unavailable.CONNECTION, Hold.BACKOFF),
        (Unavailable.RATE_LIMITED, Hold.BACKOFF),
        (Unavailable.CONFLICT, Hold.BACKOFF),
        (Unavailable.UNAUTHORIZED, Hold.BACKOFF),
        (Unavailable.OVER_LIMIT, Hold.LINE),
    ],
)
def test_a_launch_that_certainly_did_not_happen_waits_and_is_the_same_attempt(
    work: Clockwork, kind: Unavailable, hold: Hold
) -> None:
    work.runner.failures = [RunnerUnavailable("not now", kind=kind)]
    run = work.request(trigger())
    wait_until(lambda: work.get(run).hold is hold)
    assert work.get(run).attempts == ()

    work.boot.advance(61)

    launched = work.wait_for(run, RunState.RUNNING)
    assert [a.number for a in launched.attempts] == [1]
    assert len(work.runner.requests) == 2


def test_runs_behind_a_closed_gate_do_not_ask_the_platform(work: Clockwork) -> None:
    work.runner.failures = [
        RunnerUnavailable("down", kind=Unavailable.CONNECTION, retry_after_s=50)
    ]
    first = work.request(trigger("first"))
    wait_until(lambda: work.get(first).hold is Hold.BACKOFF)

    others = [work.request(trigger(f"other-{n}")) for n in range(5)]
    wait_until(lambda: all(work.get(r).hold is Hold.BACKOFF for r in others))

    assert len(work.runner.requests) == 1
    work.boot.advance(51)
    for run in (first, *others):
        work.wait_for(run, RunState.RUNNING)


def test_an_ended_run_lets_the_next_in_line_try(work: Clockwork) -> None:
    running = work.request(trigger("running"))
    work.wait_for(running, RunState.RUNNING)
    work.runner.failures = [RunnerUnavailable("no room", kind=Unavailable.OVER_LIMIT)]
    waiting = work.request(trigger("waiting"))
    wait_until(lambda: work.get(waiting).hold is Hold.LINE)

    work.exit(running, 0)

    work.wait_for(waiting, RunState.RUNNING)


def test_an_unknown_answer_is_never_sent_again_unseen(work: Clockwork) -> None:
    work.runner.failures = [LaunchUnknown("reset")]
    run = work.request(trigger())
    work.wait_for(run, RunState.UNKNOWN)

    dyno = work.runner.start("bin/nightly")

    adopted = work.wait_for(run, RunState.RUNNING)
    assert adopted.attempts[0].dyno_id == dyno.id
    assert len(work.runner.requests) == 1


def test_two_launches_of_one_command_are_never_open_at_once(work: Clockwork) -> None:
    work.runner.failures = [LaunchUnknown("reset")]
    first = work.request(trigger("first", command="bin/same"))
    work.wait_for(first, RunState.UNKNOWN)

    second = work.request(trigger("second", command="bin/same"))
    third = work.request(trigger("third"))
    work.wait_for(third, RunState.RUNNING)
    assert work.get(second).state is RunState.WAITING

    work.runner.start("bin/same")
    work.wait_for(first, RunState.RUNNING)
    work.wait_for(second, RunState.RUNNING)


def test_a_clock_that_lost_its_lease_sends_nothing(work: Clockwork) -> None:
    sent = threading.Event()

    def guard() -> None:
        sent.set()
        raise LeaseLost("frozen")

    work.keeper.check = guard  # type: ignore[method-assign]
    run = work.request(trigger())
    wait_until(sent.is_set)

    work.dispatcher.stop(5)

    assert work.runner.requests == []
    wait_until(lambda: work.get(run).state is RunState.WAITING)


def test_a_failed_attempt_is_tried_again_after_its_delay(work: Clockwork) -> None:
    run = work.request(trigger(retries=1, retry_delay_s=60))
    work.wait_for(run, RunState.RUNNING)
    between = work.exit(run, 1)
    assert (between.state, between.hold) == (RunState.WAITING, Hold.RETRY)

    work.boot.advance(61)
    wait_until(lambda: len(work.get(run).attempts) == 2)
    work.wait_for(run, RunState.RUNNING)
    finished = work.exit(run, 0)

    assert finished.state is RunState.FINISHED
    assert finished.outcome is Outcome.SUCCEEDED
    assert [a.exit_status for a in finished.attempts] == [1, 0]
    assert work.runner.requests[1].env["CLOCKD_ATTEMPT"] == "2"


def test_overlap_skip_drops_the_second_run(work: Clockwork) -> None:
    first = work.request(trigger())
    work.wait_for(first, RunState.RUNNING)

    second = work.wait_for(work.request(trigger()), RunState.FINISHED)

    assert second.outcome is Outcome.SKIPPED
    assert str(first.id) in (second.reason or "")


def test_overlap_queue_starts_the_second_when_the_first_has_ended(
    work: Clockwork,
) -> None:
    queued = trigger(overlap=Overlap.QUEUE)
    first = work.request(queued)
    work.wait_for(first, RunState.RUNNING)
    second = work.request(queued)
    wait_until(lambda: work.get(second).hold is Hold.OVERLAP)

    work.exit(first, 0)

    work.wait_for(second, RunState.RUNNING)


def test_overlap_replace_stops_the_first_and_starts_after_its_end(
    work: Clockwork,
) -> None:
    replacing = trigger(overlap=Overlap.REPLACE)
    first = work.request(replacing)
    work.wait_for(first, RunState.RUNNING)
    second = work.request(replacing)
    wait_until(lambda: work.runner.stopped == [work.get(first).attempts[0].dyno])
    assert work.get(second).state is RunState.WAITING

    ended = work.exit(first, 143)

    assert ended.outcome is Outcome.CANCELLED
    work.wait_for(second, RunState.RUNNING)


def test_a_cancelled_run_is_stopped(work: Clockwork) -> None:
    run = work.request(trigger())
    work.wait_for(run, RunState.RUNNING)

    work.store.runs.cancel(run.id, by="somebody", now=clock.now())

    wait_until(lambda: bool(work.runner.stopped))
    assert work.exit(run, 143).outcome is Outcome.CANCELLED


def test_a_name_that_cannot_be_written_is_followed_and_written_later(
    work: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(work.store.attempts, "launched", gone)
        run = work.request(trigger())
        wait_until(lambda: bool(work.runner.requests))
        wait_until(lambda: work.watcher.active == 1)
        assert work.get(run).state is RunState.LAUNCHING

    assert work.wait_for(run, RunState.RUNNING).attempts[0].dyno_id == "id-1"
    assert len(work.runner.requests) == 1


def test_an_answer_for_an_attempt_that_is_no_longer_ours_stops_that_dyno(
    work: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = work.store.attempts.launched

    def taken_over(results: Any, now: Any) -> Any:
        attempt = results[0]
        work.store.attempts.requeue(
            attempt.attempt_id,
            attempt.requested_at,
            not_before=now + timedelta(hours=1),
            hold=None,
            reason="taken over",
        )
        return real(results, now)

    with monkeypatch.context() as patch:
        patch.setattr(work.store.attempts, "launched", taken_over)
        work.request(trigger())
        wait_until(lambda: work.runner.stopped == ["clockd.1"])


def test_a_due_fire_time_is_claimed_and_launched_by_the_scheduler(
    work: Clockwork,
) -> None:
    at = (clock.now() + timedelta(seconds=2)).replace(microsecond=0)
    once = trigger(schedule_kind=ScheduleKind.AT, expression=f"{at:%Y-%m-%d %H:%M:%S}")
    work.store.triggers.sync([once], fence=work.keeper.fence, now=clock.now())
    scheduler = make_scheduler(
        work.store,
        fence=lambda: work.keeper.fence,
        fire=lambda _trigger_id, _fire_times: work.dispatcher.wake(),
        on_lost=work.lost.set,
    )
    scheduler.start()
    try:
        (run,) = wait_until(lambda: work.store.runs.list(), timeout=10)
        launched = work.wait_for(run, RunState.RUNNING)
    finally:
        scheduler.end()

    assert launched.fire_time == at
    assert launched.cause is Cause.SCHEDULED
    assert launched.lag_s is not None
    assert 0 <= launched.lag_s < 5
