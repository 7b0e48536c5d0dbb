"""Runs tasks as processes of this machine.

Each attempt has a directory of its own (`local.files`) and a few lines of `/bin/sh`
around its task (`local.wrapper`), so that output and exit status are known although
clockd was killed meanwhile. Nothing about a process is kept in memory alone.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from clockd import procfile as procfiles
from clockd.errors import LaunchRejected, RunnerUnavailable
from clockd.local import children, stream, wrapper
from clockd.local.files import AttemptFiles
from clockd.model import RunnerKind
from clockd.runner import Dyno, LaunchRequest, LogLine, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

#: An attempt without a wrapper is let alone this long: its fork may be under way.
YOUNG_S = 3.0
#: Attempts that nobody asked to forget are removed this long after their end.
KEPT_S = 7 * 86_400.0
#: What passes: no process, memory, open file or disk left.
_PASSING = {
    errno.EAGAIN,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOSPC,
}


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
    skew_s: Final = 0.0
    allowance: Final = None

    def __init__(
        self,
        directory: Path,
        *,
        cwd: Path,
        procfile: Path,
        environ: Mapping[str, str],
        kill_after_s: float = 10.0,
    ) -> None:
        self._directory = directory.absolute()  # tasks run in another folder
        self._cwd = cwd
        self._procfile = procfile
        self._environ = dict(environ)
        self._kill_after_s = kill_after_s
        self._launched = stream.Launches()
        self._prune()

    def launch(self, request: LaunchRequest, *, guard: Callable[[], None]) -> Dyno:
        """Start a process.

        Raises:
            LaunchRejected: The command cannot be started here.
            RunnerUnavailable: The machine has no process, memory or disk left.
        """
        command = self._expand(request.command)
        files, lock = self._prepare(request)
        try:
            dyno = _dyno(files)
            guard()
            self._fork(files, command, request.env, lock)
        except BaseException:
            files.remove()
            raise
        finally:
            os.close(lock)
        self._launched.tell(dyno)
        return dyno

    def _expand(self, command: str) -> str:
        try:
            return procfiles.expand(command, procfiles.read(self._procfile))
        except OSError as error:
            raise _not_started(error) from error

    def _prepare(self, request: LaunchRequest) -> tuple[AttemptFiles, int]:
        try:
            return AttemptFiles.create(self._directory, request)
        except FileExistsError as error:
            raise LaunchRejected(
                f"attempt {request.key} was launched before"
            ) from error
        except OSError as error:
            raise _not_started(error) from error

    def _fork(
        self, files: AttemptFiles, command: str, env: Mapping[str, str], lock: int
    ) -> None:
        order = wrapper.arguments(files.path, command, kill_after_s=self._kill_after_s)
        try:
            children.start(
                order, cwd=self._cwd, env={**self._environ, **env}, lock=lock
            )
        except OSError as error:
            raise _not_started(error) from error
        except ValueError as error:
            raise LaunchRejected(f"the process cannot be started: {error}") from error

    def dynos(self, app: str, process_type: str | None = None) -> Sequence[Dyno]:
        """List the attempts here, ended ones too.

        An attempt whose wrapper has not come to life by now is kept from it.

        Raises:
            RunnerUnavailable: A launch may be under way at this instant, or the files
                cannot be read.
        """
        try:
            found = [self._see(files) for files in self._attempts()]
        except OSError as error:
            raise stream.unreadable(self._directory, error) from error
        return [
            dyno
            for dyno in found
            if dyno and dyno.app == app and process_type in (None, dyno.process_type)
        ]

    def _see(self, files: AttemptFiles) -> Dyno | None:
        """Return an attempt as a dyno, None where it certainly never ran."""
        if not files.started and files.path.exists():
            if files.age_s() < YOUNG_S and not files.abandoned:
                raise RunnerUnavailable(
                    f"attempt {files.key} is being launched", kind=Unavailable.CONFLICT
                )
            files.prevent()
        return None if files.prevented else files.dyno()

    def _attempts(self) -> Iterator[AttemptFiles]:
        for key in stream.list_keys(self._directory):
            yield AttemptFiles(self._directory / key)

    def stop(self, dyno: Dyno) -> None:
        """Send SIGTERM to the task's whole group, and SIGKILL some seconds later.

        What has left the group (setsid) is not reached.

        Raises:
            RunnerUnavailable: The attempt's files cannot be read or written.
        """
        files = AttemptFiles(self._directory / dyno.id)
        try:
            if files.status() is not None or not files.path.is_dir():
                return
            if files.first_stop():
                files.signal(signal.SIGTERM)
                self._kill_later(files)
            elif files.stopped_for_s() >= self._kill_after_s:
                files.signal(signal.SIGKILL)
        except OSError as error:
            raise stream.unreadable(files.path, error) from error

    def _kill_later(self, files: AttemptFiles) -> None:
        def kill() -> None:
            # What fails here is asked for again.
            with suppress(OSError):
                files.signal(signal.SIGKILL)

        timer = threading.Timer(self._kill_after_s, kill)
        timer.daemon = True
        timer.start()

    def follow(self, app: str, process_type: str, *, lines: int) -> stream.LocalStream:
        """Open the stream of a process type's attempts, from their first line on."""
        del lines
        return stream.LocalStream(
            self._directory,
            app,
            process_type,
            launched=self._launched,
            tidy=children.collect,
        )

    def forget(self, dyno: Dyno) -> None:
        """Remove the files of an ended attempt."""
        AttemptFiles(self._directory / dyno.id).remove()
        children.collect()

    def history(self, app: str, *, lines: int) -> Sequence[LogLine]:
        """Return nothing: what there is stands in the stream already."""
        del app, lines
        return ()

    def _prune(self) -> None:
        """Remove what nobody will ask for: a failure here is none of a launch."""
        try:
            for files in self._attempts():
                if files.age_s() > KEPT_S and not files.alive():
                    files.remove()
        except (OSError, RunnerUnavailable):
            return


def _dyno(files: AttemptFiles) -> Dyno:
    dyno = files.dyno()
    if dyno is None:
        raise LaunchRejected(f"somebody removed the files in {files.path}")
    return dyno


def _not_started(error: OSError) -> LaunchRejected | RunnerUnavailable:
    where = f" ({error.filename})" if error.filename else ""
    message = f"the process could not be started: {error.strerror}{where}"
    if error.errno in _PASSING:
        return RunnerUnavailable(
            message,
            kind=Unavailable.OVER_LIMIT,
            hint="is the disk full, or the limit of processes or open files reached?",
        )
    return LaunchRejected(message)
