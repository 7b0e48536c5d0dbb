"""Keeps the watcher from a database that has just failed.

Every call to a database that hangs takes as long as its time limits allow, and stops
have to go out meanwhile: after one failure nothing is asked of it for a moment.
"""

from __future__ import annotations

import structlog

from clockd import clock, events
from clockd.errors import StoreUnavailable

#: Seconds for which nothing is asked after a failure.
RETRY_S = 2.0

log = structlog.get_logger()


class Breaker:
    """Remembers that the database failed; used by the watcher's thread only."""

    def __init__(self) -> None:
        self._failing = False
        self._tripped_until = 0.0

    @property
    def tripped(self) -> bool:
        """Whether the database failed a moment ago and is left alone."""
        return clock.boottime() < self._tripped_until

    def check(self) -> None:
        """Raise `StoreUnavailable` while the database is left alone."""
        if self.tripped:
            raise StoreUnavailable("the database failed a moment ago")

    def trip(self, error: StoreUnavailable) -> None:
        """Note that the database failed."""
        if self.tripped:
            return
        if not self._failing:
            log.error(events.STORE_FAILED, reason=error.message)
        self._failing = True
        self._tripped_until = clock.boottime() + RETRY_S

    def worked(self) -> None:
        """Note that the database could be written."""
        if self._failing:
            log.info(events.STORE_RECOVERED)
        self._failing = False
