"""The right to be *the* clock: taken, kept alive, checked, given back.

The lease is a row: holder, fence number, beat counter. Only counters and each process's
own clock count; no host's wall clock does. A standby takes over when fence and counter
have stood still for `STALE_S`; the holder stops trusting itself a little earlier.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events
from clockd.errors import LeaseLost, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from clockd.store import Lease, Store

BEAT_S = 3.0
STALE_S = 10.0
POLL_S = 1.0
#: The holder stops launching this much before a standby may take over.
MARGIN_S = 1.0

log = structlog.get_logger()


class LeaseKeeper:
    """Waits for the lease, then keeps it until it is released or lost.

    Args:
        store: Where the lease is kept.
        holder: What others see of this process (`host:pid`).
        lost: Called once, from the beating thread, when the lease has gone to another.
    """

    def __init__(self, store: Store, holder: str, lost: Callable[[], None]) -> None:
        self._store = store
        self._holder = holder
        self._lost = lost
        self._fence: int | None = None
        self._deadline = 0.0
        self._given_back = threading.Event()

    owner: str | None = None

    @property
    def fence(self) -> int:
        """The number that every claim of this holder carries."""
        if self._fence is None:
            raise LeaseLost("this process does not hold the lease")
        return self._fence

    def wait(
        self, stopping: threading.Event, standing_by: Callable[[Lease], None]
    ) -> bool:
        """Wait until the lease is ours; return False when `stopping` was set first.

        `standing_by` is told, once for each, who holds the lease meanwhile.
        """
        seen: Lease | None = None
        since, told = 0.0, None
        while not stopping.is_set():
            try:
                lease = self._store.lease.read()
                now = clock.boottime()
                if seen is None or _moved(seen, lease):
                    seen, since = lease, now
                if lease.holder is not None and lease.fence != told:
                    standing_by(lease)
                    told = lease.fence
                stale = now - since >= STALE_S
                if (lease.holder is None or stale) and self._take(lease):
                    return True
            except StoreUnavailable as error:
                log.warning(events.STORE_FAILED, reason=error.message)
                seen = None
            stopping.wait(POLL_S)
        return False

    def _take(self, seen: Lease) -> bool:
        asked_at = clock.boottime()
        fence = self._store.lease.take(seen, self._holder, clock.now())
        if fence is None:
            return False
        self._fence = fence
        self._deadline = asked_at + STALE_S - MARGIN_S
        self._given_back = threading.Event()
        threading.Thread(
            target=self._beat_on,
            args=(fence, self._given_back),
            name="lease",
            daemon=True,
        ).start()
        return True

    def check(self) -> None:
        """Raise `LeaseLost` unless the lease is certainly ours at this instant."""
        if self._fence is None or clock.boottime() >= self._deadline:
            raise LeaseLost("the lease may have gone to another clock")

    def release(self) -> None:
        """Give the lease back, so that a standby takes over at once."""
        self._given_back.set()
        fence, self._fence = self._fence, None
        if fence is None:
            return
        try:
            self._store.lease.release(fence)
        except StoreUnavailable as error:
            log.warning(events.STORE_FAILED, reason=error.message)

    def _beat_on(self, fence: int, given_back: threading.Event) -> None:
        while not given_back.wait(BEAT_S):
            asked_at = clock.boottime()
            try:
                ours = self._store.lease.beat(fence, clock.now())
            except StoreUnavailable as error:
                log.warning(events.STORE_FAILED, reason=error.message)
                continue
            except Exception:
                log.exception(events.THREAD_FAILED, thread="lease")
                continue
            if given_back.is_set():
                return
            if not ours:
                self._fence = None
                self._lost()
                return
            self._deadline = asked_at + STALE_S - MARGIN_S


def _moved(before: Lease, after: Lease) -> bool:
    return (before.fence, before.beat, before.holder) != (
        after.fence,
        after.beat,
        after.holder,
    )
