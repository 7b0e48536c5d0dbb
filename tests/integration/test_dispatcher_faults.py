"""What must not happen between the line and a launch, whatever fails."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from clockd import clock
from clockd.errors import LeaseLost, RunnerUnavailable, StoreUnavailable
from clockd.model import Hold, RunState
from clockd.runner import Unavailable
from tests.support.dispatching import trigger
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from clockd.model import Run
    from tests.support.dispatching import Clockwork


def held(work: Clockwork) -> Run:
    """Return a run that the platform, which is away, has put back."""
    work.runner.failures = [RunnerUnavailable("down", kind=Unavailable.CONNECTION)]
    run = work.request(trigger("probe"))
    wait_until(lambda: work.get(run).hold is Hold.BACKOFF)
    return run


def test_a_take_that_was_not_written_does_not_count_as_a_probe(
    work: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = held(work)
    real, failed = work.store.runs.take, threading.Event()

    def take(**options: Any) -> Any:
        if failed.is_set():
            return real(**options)
        if options["admit"](work.get(run)) is None:
            failed.set()
        raise StoreUnavailable("the server went away at the commit")

    monkeypatch.setattr(work.store.runs, "take", take)
    work.boot.advance(60)
    work.dispatcher.wake()
    wait_until(failed.is_set)

    work.wait_for(run, RunState.RUNNING)


def test_a_blocked_twin_does_not_take_the_place_of_the_probe(work: Clockwork) -> None:
    gone = threading.Event()
    real = work.runner.launch
    first = trigger("first", command="same")

    def launch(request: Any, *, guard: Any) -> Any:
        if request.env["CLOCKD_TRIGGER"] == "first":
            guard()
            gone.wait(10)
        return real(request, guard=guard)

    work.runner.launch = launch  # type: ignore[method-assign]
    try:
        open_launch = work.request(first)
        work.wait_for(open_launch, RunState.LAUNCHING)
        twin = work.request(trigger("twin", command="same"))
        other = held(work)
        work.boot.advance(60)
        work.dispatcher.wake()

        work.wait_for(other, RunState.RUNNING)
        assert work.get(twin).state is RunState.WAITING
    finally:
        gone.set()


def test_a_stop_in_the_middle_of_a_take_leaves_nothing_launching(
    work: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = work.store.runs.take

    def take(**options: Any) -> Any:
        taken = real(**options)
        if taken.started:
            work.launcher.close()
        return taken

    monkeypatch.setattr(work.store.runs, "take", take)
    runs = [work.request(trigger(f"t-{n}")) for n in range(3)]
    wait_until(lambda: all(work.get(run).reason for run in runs))
    work.dispatcher.stop(5)

    assert {work.get(run).state for run in runs} == {RunState.WAITING}
    assert work.runner.requests == []


def test_a_dispatcher_whose_launches_are_all_out_sleeps(
    work: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    real = work.runner.launch

    def launch(request: Any, *, guard: Any) -> Any:
        answered.wait(20)
        return real(request, guard=guard)

    work.runner.launch = launch  # type: ignore[method-assign]
    runs = [work.request(trigger(f"t-{n}")) for n in range(20)]
    try:
        wait_until(
            lambda: sum(work.get(run).state is RunState.LAUNCHING for run in runs) == 16
        )
        turns = 0
        turn = work.dispatcher._turn

        def counted() -> None:
            nonlocal turns
            turns += 1
            turn()

        monkeypatch.setattr(work.dispatcher, "_turn", counted)
        until = clock.boottime() + 2.5
        wait_until(lambda: clock.boottime() > until)
        assert 1 <= turns < 20
    finally:
        answered.set()


def test_while_the_lease_is_in_doubt_nothing_is_taken(
    work: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubts = 0

    def doubt() -> None:
        nonlocal doubts
        doubts += 1
        raise LeaseLost("in doubt")

    with monkeypatch.context() as patch:
        patch.setattr(work.keeper, "check", doubt)
        run = work.request(trigger())
        wait_until(lambda: doubts >= 2)
        assert work.get(run).state is RunState.WAITING
        assert work.get(run).reason is None
        assert doubts < 20

    work.wait_for(run, RunState.RUNNING)
