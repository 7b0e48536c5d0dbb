"""When launches have to wait for the platform, and for how long.

Pure but for the locks it does not need: one thread uses it. A gate closes when the
platform says "not now", and lets a single probe through when its time is over, so that
a platform that comes back is not met by everything that waited.
"""

from __future__ import annotations

from dataclasses import dataclass

from clockd.model import Hold
from clockd.runner import Unavailable

#: Doubling from here, per reason, when the platform does not say how long.
_FIRST_S = {
    Unavailable.CONNECTION: 1.0,
    Unavailable.RATE_LIMITED: 2.0,
    Unavailable.CONFLICT: 2.0,
    Unavailable.OVER_LIMIT: 30.0,
    Unavailable.UNAUTHORIZED: 30.0,
    Unavailable.FORBIDDEN: 30.0,
}
_LONGEST_S = 60.0
#: Reasons that hold for every app of the account.
_FOR_ALL = frozenset(
    {Unavailable.CONNECTION, Unavailable.RATE_LIMITED, Unavailable.UNAUTHORIZED}
)
#: While a probe is out, others look again after this long.
_PROBE_S = 1.0
#: After a refusal for want of room, launches go one at a time for this long.
_CAUTIOUS_S = 60.0


@dataclass(kw_only=True)
class _Gate:
    kind: Unavailable
    failures: int = 0
    closed_until: float = 0.0
    probing: bool = False
    cautious_until: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Wait `wait_s` seconds; `hold` and `reason` say why."""

    wait_s: float
    hold: Hold
    reason: str


class Gates:
    """The gates of one platform; instants are seconds of `clock.boottime`."""

    def __init__(self) -> None:
        self._gates: dict[str | None, _Gate] = {}

    def admit(self, app: str, now: float) -> Closed | None:
        """Return None if a launch for `app` may go out now, else how long to wait.

        Whoever is let through a gate that was closed is its probe; `report` or
        `refuse` must follow.
        """
        gates = [g for key in (None, app) if (g := self._gates.get(key)) is not None]
        for gate in gates:
            if now < gate.closed_until:
                return _closed(gate, gate.closed_until - now)
            if gate.probing:
                return _closed(gate, _PROBE_S)
        for gate in gates:
            gate.probing = True
        return None

    def refuse(
        self, app: str, kind: Unavailable, *, now: float, retry_after_s: float | None
    ) -> Closed:
        """Close the gate that `kind` is about; return how long it stays closed."""
        key = None if kind in _FOR_ALL else app
        gate = self._gates.setdefault(key, _Gate(kind=kind))
        self._release_probes(app)
        if gate.kind is not kind:
            gate.kind, gate.failures, gate.closed_until = kind, 0, 0.0
        if now < gate.closed_until and not retry_after_s:
            # Sent before the gate closed, with others: one failure, not sixteen.
            return _closed(gate, gate.closed_until - now)
        backoff_s = min(_FIRST_S[kind] * 2**gate.failures, _LONGEST_S)
        if kind is Unavailable.OVER_LIMIT:
            backoff_s = _FIRST_S[kind]
            gate.cautious_until = now + _CAUTIOUS_S
        gate.failures += 1
        wait_s = max(retry_after_s or 0.0, backoff_s)
        gate.closed_until = max(gate.closed_until, now + wait_s)
        return _closed(gate, gate.closed_until - now)

    def report(self, app: str, now: float) -> list[Unavailable]:
        """Note that a launch for `app` was carried out; return what is over now."""
        self._release_probes(app)
        over = []
        for key in (None, app):
            gate = self._gates.get(key)
            if gate is not None and now >= max(gate.cautious_until, gate.closed_until):
                over.append(gate.kind)
                del self._gates[key]
        return over

    def release(self, app: str) -> None:
        """Note that a launch which was let through told nothing of the platform."""
        self._release_probes(app)

    def made_room(self, app: str) -> None:
        """Let a probe through: one of the app's dynos has ended."""
        gate = self._gates.get(app)
        if gate is not None and gate.kind is Unavailable.OVER_LIMIT:
            gate.closed_until = 0.0

    def _release_probes(self, app: str) -> None:
        for key in (None, app):
            if (gate := self._gates.get(key)) is not None:
                gate.probing = False


def _closed(gate: _Gate, wait_s: float) -> Closed:
    line = gate.kind is Unavailable.OVER_LIMIT
    return Closed(
        wait_s=wait_s,
        hold=Hold.LINE if line else Hold.BACKOFF,
        reason=_REASONS[gate.kind],
    )


_REASONS = {
    Unavailable.CONNECTION: "the platform cannot be reached",
    Unavailable.RATE_LIMITED: "the platform's rate limit is reached",
    Unavailable.CONFLICT: "the app's release is not ready",
    Unavailable.OVER_LIMIT: "the app's limit of concurrent one-off dynos is reached",
    Unavailable.UNAUTHORIZED: "the platform refuses the API key",
    Unavailable.FORBIDDEN: "the API key may not use the app",
}
