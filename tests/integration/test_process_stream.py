"""The log stream of local runs: what tasks print, as they print it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clockd import clock
from clockd.errors import RunnerUnavailable
from clockd.local import reader
from clockd.local.files import AttemptFiles
from clockd.local.output import MAX_LINE, NEWEST
from tests.support.local_runs import APP, Place, request
from tests.support.scripted import BootClock
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a folder with a runner in it."""
    with Place(tmp_path) as place:
        yield place


def python(code: str) -> str:
    """Return a command that runs Python."""
    return f"{sys.executable} -c '{code}'"


WRITE = "import sys; sys.stdout.buffer.write(b"


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        pytest.param("echo one; echo two", ["one", "two"], id="lines"),
        pytest.param("true", [], id="nothing"),
        pytest.param("echo", [""], id="an empty line"),
        pytest.param("printf 'one\\ntwo'", ["one", "two"], id="no final newline"),
        pytest.param(
            "echo 1; echo 2 >&2; echo 3; echo 4 >&2",
            ["1", "2", "3", "4"],
            id="stdout and stderr in order",
        ),
        pytest.param("printf 'a\\377b\\n'", ["a\ufffdb"], id="invalid UTF-8"),
        pytest.param("printf 'a\\000b\\n'", ["a\0b"], id="NUL"),
        pytest.param("printf '\\342\\202\\254\\n'", ["€"], id="UTF-8"),
        pytest.param("printf '50%%\\r100%%\\n'", ["50%\r100%"], id="carriage return"),
        pytest.param(
            python(f'{WRITE}"x" * 25_000)'),
            ["x" * MAX_LINE, "x" * MAX_LINE, "x" * 5000],
            id="a very long line",
        ),
        pytest.param(
            python(f'{WRITE}"x" * 10_000 + b"\\n")'),
            ["x" * MAX_LINE],
            id="just not too long",
        ),
        pytest.param(
            "for i in 1 2 3; do (echo $i; sleep 0.1); done",
            ["1", "2", "3"],
            id="one after the other",
        ),
    ],
)
def test_what_a_task_prints_is_heard(
    place: Place, command: str, lines: list[str]
) -> None:
    printed, end = place.run(command)

    assert printed == lines
    assert end == "Process exited with status 0"


def test_a_line_is_heard_before_the_task_has_ended(place: Place) -> None:
    listener = place.listen()
    dyno = place.launch("echo one; while [ ! -e over ]; do sleep 0.02; done")

    wait_until(lambda: listener.texts(dyno) == ["one"], 2)

    assert listener.told(dyno) == []
    (place.folder / "over").touch()
    listener.end(dyno)


def test_lines_bear_their_dyno_and_a_time_within_its_life(place: Place) -> None:
    listener = place.listen()
    dyno = place.launch("echo one; echo two")
    end = listener.end(dyno)

    assert {line.dyno for line in listener.heard} == {dyno.name}
    times = [line.at for line in listener.heard]
    assert dyno.created_at <= times[0]
    assert times == sorted(times)
    assert end.at - dyno.created_at < timedelta(seconds=10)
    assert [line.source for line in listener.heard] == ["app", "app", "clockd"]
    assert end.exit_status == 0


def test_a_clock_that_is_set_back_makes_no_line_older_than_its_dyno(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = place.listen()
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=1))
    dyno = place.launch("echo one; exit 3")
    monkeypatch.setattr(clock, "now", now)

    assert listener.end(dyno).text == "Process exited with status 3"
    assert all(line.at >= dyno.created_at for line in listener.heard)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_loses_no_task(
    place: Place, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    listener = place.listen()
    dyno = place.launch("while [ ! -e over ]; do sleep 0.02; done; exit 3")
    wait_until(place.files(dyno).task)
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=hours))
    silences = listener.silences
    wait_until(lambda: listener.silences > silences + 1)
    assert listener.told(dyno) == []

    (place.folder / "over").touch()

    assert listener.end(dyno).text == "Process exited with status 3"


def test_a_launch_wakes_the_stream(place: Place) -> None:
    listener = place.listen()
    wait_until(lambda: listener.silences)
    delays = []
    for _ in range(5):
        dyno = place.launch("exit 0")
        files = place.files(dyno)
        wait_until(lambda files=files: files.status() is not None)  # type: ignore[misc]
        ended = time.monotonic()
        listener.end(dyno)
        delays.append(time.monotonic() - ended)

    assert sorted(delays)[2] < 0.3


