from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clockd.model import Attempt, Outcome, RunnerKind, RunState, StopCause
from clockd.runner import LogLine
from clockd.watch.evidence import Evidence, judge

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ATTEMPT = Attempt(
    id=1,
    run_id=1,
    number=1,
    state=RunState.RUNNING,
    runner=RunnerKind.HEROKU,
    app="sharp-mountain-4005",
    command="true",
    process_type="clockd",
    requested_at=BEGAN,
    created_at=BEGAN,
    time_to_live_s=660,
)


def seen(*texts: str, after_s: float = 30, source: str = "heroku") -> Evidence:
    evidence = Evidence()
    for number, text in enumerate(texts):
        at = BEGAN + timedelta(seconds=after_s + number)
        evidence = evidence.with_line(
            LogLine(at=at, source=source, dyno="clockd.1", text=text)
        )
    return evidence


def stopped(cause: StopCause, after_s: float = 29) -> Attempt:
    return replace(
        ATTEMPT,
        stop_cause=cause,
        stop_requested_at=BEGAN + timedelta(seconds=after_s),
    )


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0, Outcome.SUCCEEDED), (1, Outcome.FAILED), (137, Outcome.FAILED)],
)
def test_an_exit_line_alone_decides_by_its_status(
    status: int, outcome: Outcome
) -> None:
    verdict = judge(ATTEMPT, seen(f"Process exited with status {status}"))

    assert (outcome, status) == (verdict.outcome, verdict.exit_status)


def test_a_state_line_is_no_evidence_of_success() -> None:
    evidence = seen("State changed from up to complete")

    assert not evidence.ended
    assert judge(ATTEMPT, evidence).outcome is Outcome.LOST


def test_a_task_cannot_forge_its_exit_status_by_printing_the_line() -> None:
    evidence = seen("Process exited with status 0", source="app")

    assert not evidence.ended


def test_a_stop_at_the_timeout_counts_as_timed_out_even_with_status_0() -> None:
    evidence = seen(
        "State changed from up to complete",
        "Stopping all processes with SIGTERM",
        "Process exited with status 0",
    )

    verdict = judge(stopped(StopCause.TIMEOUT), evidence)

    assert (verdict.outcome, verdict.exit_status) == (Outcome.TIMED_OUT, 0)


@pytest.mark.parametrize("cause", [StopCause.CANCEL, StopCause.REPLACED])
def test_a_stop_that_was_asked_for_counts_as_cancelled(cause: StopCause) -> None:
    evidence = seen(
        "Stopping all processes with SIGTERM", "Process exited with status 143"
    )

    assert judge(stopped(cause), evidence).outcome is Outcome.CANCELLED


def test_a_task_that_ended_just_before_the_stop_keeps_its_own_status() -> None:
    evidence = seen("Process exited with status 3", after_s=30)

    verdict = judge(stopped(StopCause.TIMEOUT, after_s=31), evidence)

    assert (verdict.outcome, verdict.exit_status) == (Outcome.FAILED, 3)


@pytest.mark.parametrize("first", ["Cycling", "Stopping all processes with SIGTERM"])
def test_a_stop_that_is_not_ours_is_the_platforms(first: str) -> None:
    evidence = seen(first, "Process exited with status 0")

    verdict = judge(ATTEMPT, evidence)

    assert (verdict.outcome, verdict.exit_status) == (Outcome.STOPPED_BY_PLATFORM, 0)


def test_a_stop_long_before_ours_was_the_platforms() -> None:
    evidence = seen(
        "Stopping all processes with SIGTERM", "Process exited with status 143"
    )

    verdict = judge(stopped(StopCause.TIMEOUT, after_s=60), evidence)

    assert (verdict.outcome, verdict.exit_status) == (Outcome.STOPPED_BY_PLATFORM, 143)


def test_a_stop_is_ours_though_the_platforms_clock_is_behind() -> None:
    evidence = seen(
        "Stopping all processes with SIGTERM", "Process exited with status 143"
    )

    verdict = judge(stopped(StopCause.TIMEOUT, after_s=34), evidence)

    assert verdict.outcome is Outcome.TIMED_OUT


def test_the_time_to_live_counts_as_timed_out_though_clockd_was_dead() -> None:
    evidence = seen(
        "Cycling",
        "Stopping all processes with SIGTERM",
        "Process exited with status 143",
        after_s=660,
    )

    assert judge(ATTEMPT, evidence).outcome is Outcome.TIMED_OUT


def test_a_memory_kill_is_a_failure_that_says_so() -> None:
    evidence = seen(
        "Error R15 (Memory quota vastly exceeded)",
        "Stopping process with SIGKILL",
        "Process exited with status 137",
    )

    verdict = judge(ATTEMPT, evidence)

    assert verdict.outcome is Outcome.FAILED
    assert "memory" in verdict.reason


def test_a_local_process_that_vanished_is_lost() -> None:
    evidence = seen("Process vanished without an exit status", source="clockd")

    assert evidence.ended
    assert judge(ATTEMPT, evidence).outcome is Outcome.LOST
