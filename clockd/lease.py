"""The right to be *the* clock: taken, kept alive, checked, given back.

The lease is a row: holder, fence number, beat counter. Only counters and each process's
own clock count; no host's wall clock does. A standby takes over when fence and counter
have stood still for `STALE_S`; the holder stops trusting itself a little earlier.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events, failpoints
from clockd.errors import LeaseLost, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from clockd.store import Lease, Store

BEAT_S = 3.0
STALE_S = 10.0
POLL_S = 1.0
#: A beat that failed is tried again this soon.
RETRY_S = 1.0
#: The holder stops launching this much before a standby may take over.
MARGIN_S = 1.0
#: A beat that is under way has so long to end after the lease was given back.
_PARTING_S = 0.5
#: Who has not looked for so long stood still itself, and has seen nothing.
GAP_S = 5.0

log = structlog.get_logger()


class Stillness:
    """For how long something has stood still while this process was looking.

    Time in which it did not look, since it was suspended or swapped out itself, or the
    database was away, proves nothing: everything else may have stood still as well.
    """

    def __init__(self) -> None:
        self._seen: object = None
        self._since = self._looked_at = -GAP_S

    def see(self, what: object) -> float:
        """Return for how many seconds `what` has been seen as it is."""
        now = clock.boottime()
        if what != self._seen or now - self._looked_at > GAP_S:
            self._seen, self._since = what, now
        self._looked_at = now
        return now - self._since

    def stay(self) -> None:
        """Note that this process has been here since it looked, if busy."""
        self._looked_at = clock.boottime()

    def forget(self) -> None:
        """Begin anew: nothing could be seen."""
        self._seen = None


class LeaseKeeper:
    """Waits for the lease, then keeps it until it is released or lost: once.

    Whoever was given a keeper loses every right with it, for good: a thread that is
    left over from an earlier tenure cannot act in a later one's name.

    Args:
        store: Where the lease is kept.
        holder: What others see of this process (`host:pid`). It proves nothing: in
            containers that follow one another it is often the same.
        lost: Called once, from the beating thread, when the lease has gone to another.
    """

    def __init__(self, store: Store, holder: str, lost: Callable[[], None]) -> None:
        self._store = store
        self._holder = holder
        self._lost = lost
        self._fence: int | None = None
        self._deadline = 0.0
        self._given_back = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = self._unsure = False

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
        still, told = Stillness(), None
        while not stopping.is_set():
            try:
                lease = self._store.lease.read()
            except StoreUnavailable as error:
                log.warning(events.STORE_FAILED, reason=error.message)
                still.forget()
            else:
                if lease.holder is not None and lease.fence != told:
                    standing_by(lease)
                    told = lease.fence
                stale = still.see((lease.fence, lease.beat, lease.holder)) >= STALE_S
                if (lease.holder is None or stale) and self._take(lease):
                    return True
                still.stay()
            stopping.wait(POLL_S)
        return False

    def _take(self, seen: Lease) -> bool:
        asked_at = clock.boottime()
        try:
            fence = self._store.lease.take(seen, self._holder, clock.now())
        except StoreUnavailable as error:
            _tell_not_taken(seen, error)
            return False
        if fence is None:
            return False
        self._fence = fence
        self._deadline = asked_at + STALE_S - MARGIN_S
        self._thread = threading.Thread(
            target=self._beat_on, args=(fence,), name="lease", daemon=True
        )
        self._thread.start()
        failpoints.reach("lease.taken")
        return True

    def check(self) -> None:
        """Raise `LeaseLost` unless the lease is certainly ours at this instant."""
        if self._fence is None or clock.boottime() >= self._deadline:
            raise LeaseLost("the lease may have gone to another clock")

    def release(self) -> None:
        """Give the lease back, so that a standby takes over at once."""
        self._given_back.set()
        fence, self._fence = self._fence, None
        if fence is not None:
            try:
                self._store.lease.release(fence)
            except StoreUnavailable as error:
                log.warning(events.STORE_FAILED, reason=error.message)
        if self._thread is not None:
            self._thread.join(_PARTING_S)

    # -- the beating thread ----------------------------------------------------

    def _beat_on(self, fence: int) -> None:
        while not self._given_back.wait(RETRY_S if self._failing else BEAT_S):
            asked_at = clock.boottime()
            try:
                ours = self._store.lease.beat(fence, clock.now())
            except StoreUnavailable as error:
                self._tell_failed(error)
                continue
            except Exception:
                log.exception(events.THREAD_FAILED, thread="lease")
                continue
            if self._given_back.is_set():
                return
            if not ours:
                self._fence = None
                self._lost()
                return
            self._deadline = asked_at + STALE_S - MARGIN_S
            self._tell_recovered(fence)

    def _tell_failed(self, error: StoreUnavailable) -> None:
        if not self._failing:
            log.warning(events.STORE_FAILED, during="beat", reason=error.message)
        self._failing = True
        if not self._unsure and clock.boottime() >= self._deadline:
            self._unsure = True
            log.warning(
                events.CLOCK_WARNED,
                reason=f"no beat could be written for {STALE_S - MARGIN_S:g} s, and "
                "another clock may take over: nothing is launched until one is",
            )

    def _tell_recovered(self, fence: int) -> None:
        if self._failing:
            log.info(
                events.STORE_RECOVERED,
                during="beat",
                fence=fence,
                reason="still the clock: no other has taken the lease meanwhile",
            )
        self._failing = self._unsure = False


def _tell_not_taken(lease: Lease, error: StoreUnavailable) -> None:
    hint = error.hint
    if lease.holder is not None and "locked" in error.message:
        hint = (
            f"{lease.holder} gives no sign of life and may be frozen in the middle of "
            "a write: let it go on (kill -CONT), or end it (kill -KILL)"
        )
    log.warning(
        events.STORE_FAILED, during="taking the lease", reason=error.message, hint=hint
    )
