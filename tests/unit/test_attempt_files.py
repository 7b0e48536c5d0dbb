"""The directory of a local attempt, and what it proves."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clockd import clock
from clockd.local import identity
from clockd.local.files import AttemptFiles, dyno_name
from clockd.local.identity import Process
from tests.support.local_runs import APP, request
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def held(tmp_path: Path) -> Iterator[AttemptFiles]:
    """Give an attempt that is being launched."""
    files, lock = AttemptFiles.create(tmp_path / "runs", request("bin/report"))
    yield files
    with suppress(OSError):
        os.close(lock)


@pytest.fixture
def files(tmp_path: Path) -> AttemptFiles:
    """Give an attempt whose launching process died before it forked."""
    files, lock = AttemptFiles.create(tmp_path / "runs", request("bin/report"))
    os.close(lock)
    return files


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that leads a group of its own."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def window(*, age_s: float = 0.0) -> tuple[float, float]:
    """Return when something of that age may have begun."""
    now = clock.now().timestamp()
    return now - age_s - 10, now - age_s


def test_an_attempt_is_made_only_once(held: AttemptFiles) -> None:
    with pytest.raises(FileExistsError):
        AttemptFiles.create(held.path.parent, request("another"))

    assert held.meta() is not None
    assert "bin/report" in (held.path / "meta.json").read_text()


def test_nobody_else_may_look_into_an_attempt(held: AttemptFiles) -> None:
    assert held.path.stat().st_mode & 0o077 == 0
    assert held.path.parent.stat().st_mode & 0o077 == 0


def test_nothing_is_left_of_an_attempt_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    before = len(os.listdir("/dev/fd"))

    with pytest.raises(OSError, match="No space"):
        AttemptFiles.create(tmp_path, request("true"))

    assert not list(tmp_path.iterdir())
    assert len(os.listdir("/dev/fd")) == before


def test_it_is_shown_as_a_dyno(held: AttemptFiles) -> None:
    dyno = held.dyno()

    assert dyno is not None
    assert (dyno.app, dyno.process_type, dyno.command) == (APP, "clockd", "bin/report")
    assert (dyno.id, dyno.key, dyno.name) == ("1.1-1", "1.1-1", "clockd.1.1")
    assert dyno.state == "up"
    assert timedelta(0) <= clock.now() - dyno.created_at < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        pytest.param("12.3-1790000000000000", "clockd.12.3", id="run and attempt"),
        pytest.param("nothing", "clockd.nothing", id="another key"),
    ],
)
def test_a_dynos_name_follows_from_its_key(key: str, name: str) -> None:
    assert dyno_name("clockd", key) == name


@pytest.mark.parametrize(
    ("text", "status"),
    [
        pytest.param("0\n", 0, id="success"),
        pytest.param("137\n", 137, id="killed"),
        pytest.param("", None, id="nothing yet"),
        pytest.param("13", None, id="not written to the end"),
    ],
)
def test_a_status_counts_when_it_is_whole(
    files: AttemptFiles, text: str, status: int | None
) -> None:
    (files.path / "status").write_text(text)

    assert files.status() == status
    dyno = files.dyno()
    assert dyno is not None
    assert dyno.state == ("up" if status is None else "complete")


def test_an_attempt_is_held_until_the_last_who_has_the_lock_is_gone(
    tmp_path: Path,
) -> None:
    files, lock = AttemptFiles.create(tmp_path, request("true"))
    with subprocess.Popen(["sleep", "60"], stdout=lock) as heir:
        os.close(lock)
        assert files.held
        assert not files.abandoned

        heir.kill()
    assert not files.held
    assert files.abandoned


def test_to_look_at_a_lock_does_not_take_it(files: AttemptFiles) -> None:
    assert [files.held for _ in range(3)] == [False] * 3


def test_a_wrapper_that_has_not_started_can_be_kept_from_it(
    files: AttemptFiles,
) -> None:
    assert not files.started
    assert files.prevent()
    assert files.prevented
    assert files.started
    assert files.prevent(), "once more says the same"


def test_a_wrapper_that_has_started_cannot_be_kept_from_it(files: AttemptFiles) -> None:
    (files.path / "started").write_text("4711\n")

    assert not files.prevent()
    assert not files.prevented


def test_a_wrapper_that_is_just_starting_cannot_be_kept_from_it(
    files: AttemptFiles,
) -> None:
    (files.path / "started").touch()

    assert files.started
    assert not files.prevent()


def test_nothing_starts_in_a_directory_that_is_gone(files: AttemptFiles) -> None:
    files.remove()

    assert files.prevent()
    assert not files.path.exists()


def test_of_a_directory_that_is_gone_nothing_is_known(files: AttemptFiles) -> None:
    files.remove()

    assert files.meta() is None
    assert files.dyno() is None
    assert files.status() is None
    assert files.task() is None
    assert not files.held
    assert not files.alive()
    assert files.age_s() == 0
    assert files.stopped_for_s() == 0
    files.remove()


@pytest.mark.parametrize("text", ["", "{", "[]"], ids=["empty", "cut", "no map"])
def test_a_directory_that_does_not_say_what_it_is_is_no_dyno(
    files: AttemptFiles, text: str
) -> None:
    (files.path / "meta.json").write_text(text)

    assert files.dyno() is None


def test_what_cannot_be_read_is_not_taken_for_missing(
    files: AttemptFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_file_left(*_: object, **__: object) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "read_text", no_file_left)

    for look in (files.status, lambda: files.started, files.dyno, files.task):
        with pytest.raises(OSError, match="Too many open files"):
            look()


def test_a_stop_is_noted_once(files: AttemptFiles) -> None:
    assert files.stopped_for_s() == 0
    assert files.first_stop()
    assert not files.first_stop()
    assert 0 <= files.stopped_for_s() + 0.1 < 10


def test_an_end_is_as_old_as_its_status(files: AttemptFiles) -> None:
    ended_at = clock.now() - timedelta(hours=2)
    (files.path / "status").write_text("0\n")
    os.utime(files.path / "status", times=(ended_at.timestamp(),) * 2)

    assert abs(files.ended_at() - ended_at) < timedelta(seconds=1)


def test_an_end_is_never_before_the_stop_that_caused_it(files: AttemptFiles) -> None:
    asked_at = clock.now()
    files.first_stop()
    (files.path / "status").write_text("143\n")
    os.utime(files.path / "status", times=(asked_at.timestamp() - 0.004,) * 2)

    assert files.ended_at() >= asked_at


def test_an_end_is_not_in_the_future(files: AttemptFiles) -> None:
    (files.path / "status").write_text("0\n")
    os.utime(files.path / "status", times=(clock.now().timestamp() + 3600,) * 2)

    assert files.ended_at() <= clock.now()


def test_a_signal_reaches_the_task_that_wrote_itself_down(
    files: AttemptFiles, sleeper: subprocess.Popen[bytes]
) -> None:
    (files.path / "pid").write_text(f"{sleeper.pid}\n")

    assert files.alive()
    files.signal(signal.SIGTERM)

    assert sleeper.wait(10) == -signal.SIGTERM
    assert not files.alive()
    files.signal(signal.SIGKILL)


def test_a_process_that_has_our_pid_but_is_younger_is_left_alone(
    files: AttemptFiles, sleeper: subprocess.Popen[bytes]
) -> None:
    (files.path / "pid").write_text(f"{sleeper.pid}\n")
    an_hour_ago = clock.now() - timedelta(hours=1)
    os.utime(files.path / "pid", times=(an_hour_ago.timestamp(),) * 2)
    files.signal(signal.SIGKILL)

    assert not files.alive()
    assert sleeper.poll() is None


def test_a_process_that_has_our_pid_but_is_older_is_not_ours(
    sleeper: subprocess.Popen[bytes],
) -> None:
    assert Process(sleeper.pid, window()).alive()
    assert not Process(sleeper.pid, window(age_s=-60)).alive()


def test_a_pid_that_is_not_written_to_the_end_is_none(files: AttemptFiles) -> None:
    (files.path / "pid").write_text("1")

    assert files.task() is None


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    process = Process(child.pid, window())

    wait_until(lambda: not process.alive())
    assert child.wait() == 0


def test_a_process_of_somebody_else_is_recognised_too() -> None:
    assert not Process(1, window()).alive()
    assert not Process(2**22 + 1, window()).alive()


def test_without_proc_ps_tells_how_old_a_process_is(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_HAS_PROC", False)

    assert Process(sleeper.pid, window()).alive()
    assert not Process(sleeper.pid, window(age_s=60)).alive()
    sleeper.kill()
    wait_until(lambda: not Process(sleeper.pid, window()).alive())


@pytest.mark.parametrize(
    ("elapsed", "seconds"),
    [("00:00", 0), ("01:05", 65), ("02:00:00", 7200), ("3-00:00:01", 259_201)],
)
def test_what_ps_says_is_read(elapsed: str, seconds: float) -> None:
    assert identity.elapsed_s(elapsed) == seconds
