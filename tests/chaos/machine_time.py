"""The time of the state machine: it passes only when the machine says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clockd import clock

if TYPE_CHECKING:
    import pytest

#: A Tuesday, half a minute before a full hour, on the platform's clock.
START = datetime(2026, 11, 24, 11, 59, 30, tzinfo=UTC)
#: A wall clock may be set by this much, and nothing need be taken back.
STEP_S = clock.STEP_S
_BOOT_S = 5000.0


class Time:
    """True time, which the platform keeps, and a wall clock that may jump away from it.

    `elapsed_s` counts true seconds since `START`; `jump_s` is how far the wall clock of
    the machine that clockd runs on is ahead of them.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start anew, for another example."""
        self.elapsed_s = 0.0
        self.jump_s = 0.0

    @property
    def true(self) -> datetime:
        """The instant on the platform's clock."""
        return START + timedelta(seconds=self.elapsed_s)

    @property
    def wall(self) -> datetime:
        """The instant on our wall clock."""
        return self.true + timedelta(seconds=self.jump_s)

    def boottime(self) -> float:
        """Return what `clock.boottime` says."""
        return _BOOT_S + self.elapsed_s

    def steady(self) -> clock.Steady:
        """Return the time of a process that starts now, as the daemon makes it."""
        return clock.Steady(lambda: self.wall.timestamp(), self.boottime)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Let the whole program live in this time."""
        patch.setattr(clock, "boottime", self.boottime)
        patch.setattr(clock, "_steady", None)


def live_by(steady: clock.Steady | None) -> None:
    """Let `clock.now` be the time of one process, until the next call."""
    clock._steady = steady
