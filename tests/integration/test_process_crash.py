"""What is known of local runs when clockd, or the machine, died meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clockd import clock, process
from clockd.errors import LaunchRejected, RunnerUnavailable
from clockd.local import children
from clockd.local.files import AttemptFiles
from clockd.runner import Dyno, Unavailable
from tests.support.killed_launches import GO
from tests.support.local_runs import APP, Place
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "1.1-1"
VANISHED = "Process vanished without an exit status"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a folder with a runner in it."""
    with Place(tmp_path) as place:
        yield place


def launch_and_die(place: Place, command: str, moment: str) -> None:
    """Let another process launch a task and be killed at a moment."""
    module = "tests.support.killed_launches"
    arguments = [sys.executable, "-m", module, str(place.folder), moment, command]
    with subprocess.Popen(arguments) as clockd:
        if moment == "never":
            place.wait_for("launched")
            clockd.kill()
        assert clockd.wait(20) == -signal.SIGKILL


def dynos(place: Place) -> list[Dyno]:
    """List the dynos as soon as nothing is being launched."""

    def look() -> list[list[Dyno]]:
        try:
            return [list(place.runner.dynos(APP))]
        except RunnerUnavailable:
            return []

    return wait_until(look)[0]


def signal_wrapper(place: Place, dyno: Dyno, number: signal.Signals) -> None:
    """Send a signal to a task's wrapper alone."""
    place.wait_for_start(dyno)
    started = place.files(dyno).path / "started"
    os.kill(int(wait_until(started.read_text)), number)


def end_wrapper(place: Place, dyno: Dyno) -> None:
    """Kill a task's wrapper, as the kernel does when memory runs out."""
    signal_wrapper(place, dyno, signal.SIGKILL)
    wait_until(lambda: not place.files(dyno).held)


def test_output_and_status_are_known_though_clockd_was_killed(place: Place) -> None:
    launch_and_die(place, "echo one; sleep 1; echo two; exit 7", "never")

    (dyno,) = dynos(place)
    assert (dyno.key, dyno.name, dyno.state) == (KEY, "clockd.1.1", "up")
    listener = place.listen({KEY: 0})

    assert listener.end(dyno).text == "Process exited with status 7"
    assert listener.texts(dyno) == ["one", "two"]
    assert [dyno.state for dyno in dynos(place)] == ["complete"]


def test_what_ended_while_nobody_looked_is_told_with_its_time(place: Place) -> None:
    launch_and_die(place, "echo one; exit 7", "never")
    files = AttemptFiles(place.directory / KEY)
    wait_until(lambda: files.status() is not None)
    ended_at = clock.now()
    wait_until(lambda: clock.now() > ended_at + timedelta(seconds=0.5))

    (dyno,) = dynos(place)
    listener = place.listen({KEY: 0})

    end = listener.end(dyno)
    assert end.text == "Process exited with status 7"
    assert dyno.created_at <= listener.heard[0].at <= end.at <= ended_at


def test_lines_on_record_do_not_come_again(place: Place) -> None:
    launch_and_die(place, "echo one; echo two; echo three; exit 7", "never")

    (dyno,) = dynos(place)
    listener = place.listen({KEY: 2})

    listener.end(dyno)
    assert listener.texts(dyno) == ["three"]


def test_a_predecessors_task_can_be_stopped(place: Place) -> None:
    launch_and_die(place, "exec sleep 60", "never")
    (dyno,) = dynos(place)
    listener = place.listen({KEY: 0})
    wait_until(place.files(dyno).task)

    place.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 143"


@pytest.mark.parametrize("moment", ["made", "guarded"])
def test_killed_before_the_fork_it_certainly_did_not_run(
    place: Place, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "YOUNG_S", 1.0)
    launch_and_die(place, "touch ran", moment)

    assert dynos(place) == []
    listener = place.listen()
    wait_until(lambda: listener.silences)

    assert listener.heard == []
    assert not (place.folder / "ran").exists()
    with pytest.raises(LaunchRejected, match="was launched before"):
        place.launch("touch ran", key=KEY)
    assert place.run("echo ran", key="1.1-2")[0] == ["ran"]


def test_killed_before_the_fork_is_known_at_once(place: Place) -> None:
    launch_and_die(place, "touch ran", "guarded")

    assert list(place.runner.dynos(APP)) == []


