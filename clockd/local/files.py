"""The files of one local attempt, and what they prove.

meta.json   what was asked for, and when
started/    made by whoever comes first: the task's wrapper, or a look that
            concludes that the wrapper never came to life
wrapper     pid of the wrapper
pid         pid of the task, leader of its own process group
output      stdout and stderr
stop        made when a stop is first asked for
status      exit status, renamed into place when the task has ended
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clockd import clock
from clockd.runner import Dyno

if TYPE_CHECKING:
    from clockd.runner import LaunchRequest

#: Runs the task ($2) in the folder $3 with its files in $1. `started` decides whether
#: it runs at all; setsid (or job control, where that is missing) gives it a group.
WRAPPER = r"""
mkdir "$1/started" 2>/dev/null || exit 0
echo $$ > "$1/wrapper.new" && mv "$1/wrapper.new" "$1/wrapper"
cd "$3" || { echo "cannot enter $3" > "$1/output"; echo 126 > "$1/status"; exit 0; }
if command -v setsid >/dev/null 2>&1; then
  setsid /bin/sh -c "$2" </dev/null >"$1/output" 2>&1 &
else
  set -m; /bin/sh -c "$2" </dev/null >"$1/output" 2>&1 & set +m
fi
task=$!
echo $task > "$1/pid.new" && mv "$1/pid.new" "$1/pid"
trap : HUP INT TERM
while :; do
  wait $task; status=$?
  kill -0 $task 2>/dev/null || break
done
echo $status > "$1/status.new" && mv "$1/status.new" "$1/status"
"""

_SLACK_S = 2.0


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """The directory of one attempt."""

    path: Path

    @classmethod
    def create(cls, directory: Path, request: LaunchRequest) -> AttemptFiles:
        """Make the directory of an attempt that has none.

        Raises:
            FileExistsError: The attempt was launched before.
            OSError: It cannot be made.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = cls(directory / request.key)
        files.path.mkdir(mode=0o700)
        meta = {
            "app": request.app,
            "command": request.command,
            "process_type": request.process_type,
            "created_at": clock.now().isoformat(),
        }
        files._write("meta.json", json.dumps(meta))
        return files

    @property
    def key(self) -> str:
        """The attempt's key."""
        return self.path.name

    @property
    def output(self) -> Path:
        """Where the task's output goes."""
        return self.path / "output"

    def created_at(self) -> datetime:
        """Return when the directory was made, as its dyno shows it."""
        meta = self._meta()
        return datetime.fromisoformat(meta["created_at"]) if meta else clock.now()

    @property
    def started(self) -> bool:
        """Whether the wrapper came to life (or was kept from it)."""
        return (self.path / "started").is_dir()

    def status(self) -> int | None:
        """Return the task's exit status, None where none is written."""
        return self._read_number("status")

    def age_s(self) -> float:
        """Return the seconds since the directory was made."""
        return clock.now().timestamp() - self.path.stat().st_mtime

    def prevent(self) -> bool:
        """Make sure that a wrapper which has not started never does.

        Returns whether it had not: the attempt certainly does not run.
        """
        try:
            (self.path / "started").mkdir()
        except FileExistsError:
            return False
        (self.path / "prevented").mkdir()
        return True

    @property
    def prevented(self) -> bool:
        """Whether the attempt was concluded never to have run."""
        return (self.path / "prevented").is_dir()

    def first_stop(self) -> bool:
        """Note that a stop was asked for; return whether it is the first time."""
        try:
            (self.path / "stop").mkdir()
        except FileExistsError:
            return False
        return True

    def stopped_for_s(self) -> float:
        """Return the seconds since a stop was first asked for."""
        return clock.now().timestamp() - (self.path / "stop").stat().st_mtime

    def task(self) -> int | None:
        """Return the task's pid, None where it is not, or no longer, that process."""
        return self._living("pid")

    def group(self) -> int | None:
        """Return the task's process group while somebody of it may be left."""
        pid = self._read_number("pid")
        if pid is None or self._living("pid") is not None:
            return pid
        return pid if not _exists(pid) else None

    def wrapper_alive(self) -> bool:
        """Return whether the wrapper is still there to write a status."""
        return self._living("wrapper") is not None

    def dyno(self) -> Dyno | None:
        """Return the attempt as a dyno; None where its files are incomplete."""
        meta = self._meta()
        wrapper = self._read_number("wrapper")
        if meta is None or wrapper is None:
            return None
        ended = self.status() is not None
        return Dyno(
            app=meta["app"],
            name=f"{meta['process_type']}.{wrapper}",
            id=self.key,
            command=meta["command"],
            process_type=meta["process_type"],
            state="complete" if ended else "up",
            size=None,
            created_at=datetime.fromisoformat(meta["created_at"]),
            key=self.key,
        )

    def remove(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _meta(self) -> dict[str, Any] | None:
        try:
            meta: dict[str, Any] = json.loads((self.path / "meta.json").read_text())
        except (OSError, ValueError):
            return None
        return meta

    def _write(self, name: str, text: str) -> None:
        new = self.path / f"{name}.new"
        new.write_text(text)
        new.rename(self.path / name)

    def _read_number(self, name: str) -> int | None:
        try:
            return int((self.path / name).read_text())
        except (OSError, ValueError):
            return None

    def _living(self, name: str) -> int | None:
        """Return the pid in a file if it is still the process that was meant.

        Pids are used again: the process must be as old as the file that names it.
        """
        pid = self._read_number(name)
        if pid is None or not _exists(pid):
            return None
        began = _started_at(pid)
        if began is None:
            return None
        earliest = self.created_at().timestamp()
        latest = (self.path / name).stat().st_mtime
        return pid if earliest - _SLACK_S <= began <= latest + _SLACK_S else None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    fields = _stat_fields(pid)
    return fields is not None and fields[0] in ("Z", "X")


def _stat_fields(pid: int) -> list[str] | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()


def _started_at(pid: int) -> float | None:
    """Return the epoch seconds at which a process began, None if it is gone."""
    fields = _stat_fields(pid)
    if fields is not None:
        since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return clock.now().timestamp() - clock.boottime() + since_boot
    if sys.platform.startswith("linux"):
        return None
    answer = subprocess.run(  # noqa: S603 – fixed program, a number
        ["/bin/ps", "-o", "etime=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    elapsed_s = _elapsed_s(answer.stdout.strip())
    return None if elapsed_s is None else clock.now().timestamp() - elapsed_s


def _elapsed_s(text: str) -> float | None:
    """Return the seconds of ps's `[[days-]hours:]minutes:seconds`."""
    if not text:
        return None
    days, _, rest = text.rpartition("-")
    seconds = 0
    for part in rest.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds + int(days or 0) * 86_400.0
