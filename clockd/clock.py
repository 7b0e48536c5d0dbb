"""The only place that reads the time.

Instants are aware datetimes in UTC. Durations and deadlines are measured on
`boottime`, which never jumps and goes on counting while the machine is suspended.

A wall clock that jumps may be right now, or wrong for a moment: a clock that is a day
fast for one turn would make a day's fire times late. So a jump is followed only after
it has lasted; until then time goes on as before (`Steady`).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Steps of the wall clock up to here are followed at once, as NTP makes them.
STEP_S = 60.0
#: A jump is followed after this long: before a fire time's grace of a minute is over.
LASTS_S = 30.0

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


@dataclass(frozen=True, slots=True)
class Jump:
    """A jump of the wall clock by `by_s` seconds; negative ones go back.

    It is told when it is seen, and again when time follows it (`followed`) or the wall
    clock has gone back (`undone`).
    """

    by_s: float
    followed: bool = False
    undone: bool = False


class Steady:
    """Time that follows a jump of the wall clock only after it has lasted.

    Args:
        wall: Gives the seconds since 1970 that the wall clock shows.
        boot: Gives `boottime`.
    """

    def __init__(self, wall: Callable[[], float], boot: Callable[[], float]) -> None:
        self._wall = wall
        self._boot = boot
        self._lock = threading.Lock()
        self._offset = wall() - boot()
        self._jump: tuple[float, float] | None = None
        self._told: deque[Jump] = deque(maxlen=64)

    def now(self) -> float:
        """Return seconds since 1970."""
        with self._lock:
            boot = self._boot()
            self._compare(self._wall() - boot, boot)
            return boot + self._offset

    def jumps(self) -> list[Jump]:
        """Return what has happened since the last call."""
        with self._lock:
            told = list(self._told)
            self._told.clear()
        return told

    def _compare(self, offset: float, boot: float) -> None:
        by_s = offset - self._offset
        if abs(by_s) <= STEP_S:
            if self._jump is not None:
                self._told.append(Jump(self._jump[0] - self._offset, undone=True))
            self._offset, self._jump = offset, None
        elif self._jump is None or abs(offset - self._jump[0]) > STEP_S:
            self._told.append(Jump(by_s))
            self._jump = offset, boot
        elif boot - self._jump[1] >= LASTS_S:
            self._told.append(Jump(by_s, followed=True))
            self._offset, self._jump = offset, None


_steady: Steady | None = None


@contextlib.contextmanager
def steadied() -> Iterator[None]:
    """Let `now` follow jumps only after they have lasted, in the whole process."""
    global _steady
    _steady = Steady(time.time, boottime)
    try:
        yield
    finally:
        _steady = None


def now() -> datetime:
    """Return the current instant, aware, in UTC."""
    steady = _steady
    return datetime.now(UTC) if steady is None else from_epoch(steady.now())


def jumps() -> list[Jump]:
    """Return the jumps of the wall clock since the last call, where it is steadied."""
    steady = _steady
    return [] if steady is None else steady.jumps()


def from_epoch(seconds: float) -> datetime:
    """Return the instant, in UTC, of a number of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def boottime() -> float:
    """Return seconds on a clock that never jumps and counts suspended time.

    Only differences mean anything. macOS has no such clock by that name; its
    monotonic clock already counts suspended time.
    """
    if _BOOT_CLOCK is not None:
        return time.clock_gettime(_BOOT_CLOCK)
    return time.monotonic()


def in_utc(at: datetime) -> datetime:
    """Return the same instant in UTC; `at` must be aware."""
    return at.astimezone(UTC)
