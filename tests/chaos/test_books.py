"""The campaign's verdict finds what it is there to find."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from clockd.model import (
    Attempt,
    Cause,
    Outcome,
    Overlap,
    Run,
    RunnerKind,
    RunState,
    ScheduleKind,
    StopCause,
    Trigger,
)
from tests.chaos.books import Books, Verdict, compare
from tests.chaos.expected import Era, fire_times
from tests.chaos.truth import AppBooks, Dyno, Line, Look, Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
APP = "sharp-mountain-4005"
TRIGGER = Trigger(
    slug="task",
    command="bin/task",
    schedule_kind=ScheduleKind.CRON,
    expression="* * * * *",
    app=APP,
    timeout_s=60,
)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def dyno(run_id: int = 1, *, number: int = 1, start: float = 1, **more: Any) -> Dyno:
    """Return a dyno that ran for two seconds and ended well."""
    told: dict[str, Any] = {
        "id": f"dyno-{run_id}-{number}",
        "name": f"clockd.{run_id}{number}",
        "ended_at": at(start + 2).timestamp(),
        "exit_status": 0,
        "stopped_by": None,
        "stopped_at": None,
        "unheard": False,
    }
    return Dyno(
        app=APP,
        command=TRIGGER.command,
        env={"CLOCKD_RUN_ID": str(run_id), "CLOCKD_ATTEMPT": str(number)},
        started_at=at(start).timestamp(),
        time_to_live=120,
        **(told | more),
    )


def attempt(
    run_id: int = 1, *, number: int = 1, start: float = 1, **more: Any
) -> Attempt:
    """Return the attempt on record that fits `dyno`."""
    told: dict[str, Any] = {
        "dyno_id": f"dyno-{run_id}-{number}",
        "dyno": f"clockd.{run_id}{number}",
        "outcome": Outcome.SUCCEEDED,
        "exit_status": 0,
        "finished_at": at(start + 3),
    }
    return Attempt(
        id=10 * run_id + number,
        run_id=run_id,
        number=number,
        state=RunState.FINISHED,
        runner=RunnerKind.HEROKU,
        app=APP,
        command=TRIGGER.command,
        process_type="clockd",
        requested_at=at(start),
        time_to_live_s=120,
        **(told | more),
    )


def run(run_id: int = 1, *, minute: int = 0, **more: Any) -> Run:
    """Return a run on record that fits `attempt`."""
    told: dict[str, Any] = {
        "state": RunState.FINISHED,
        "outcome": Outcome.SUCCEEDED,
        "exit_status": 0,
        "attempts": (attempt(run_id, start=60 * minute + 1),),
        "trigger": TRIGGER,
        "fire_time": at(60 * minute),
        "finished_at": at(60 * minute + 4),
    }
    return Run(
        id=run_id,
        trigger_id=TRIGGER.uuid,
        cause=Cause.SCHEDULED,
        claimed_at=at(60 * minute),
        **(told | more),
    )


def judged(
    runs: Sequence[Run],
    dynos: Sequence[Dyno],
    *,
    expected: Sequence[int] | None = None,
    dropped: bool = False,
    looks: Sequence[Look] = (),
) -> Verdict:
    """Return the verdict; the log tells every end, unless it was `dropped`."""
    lines = [
        Line(
            arrived=d.ended_at,
            at=d.ended_at,
            source="heroku",
            process=d.name,
            text=f"Process exited with status {d.exit_status}",
        )
        for d in dynos
        if d.ended_at is not None and not dropped
    ]
    times = {r.fire_time for r in runs if r.fire_time is not None}
    if expected is not None:
        times = {at(60 * minute) for minute in expected}
    books = Books(runs=runs, expected={TRIGGER.uuid: times}, until=at(3600))
    truth = Truth(
        dynos=dynos,
        apps={APP: AppBooks(lines=lines, looks=looks)},
        launches=[],
        until=at(3600).timestamp(),
    )
    return compare(books, truth)


def kinds(verdict: Verdict) -> list[str]:
    return [violation.kind for violation in verdict.violations]


def test_books_that_agree_are_fine() -> None:
    assert kinds(judged([run()], [dyno()])) == []


def test_a_fire_time_without_a_run_is_lost() -> None:
    assert kinds(judged([run()], [dyno()], expected=[0, 1])) == ["lost"]


def test_an_entry_stands_for_all_its_fire_times() -> None:
    entry = run(
        outcome=Outcome.MISSED,
        exit_status=None,
        reason="superseded by a later fire time",
        attempts=(),
        last_fire_time=at(120),
        fire_count=3,
    )
    newest = run(2, minute=3)

    found = judged([entry, newest], [dyno(2, start=181)], expected=[0, 1, 2, 3])

    assert kinds(found) == []


def test_two_runs_for_a_fire_time_are_doubled() -> None:
    runs = [run(1), run(2, attempts=(attempt(2, start=5),))]

    assert "doubled" in kinds(judged(runs, [dyno(1), dyno(2, start=5)]))


def test_two_dynos_for_an_attempt_are_doubled() -> None:
    dynos = [dyno(), dyno(start=5, id="another", name="clockd.99")]

    assert "doubled" in kinds(judged([run()], dynos))


def test_a_second_attempt_beside_the_first_is_doubled() -> None:
    first = attempt(outcome=Outcome.FAILED, exit_status=1)
    runs = [run(attempts=(first, attempt(number=2, start=2)))]
    dynos = [dyno(exit_status=1), dyno(number=2, start=2)]

    assert "doubled" in kinds(judged(runs, dynos))


@pytest.mark.parametrize("overlap", list(Overlap), ids=[o.value for o in Overlap])
def test_dynos_at_once_are_doubled_where_the_policy_forbids_it(
    overlap: Overlap,
) -> None:
    trigger = replace(TRIGGER, overlap=overlap)
    runs = [
        run(1, trigger=trigger),
        run(2, trigger=trigger, fire_time=None, attempts=(attempt(2, start=2),)),
    ]

    found = judged(runs, [dyno(1), dyno(2, start=2)])

    assert kinds(found) == ([] if overlap is Overlap.ALLOW else ["doubled"])


def test_a_dyno_without_an_attempt_is_wrong() -> None:
    assert "wrong" in kinds(judged([run()], [dyno(), dyno(2)]))


def test_a_dyno_that_outlives_its_timeout_is_late() -> None:
    told: dict[str, Any] = {"outcome": Outcome.TIMED_OUT, "exit_status": 143}
    stop: dict[str, Any] = {
        "stop_cause": StopCause.TIMEOUT,
        "stop_requested_at": at(61),
    }
    ended: dict[str, Any] = {"ended_at": at(160).timestamp(), "exit_status": 143}

    found = judged(
        [run(attempts=(attempt(**stop, **told),), **told)],
        [dyno(stopped_by="api", stopped_at=at(155).timestamp(), **ended)],
    )

    assert kinds(found) == ["late"]


@pytest.mark.parametrize(
    ("truth", "told"),
    [
        pytest.param({"exit_status": 1}, {}, id="it failed"),
        pytest.param({"exit_status": None, "unheard": True}, {}, id="it vanished"),
        pytest.param({"stopped_by": "platform"}, {}, id="the platform stopped it"),
        pytest.param({"stopped_by": "api"}, {}, id="it was stopped"),
        pytest.param({}, {"outcome": Outcome.LOST, "exit_status": None}, id="not lost"),
        pytest.param({}, {"exit_status": None}, id="its status was there"),
        pytest.param({}, {"outcome": Outcome.TIMED_OUT}, id="it was in time"),
    ],
)
def test_an_outcome_that_is_not_the_truth_is_wrong(
    truth: dict[str, Any], told: dict[str, Any]
) -> None:
    found = judged([run(attempts=(attempt(**told),), **told)], [dyno(**truth)])

    assert kinds(found) == ["wrong"]


def test_success_without_a_dyno_is_wrong() -> None:
    assert kinds(judged([run()], [])) == ["wrong"]


@pytest.mark.parametrize("asked", [True, False])
def test_cancelled_without_a_dyno_is_right_where_somebody_asked_for_it(
    asked: bool,
) -> None:
    told: dict[str, Any] = {"outcome": Outcome.CANCELLED, "exit_status": None}
    asked_at = at(2) if asked else None

    found = judged(
        [run(attempts=(attempt(**told),), cancel_requested_at=asked_at, **told)], []
    )

    assert kinds(found) == ([] if asked else ["wrong"])


def test_lost_is_right_where_the_exit_line_was_dropped() -> None:
    told: dict[str, Any] = {"outcome": Outcome.LOST, "exit_status": None}

    found = judged([run(attempts=(attempt(**told),), **told)], [dyno()], dropped=True)

    assert (kinds(found), found.losses) == ([], {1: "its exit line was dropped"})


def test_lost_is_right_where_the_log_that_was_read_was_mute() -> None:
    told: dict[str, Any] = {"outcome": Outcome.LOST, "exit_status": None}
    look = Look(time=at(3.5).timestamp(), fault="mute")

    found = judged([run(attempts=(attempt(**told),), **told)], [dyno()], looks=[look])

    assert (kinds(found), list(found.losses)) == ([], [1])


@pytest.mark.parametrize(
    "reason",
    ["superseded by the fire time", "overlap: run 9 is still active", "removed", "x"],
)
def test_a_run_that_never_started_needs_a_true_reason(reason: str) -> None:
    idle = run(outcome=Outcome.SKIPPED, exit_status=None, attempts=(), reason=reason)

    assert kinds(judged([idle], [])) == ["wrong"]


def test_a_run_that_is_still_open_is_unfinished() -> None:
    open_ = run(state=RunState.RUNNING, outcome=None, exit_status=None)

    assert kinds(judged([open_], [dyno()])) == ["unfinished"]


def test_each_schedule_counts_for_the_time_in_which_it_held() -> None:
    def era(cron: str, since: float, until: float) -> Era:
        return Era.of({"cron": cron}, since=at(since), until=at(until))

    eras = [era("* * * * *", 0.5, 120.9), era("*/5 * * * *", 120.9, 601)]

    assert fire_times(eras, at(540)) == {at(60), at(120), at(300)}
