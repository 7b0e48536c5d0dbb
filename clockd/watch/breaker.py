"""Keeps a thread from a database that has just failed, and tells of it once.

Every call to a database that hangs takes as long as its time limits allow, and stops
have to go out meanwhile: after one failure nothing is asked of it for a moment, and
then by a thread of its own until it has answered.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events
from clockd.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds for which nothing is asked after a failure.
RETRY_S = 2.0
#: Without a failure for so long, a database that works is well again.
QUIET_S = 5.0

log = structlog.get_logger()


class Breaker:
    """Remembers that the database failed; used by one thread.

    Args:
        during: What that thread does, as the log shows it.
    """

    def __init__(self, during: str = "watch") -> None:
        #: Writes something without effect; asked in a thread before anything else is.
        self.probe: Callable[[], object] | None = None
        self._during = during
        self._failing_since: float | None = None
        self._failed_at = 0.0
        self._unproven = self._proving = False

    @property
    def tripped(self) -> bool:
        """Whether the database failed a moment ago and is left alone."""
        if clock.boottime() < self._failed_at + RETRY_S:
            return self._failing_since is not None
        if self._unproven:
            self._prove()
            return True
        self._tell_recovered()
        return False

    def check(self) -> None:
        """Raise `StoreUnavailable` while the database is left alone."""
        if self.tripped:
            raise StoreUnavailable("the database failed a moment ago")

    def trip(self, error: StoreUnavailable) -> None:
        """Note that the database failed."""
        now = clock.boottime()
        if self._failing_since is None:
            log.error(
                events.STORE_FAILED,
                during=self._during,
                reason=error.message,
                hint=error.hint,
            )
            self._failing_since = now
        elif now < self._failed_at + RETRY_S:
            return
        self._failed_at = now
        self._unproven = self.probe is not None

    def worked(self) -> None:
        """Note that the database could be used."""
        self._unproven = False
        self._tell_recovered()

    def _tell_recovered(self) -> None:
        """Say that all is well; not yet where some things work and others fail."""
        since, now = self._failing_since, clock.boottime()
        if since is None or now < self._failed_at + QUIET_S:
            return
        self._failing_since = None
        log.info(
            events.STORE_RECOVERED,
            during=self._during,
            lasted_s=round(now - since, 1),
        )

    def _prove(self) -> None:
        if not self._proving:
            self._proving = True
            threading.Thread(target=self._ask, name="database", daemon=True).start()

    def _ask(self) -> None:
        try:
            if self.probe is not None:
                self.probe()
            self._unproven = False
        except StoreUnavailable:
            self._failed_at = clock.boottime()
        except Exception:
            log.exception(events.THREAD_FAILED, thread="database")
            self._failed_at = clock.boottime()
        finally:
            self._proving = False
