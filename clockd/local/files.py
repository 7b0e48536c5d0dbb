"""The files of one local attempt, and what they prove.

meta.json  what was asked for, and when; locked (flock) by who launches the attempt and
           by the task's wrapper, as long as they live
started    made by whoever comes first: the wrapper, or a look that concludes that it
           never came to life
pid        the task's, leader of its own process group
output     stdout and stderr
stop       made when a stop is first asked for
status     exit status, when the task has ended

A file that is missing proves something; one that cannot be read proves nothing: then
`OSError` is raised.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from clockd import clock
from clockd.local.identity import Process
from clockd.runner import Dyno

if TYPE_CHECKING:
    from clockd.runner import LaunchRequest

_PREVENTED = "prevented\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What an attempt was asked for."""

    app: str
    command: str
    process_type: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """The directory of one attempt."""

    path: Path

    @classmethod
    def create(cls, directory: Path, request: LaunchRequest) -> tuple[Self, int]:
        """Make the directory of an attempt that has none.

        Returns it with a file descriptor that holds its lock until it is closed; a
        process that inherits it holds the lock too.

        Raises:
            FileExistsError: The attempt was launched before.
            OSError: It cannot be made; nothing is left of it.
        """
        _make_folder(directory)
        files = cls(directory / request.key)
        files.path.mkdir(mode=0o700)
        try:
            return files, files._write_and_lock(request)
        except OSError:
            files.remove()
            raise

    def _write_and_lock(self, request: LaunchRequest) -> int:
        meta = {
            "app": request.app,
            "command": request.command,
            "process_type": request.process_type,
            "created_at": clock.now().isoformat(),
        }
        new = self.path / "meta.new"
        new.write_text(json.dumps(meta))
        lock = os.open(new, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            new.rename(self.path / "meta.json")
        except OSError:
            os.close(lock)
            raise
        return lock

    @property
    def key(self) -> str:
        """The attempt's key."""
        return self.path.name

    @property
    def output(self) -> Path:
        """Where the task's output goes."""
        return self.path / "output"

    def meta(self) -> Meta | None:
        """Return what was asked for, None where that is not written (yet)."""
        try:
            meta = json.loads(self._read("meta.json") or "")
            return Meta(
                app=meta["app"],
                command=meta["command"],
                process_type=meta["process_type"],
                created_at=datetime.fromisoformat(meta["created_at"]),
            )
        except (ValueError, LookupError, TypeError):
            return None

    def dyno(self) -> Dyno | None:
        """Return the attempt as a dyno; None where nothing says what it is."""
        meta = self.meta()
        if meta is None:
            return None
        return Dyno(
            app=meta.app,
            name=dyno_name(meta.process_type, self.key),
            id=self.key,
            command=meta.command,
            process_type=meta.process_type,
            state="up" if self.status() is None else "complete",
            size=None,
            created_at=meta.created_at,
            key=self.key,
        )

    # -- how far it came -------------------------------------------------------

    @property
    def held(self) -> bool:
        """Whether somebody who launches the attempt, or waits for its end, lives."""
        try:
            lock = os.open(self.path / "meta.json", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    @property
    def abandoned(self) -> bool:
        """Whether who took the lock, and everybody it was handed to, is dead."""
        return self._changed("meta.json") is not None and not self.held

    @property
    def started(self) -> bool:
        """Whether the wrapper came to life (or was kept from it)."""
        return self._read("started") is not None

    @property
    def prevented(self) -> bool:
        """Whether the attempt was concluded never to have run."""
        return self._read("started") == _PREVENTED

    def prevent(self) -> bool:
        """Make sure that a wrapper which has not started never does.

        Returns whether it had not: the attempt certainly does not run.
        """
        try:
            with (self.path / "started").open("x") as started:
                started.write(_PREVENTED)
        except FileExistsError:
            return self.prevented
        except FileNotFoundError:
            return True
        return True

    def status(self) -> int | None:
        """Return the task's exit status, None where none is written."""
        text = self._read("status")
        return int(text) if text and text.endswith("\n") else None

    def age_s(self) -> float:
        """Return the seconds since anything was made in the directory; 0 if gone."""
        changed = self._changed("")
        return 0.0 if changed is None else clock.now().timestamp() - changed

    def ended_at(self) -> datetime:
        """Return when the task ended, if it has, as exactly as it is known.

        Files carry the time of the kernel's last tick. After a stop, that could seem
        to be before the stop: then the end is now.
        """
        changed = self._changed("status")
        if changed is None or self._changed("stop") is not None:
            return clock.now()
        return min(clock.from_epoch(changed), clock.now())

    # -- stopping --------------------------------------------------------------

    def first_stop(self) -> bool:
        """Note that a stop was asked for; return whether it is the first time."""
        try:
            (self.path / "stop").mkdir()
        except FileExistsError:
            return False
        return True

    def stopped_for_s(self) -> float:
        """Return the seconds since a stop was first asked for, 0 if none was."""
        changed = self._changed("stop")
        return 0.0 if changed is None else clock.now().timestamp() - changed

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the task's whole group, while that is certainly ours.

        The leader may be gone already: the wrapper then waits for the group, so that
        nobody else has that number.
        """
        task = self.task()
        if task is None or not (self.held or task.alive()):
            return
        try:
            os.killpg(task.pid, number)
        except ProcessLookupError:
            # Without setsid and job control it has no group of its own.
            with suppress(OSError):
                if task.alive():
                    os.kill(task.pid, number)
        except PermissionError:
            return

    # -- its processes ---------------------------------------------------------

    def task(self) -> Process | None:
        """Return the task's process, None where it has not written itself down."""
        text, changed, meta = self._read("pid"), self._changed("pid"), self.meta()
        if not text or not text.endswith("\n") or changed is None or meta is None:
            return None
        return Process(int(text), (meta.created_at.timestamp(), changed))

    def alive(self) -> bool:
        """Return whether the task, or who waits for its end, is still there."""
        if self.held:
            return True
        task = self.task()
        return task is not None and task.alive()

    def remove(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.path, ignore_errors=True)

    # -- reading ---------------------------------------------------------------

    def _read(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text(errors="replace")
        except FileNotFoundError:
            return None

    def _changed(self, name: str) -> float | None:
        try:
            return (self.path / name).stat().st_mtime
        except FileNotFoundError:
            return None


def _make_folder(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(*error.args, error.filename) from error


def dyno_name(process_type: str, key: str) -> str:
    """Return the name of an attempt's dyno: `clockd.12.1` is run 12, attempt 1.

    It is known before the process is, and also when all its files are gone.
    """
    return f"{process_type}.{key.rpartition('-')[0] or key}"
