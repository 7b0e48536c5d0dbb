"""When to ask the platform for the dyno list: the safety net under the log streams.

Pure. All lists together stay within a fifth of what the platform's rate limit gives
back, and within less when little is left: launches need the rest (`pace`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clockd.pace import LISTS_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clockd.model import RunnerKind

#: Between two lists of an app whose stream is well, and whose is not.
CALM_S = 300.0
WORRIED_S = 30.0


@dataclass(frozen=True, slots=True)
class AppKey:
    """An app on one platform."""

    runner: RunnerKind
    app: str


class ListSchedule:
    """Decides which app's list is due; instants are seconds of one clock."""

    def __init__(self) -> None:
        self._asked: dict[AppKey, float] = {}
        self._in_flight: set[AppKey] = set()
        self._last = -LISTS_S

    def due(
        self,
        worried: Mapping[AppKey, bool],
        now: float,
        *,
        spacing_s: float = LISTS_S,
    ) -> AppKey | None:
        """Return the app to ask about now, None if there is none.

        Args:
            worried: The apps with active dynos, and whether something is amiss there.
            now: The current instant.
            spacing_s: Seconds between any two lists.
        """
        for key in [key for key in self._asked if key not in worried]:
            del self._asked[key]
        for key in worried:
            self._asked.setdefault(key, now)
        if now - self._last < spacing_s:
            return None
        late = {
            key: now - self._asked[key] - (WORRIED_S if bad else CALM_S)
            for key, bad in worried.items()
            if key not in self._in_flight
        }
        latest = max(late, key=lambda k: late[k], default=None)
        if latest is None or late[latest] < 0:
            return None
        self._asked[latest] = self._last = now
        self._in_flight.add(latest)
        return latest

    def answered(self, key: AppKey) -> None:
        """Note that the question about an app is no longer under way."""
        self._in_flight.discard(key)
