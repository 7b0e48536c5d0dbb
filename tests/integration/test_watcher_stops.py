"""Stops go out in time, whatever hangs; a run is lost only after every proof is in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from clockd import clock
from clockd.model import Outcome, RunState, StopCause
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from clockd.runner import Dyno
    from tests.support.watching import World


def test_a_platform_that_hangs_gets_one_stop_at_a_time_for_a_dyno(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)
    go_on = threading.Event()
    asked: list[str] = []

    def stop(dyno: Dyno) -> None:
        asked.append(dyno.name)
        go_on.wait(20)

    monkeypatch.setattr(world.runner, "stop", stop)
    world.watcher.cancel(run.id, StopCause.CANCEL)
    world.after(120, lambda: world.boot.offset_s >= 115)
    assert asked == [dyno.name]

    go_on.set()

    world.after(30, lambda: len(asked) > 1, "the stop to be asked for again")


def test_lists_that_hang_do_not_hold_up_a_stop(world: World) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)
    go_on = threading.Event()
    try:
        for _ in range(8):
            world.watcher._questions.ask(
                lambda: go_on.wait(20), lambda _: None, lambda: None
            )
        world.watcher.cancel(run.id, StopCause.CANCEL)

        wait_until(lambda: world.runner.stopped == [dyno.name])
    finally:
        go_on.set()


def test_a_dyno_that_is_no_longer_listed_after_its_stop_is_not_stopped_by_name_again(
    world: World,
) -> None:
    """Its name may be another dyno's by then."""
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)
    world.after(60, lambda: world.boot.offset_s >= 60)
    world.watcher.cancel(run.id, StopCause.CANCEL)
    wait_until(lambda: world.runner.stopped)
    world.runner.end(dyno)
    suspects = world.watcher._tracks.values
    world.after(60, lambda: any(track.suspect for track in list(suspects())))
    asked = len(world.runner.stopped)
    world.after(300, lambda: world.get(run).state is RunState.FINISHED)

    assert len(world.runner.stopped) == asked
    assert world.get(run).outcome is Outcome.CANCELLED


class Watched:
    """Notes when the platform was asked for what."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lists: list[float] = []
        self.logs: list[float] = []
        dynos, history = world.runner.dynos, world.runner.history

        def listed(app: str, process_type: str | None = None) -> Sequence[Dyno]:
            self.lists.append(clock.boottime())
            return dynos(app, process_type)

        def read(app: str, *, lines: int) -> object:
            self.logs.append(clock.boottime())
            return history(app, lines=lines)

        monkeypatch.setattr(world.runner, "dynos", listed)
        monkeypatch.setattr(world.runner, "history", read)


def test_a_run_is_lost_only_after_two_lists_half_a_minute_apart_and_one_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)
    world.after(70, lambda: world.boot.offset_s >= 70)
    watched = Watched(world, monkeypatch)
    world.runner.end(dyno)

    world.after(700, lambda: world.get(run).state is RunState.FINISHED)

    assert world.get(run).outcome is Outcome.LOST
    (log,) = watched.logs
    absent = [at for at in watched.lists if at <= log]
    assert absent[-1] - absent[0] >= 30


def test_a_dyno_that_is_still_listed_is_not_lost_though_its_exit_line_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dyno = world.launch()
    wait_until(lambda: world.watcher.active)
    watched = Watched(world, monkeypatch)
    world.after(500, lambda: world.boot.offset_s >= 500)
    assert world.get(run).state is RunState.RUNNING
    assert watched.logs == []

    world.runner.end(dyno)
    world.after(90, lambda: world.boot.offset_s >= 520)
    assert world.get(run).state is RunState.RUNNING
    world.runner.listed.append(dyno)
    world.after(60, lambda: world.boot.offset_s >= 575)

    assert world.get(run).state is RunState.RUNNING
    assert world.get(run).outcome is None
