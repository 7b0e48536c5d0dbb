"""Local runs are stopped: the whole group, first politely."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clockd import clock
from clockd.errors import RunnerUnavailable
from clockd.local import wrapper
from clockd.local.files import AttemptFiles
from tests.support.local_runs import Place, alive, state
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clockd.runner import Dyno
    from tests.support.local_runs import Listener

KILL_AFTER_S = 0.5
STUBBORN = "trap '' TERM; echo begun; while :; do sleep 0.2; done"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a runner that has little patience."""
    with Place(tmp_path, kill_after_s=KILL_AFTER_S) as place:
        yield place


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Place]:
    """Give a runner whose SIGKILL does not come within a test."""
    with Place(tmp_path, kill_after_s=60) as place:
        yield place


def begun(place: Place, listener: Listener, command: str) -> Dyno:
    """Launch a task and wait until it says that it has begun."""
    dyno = place.launch(command)
    wait_until(lambda: "begun" in listener.texts(dyno), message=command)
    return dyno


def test_a_task_is_asked_to_end(patient: Place) -> None:
    listener = patient.listen()
    dyno = begun(patient, listener, "echo begun; exec sleep 60")

    patient.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 143"


def test_a_task_may_end_in_its_own_way(patient: Place) -> None:
    listener = patient.listen()
    loop = "while :; do sleep 0.1; done 2>/dev/null"
    command = f"trap 'echo tidying; exit 5' TERM; echo begun; {loop}"
    dyno = begun(patient, listener, command)

    patient.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 5"
    assert listener.texts(dyno) == ["begun", "tidying"]


def test_a_task_that_ignores_it_is_killed(place: Place) -> None:
    listener = place.listen()
    dyno = begun(place, listener, STUBBORN)
    asked = time.monotonic()

    place.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 137"
    assert time.monotonic() - asked >= KILL_AFTER_S


GRANDCHILD = "echo begun; sh -c 'sleep 60 & echo $! >pid; wait'; true"
DOUBLE_FORK = "sh -c '(sleep 60 & echo $! >pid) &'; echo begun; sleep 60"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(GRANDCHILD, id="grandchild"),
        pytest.param(DOUBLE_FORK, id="double fork"),
    ],
)
def test_the_whole_group_is_asked(patient: Place, command: str) -> None:
    listener = patient.listen()
    dyno = begun(patient, listener, command)
    other = patient.wait_for("pid")

    patient.runner.stop(dyno)

    listener.end(dyno)
    wait_until(lambda: not alive(other))


#: Says that it has begun when it can no longer be asked to end.
STUBBORN_CHILD = f'sh -c "{STUBBORN}" & echo $! >pid;'


def test_the_whole_group_is_killed(place: Place) -> None:
    listener = place.listen()
    dyno = begun(place, listener, f"{STUBBORN_CHILD} {STUBBORN}")
    other = place.wait_for("pid")

    place.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 137"
    wait_until(lambda: not alive(other))


def test_what_outlives_its_leader_is_killed_before_the_end_is_told(
    place: Place,
) -> None:
    listener = place.listen()
    dyno = begun(place, listener, f"{STUBBORN_CHILD} exec sleep 60")
    other = place.wait_for("pid")

    place.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 143"
    assert not alive(other)


