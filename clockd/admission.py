"""Whether a run that may start is to be launched now, as far as the platform goes.

Two things hold launches up: a platform that refuses (`gates`), and a rate limit that
has to last (`pace`). Used by the dispatcher's thread.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clockd import clock, policy
from clockd.model import Hold
from clockd.pace import SPARING, Pace
from clockd.policy import GRACE_S
from clockd.store import NotNow

if TYPE_CHECKING:
    from datetime import datetime

    from clockd.gates import Gates
    from clockd.launch import Launcher
    from clockd.model import Run
    from clockd.pace import Slow

_GRACE = timedelta(seconds=GRACE_S)


class Admission:
    """Lets runs through, one look at the line after the other.

    Args:
        gates: What the platform refuses.
        launcher: Knows what is left of the rate limit.
    """

    def __init__(self, gates: Gates, launcher: Launcher) -> None:
        self._gates = gates
        self._launcher = launcher
        self._pace = Pace()
        self._let_in: list[str] = []

    def begin(self) -> None:
        """Note that a new look at the line begins."""
        self._pace.begin()
        self._let_in.clear()

    def admit(self, run: Run) -> NotNow | None:
        """Return None if a run may be launched, else what it has to wait for."""
        app, now, boot = run.trigger.app, clock.now(), clock.boottime()
        closed = self._gates.look(app, boot, run_id=run.id)
        if closed is not None:
            not_before = now + timedelta(seconds=closed.wait_s)
            return NotNow(not_before=not_before, hold=closed.hold, reason=closed.reason)
        slow = self._slow(run, now, boot)
        if slow is not None:
            not_before = now + timedelta(seconds=slow.wait_s)
            return NotNow(not_before=not_before, hold=Hold.BACKOFF, reason=slow.reason)
        self._gates.enter(app, boot)
        self._let_in.append(app)
        return None

    def _slow(self, run: Run, now: datetime, boot: float) -> Slow | None:
        if not self._launcher.is_limited:
            return None
        late = is_late(run, now)
        return self._pace.take(self._launcher.allowance, boot, late=late)

    def undo(self) -> None:
        """Note that those let in since `begin` were not put on record after all."""
        for app in self._let_in:
            self._gates.release(app)


def is_late(run: Run, now: datetime) -> bool:
    """Return whether a run is to be launched without haste: it waited for the platform.

    Who waits since the rate limit has to last is late only when its time is over.
    """
    if run.hold is Hold.BACKOFF and run.reason != SPARING:
        return True
    due = policy.jittered(run.trigger, run.fire_time) if run.fire_time else None
    since = run.released_at or due or run.claimed_at
    return run.attempt == 0 and now > since + _GRACE
