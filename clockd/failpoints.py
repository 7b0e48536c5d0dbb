"""Steps in the life of a fire time at which clockd's own tests kill or freeze it.

`CLOCKD_FAILPOINT` is `step[:n][=kill|stop]`, several with commas between: the n-th time
the process reaches that step it ends itself with SIGKILL, or freezes itself with
SIGSTOP. Where the variable is unset, `reach` looks at one variable and returns.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Every step, in the order of a fire time's life, and where in the code it is.
STEPS: Final = {
    "lease.taken": "this process has become the clock",
    "sync.writing": "the file's triggers are written, not committed",
    "sync.written": "the file's triggers are on record",
    "claim.writing": "due fire times are written as runs, not committed",
    "claim.written": "due fire times are on record",
    "take.writing": "runs are written as launching, not committed",
    "take.written": "runs are on record as launching, nothing is sent",
    "launch.guarding": "connected, the lease is checked next",
    "launch.guarded": "the lease was checked, no byte is out",
    "launch.sent": "the request is out, no answer is read",
    "launch.answered": "the answer is known, and kept in memory alone",
    "launch.recording": "the dispatcher is about to write dynos down",
    "dyno.writing": "dynos are written, not committed",
    "launch.recorded": "dynos are on record",
    "launch.requeueing": "a run is put back in line, not committed",
    "unknown.recorded": "it is on record that an answer was lost",
    "adopt.recording": "a dyno was found, and is about to be written down",
    "adopt.recorded": "the dyno that was found is on record",
    "output.written": "lines that tasks printed are on record",
    "stop.noted": "it is on record that a dyno is to be stopped",
    "stop.asked": "the platform was asked to stop it",
    "finish.writing": "the end of an attempt is written, not committed",
    "finish.written": "the end of an attempt is on record",
}
#: What happens at a step: the process ends, or freezes until it gets SIGCONT.
SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
#: What goes to standard error just before, with the step's name behind it.
SAYS: Final = "failpoint: "

_POINT = re.compile(r"([a-z.]+)(?::([1-9][0-9]{0,5}))?(?:=(\w+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failpoint:
    """What is to happen, and when: the `times`-th time that `step` is reached."""

    step: str
    times: int
    signal: signal.Signals


class _Armed:
    """The failpoints of this process, and how often each step was reached."""

    def __init__(self, points: Sequence[Failpoint]) -> None:
        self._points = points
        self._reached: Counter[str] = Counter()
        self._lock = threading.Lock()

    def reach(self, step: str) -> None:
        with self._lock:
            self._reached[step] += 1
            times = self._reached[step]
        for point in self._points:
            if (point.step, point.times) == (step, times):
                _signal_myself(point)


_armed: _Armed | None = None


def parse(text: str) -> list[Failpoint]:
    """Return the failpoints that a text names; none for an empty one.

    Raises:
        ValueError: It cannot be read, or names no step; the message continues a
            sentence that begins with the variable's name.
    """
    return [_point(part.strip()) for part in text.split(",") if part.strip()]


def arm(text: str) -> None:
    """Let this process die, or freeze, at the failpoints that `text` names.

    Raises:
        ValueError: As `parse`.
    """
    global _armed
    points = parse(text)
    _armed = _Armed(points) if points else None


def reach(step: str) -> None:
    """Say that the process has come to a step, one of `STEPS`."""
    if _armed is not None:
        _armed.reach(step)


def _point(text: str) -> Failpoint:
    match = _POINT.fullmatch(text)
    if match is None:
        raise ValueError(f"has {text!r}; write step[:n][=kill|stop]")
    step, times, act = match[1], int(match[2] or 1), match[3] or "kill"
    if step not in STEPS:
        raise ValueError(f"has {step!r}, not one of {', '.join(STEPS)}")
    if act not in SIGNALS:
        raise ValueError(f"has {act!r}, not one of {', '.join(SIGNALS)}")
    return Failpoint(step=step, times=times, signal=SIGNALS[act])


def _signal_myself(point: Failpoint) -> None:
    os.write(2, f"{SAYS}{point.step}\n".encode())
    # To this thread: sent to the process, another might take it, and this one go on.
    signal.pthread_kill(threading.get_ident(), point.signal)