def test_a_quiet_task_is_looked_at_less_often(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = BootClock(monkeypatch)
    files, lock = AttemptFiles.create(place.directory, request("true"))
    attempt = reader.Reader(files, "clockd.1.1", created_at=None)
    pauses = []
    for _ in range(3):
        now = clock.boottime()
        assert list(attempt.read(now)) == []
        pauses.append(round(attempt.due - now, 3))
        boot.advance(3)
    os.close(lock)

    assert pauses == [reader.POLL_S, 0.15, reader.CALM_POLL_S]


def test_a_task_that_prints_again_is_looked_at_more_often(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = BootClock(monkeypatch)
    files, lock = AttemptFiles.create(place.directory, request("true"))
    attempt = reader.Reader(files, "clockd.1.1", created_at=None)
    boot.advance(60)
    files.output.write_bytes(b"one\n")

    now = clock.boottime()
    assert [line.text for line in attempt.read(now)] == ["one"]
    assert list(attempt.read(now + 0.1)) == []
    os.close(lock)

    assert attempt.due == now + 0.1 + reader.POLL_S


def test_a_known_task_costs_no_reading_of_its_files(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = place.listen()
    for number in range(5):
        place.launch("exec sleep 60", key=f"{number}.1-1")
    wait_until(lambda: all(files.task() for files in place.attempts()))
    read: list[str] = []
    really_read = AttemptFiles._read

    def note(files: AttemptFiles, name: str) -> str | None:
        if files.path.parent == place.directory:
            read.append(name)
        return really_read(files, name)

    wait_until(lambda: listener.silences > 0)
    monkeypatch.setattr(AttemptFiles, "_read", note)
    silences = listener.silences
    wait_until(lambda: listener.silences > silences + 1)

    assert read == []


def test_attempts_of_other_processes_are_found(place: Place) -> None:
    listener = place.listen()
    wait_until(lambda: listener.silences)

    place.restart()
    dyno = place.launch("echo one; exit 3")

    assert listener.end(dyno).text == "Process exited with status 3"
    assert listener.texts(dyno) == ["one"]


def test_a_stream_carries_one_app_and_process_type(place: Place) -> None:
    listener = place.listen()
    place.launch("echo other app", app="other-app")
    place.launch("echo other type", process_type="clockd-nightly")
    dyno = place.launch("echo ours")

    listener.end(dyno)
    silences = listener.silences
    wait_until(lambda: listener.silences > silences)

    assert {line.dyno for line in listener.heard} == {dyno.name}


def test_two_streams_hear_the_same(place: Place) -> None:
    listeners = [place.listen(), place.listen()]
    dyno = place.launch("echo one")

    for listener in listeners:
        listener.end(dyno)
        assert listener.texts(dyno) == ["one"]


def test_a_stream_that_is_closed_ends_at_once(place: Place) -> None:
    stream = place.runner.follow(APP, "clockd", lines=10)
    heard: list[object] = []
    thread = threading.Thread(target=lambda: heard.extend(stream))
    thread.start()
    began = time.monotonic()

    stream.close()
    stream.close()
    thread.join(5)

    assert not thread.is_alive()
    assert time.monotonic() - began < 0.9
    assert heard == []
    place.launch("true")


def test_a_stream_breaks_where_the_files_cannot_be_read(place: Place) -> None:
    place.directory.write_text("no folder")

    stream = place.runner.follow(APP, "clockd", lines=10)

    with pytest.raises(RunnerUnavailable, match="cannot be used"):
        next(iter(stream))
    stream.close()


def test_fifty_megabytes_do_not_hold_up_the_end(place: Place) -> None:
    line = "x" * 99
    code = f'import sys\nfor n in range(500_000): sys.stdout.write("{line}\\n")'
    listener = place.listen()
    dyno = place.launch(f"{python(code)}; echo the last; exit 3")

    end = listener.end(dyno, 40)

    texts = listener.texts(dyno)
    assert end.text == "Process exited with status 3"
    assert texts[-1] == "the last"
    assert sum(map(len, texts)) >= NEWEST - 200
    assert set(texts) <= {line, "the last"}
    told = listener.told(dyno)
    assert len(texts) == 500_001 or "left out: too much output at once" in told[0]


def test_a_task_that_never_stops_printing_holds_up_nobody(place: Place) -> None:
    listener = place.listen()
    chatty = place.launch("yes | head -c 200000000; exec sleep 60")
    dyno = place.launch("echo one; exit 3")

    assert listener.end(dyno).text == "Process exited with status 3"
    place.runner.stop(chatty)
    assert listener.end(chatty).text == "Process exited with status 143"


def test_what_is_printed_after_the_end_is_not_the_tasks(place: Place) -> None:
    listener = place.listen()
    dyno = place.launch(
        "(trap '' HUP; while :; do echo on; done) & echo $! >pid; exit 3"
    )
    other = place.wait_for("pid")
    try:
        assert listener.end(dyno).text == "Process exited with status 3"
    finally:
        place.files(dyno).remove()
        os.kill(int(other), signal.SIGKILL)


def test_a_task_whose_output_is_deleted_ends_as_any_other(place: Place) -> None:
    listener = place.listen()
    dyno = place.launch("echo one; while [ ! -e over ]; do sleep 0.02; done; exit 3")
    wait_until(lambda: listener.texts(dyno) == ["one"])

    place.files(dyno).output.unlink()
    (place.folder / "over").touch()

    assert listener.end(dyno).text == "Process exited with status 3"
    assert listener.texts(dyno) == ["one"]


def test_a_task_that_truncates_its_output_is_heard_on(place: Place) -> None:
    """`> /dev/stderr` does, which opens the file anew."""
    listener = place.listen()
    dyno = place.launch(
        "echo one; while [ ! -e over ]; do sleep 0.02; done; "
        "echo 2 >/dev/stderr; echo three"
    )
    wait_until(lambda: listener.texts(dyno) == ["one"])

    (place.folder / "over").touch()

    listener.end(dyno)
    assert listener.texts(dyno) == ["one", "2", "three"]
