"""Local runs: what is started, where, with what, and how it ends."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clockd import process
from clockd.errors import LaunchRejected, LeaseLost, RunnerUnavailable
from clockd.local import children, files, wrapper
from clockd.model import RunnerKind
from clockd.runner import Unavailable
from tests.support.local_runs import APP, Place, request
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a folder with a runner in it."""
    with Place(tmp_path) as place:
        yield place


@pytest.fixture(params=[None, *SHELLS], ids=lambda name: name or "sh")
def shell(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str | None:
    """Put each shell there is into the place of `/bin/sh`."""
    name: str | None = request.param
    if name is not None:
        path = tmp_path / "shell" / "sh"
        path.parent.mkdir()
        target = shutil.which(name)
        assert target is not None
        path.symlink_to(target)
        for text in ("_TASK", "WRAPPER", "SHELL"):
            changed = getattr(wrapper, text).replace("/bin/sh", str(path))
            monkeypatch.setattr(wrapper, text, changed)
    return name


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize(
    ("command", "status"),
    [
        pytest.param("true", 0, id="success"),
        pytest.param("exit 3", 3, id="failure"),
        pytest.param("./no-program", 126, id="not executable"),
        pytest.param("no-such-program", 127, id="not found"),
        pytest.param("kill -TERM $$", 143, id="SIGTERM"),
        pytest.param("kill -KILL $$", 137, id="SIGKILL"),
        pytest.param("kill -INT $$", 130, id="SIGINT"),
        pytest.param("kill -USR1 $$", 128 + signal.SIGUSR1, id="SIGUSR1"),
        pytest.param("trap 'exit 9' INT; kill -INT $$", 9, id="SIGINT caught"),
        pytest.param("exit 300", 300 % 256, id="above 255"),
        pytest.param("trap 'exit 7' TERM; kill 0; sleep 9", 7, id="its own group"),
        pytest.param("status=5; exit $status", 5, id="variables"),
    ],
)
def test_the_exit_status_is_known(place: Place, command: str, status: int) -> None:
    (place.folder / "no-program").write_text("#!/bin/sh\n")

    printed, end = place.run(command)

    assert end == f"Process exited with status {status}"
    assert all("Terminated" not in line and "Killed" not in line for line in printed)


def test_a_task_runs_where_the_triggers_are(place: Place) -> None:
    printed, _ = place.run("pwd; echo $PWD")

    assert printed == [str(place.folder)] * 2


def test_a_task_gets_the_environment_of_clockd_and_of_its_launch(
    tmp_path: Path,
) -> None:
    environ = {"PATH": os.environ["PATH"], "A": "clockd's", "B": "clockd's"}
    command = f"{sys.executable} -c 'import os; print(sorted(os.environ.items()))'"
    with Place(tmp_path, environ=environ) as place:
        printed, _ = place.run(command, env={"B": "trigger's", "left": "x y"})

    found = [
        pair
        for pair in eval(printed[0])  # noqa: S307 – our own print
        if pair[0] not in ("PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE")
    ]
    assert found == sorted({**environ, "B": "trigger's", "left": "x y"}.items())


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("path", ["", "/nonexistent", None], ids=["", "bad", "none"])
def test_a_task_whose_path_leads_nowhere_ends_as_any_other(
    tmp_path: Path, path: str | None
) -> None:
    environ = {} if path is None else {"PATH": path}
    with Place(tmp_path, environ=environ) as place:
        printed, end = place.run("echo here; exit 4")

    assert printed == ["here"]
    assert end == "Process exited with status 4"


@pytest.mark.usefixtures("shell")
def test_a_tasks_environment_is_not_changed_by_what_runs_around_it(
    place: Place,
) -> None:
    names = ["task", "status", "left", "clockd", "pid"]

    printed, _ = place.run(
        "; ".join(f"echo ${name}" for name in names), env={x: x for x in names}
    )

    assert printed == names


def test_a_task_has_no_input_and_no_other_files(place: Place) -> None:
    command = f"cat; {sys.executable} -c 'import os; print(os.listdir(\"/dev/fd\"))'"

    printed, end = place.run(command)

    assert end == "Process exited with status 0"
    assert {"0", "1", "2"} >= set(eval(printed[0])) - {"3"}  # noqa: S307


def test_signals_that_clockd_ignores_are_not_ignored_by_tasks(place: Place) -> None:
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        _, end = place.run("kill -PIPE $$; kill -QUIT $$; kill -INT $$")
    finally:
        signal.signal(signal.SIGPIPE, before)

    assert end == f"Process exited with status {128 + signal.SIGPIPE}"


def test_a_process_type_is_looked_up_at_each_launch(place: Place) -> None:
    procfile = place.folder / "Procfile"
    procfile.write_text('report: sh -c \'echo "$0 $1"\' "a b"\n')
    assert place.run("report c")[0] == ["a b c"]

    procfile.write_text("report: echo changed\n")
    assert place.run("report c")[0] == ["changed c"]


def test_a_dyno_says_what_was_asked_for(place: Place) -> None:
    (place.folder / "Procfile").write_text("report: true\n")

    dyno = place.launch("report --all", key="12.3-1790", process_type="clockd")

    assert (dyno.id, dyno.key, dyno.name) == ("12.3-1790", "12.3-1790", "clockd.12.3")
    assert (dyno.app, dyno.command, dyno.size) == (APP, "report --all", None)
    assert place.runner.kind is RunnerKind.LOCAL
    assert place.runner.authoritative
    place.wait_for_start(dyno)
    wait_until(lambda: [x.state for x in place.runner.dynos(APP)] == ["complete"])
    assert place.runner.history(APP, lines=10) == ()


def test_an_attempt_is_launched_once_only(place: Place) -> None:
    _, end = place.run("echo x >>times", key="1.1-7")

    with pytest.raises(LaunchRejected, match=r"1\.1-7 was launched before"):
        place.launch("echo x >>times", key="1.1-7")

    assert end == "Process exited with status 0"
    assert place.wait_for("times") == "x"
    assert place.files(place.runner.dynos(APP)[0]).status() == 0


@pytest.mark.parametrize(
    "refusal",
    [LeaseLost("another clock"), OSError(errno.ENOSPC, "x"), KeyboardInterrupt()],
    ids=["ClockdError", "OSError", "KeyboardInterrupt"],
)
def test_what_the_guard_raises_comes_out_and_nothing_is_left(
    place: Place, refusal: BaseException
) -> None:
    def guard() -> None:
        raise refusal

    descriptors = len(os.listdir("/dev/fd"))
    with pytest.raises(type(refusal)) as caught:
        place.launch("touch ran", guard=guard, key="1.1-1")

    assert caught.value is refusal
    assert not list(place.directory.iterdir())
    assert children.collect() == 0
    assert len(os.listdir("/dev/fd")) == descriptors
    assert place.run("echo ran", key="1.1-1")[0] == ["ran"]


def test_the_guard_is_asked_last(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    start = children.start

    def note(*arguments: object, **more: object) -> None:
        steps.append("fork")
        start(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(children, "start", note)
    place.launch("true", guard=lambda: steps.append("guard"))

    assert steps == ["guard", "fork"]


@pytest.mark.parametrize(
    ("number", "passing"),
    [
        pytest.param(errno.EAGAIN, True, id="EAGAIN"),
        pytest.param(errno.ENOMEM, True, id="ENOMEM"),
        pytest.param(errno.EMFILE, True, id="EMFILE"),
        pytest.param(errno.ENOSPC, True, id="ENOSPC"),
        pytest.param(errno.EACCES, False, id="EACCES"),
        pytest.param(errno.ENOEXEC, False, id="ENOEXEC"),
    ],
)
def test_what_the_machine_lacks_may_be_there_later(
    place: Place, monkeypatch: pytest.MonkeyPatch, number: int, *, passing: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", fail)
    with pytest.raises((LaunchRejected, RunnerUnavailable)) as caught:
        place.launch("true")

    assert isinstance(caught.value, RunnerUnavailable) == passing
    assert os.strerror(number) in str(caught.value)
    if isinstance(caught.value, RunnerUnavailable):
        assert caught.value.kind == Unavailable.OVER_LIMIT
    assert not list(place.directory.iterdir())


def test_without_room_for_its_files_nothing_is_started(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.AttemptFiles, "_write_and_lock", full)

    with pytest.raises(RunnerUnavailable, match="No space left"):
        place.launch("true")
    assert not list(place.directory.iterdir())


@pytest.mark.parametrize(
    ("command", "env"),
    [
        pytest.param("true\0", {}, id="NUL in the command"),
        pytest.param("true", {"A": "\0"}, id="NUL in the environment"),
        pytest.param("true", {"A=B": "x"}, id="equals sign in a name"),
        pytest.param("true", {"A": "x" * (4 << 20)}, id="too large"),
    ],
)
def test_what_no_process_can_be_given_is_refused_for_good(
    place: Place, command: str, env: dict[str, str]
) -> None:
    with pytest.raises(LaunchRejected, match=r"(cannot|could not) be started"):
        place.launch(command, env=env)

    assert not list(place.directory.iterdir())


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    with Place(folder) as place:
        place.directory = tmp_path / "runs"
        place.runner._directory = place.directory
        folder.rmdir()

        with pytest.raises(LaunchRejected, match=r"No such file.*project"):
            place.launch("true")
        assert not list(place.directory.iterdir())


def test_files_may_be_kept_in_a_relative_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path)
    runner = process.LocalRunner(
        Path("elsewhere/runs"),
        cwd=tmp_path / "project",
        procfile=tmp_path / "Procfile",
        environ={},
    )

    dyno = runner.launch(request("exit 5"), guard=lambda: None)

    status = files.AttemptFiles(tmp_path / "elsewhere" / "runs" / dyno.id).status
    assert wait_until(status) == 5
    wait_until(lambda: children.collect() == 0)


def test_a_place_for_files_that_is_none_is_named(place: Place) -> None:
    place.directory.write_text("a file")

    with pytest.raises(LaunchRejected, match=r"clockd\.db\.runs"):
        place.launch("true")
    with pytest.raises(RunnerUnavailable, match=r"clockd\.db\.runs"):
        place.runner.dynos(APP)


def test_where_setsid_is_missing_job_control_gives_a_group(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, whose sh is bash."""
    bash = shutil.which("bash")
    assert bash is not None
    for text in ("_TASK", "WRAPPER", "SHELL"):
        changed = getattr(wrapper, text).replace("/bin/sh", bash)
        monkeypatch.setattr(wrapper, text, changed)
    monkeypatch.setattr(wrapper, "_setsid", lambda: "")
    listener = place.listen()
    dyno = place.launch("sleep 60 & echo $! >other; trap 'exit 6' INT; wait")
    other = place.wait_for("other")

    task = place.files(dyno).task()
    assert task is not None
    assert os.getpgid(int(other)) == task.pid
    assert os.getpgid(task.pid) == task.pid

    place.runner.stop(dyno)
    assert listener.end(dyno).text == "Process exited with status 143"
    assert place.run("trap 'exit 6' INT; kill -INT $$")[1].endswith(" 6")


def test_without_any_means_the_task_itself_is_still_stopped(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    dash = shutil.which("dash")
    assert dash is not None
    for text in ("_TASK", "WRAPPER", "SHELL"):
        changed = getattr(wrapper, text).replace("/bin/sh", dash)
        monkeypatch.setattr(wrapper, text, changed)
    monkeypatch.setattr(wrapper, "_setsid", lambda: "")
    listener = place.listen()
    dyno = place.launch("echo begun; exec sleep 60")
    wait_until(lambda: listener.texts(dyno) == ["begun"])

    place.runner.stop(dyno)

    assert listener.end(dyno).text == "Process exited with status 143"
