"""The watcher with a real database and a platform that does what a test says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clockd import clock
from clockd.errors import LaunchUnknown, StoreUnavailable
from clockd.model import Outcome, RunnerKind, RunState, StopCause
from clockd.runner import LogLine
from tests.support.waiting import wait_until
from tests.support.watching import TRIGGER, World, line_an_hour_ago

if TYPE_CHECKING:
    pass


def test_a_run_ends_with_the_status_its_dyno_reports(world: World) -> None:
    run, dyno = world.launch()
    world.runner.say(dyno, "working", source="app")
    world.runner.say(dyno, "Process exited with status 7")

    finished = world.finished(run)

    assert (finished.outcome, finished.exit_status) == (Outcome.FAILED, 7)
    assert world.texts(run) == ["working", "Process exited with status 7"]


def test_lines_that_arrive_before_the_answer_are_kept(world: World) -> None:
    run, attempt = world.take()
    world.watcher.expect(attempt)
    dyno = world.runner.start(TRIGGER.command)
    wait_until(lambda: world.runner.streams)
    world.runner.say(dyno, "quick", source="app")
    world.runner.say(dyno, "Process exited with status 0")
    world.record(run, attempt, dyno)

    assert world.finished(run).outcome is Outcome.SUCCEEDED
    assert world.texts(run)[0] == "quick"


def test_output_that_straggles_in_after_the_exit_line_is_kept(world: World) -> None:
    run, dyno = world.launch()
    world.runner.say(dyno, "Process exited with status 0")
    world.runner.say(dyno, "late", source="app")

    world.finished(run)

    assert "late" in world.texts(run)


def test_a_dyno_is_stopped_at_its_timeout_until_it_is_gone(world: World) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)
    world.after(620, lambda: len(world.runner.stopped) >= 2, "a stop, and another")
    assert world.get(run).state is RunState.STOPPING
    world.runner.say(dyno, "Stopping all processes with SIGTERM")
    world.runner.say(dyno, "Process exited with status 0")

    finished = world.finished(run)

    assert (finished.outcome, finished.exit_status) == (Outcome.TIMED_OUT, 0)
    assert finished.attempts[0].stop_cause is StopCause.TIMEOUT


def test_a_cancelled_run_is_stopped_and_ends_as_cancelled(world: World) -> None:
    run, dyno = world.launch()
    world.watcher.cancel(run.id, StopCause.CANCEL)
    wait_until(lambda: world.runner.stopped == [dyno.name])
    world.runner.say(dyno, "Process exited with status 143")

    assert world.finished(run).outcome is Outcome.CANCELLED


def test_a_dyno_that_vanished_without_a_line_is_lost_after_one_look_at_the_log(
    world: World,
) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)
    world.runner.end(dyno)

    world.after(700, lambda: world.get(run).state is RunState.FINISHED)

    assert world.get(run).outcome is Outcome.LOST
    assert world.runner.histories == 1
    assert world.runner.lists >= 2


def test_an_exit_line_the_stream_dropped_is_found_in_the_log(world: World) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)
    exited = LogLine(
        at=clock.now(),
        source="heroku",
        dyno=dyno.name,
        text="Process exited with status 0",
    )
    world.runner.past.append(exited)
    world.runner.end(dyno)

    world.after(700, lambda: world.get(run).state is RunState.FINISHED)

    assert world.get(run).outcome is Outcome.SUCCEEDED


def test_a_stopped_dyno_that_is_gone_without_a_line_is_timed_out(world: World) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)
    world.after(620, lambda: world.runner.stopped, "a stop")
    world.runner.end(dyno)

    world.after(300, lambda: world.get(run).state is RunState.FINISHED)

    assert world.get(run).outcome is Outcome.TIMED_OUT


def test_a_cut_stream_is_opened_again_and_repeats_nothing(world: World) -> None:
    run, dyno = world.launch()
    world.runner.say(dyno, "tick", source="app")
    world.runner.say(dyno, "tick", source="app")
    wait_until(lambda: len(world.texts(run)) == 2)
    world.runner.cut()
    wait_until(lambda: world.runner.streams, message="the stream to be opened again")
    world.runner.say(dyno, "Process exited with status 0")

    world.finished(run)

    assert world.texts(run) == ["tick", "tick", "Process exited with status 0"]


def test_a_restart_adopts_a_running_dyno_and_repeats_nothing(world: World) -> None:
    run, dyno = world.launch()
    world.runner.say(dyno, "before", source="app")
    wait_until(lambda: world.texts(run) == ["before"])
    world.store.runs.disown(run.id, "t", 0)
    world.watcher.stop(5)
    world.runner.say(dyno, "between", source="app")
    world.watch().adopt()
    wait_until(lambda: world.watcher.active)
    world.runner.say(dyno, "Process exited with status 0")

    assert world.finished(run).outcome is Outcome.SUCCEEDED
    assert world.texts(run) == ["before", "between", "Process exited with status 0"]


def test_a_task_that_ended_while_nobody_watched_is_known_by_its_line(
    world: World,
) -> None:
    run, dyno = world.launch()
    world.store.runs.disown(run.id, "t", 0)
    world.watcher.stop(5)
    world.runner.say(dyno, "Process exited with status 3")
    world.runner.end(dyno)
    world.watch().adopt()

    finished = world.finished(run)

    assert (finished.outcome, finished.exit_status) == (Outcome.FAILED, 3)


def test_lines_of_an_older_dyno_of_the_same_name_are_nobodys(world: World) -> None:
    run, dyno = world.launch()
    old = LogLine(
        at=dyno.created_at - timedelta(hours=1),
        source="heroku",
        dyno=dyno.name,
        text="Process exited with status 9",
    )
    wait_until(lambda: world.runner.streams)
    for stream in world.runner.streams:
        stream.feed(old)
    world.runner.say(dyno, "Process exited with status 0")

    assert world.finished(run).outcome is Outcome.SUCCEEDED


def test_a_lost_answer_is_found_in_the_list_and_adopted(world: World) -> None:
    run, _ = world.lose_answer()
    dyno = world.runner.start(TRIGGER.command)
    world.after(60, lambda: world.get(run).state is RunState.RUNNING, "adoption")
    world.runner.say(dyno, "Process exited with status 0")

    finished = world.finished(run)

    assert finished.outcome is Outcome.SUCCEEDED
    assert finished.attempts[0].dyno_id == dyno.id


def test_a_lost_answer_whose_task_has_ended_is_found_in_the_lines(
    world: World,
) -> None:
    run, _ = world.lose_answer()
    dyno = world.runner.start(TRIGGER.command)
    world.runner.end(dyno)
    wait_until(lambda: world.runner.streams)
    world.runner.say(dyno, f"Starting process with command `{TRIGGER.command}`")
    world.runner.say(dyno, "Process exited with status 5")

    finished = world.finished(run)

    assert (finished.outcome, finished.exit_status) == (Outcome.FAILED, 5)


def test_a_run_whose_launch_certainly_did_not_happen_goes_back_in_line(
    world: World,
) -> None:
    world.runner.past = [line_an_hour_ago()]
    run, _ = world.lose_answer()

    world.after(120, lambda: world.is_in_line(run), "the run to be back in line")

    wait_until(lambda: not world.watcher.active)
    assert world.runner.lists >= 4


def test_nothing_goes_back_in_line_while_the_log_does_not_reach_back(
    world: World,
) -> None:
    run, _ = world.lose_answer()

    world.after(120, lambda: world.get(run).state is RunState.FINISHED)

    assert world.get(run).outcome is Outcome.LOST


def test_a_platform_that_cannot_be_asked_decides_nothing(world: World) -> None:
    world.runner.past = [line_an_hour_ago()]
    world.runner.list_failure = LaunchUnknown("no answer either")
    run, _ = world.lose_answer()

    world.after(120, lambda: world.boot.offset_s >= 115)

    assert world.get(run).state is RunState.UNKNOWN
    world.runner.list_failure = None
    world.runner.start(TRIGGER.command)
    world.after(60, lambda: world.get(run).state is RunState.RUNNING, "adoption")


def test_a_predecessors_launch_is_given_a_minute_before_it_goes_back_in_line(
    world: World,
) -> None:
    world.runner.past = [line_an_hour_ago()]
    run, attempt = world.take()
    world.store.runs.disown(run.id, "t", 0)
    world.restart()

    world.after(120, lambda: world.is_in_line(run), "the run to be back in line")

    assert clock.now() - attempt.requested_at >= timedelta(seconds=60)


def test_a_cancelled_run_whose_launch_did_not_happen_ends_as_cancelled(
    world: World,
) -> None:
    world.runner.past = [line_an_hour_ago()]
    run, _ = world.lose_answer()
    wait_until(lambda: world.watcher.active)
    world.watcher.cancel(run.id, StopCause.CANCEL)

    world.after(120, lambda: world.get(run).state is RunState.FINISHED)

    assert world.get(run).outcome is Outcome.CANCELLED


def test_an_outcome_is_written_when_the_database_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)

    def gone(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(world.store.output, "append", gone)
        patch.setattr(world.store.attempts, "finish", gone)
        world.runner.say(dyno, "kept", source="app")
        world.runner.say(dyno, "Process exited with status 0")
        world.after(10, lambda: world.boot.offset_s >= 5)
        assert world.get(run).state is RunState.RUNNING

    world.after(30, lambda: world.get(run).state is RunState.FINISHED)
    assert world.texts(run) == ["kept", "Process exited with status 0"]


def test_a_local_process_of_another_host_is_given_up_in_the_end(world: World) -> None:
    run, attempt = world.take()
    local = replace(attempt, runner=RunnerKind.LOCAL, host="elsewhere")
    world.watcher.unknown(run, local, clock.boottime())
    wait_until(lambda: world.watcher.active)

    world.after(900, lambda: world.get(run).state is RunState.FINISHED)

    assert world.get(run).outcome is Outcome.LOST
