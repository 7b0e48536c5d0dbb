"""What the watcher asks the platform, how often, and of whom it cannot ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from clockd import clock
from clockd.errors import RunnerUnavailable, StoreUnavailable
from clockd.model import Outcome, RunnerKind, RunState, StopCause
from clockd.runner import Unavailable
from clockd.store import LaunchedDyno, OutputRow
from clockd.watch.streams import StreamKey
from tests.support.waiting import wait_until
from tests.support.watching import TRIGGER, line_an_hour_ago

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from clockd.runner import Dyno, LogLine
    from tests.support.watching import World


def test_one_look_serves_all_lost_answers_of_an_app(world: World) -> None:
    world.runner.past = [line_an_hour_ago()]
    triggers = [
        replace(TRIGGER, slug=f"task-{n}", command=f"bin/{n}") for n in range(6)
    ]
    lost = [world.lose_answer(trigger) for trigger in triggers]
    world.runner.start("bin/3")

    others = [run for n, (run, _) in enumerate(lost) if n != 3]
    world.after(
        120, lambda: all(map(world.is_in_line, others)), "five to be back in line"
    )

    assert world.get(lost[3][0]).state is RunState.RUNNING
    # Each of six on its own would ask for four lists and one log.
    assert world.runner.lists <= 8
    assert world.runner.histories <= 2


def stop_badly(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the first two stops fail; return the names that are asked for."""
    asked: list[str] = []

    def stop(dyno: Dyno) -> None:
        asked.append(dyno.name)
        if len(asked) < 3:
            raise RunnerUnavailable("not now", kind=Unavailable.CONNECTION)

    monkeypatch.setattr(world.runner, "stop", stop)
    return asked


def test_a_dyno_of_nobody_is_stopped_until_it_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, attempt = world.take()
    dyno = world.runner.start(TRIGGER.command)
    asked = stop_badly(world, monkeypatch)
    world.watcher.orphan(attempt, dyno)

    world.after(120, lambda: len(asked) >= 6, "stops, after two that failed")
    world.runner.end(dyno)
    wait_until(lambda: not world.watcher._stops._asking)
    at_most = len(asked) + 1
    world.after(120, lambda: not world.watcher._stops.is_orphan(dyno))
    assert set(asked) == {dyno.name}
    assert len(asked) <= at_most


def test_a_dyno_of_nobody_that_is_not_listed_yet_is_not_forgotten(
    world: World,
) -> None:
    _, attempt = world.take()
    dyno = world.runner.start(TRIGGER.command)
    world.runner.end(dyno)  # a list that lags
    world.watcher.orphan(attempt, dyno)
    wait_until(lambda: world.runner.stopped == [dyno.name])
    world.after(40, lambda: world.runner.lists >= 3)
    assert world.runner.stopped == [dyno.name]

    world.runner.listed.append(dyno)

    world.after(40, lambda: len(world.runner.stopped) > 1, "another stop")


def test_where_a_runner_is_missing_its_attempts_end_as_lost(world: World) -> None:
    run, attempt = world.take()
    local = replace(attempt, runner=RunnerKind.LOCAL, host="here")
    world.watcher.unknown(run, local, clock.boottime())
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
    wait_until(lambda: world.watcher.active)
    world.leap(attempt.time_to_live_s + 3500)
    assert world.get(run).state is RunState.UNKNOWN

    world.after(400, lambda: world.get(run).state is RunState.FINISHED)

    assert world.get(run).outcome is Outcome.LOST


def test_a_dyno_is_found_though_our_clock_is_fast(world: World) -> None:
    world.runner.skew_s = 10.0
    world.runner.past = [line_an_hour_ago()]
    run, _ = world.lose_answer()
    dyno = world.runner.start(TRIGGER.command)
    seconds = timedelta(seconds=10)
    world.runner.listed[0] = replace(dyno, created_at=dyno.created_at - seconds)

    world.after(60, lambda: world.get(run).state is RunState.RUNNING, "adoption")


def test_a_run_whose_list_can_never_be_read_is_given_up_after_its_time(
    world: World,
) -> None:
    run, _ = world.launch()
    wait_until(lambda: world.watcher.active)
    world.runner.list_failure = RunnerUnavailable(
        "forbidden", kind=Unavailable.FORBIDDEN
    )
    world.after(660, lambda: world.boot.offset_s >= 655)
    assert world.get(run).state is RunState.STOPPING
    world.leap(3200)
    assert world.get(run).state is RunState.STOPPING

    world.after(600, lambda: world.get(run).state is RunState.FINISHED)

    ended = world.get(run)
    assert ended.outcome is Outcome.LOST
    assert "could not be asked" in (ended.reason or "")


def test_a_run_whose_list_fails_only_now_and_then_is_not_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = world.launch()
    wait_until(lambda: world.watcher.active)
    dynos = world.runner.dynos

    def every_other(app: str, process_type: str | None = None) -> Sequence[Dyno]:
        found = dynos(app, process_type)
        if world.runner.lists % 2:
            raise RunnerUnavailable("not now", kind=Unavailable.CONNECTION)
        return found

    monkeypatch.setattr(world.runner, "dynos", every_other)

    world.after(1200, lambda: world.boot.offset_s >= 1195)

    assert world.get(run).state is RunState.STOPPING


def test_a_run_whose_log_can_never_be_read_is_given_up_after_its_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)

    def history(app: str, *, lines: int) -> Sequence[LogLine]:
        del app, lines
        raise RunnerUnavailable("forbidden", kind=Unavailable.FORBIDDEN)

    monkeypatch.setattr(world.runner, "history", history)
    world.runner.end(dyno)
    world.after(660, lambda: world.boot.offset_s >= 655)
    assert world.get(run).state is not RunState.FINISHED

    world.after(900, lambda: world.get(run).state is RunState.FINISHED)

    assert world.get(run).outcome is Outcome.LOST


def test_lines_of_a_run_taken_over_are_not_kept_twice(world: World) -> None:
    world.launch()  # the stream is open
    wait_until(lambda: world.runner.streams)
    run, attempt = world.take(replace(TRIGGER, slug="other", command="bin/other"))
    dyno = world.runner.start("bin/other")
    answer = LaunchedDyno(
        attempt_id=attempt.id,
        requested_at=attempt.requested_at,
        dyno=dyno,
        launched_at=clock.now(),
    )
    assert not world.store.attempts.launched([answer], clock.now())
    line = world.runner.say(dyno, "known", source="app")
    world.runner.say(dyno, "new", source="app")
    written = OutputRow(
        run_id=run.id, attempt=1, sequence=1, at=line.at, source="app", text="known"
    )
    world.store.output.append([written])
    heard = world.watcher._streams.unowned
    wait_until(lambda: len(heard(StreamKey.of(attempt))) == 2)

    world.store.runs.disown(run.id, "t", 0)
    world.watcher.adopt()
    wait_until(lambda: world.watcher.active == 2)
    world.runner.say(dyno, "Process exited with status 0")
    world.finished(run)

    assert world.texts(run) == ["known", "new", "Process exited with status 0"]
