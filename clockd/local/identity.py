"""A process that is not mistaken for a later one with its pid."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from clockd import clock

_HAS_PROC = sys.platform.startswith("linux")
#: How far the times of files and processes may be off.
_SLACK_S = 2.0


class Process:
    """A process that has written its pid down.

    Args:
        pid: Its pid.
        begun: The epoch seconds at which it began, at the earliest and the latest.
    """

    def __init__(self, pid: int, begun: tuple[float, float]) -> None:
        self.pid = pid
        self._begun = begun

    def alive(self) -> bool:
        """Return whether it is still there: as old as it must be, and no zombie."""
        if not _exists(self.pid):
            return False
        began = _began_at(self.pid)
        earliest, latest = self._begun[0] - _SLACK_S, self._begun[1] + _SLACK_S
        return began is not None and earliest <= began <= latest


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _began_at(pid: int) -> float | None:
    """Return the epoch seconds at which a process began, None if it has ended."""
    if not _HAS_PROC:
        return _began_as_ps_says(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        return None
    since_boot_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return clock.now().timestamp() - clock.boottime() + since_boot_s


def _began_as_ps_says(pid: int) -> float | None:
    answer = subprocess.run(  # noqa: S603 – fixed program, a number
        ["/bin/ps", "-o", "stat=,etime=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, elapsed = answer.stdout.strip().partition(" ")
    if not elapsed or state.startswith("Z"):
        return None
    return clock.now().timestamp() - elapsed_s(elapsed.strip())


def elapsed_s(elapsed: str) -> float:
    """Return the seconds of ps's `[[days-]hours:]minutes:seconds`."""
    days, _, rest = elapsed.rpartition("-")
    seconds = 0
    for part in rest.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds + int(days or 0) * 86_400.0
