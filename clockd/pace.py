"""How fast requests may follow one another, so that the platform's rate limit lasts.

Pure: instants are seconds of one clock and come in. Launches that are on time go out at
once while plenty is left; what is late is spread, so that a platform that has come back
is not met by all that waited for it. When little is left everything is spread to what
is refilled: launches that are on time first, then late ones, dyno lists last.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The account's pool, as far as is known, and what is put back into it.
FULL = 4500
REFILL_PER_S = 75 / 60
#: Below this, requests keep to the refill: a fifth of the pool.
SCARCE = FULL / 5
#: Below this, there is hardly enough for launches: a minute's refill.
NEARLY_NOTHING = 75

#: Late launches a second while plenty is left, and how many may go at once.
LATE_PER_S = 5.0
LATE_AT_ONCE = 10
#: All launches a second when little is left: four fifths of the refill.
SCARCE_PER_S = 1.0
SCARCE_AT_ONCE = 5

#: Between two dyno lists: a fifth of the refill while plenty is left, then less.
LISTS_S = 4.0
LISTS_SCARCE_S = 20.0
LISTS_LAST_S = 60.0

#: Instants that went through a database are not more exact.
_EXACT_S = 0.001


@dataclass(frozen=True, slots=True)
class Allowance:
    """The requests that were left at an instant, as the platform told."""

    left: int
    told_at: float

    def left_at(self, now: float) -> float:
        """Return how many are left at `now` if nobody has used any since."""
        return min(self.left + max(now - self.told_at, 0.0) * REFILL_PER_S, FULL)


def is_scarce(allowance: Allowance | None, now: float) -> bool:
    """Return whether little is left; not where nothing is known."""
    return allowance is not None and allowance.left_at(now) < SCARCE


def between_lists_s(allowance: Allowance | None, now: float) -> float:
    """Return the seconds between two dyno lists: launches come before them."""
    if allowance is None or not is_scarce(allowance, now):
        return LISTS_S
    if allowance.left_at(now) < NEARLY_NOTHING:
        return LISTS_LAST_S
    return LISTS_SCARCE_S


class Rate:
    """So many a second, a few of them at once.

    Args:
        per_s: How many a second in the long run.
        at_once: How many may go together after a pause.
    """

    def __init__(self, per_s: float, at_once: int) -> None:
        self._interval_s = 1 / per_s
        self._ahead_s = (at_once - 1) * self._interval_s
        self._paid_until = 0.0
        self._refused = {True: 0, False: 0}

    def begin(self) -> None:
        """Note that a new look at the line begins."""
        self._refused = {True: 0, False: 0}

    def take(self, now: float, *, yielding: bool = False) -> float:
        """Return 0.0 if one may go now, else the seconds after which to ask again.

        Those that are refused in one look at the line get instants one after the
        other, so that they need not all be looked at again together.

        Args:
            now: The instant.
            yielding: Leave what may go at once to others.
        """
        paid_until = max(self._paid_until, now)
        wait_s = paid_until - now - (0.0 if yielding else self._ahead_s)
        if wait_s < _EXACT_S:
            self._paid_until = paid_until + self._interval_s
            return 0.0
        wait_s += self._refused[yielding] * self._interval_s
        self._refused[yielding] += 1
        return wait_s


@dataclass(frozen=True, slots=True)
class Slow:
    """Wait `wait_s` seconds; `reason` says why."""

    wait_s: float
    reason: str


class Pace:
    """Spreads launches; used by one thread."""

    def __init__(self) -> None:
        self._late = Rate(LATE_PER_S, LATE_AT_ONCE)
        self._scarce = Rate(SCARCE_PER_S, SCARCE_AT_ONCE)

    def begin(self) -> None:
        """Note that a new look at the line begins."""
        self._late.begin()
        self._scarce.begin()

    def take(
        self, allowance: Allowance | None, now: float, *, late: bool
    ) -> Slow | None:
        """Return None if a launch may go out now, else how long it has to wait.

        Args:
            allowance: What is left, where that is known.
            now: The instant.
            late: Whether it is late already, and not to hold up those that are not.
        """
        if is_scarce(allowance, now):
            wait_s, reason = self._scarce.take(now, yielding=late), SPARING
        elif late:
            wait_s, reason = self._late.take(now), SPREAD
        else:
            return None
        return Slow(wait_s, reason) if wait_s > 0 else None


SPREAD = "late runs are launched a few at a time"
SPARING = "little is left of the platform's rate limit"