def test_killed_after_the_fork_it_is_being_launched(place: Place) -> None:
    launch_and_die(place, "touch ran", "forked")

    with pytest.raises(RunnerUnavailable, match="is being launched") as caught:
        place.runner.dynos(APP)

    assert caught.value.kind == Unavailable.CONFLICT
    (place.folder / GO).touch()
    assert [dyno.key for dyno in dynos(place)] == [KEY]


def test_a_wrapper_that_does_not_come_to_life_in_time_never_does(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch_and_die(place, "touch ran", "forked")
    monkeypatch.setattr(process, "YOUNG_S", 0.0)
    assert list(place.runner.dynos(APP)) == []

    (place.folder / GO).touch()

    wait_until(lambda: not AttemptFiles(place.directory / KEY).held)
    assert not (place.folder / "ran").exists()
    assert dynos(place) == []


def test_of_a_look_and_a_wrapper_only_one_comes_first(place: Place) -> None:
    """Either the task runs and is listed, or neither."""
    for number in range(30):
        place.launch(f"touch ran-{number}", key=f"{number}.1-1")
        AttemptFiles(place.directory / f"{number}.1-1").prevent()
    wait_until(lambda: not any(files.held for files in place.attempts()))

    listed = {dyno.key for dyno in dynos(place)}
    ran = {path.name for path in place.folder.glob("ran-*")}
    assert ran == {f"ran-{str(key).partition('.')[0]}" for key in listed}


def test_a_launch_on_record_that_was_kept_from_running_is_told(place: Place) -> None:
    launch_and_die(place, "touch ran", "guarded")
    dyno = AttemptFiles(place.directory / KEY).dyno()
    assert dyno is not None

    listener = place.listen({KEY: 0})

    assert listener.end(dyno).text == VANISHED
    assert place.files(dyno).prevented
    assert dynos(place) == []


def test_after_a_reboot_tasks_have_vanished(place: Place) -> None:
    """Files are there, their processes are not, and others have their pids."""
    listener = place.listen()
    dyno = place.launch("echo one; echo -n tw; exec sleep 60")
    wait_until(lambda: listener.texts(dyno) == ["one"])
    task = place.files(dyno).task()
    assert task is not None
    end_wrapper(place, dyno)
    os.kill(task.pid, signal.SIGKILL)
    long_ago = clock.now().timestamp() - 3600
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (place.files(dyno).path / "pid").write_text(f"{stranger.pid}\n")
        os.utime(place.files(dyno).path / "pid", times=(long_ago,) * 2)

        place.restart()
        after = place.listen({dyno.id: 1})
        assert after.end(dyno).text == VANISHED
        place.runner.stop(dyno)

        assert stranger.poll() is None
        stranger.kill()
    assert after.texts(dyno) == ["tw"]
    assert after.told(dyno) == [VANISHED]


def test_a_task_whose_wrapper_was_killed_has_not_vanished_while_it_runs(
    place: Place,
) -> None:
    listener = place.listen()
    dyno = place.launch("while [ ! -e over ]; do sleep 0.05; done; echo over")
    wait_until(place.files(dyno).task)
    end_wrapper(place, dyno)
    silences = listener.silences
    wait_until(lambda: listener.silences > silences + 1)
    assert listener.told(dyno) == []

    (place.folder / "over").touch()

    assert listener.end(dyno).text == VANISHED
    assert listener.texts(dyno) == ["over"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_wrapper_that_is_asked_to_end_stays_for_the_status(
    place: Place, number: signal.Signals
) -> None:
    listener = place.listen()
    dyno = place.launch("while [ ! -e over ]; do sleep 0.05; done; exit 3")
    wait_until(place.files(dyno).task)

    signal_wrapper(place, dyno, number)
    (place.folder / "over").touch()

    assert listener.end(dyno).text == "Process exited with status 3"


def test_a_task_whose_wrapper_was_killed_can_be_stopped(place: Place) -> None:
    listener = place.listen()
    dyno = place.launch("exec sleep 60")
    wait_until(place.files(dyno).task)
    end_wrapper(place, dyno)

    place.runner.stop(dyno)

    assert listener.end(dyno).text == VANISHED
    assert not place.files(dyno).alive()


def test_where_all_files_are_gone_the_task_has_vanished(place: Place) -> None:
    dyno = place.launch("echo one", key="12.3-4")
    wait_until(lambda: place.files(dyno).status() is not None)
    shutil.rmtree(place.directory)

    place.restart()
    listener = place.listen({"12.3-4": 1})

    assert listener.end(dyno).text == VANISHED
    assert list(place.runner.dynos(APP)) == []


def test_files_that_are_taken_away_from_a_running_task_end_it_as_vanished(
    place: Place,
) -> None:
    listener = place.listen()
    dyno = place.launch("while [ ! -e over ]; do sleep 0.05; done")
    wait_until(place.files(dyno).task)
    shutil.rmtree(place.files(dyno).path)
    try:
        assert listener.end(dyno).text == VANISHED
    finally:
        (place.folder / "over").touch()


def test_an_ended_attempt_can_be_forgotten(place: Place) -> None:
    listener = place.listen()
    dyno = place.launch("echo one")
    listener.end(dyno)

    place.runner.forget(dyno)
    place.runner.forget(dyno)
    silences = listener.silences
    wait_until(lambda: listener.silences > silences + 1)

    assert not list(place.directory.iterdir())
    assert listener.told(dyno) == ["Process exited with status 0"]
    assert list(place.runner.dynos(APP)) == []


def test_what_nobody_asked_to_forget_is_kept_for_a_week(place: Place) -> None:
    listener = place.listen()
    old, running = place.launch("exit 3"), place.launch("exec sleep 60")
    recent = place.launch("exit 3")
    for dyno in (old, recent):
        listener.end(dyno)
    wait_until(place.files(running).task)
    launch_and_die(place, "true", "guarded")
    long_ago = clock.now().timestamp() - process.KEPT_S - 60
    for key in (old.id, running.id, KEY):
        os.utime(place.directory / key, times=(long_ago, long_ago))

    place.restart()

    assert {files.key for files in place.attempts()} == {recent.id, running.id}


def test_only_what_was_asked_for_is_listed(place: Place) -> None:
    place.launch("true", key="1.1-1")
    place.launch("true", key="2.1-1", process_type="clockd-nightly")
    place.launch("true", key="3.1-1", app="other-app")
    (place.directory / "notes.txt").write_text("not an attempt")
    wait_until(lambda: not any(files.held for files in place.attempts()))

    assert [dyno.key for dyno in place.runner.dynos(APP)] == ["1.1-1", "2.1-1"]
    assert [x.key for x in place.runner.dynos(APP, "clockd-nightly")] == ["2.1-1"]
    assert [dyno.key for dyno in place.runner.dynos("other-app")] == ["3.1-1"]


def test_files_that_cannot_be_read_prove_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = place.listen()
    dyno = place.launch("while [ ! -e over ]; do sleep 0.05; done; exit 3")
    wait_until(place.files(dyno).task)

    def no_file_left(*_: object) -> str:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(AttemptFiles, "_read", no_file_left)
        patch.setattr(AttemptFiles, "held", property(no_file_left))
        with pytest.raises(RunnerUnavailable, match="Too many open files"):
            place.runner.dynos(APP)
        with pytest.raises(RunnerUnavailable, match="Too many open files"):
            place.runner.stop(dyno)
        silences = listener.silences
        wait_until(lambda: listener.silences > silences + 1)

    (place.folder / "over").touch()
    assert listener.end(dyno).text == "Process exited with status 3"
    assert listener.failure is None


def test_launches_leave_no_descriptor_thread_or_zombie(place: Place) -> None:
    listener = place.listen()
    descriptors, threads = len(os.listdir("/dev/fd")), threading.active_count()
    with ThreadPoolExecutor(16) as pool:
        launched = list(
            pool.map(
                lambda n: place.launch(f"echo {n}; exit 3", key=f"{n}.1-1"), range(200)
            )
        )

    for dyno in launched:
        assert listener.end(dyno).text == "Process exited with status 3"
        assert listener.texts(dyno) == [dyno.command.split()[1].rstrip(";")]
        place.runner.forget(dyno)
    wait_until(lambda: children.collect() == 0)
    assert threading.active_count() <= threads
    wait_until(lambda: len(os.listdir("/dev/fd")) <= descriptors)
    assert not list(place.directory.iterdir())