def test_what_outlives_its_leader_is_killed_though_clockd_is_dead(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = place.listen()
    dyno = begun(place, listener, f"{STUBBORN_CHILD} exec sleep 60")
    other = place.wait_for("pid")
    monkeypatch.setattr(threading.Timer, "start", lambda _: None)

    place.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 143"
    wait_until(lambda: not alive(other))


def test_what_outlives_its_leader_may_end_in_its_own_way(patient: Place) -> None:
    listener = patient.listen()
    tidy = "trap 'sleep 0.5; echo tidied; exit' TERM; echo begun; while :; do :; done"
    dyno = begun(patient, listener, f'sh -c "{tidy}" & exec sleep 60')

    patient.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 143"
    assert listener.texts(dyno) == ["begun", "tidied"]


def test_what_a_task_leaves_behind_by_itself_does_not_hold_up_its_end(
    place: Place,
) -> None:
    listener = place.listen()
    dyno = place.launch("sleep 60 & echo $! >pid; exit 3")
    other = place.wait_for("pid")

    assert listener.end(dyno).text == "Process exited with status 3"
    os.kill(int(other), signal.SIGKILL)


def test_a_stop_that_comes_before_the_task_has_begun_is_heeded(
    patient: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = patient.listen()
    held = f'while [ ! -e "{patient.folder}/go" ]; do sleep 0.02; done\n'
    monkeypatch.setattr(wrapper, "_TASK", held + wrapper._TASK)
    dyno = patient.launch("echo ran; sleep 60")
    patient.wait_for_start(dyno)

    patient.runner.stop(dyno)
    (patient.folder / "go").touch()

    assert listener.end(dyno).text == "Process exited with status 143"
    assert listener.texts(dyno) == []


def test_a_stop_that_is_repeated_does_not_hurry_the_task(patient: Place) -> None:
    listener = patient.listen()
    command = (
        "trap 'echo asked' TERM; echo begun; while :; do sleep 0.1; done 2>/dev/null"
    )
    dyno = begun(patient, listener, command)

    for _ in range(3):
        patient.runner.stop(dyno)
        wait_until(lambda: "asked" in listener.texts(dyno))

    assert listener.texts(dyno) == ["begun", "asked"]
    assert patient.files(dyno).status() is None


def test_a_successor_goes_on_with_a_stop(
    patient: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = patient.listen()
    dyno = begun(patient, listener, STUBBORN)
    patient.runner.stop(dyno)
    monkeypatch.setattr(AttemptFiles, "stopped_for_s", lambda _: 61.0)

    patient.restart().stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 137"


def test_a_task_that_stands_still_is_killed(place: Place) -> None:
    listener = place.listen()
    dyno = begun(place, listener, "echo begun; exec sleep 60")
    task = place.files(dyno).task()
    assert task is not None

    os.kill(task.pid, signal.SIGSTOP)
    wait_until(lambda: state(task.pid).startswith("T"))

    place.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 137"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_task_can_be_stopped_though_the_clock_was_set(
    patient: Place, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    listener = patient.listen()
    dyno = begun(patient, listener, "echo begun; exec sleep 60")
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=hours))

    patient.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 143"


def test_to_stop_what_has_ended_does_nothing(place: Place) -> None:
    listener = place.listen()
    dyno = place.launch("exit 3")
    listener.end(dyno)

    place.runner.stop(dyno)
    place.runner.forget(dyno)
    place.runner.stop(dyno)

    assert listener.told(dyno) == ["Process exited with status 3"]
    assert not list(place.directory.iterdir())


def test_a_stop_that_cannot_be_noted_can_be_tried_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: AttemptFiles) -> bool:
        raise OSError(28, "No space left on device")

    listener = place.listen()
    dyno = begun(place, listener, "echo begun; exec sleep 60")
    with monkeypatch.context() as patch:
        patch.setattr(AttemptFiles, "first_stop", full)
        with pytest.raises(RunnerUnavailable, match="No space left"):
            place.runner.stop(dyno)

    place.runner.stop(dyno)
    assert listener.end(dyno).text == "Process exited with status 143"


def test_many_stops_at_once_leave_no_thread_behind(place: Place) -> None:
    listener = place.listen()
    dynos = [begun(place, listener, "echo begun; exec sleep 60") for _ in range(20)]
    threads = threading.active_count()

    for dyno in dynos:
        place.runner.stop(dyno)
    for dyno in dynos:
        assert listener.end(dyno).text == "Process exited with status 143"

    wait_until(lambda: threading.active_count() <= threads)


CTRL_C = """
import pathlib, signal, sys, time
from clockd.process import LocalRunner
from tests.support.local_runs import request
folder = pathlib.Path(sys.argv[1])
runner = LocalRunner(folder / "clockd.db.runs", cwd=folder, procfile=folder / "x",
                     environ={"PATH": sys.argv[2]})
signal.signal(signal.SIGINT, lambda *_: (folder / "interrupted").write_text("yes"))
runner.launch(request("echo begun >begun; sleep 1; exit 4"), guard=lambda: None)
while not (folder / "interrupted").exists():
    time.sleep(0.01)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_what_the_terminal_sends_to_clockd_does_not_reach_tasks(
    place: Place, number: signal.Signals
) -> None:
    script = CTRL_C.replace("SIGINT", number.name)
    arguments = [sys.executable, "-c", script, str(place.folder), os.environ["PATH"]]
    with subprocess.Popen(arguments, start_new_session=True) as clockd:
        place.wait_for("begun")
        os.killpg(clockd.pid, number)
        assert clockd.wait(10) == 0

    files = place.attempts()[0]
    assert wait_until(files.status) == 4


def test_what_kills_clockds_whole_group_does_not_reach_tasks(place: Place) -> None:
    arguments = [sys.executable, "-c", CTRL_C, str(place.folder), os.environ["PATH"]]
    with subprocess.Popen(arguments, start_new_session=True) as clockd:
        place.wait_for("begun")
        os.killpg(clockd.pid, signal.SIGKILL)

    files = place.attempts()[0]
    assert wait_until(files.status) == 4
