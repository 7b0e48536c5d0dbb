"""When launches have to wait for the platform, and for how long.

Pure but for the locks it does not need: one thread uses it. A gate closes when the
platform says "not now", and lets a single probe through when its time is over, so that
a platform that comes back is not met by everything that waited.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clockd.model import Hold
from clockd.runner import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

#: Doubling from here, per reason, when the platform does not say how long.
_FIRST_S = {
    Unavailable.CONNECTION: 1.0,
    Unavailable.RATE_LIMITED: 2.0,
    Unavailable.CONFLICT: 2.0,
    Unavailable.OVER_LIMIT: 30.0,
    Unavailable.UNAUTHORIZED: 30.0,
    Unavailable.FORBIDDEN: 30.0,
}
#: A fire time without `catch_up` has a minute: it must not pass between two probes.
_LONGEST_S = 30.0
#: Reasons that hold for every app of the account.
_FOR_ALL = frozenset(
    {Unavailable.CONNECTION, Unavailable.RATE_LIMITED, Unavailable.UNAUTHORIZED}
)
#: While a probe is out, others look again after this long; later if it takes long.
_PROBE_S = 1.0
_LONG_PROBE_S = 5.0
#: After a refusal for want of room, launches go one at a time for this long.
_CAUTIOUS_S = 60.0
#: A first refusal for so long is told of at once, a shorter one if it is repeated.
_TOLD_S = 5.0
#: So many launches without an answer, each of which has to be looked for, likewise.
_TOLD_UNANSWERED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Launches have to wait, or had to.

    Args:
        kind: Why.
        app: The app it is about; None where it is about all.
        since: When it began; the same clock as everywhere here.
        waited: How many runs have waited for its end so far.
    """

    kind: Unavailable
    app: str | None
    since: float
    waited: int

    @property
    def reason(self) -> str:
        """Why, half a sentence."""
        return _REASONS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Wait `wait_s` seconds; `hold` and `reason` say why.

    `outage` is what is to be told of now; None where it is known, or too short.
    """

    wait_s: float
    hold: Hold
    reason: str
    outage: Outage | None = None


@dataclass(kw_only=True)
class _Gate:
    kind: Unavailable
    app: str | None
    since: float
    refused_at: float  #: what was begun before says nothing new
    failures: int = 0
    unanswered: int = 0
    closed_until: float = 0.0
    probing_since: float | None = None
    cautious_until: float = 0.0
    told: set[Unavailable] = field(default_factory=set)
    waiting: set[int] = field(default_factory=set)

    def outage(self) -> Outage:
        return Outage(
            kind=self.kind, app=self.app, since=self.since, waited=len(self.waiting)
        )


class Gates:
    """The gates of one platform; instants are seconds of `clock.boottime`.

    Args:
        chance: Gives numbers from 0 to 1: waits are spread by them.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._gates: dict[str | None, _Gate] = {}
        self._chance = chance

    def look(self, app: str, now: float, *, run_id: int = 0) -> Closed | None:
        """Return None if a launch for `app` may go out now, else how long to wait."""
        for gate in self._of(app):
            if now < gate.closed_until:
                wait_s = gate.closed_until - now
            elif gate.probing_since is not None:
                out_s = now - gate.probing_since
                wait_s = min(max(out_s, _PROBE_S), _LONG_PROBE_S)
            else:
                continue
            gate.waiting.add(run_id)
            return _closed(gate, wait_s)
        return None

    def enter(self, app: str, now: float) -> None:
        """Let a launch through that may go out.

        Where a gate was closed it is its probe; `report`, `refuse` or `release` must
        follow.
        """
        for gate in self._of(app):
            gate.probing_since = now

    def is_doubtful(self, app: str) -> bool:
        """Return whether a launch for `app` may get no answer.

        Then something harmless should be asked first: a launch that is not answered
        has to be looked for.
        """
        return any(gate.kind is Unavailable.CONNECTION for gate in self._of(app))

    def refuse(
        self,
        app: str,
        kind: Unavailable,
        *,
        now: float,
        retry_after_s: float | None = None,
        asked_at: float | None = None,
        run_id: int = 0,
        unanswered: bool = False,
    ) -> Closed:
        """Close the gate that `kind` is about; return how long it stays closed.

        Args:
            app: The app a launch was refused for.
            kind: Why.
            now: The instant.
            retry_after_s: How long the platform wants to be left alone, if it says so.
            asked_at: When the launch was begun: refusals of what was under way
                together are one, however late they come.
            run_id: Who has to wait.
            unanswered: It is not known whether the launch worked.
        """
        key = None if kind in _FOR_ALL else app
        gate = self._gates.get(key)
        known = gate is not None
        if gate is None:
            since = now if asked_at is None else asked_at
            gate = _Gate(kind=kind, app=key, since=since, refused_at=now)
            self._gates[key] = gate
        gate.waiting.add(run_id)
        gate.unanswered += unanswered
        if known and asked_at is not None and asked_at <= gate.refused_at:
            gate.closed_until = max(gate.closed_until, now + (retry_after_s or 0.0))
            wait_s = max(gate.closed_until - now, _PROBE_S)
            return _closed(gate, wait_s, tell=_is_new(gate, now))
        self.release(app)
        gate.refused_at = now
        if gate.kind is not kind:
            gate.kind, gate.failures, gate.closed_until = kind, 0, 0.0
        wait_s = max(retry_after_s or 0.0, self._backoff_s(gate, now))
        gate.failures += 1
        gate.closed_until = max(gate.closed_until, now + wait_s)
        return _closed(gate, gate.closed_until - now, tell=_is_new(gate, now))

    def report(
        self, app: str, now: float, *, asked_at: float | None = None
    ) -> list[Outage]:
        """Note that a launch for `app` was answered; return the outages that are over.

        One that was begun at `asked_at`, before a gate closed, says nothing of it.
        """
        over = []
        for gate in self._of(app):
            if asked_at is not None and asked_at <= gate.refused_at:
                continue
            gate.probing_since = None
            if now >= max(gate.cautious_until, gate.closed_until):
                del self._gates[gate.app]
                if gate.told:
                    over.append(gate.outage())
        return over

    def release(self, app: str) -> None:
        """Note that a launch which was let through told nothing of the platform."""
        for gate in self._of(app):
            gate.probing_since = None

    def made_room(self, app: str, *, asked_at: float | None = None) -> bool:
        """Let a probe through: one of the app's dynos has ended, or could be started.

        Returns False where nobody waits for room, or where the launch that worked was
        begun, at `asked_at`, before another was refused.
        """
        gate = self._gates.get(app)
        if gate is None or gate.kind is not Unavailable.OVER_LIMIT:
            return False
        if asked_at is not None and asked_at <= gate.refused_at:
            return False
        gate.closed_until = 0.0
        return True

    def _of(self, app: str) -> list[_Gate]:
        return [g for key in (None, app) if (g := self._gates.get(key)) is not None]

    def _backoff_s(self, gate: _Gate, now: float) -> float:
        """Return how long to wait, half of it by chance: others use the account too."""
        first_s = _FIRST_S[gate.kind]
        if gate.kind is Unavailable.OVER_LIMIT:
            gate.cautious_until = now + _CAUTIOUS_S
            return first_s
        whole_s = min(first_s * 2.0**gate.failures, _LONGEST_S)
        return whole_s * (1 + self._chance()) / 2


def _is_new(gate: _Gate, now: float) -> bool:
    """Return whether an outage is to be told of now, and note that it is."""
    long = gate.closed_until - now >= _TOLD_S
    lasting = long or gate.failures > 1 or gate.unanswered >= _TOLD_UNANSWERED
    if not lasting or gate.kind in gate.told or gate.kind is Unavailable.OVER_LIMIT:
        return False
    gate.told.add(gate.kind)
    return True


def _closed(gate: _Gate, wait_s: float, *, tell: bool = False) -> Closed:
    line = gate.kind is Unavailable.OVER_LIMIT
    return Closed(
        wait_s=wait_s,
        hold=Hold.LINE if line else Hold.BACKOFF,
        reason=_REASONS[gate.kind],
        outage=gate.outage() if tell else None,
    )


_REASONS = {
    Unavailable.CONNECTION: "the platform cannot be reached",
    Unavailable.RATE_LIMITED: "the platform's rate limit is reached",
    Unavailable.CONFLICT: "the app's release is not ready",
    Unavailable.OVER_LIMIT: "the app's limit of concurrent one-off dynos is reached",
    Unavailable.UNAUTHORIZED: "the platform refuses the API key",
    Unavailable.FORBIDDEN: "the API key may not use the app",
}
