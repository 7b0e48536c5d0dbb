"""The only place that reads the time.

Instants are aware datetimes in UTC. Durations and deadlines are measured on
`boottime`, which never jumps and goes on counting while the machine is suspended.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(UTC)


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
