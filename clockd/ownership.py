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
from clockd.lease import BEAT_S, MARGIN_S, STALE_S

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
        """Leave the run to the clock, at once."""
        self._ended.set()
        self._thread.join(1.0)
        for run_id, owner, beat in self._store.runs.owned():
            if run_id == self._run_id and owner == self._name:
                self._store.runs.disown(run_id, owner, beat)

    def stop(self) -> None:
        """Beat no more: the run has ended."""
        self._ended.set()

    def _beat_on(self) -> None:
        while not self._ended.wait(BEAT_S):
            asked_at = clock.boottime()
            try:
                if not self._store.runs.own_beat(self._run_id, self._name):
                    return
            except StoreUnavailable as error:
                log.warning(events.STORE_FAILED, reason=error.message)
                continue
            self._deadline = asked_at + STALE_S - MARGIN_S


class AbandonedRuns:
    """Finds runs whose owner has died, and takes their ownership away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[tuple[int, str], tuple[int, float]] = {}

    def sweep(self) -> int:
        """Look at every owner's beat once; return how many runs were freed."""
        now, freed = clock.boottime(), 0
        rows = {
            (run_id, owner): beat for run_id, owner, beat in self._store.runs.owned()
        }
        self._seen = {key: seen for key, seen in self._seen.items() if key in rows}
        for key, beat in rows.items():
            last_beat, since = self._seen.setdefault(key, (beat, now))
            if last_beat != beat:
                self._seen[key] = (beat, now)
            elif now - since >= STALE_S and self._store.runs.disown(*key, beat):
                log.warning(events.RUN_ADOPTED, run_id=key[0], owner=key[1])
                freed += 1
        return freed
