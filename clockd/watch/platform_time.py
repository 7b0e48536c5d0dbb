"""What time it is where tasks run.

Lists and logs bear the platform's time. Our own wall clock may be wrong, and may have
been wrong in another way when something was written; `boottime` is neither.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clockd import clock

if TYPE_CHECKING:
    from datetime import datetime

    from clockd.runner import Runner


def is_known(runner: Runner) -> bool:
    """Return whether an answer has told the platform's time."""
    return runner.skew_s is not None


def now(runner: Runner) -> datetime:
    """Return the current instant by the platform's clock, or ours if nobody knows."""
    return as_there(runner, clock.now())


def as_there(runner: Runner, at: datetime) -> datetime:
    """Return as what the platform's clock shows an instant of our wall clock."""
    return at - timedelta(seconds=runner.skew_s or 0.0)


def ago(runner: Runner, boottime: float) -> datetime:
    """Return the platform's time of an instant of `boottime`."""
    return now(runner) - timedelta(seconds=clock.boottime() - boottime)


def age_s(runner: Runner, at: datetime) -> float:
    """Return for how long an instant of the platform's has passed, never below 0."""
    return max((now(runner) - at).total_seconds(), 0.0)
