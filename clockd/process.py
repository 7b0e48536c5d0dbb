"""Runs tasks as processes of this machine.

Each attempt has a directory of its own (`local.files`) and a few lines of `/bin/sh`
around its task, so that output and exit status are known although clockd was killed
meanwhile. Nothing about a process is kept in memory alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Final

from clockd import procfile as procfiles
from clockd.errors import LaunchRejected, RunnerUnavailable
from clockd.local.files import WRAPPER, AttemptFiles
from clockd.local.stream import Launches, LocalStream
from clockd.model import RunnerKind
from clockd.runner import Dyno, LaunchRequest, LogLine, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

#: An attempt without a wrapper is let alone this long: its fork may be under way.
YOUNG_S = 3.0
#: Ended attempts that nobody asked to forget are removed after this long.
KEPT_S = 7 * 86_400.0


class LocalRunner:
    """Starts, lists, stops and follows local processes; see `runner.Runner`.

    Args:
        directory: Where the attempts' directories are; made when needed.
        cwd: Where tasks run.
        procfile: The Procfile whose process types commands may name.
        environ: What every task gets, beside the environment of its launch.
        kill_after_s: Seconds from SIGTERM to SIGKILL.
    """

    kind: Final = RunnerKind.LOCAL
    authoritative: Final = True

    def __init__(
        self,
        directory: Path,
        *,
        cwd: Path,
        procfile: Path,
        environ: Mapping[str, str],
        kill_after_s: float = 10.0,
    ) -> None:
        self._directory = directory
        self._cwd = cwd
        self._procfile = procfile
        self._environ = dict(environ)
        self._kill_after_s = kill_after_s
        self._launched = Launches()
        self._children: list[subprocess.Popen[bytes]] = []
        self._children_lock = threading.Lock()
        self._prune()

    def launch(self, request: LaunchRequest, *, guard: Callable[[], None]) -> Dyno:
        """Start a process.

        Raises:
            LaunchRejected: The command cannot be started here.
            RunnerUnavailable: The machine has no process, memory or disk left.
        """
        types = procfiles.read(self._procfile)
        command = procfiles.expand(request.command, types)
        try:
            files = AttemptFiles.create(self._directory, request)
        except FileExistsError as error:
            raise LaunchRejected(
                f"attempt {request.key} was launched before"
            ) from error
        except OSError as error:
            raise _no_room(error) from error
        try:
            guard()
            child = self._spawn(files, command, request)
        except OSError as error:
            files.remove()
            raise _no_room(error) from error
        except BaseException:
            files.remove()
            raise
        dyno = self._identify(files, request, child.pid)
        self._launched.tell()
        return dyno

    def _spawn(
        self, files: AttemptFiles, command: str, request: LaunchRequest
    ) -> subprocess.Popen[bytes]:
        self._reap()
        child = subprocess.Popen(  # noqa: S603 – running commands is the purpose
            ["/bin/sh", "-c", WRAPPER, "clockd", files.path, command, self._cwd],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**self._environ, **request.env},
            start_new_session=True,
        )
        with self._children_lock:
            self._children.append(child)
        return child

    def _identify(self, files: AttemptFiles, request: LaunchRequest, pid: int) -> Dyno:
        return Dyno(
            app=request.app,
            name=f"{request.process_type}.{pid}",
            id=request.key,
            command=request.command,
            process_type=request.process_type,
            state="up",
            size=None,
            created_at=files.created_at(),
            key=request.key,
        )

    def dynos(self, app: str, process_type: str | None = None) -> Sequence[Dyno]:
        """List the attempts here, ended ones too.

        An attempt whose wrapper has not come to life by now is kept from it.

        Raises:
            RunnerUnavailable: A launch may be under way at this instant.
        """
        found = []
        for files in self._attempts():
            if not files.started:
                if files.age_s() < YOUNG_S:
                    raise RunnerUnavailable(
                        f"attempt {files.key} is being launched",
                        kind=Unavailable.CONFLICT,
                    )
                files.prevent()
            dyno = None if files.prevented else files.dyno()
            if dyno and dyno.app == app and process_type in (None, dyno.process_type):
                found.append(dyno)
        return found

    def _attempts(self) -> Iterator[AttemptFiles]:
        try:
            entries = sorted(self._directory.iterdir())
        except OSError:
            return
        for entry in entries:
            if (entry / "meta.json").is_file():
                yield AttemptFiles(entry)

    def stop(self, dyno: Dyno) -> None:
        """Send SIGTERM to the task's whole group, and SIGKILL some seconds later."""
        files = AttemptFiles(self._directory / dyno.id)
        if files.status() is not None or not files.path.is_dir():
            return
        if files.first_stop():
            _signal(files, signal.SIGTERM)
            timer = threading.Timer(
                self._kill_after_s, _signal, (files, signal.SIGKILL)
            )
            timer.daemon = True
            timer.start()
        elif files.stopped_for_s() >= self._kill_after_s:
            _signal(files, signal.SIGKILL)

    def follow(self, app: str, process_type: str, *, lines: int) -> LocalStream:
        """Open the stream of a process type's attempts, from their first line on."""
        del lines

        def attempts() -> list[tuple[AttemptFiles, Dyno]]:
            self._reap()
            pairs = ((files, files.dyno()) for files in self._attempts())
            return [
                (files, dyno)
                for files, dyno in pairs
                if dyno and (dyno.app, dyno.process_type) == (app, process_type)
            ]

        return LocalStream(attempts, self._launched)

    def forget(self, dyno: Dyno) -> None:
        """Remove the files of an ended attempt."""
        AttemptFiles(self._directory / dyno.id).remove()

    def history(self, app: str, *, lines: int) -> Sequence[LogLine]:
        """Return nothing: what there is stands in the stream already."""
        del app, lines
        return ()

    def _prune(self) -> None:
        for files in self._attempts():
            if files.status() is not None and files.age_s() > KEPT_S:
                files.remove()

    def _reap(self) -> None:
        """Collect wrappers that have ended, so that none stays a zombie."""
        with self._children_lock:
            self._children = [c for c in self._children if c.poll() is None]


def _signal(files: AttemptFiles, number: signal.Signals) -> None:
    group = files.group()
    if group is None:
        return
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _no_room(error: OSError) -> RunnerUnavailable:
    return RunnerUnavailable(
        f"the process could not be started: {error.strerror}",
        kind=Unavailable.OVER_LIMIT,
        hint="is the disk full, or the limit of processes reached?",
    )
