"""Runs that a `run-now` without a live clock owns, and what becomes of them.

The owner keeps a beat on its run. The clock leaves the run alone until that beat has
stood still, on the clock's own monotonic clock; then it follows the run itself.
"""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events
from clockd.errors import LeaseLost, StoreUnavailable
from clockd.lease import BEAT_S, MARGIN_S, STALE_S, Stillness

if TYPE_CHECKING:
    from clockd.store import Store

log = structlog.get_logger()


def new_owner(process: str) -> str:
    """Return a name for an owner that no other owner ever has."""
    return f"{process}:{uuid.uuid4().hex[:8]}"


class RunOwner:
    """The authority of a process over one run of its own."""

    fence = None

    def __init__(self, store: Store, run_id: int, owner: str) -> None:
        self.owner: str | None = owner
        self._name = owner
        self._store = store
        self._run_id = run_id
        self._deadline = clock.boottime() + STALE_S - MARGIN_S
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="own", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def check(self) -> None:
        """Raise `LeaseLost` unless the run is certainly still ours."""
        if clock.boottime() >= self._deadline:
            raise LeaseLost(f"run {self._run_id} may have gone to the clock")

    def release(self) -> None:
        """Leave the run to the clock, at once; else it finds the run by itself."""
        self._ended.set()
        self._thread.join(1.0)
        try:
            for run_id, owner, beat in self._store.runs.owned():
                if run_id == self._run_id and owner == self._name:
                    self._store.runs.disown(run_id, owner, beat)
        except StoreUnavailable as error:
            log.warning(events.STORE_FAILED, reason=error.message)

    def _beat_on(self) -> None:
        while not self._ended.wait(BEAT_S):
            asked_at = clock.boottime()
            try:
                ours = self._store.runs.own_beat(self._run_id, self._name)
            except StoreUnavailable as error:
                log.warning(events.STORE_FAILED, reason=error.message)
                continue
            except Exception:
                log.exception(events.THREAD_FAILED, thread="own")
                continue
            if not ours:
                self._deadline = asked_at
                return
            self._deadline = asked_at + STALE_S - MARGIN_S


class AbandonedRuns:
    """Finds runs whose owner has died, and takes their ownership away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._still: dict[tuple[int, str], Stillness] = {}

    def sweep(self) -> int:
        """Look at every owner's beat once; return how many runs were freed."""
        freed = 0
        rows = {
            (run_id, owner): beat for run_id, owner, beat in self._store.runs.owned()
        }
        self._still = {key: self._still.get(key) or Stillness() for key in rows}
        for key, beat in rows.items():
            still_s = self._still[key].see(beat)
            if still_s >= STALE_S and self._store.runs.disown(*key, beat):
                log.warning(events.RUN_ADOPTED, run_id=key[0], owner=key[1])
                freed += 1
        return freed
