"""The watcher while the database fails, and at its own end: what must go out, does."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clockd import clock
from clockd.errors import StoreUnavailable
from clockd.model import Outcome, RunState, StopCause
from clockd.runner import LogLine
from clockd.store import LaunchedDyno
from clockd.watch import watcher as watching
from tests.support.waiting import wait_until
from tests.support.watching import TRIGGER, line_an_hour_ago

if TYPE_CHECKING:
    import pytest

    from clockd.model import Run
    from clockd.runner import Dyno
    from clockd.watch.track import Track
    from tests.support.watching import World


class Away:
    """A database that cannot be reached, and counts who tries."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *_: object, **__: object) -> Any:
        self.calls += 1
        raise StoreUnavailable("gone")


def launch_many(world: World, count: int) -> list[tuple[Run, Dyno]]:
    """Launch runs of different triggers."""
    return [
        world.launch(replace(TRIGGER, slug=f"task-{n}", command=f"bin/{n}"))
        for n in range(count)
    ]


def test_a_database_that_failed_is_left_alone_for_a_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = launch_many(world, 5)
    late, dyno = world.launch()
    wait_until(lambda: world.watcher.active == 6)
    away = Away()
    with monkeypatch.context() as patch:
        patch.setattr(world.store.output, "append", away)
        patch.setattr(world.store.attempts, "stopping", away)
        for _, ended in ending:
            world.runner.say(ended, "Process exited with status 0")
        wait_until(lambda: away.calls)
        world.watcher.cancel(late.id, StopCause.CANCEL)
        wait_until(lambda: world.runner.stopped == [dyno.name])
        assert away.calls == 1

    world.after(
        60,
        lambda: all(world.get(run).outcome is Outcome.SUCCEEDED for run, _ in ending),
    )
    world.after(60, lambda: world.get(late).attempts[-1].stop_cause is not None)


def test_a_launch_is_followed_though_the_database_cannot_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, attempt = world.take()
    second = replace(attempt, number=2)
    dyno = world.runner.start(TRIGGER.command)
    monkeypatch.setattr(world.store.output, "state", Away())

    world.watcher.launched(run, second, dyno, clock.boottime())

    wait_until(lambda: world.watcher.active == 1, message="the dyno to be followed")


def test_an_error_with_one_attempt_does_not_keep_the_others_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bad, _), (good, dyno) = launch_many(world, 2)
    tick = watching.Watcher._tick

    def fail(self: watching.Watcher, track: Track, now: float) -> None:
        if track.run.id == bad.id:
            raise ValueError("an error")
        tick(self, track, now)

    monkeypatch.setattr(watching.Watcher, "_tick", fail)
    world.runner.say(dyno, "Process exited with status 0")

    assert world.finished(good).outcome is Outcome.SUCCEEDED


# -- lost answers --------------------------------------------------------------


def record_elsewhere(world: World, trigger_command: str) -> tuple[Run, Dyno]:
    """Lose an answer that reaches another process, which writes it down."""
    run, attempt = world.lose_answer()
    wait_until(lambda: world.watcher.active)
    dyno = world.runner.start(trigger_command)
    answer = LaunchedDyno(
        attempt_id=attempt.id,
        requested_at=attempt.requested_at,
        dyno=dyno,
        launched_at=clock.now(),
    )
    assert not world.store.attempts.launched([answer], clock.now())
    return run, dyno


def test_a_dyno_another_process_wrote_down_is_followed_and_not_lost(
    world: World,
) -> None:
    run, dyno = record_elsewhere(world, TRIGGER.command)
    tracks = world.watcher._tracks
    world.after(60, lambda: any(track.dyno for track in list(tracks.values())))
    world.runner.say(dyno, "Process exited with status 0")

    assert world.finished(run).outcome is Outcome.SUCCEEDED


def test_who_found_no_dyno_does_not_overrule_who_got_the_answer(world: World) -> None:
    run, _ = record_elsewhere(world, "shown in another way")

    world.after(60, lambda: not world.watcher.active, "the look to end")

    assert world.get(run).state is RunState.RUNNING


def test_a_dyno_is_not_sent_again_where_it_was_found_but_not_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = world.lose_answer()
    started = LogLine(
        at=clock.now(),
        source="heroku",
        dyno="clockd.7",
        text=f"Starting process with command `{TRIGGER.command}`",
    )
    world.runner.past = [line_an_hour_ago(), started]
    away = Away()
    with monkeypatch.context() as patch:
        patch.setattr(world.store.attempts, "launched", away)
        world.after(120, lambda: away.calls >= 2)
        assert world.get(run).state is RunState.UNKNOWN

    world.after(60, lambda: world.get(run).state is RunState.RUNNING, "adoption")


# -- the end -------------------------------------------------------------------


def hold_up(world: World) -> threading.Event:
    """Keep the watcher's thread busy; return what lets it go on."""
    busy, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        busy.set()
        go_on.wait(10)

    world.watcher._inbox.put(wait)
    assert busy.wait(10)
    return go_on


def test_what_the_watcher_was_told_last_is_still_done(world: World) -> None:
    _, attempt = world.take()
    dyno = world.runner.start(TRIGGER.command)
    go_on = hold_up(world)
    world.watcher.orphan(attempt, dyno)
    threading.Timer(0.2, go_on.set).start()

    world.watcher.stop(5)

    assert world.runner.stopped == [dyno.name]


def test_stops_that_wait_for_other_requests_still_go_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    stopped: list[str] = []

    def stop(dyno: Dyno) -> None:
        go_on.wait(10)
        stopped.append(dyno.name)

    monkeypatch.setattr(world.runner, "stop", stop)
    for run, _ in (launched := launch_many(world, 6)):
        world.watcher.cancel(run.id, StopCause.CANCEL)
    wait_until(
        lambda: all(world.get(run).attempts[-1].stop_cause for run, _ in launched)
    )
    threading.Timer(0.1, go_on.set).start()

    world.watcher.stop(5)

    assert sorted(stopped) == sorted(dyno.name for _, dyno in launched)


def test_a_platform_that_hangs_does_not_hold_up_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = world.launch()
    go_on = threading.Event()
    monkeypatch.setattr(world.runner, "stop", lambda _dyno: go_on.wait(10))
    world.watcher.cancel(run.id, StopCause.CANCEL)
    wait_until(lambda: world.get(run).attempts[-1].stop_cause)
    began = clock.boottime()

    world.watcher.stop(5)

    assert clock.boottime() - began < 2
    go_on.set()


def test_a_launch_that_another_process_left_is_looked_for_within_moments(
    world: World,
) -> None:
    world.watcher.adopt()
    wait_until(lambda: world.watcher.beat > 0)
    run, _ = world.take()
    dyno = world.runner.start(TRIGGER.command)
    world.store.runs.disown(run.id, "t", 0)

    world.after(30, lambda: world.get(run).state is RunState.RUNNING, "adoption")

    assert world.get(run).attempts[0].dyno_id == dyno.id
    assert world.boot.offset_s <= 30
