"""What the watcher asks the platform, how often, and of whom it cannot ask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clockd import clock
from clockd.errors import RunnerUnavailable, StoreUnavailable
from clockd.model import Outcome, RunnerKind, RunState, StopCause
from clockd.runner import Unavailable
from tests.support.waiting import wait_until
from tests.support.watching import TRIGGER, line_an_hour_ago

if TYPE_CHECKING:
    import pytest

    from clockd.runner import Dyno
    from tests.support.watching import World


def test_one_look_serves_all_lost_answers_of_an_app(world: World) -> None:
    world.runner.past = [line_an_hour_ago()]
    triggers = [
        replace(TRIGGER, slug=f"task-{n}", command=f"bin/{n}") for n in range(6)
    ]
    lost = [world.lose_answer(trigger) for trigger in triggers]
    world.runner.start("bin/3")

    world.after(120, lambda: len(world.relaunched) == 5, "five to be sent again")

    assert world.get(lost[3][0]).state is RunState.RUNNING
    # Each of six on its own would ask for four lists and one log.
    assert world.runner.lists <= 8
    assert world.runner.histories <= 2


def test_a_dyno_of_nobody_is_stopped_as_soon_as_the_platform_can_be_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, attempt = world.take()
    dyno = world.runner.start(TRIGGER.command)
    asked: list[str] = []

    def stop(dyno: Dyno) -> None:
        asked.append(dyno.name)
        if len(asked) < 3:
            raise RunnerUnavailable("not now", kind=Unavailable.CONNECTION)

    monkeypatch.setattr(world.runner, "stop", stop)
    world.watcher.orphan(attempt, dyno)

    world.after(60, lambda: len(asked) >= 3, "three tries")
    world.after(60, lambda: world.boot.offset_s >= 55)
    assert asked == [dyno.name] * 3


def test_where_a_runner_is_missing_its_attempts_end_as_lost(world: World) -> None:
    run, attempt = world.take()
    world.watcher.unknown(run, replace(attempt, runner=RunnerKind.LOCAL, host="here"))
    wait_until(lambda: world.watcher.active)
    world.watcher.cancel(run.id, StopCause.CANCEL)

    world.after(900, lambda: world.get(run).state is RunState.FINISHED)

    ended = world.get(run)
    assert ended.outcome is Outcome.LOST
    assert "cannot look" in (ended.reason or "")


def test_a_stop_that_could_not_be_written_is_written_when_it_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)

    def gone(*_: object) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(world.store.attempts, "stopping", gone)
        world.watcher.cancel(run.id, StopCause.CANCEL)
        wait_until(lambda: world.runner.stopped == [dyno.name])
    asked_at = clock.now()

    world.after(60, lambda: world.get(run).attempts[-1].stop_cause is not None)

    requested_at = world.get(run).attempts[-1].stop_requested_at
    assert requested_at is not None
    assert requested_at <= asked_at


def test_a_lost_answer_nobody_can_look_into_is_given_up_after_its_time(
    world: World,
) -> None:
    world.runner.list_failure = RunnerUnavailable(
        "forbidden", kind=Unavailable.FORBIDDEN
    )
    run, attempt = world.lose_answer()
    world.after(600, lambda: world.boot.offset_s >= 590)
    assert world.get(run).state is RunState.UNKNOWN

    world.after(400, lambda: world.get(run).state is RunState.FINISHED)

    assert world.get(run).outcome is Outcome.LOST
    assert world.boot.offset_s > attempt.time_to_live_s
    assert world.relaunched == []
