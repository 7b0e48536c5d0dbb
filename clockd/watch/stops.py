"""Stops dynos: at their timeout, on request, and those that belong to nobody.

That a stop is wanted is written before it is asked for; it is asked for again until the
dyno is gone, as the platform's answer proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events
from clockd.errors import StoreUnavailable
from clockd.model import StopCause
from clockd.watch.track import STOP_AGAIN_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clockd.model import Attempt, RunnerKind
    from clockd.runner import Dyno, Runner
    from clockd.store import Store
    from clockd.watch.breaker import Breaker
    from clockd.watch.questions import Questions
    from clockd.watch.track import Track

#: Nobody follows an orphan to its end: its stop is asked for so often.
ORPHAN_STOPS = 3

log = structlog.get_logger()


@dataclass(kw_only=True)
class _Orphan:
    """A dyno that is to be stopped; instants are seconds of `boottime`."""

    kind: RunnerKind
    dyno: Dyno
    until: float  #: its own limit has ended it
    again_at: float
    stops_left: int = ORPHAN_STOPS


class Stops:
    """Asks for dynos to be stopped; used by the watcher's thread only."""

    def __init__(
        self,
        store: Store,
        runners: Mapping[RunnerKind, Runner],
        questions: Questions,
        breaker: Breaker,
    ) -> None:
        self._store = store
        self._runners = runners
        self._questions = questions
        self._breaker = breaker
        self._orphans: dict[str, _Orphan] = {}

    def keep_time(self, track: Track, now: float) -> None:
        """Stop a dyno that has reached its timeout, or is still there after a stop."""
        cause = track.attempt.stop_cause
        if cause is None and now >= track.deadline:
            self.stop(track, StopCause.TIMEOUT)
        elif cause is not None and now >= track.stop_again_at:
            self.stop(track, cause)
        elif track.stopping:
            self._note(track)

    def stop(self, track: Track, cause: StopCause) -> None:
        """Write that a dyno is to be stopped, then ask for it.

        A database that is away does not hold it up: the note follows later.
        """
        if not track.stopping:
            log.info(events.RUN_STOPPING, **track.about(), reason=cause.value)
        track.stop(cause, clock.now(), clock.boottime())
        self._note(track)
        if track.dyno is not None and not track.foreign:
            self._ask(track.attempt.runner, track.dyno, answered=lambda: None)

    def stop_orphan(self, attempt: Attempt, dyno: Dyno) -> None:
        """Stop a dyno that answers for an attempt which is no longer ours.

        Asked for until the platform has answered some times, or its own limit has
        ended the dyno.
        """
        log.error(
            events.DYNO_ORPHANED,
            run_id=attempt.run_id,
            attempt=attempt.number,
            dyno=dyno.name,
            reason="another clock has gone on with this attempt; the dyno is stopped",
        )
        now = clock.boottime()
        self._orphans[dyno.id] = _Orphan(
            kind=attempt.runner,
            dyno=dyno,
            until=now + attempt.time_to_live_s,
            again_at=now,
        )
        self.ask_again(now)

    def is_orphan(self, dyno: Dyno) -> bool:
        """Return whether a dyno is being stopped as nobody's."""
        return dyno.id in self._orphans

    def ask_again(self, now: float) -> None:
        """Ask for the stops of orphans that are due."""
        for orphan in list(self._orphans.values()):
            if now < orphan.again_at:
                continue
            if orphan.stops_left <= 0 or now >= orphan.until:
                del self._orphans[orphan.dyno.id]
            else:
                orphan.again_at = now + STOP_AGAIN_S
                self._ask(orphan.kind, orphan.dyno, answered=_counting(orphan))

    def _note(self, track: Track) -> None:
        if track.stop_noted or self._breaker.tripped:
            return
        cause, at = track.attempt.stop_cause, track.attempt.stop_requested_at
        assert cause is not None  # noqa: S101 – only who is stopping is noted
        assert at is not None  # noqa: S101 – likewise
        try:
            self._store.attempts.stopping(track.attempt.id, cause, at)
        except StoreUnavailable as error:
            self._breaker.trip(error)
        else:
            track.stop_noted = True

    def _ask(
        self, kind: RunnerKind, dyno: Dyno, *, answered: Callable[[], None]
    ) -> None:
        runner = self._runners[kind]
        self._questions.ask(
            lambda: runner.stop(dyno), lambda _: answered(), lambda: None
        )


def _counting(orphan: _Orphan) -> Callable[[], None]:
    def count() -> None:
        orphan.stops_left -= 1

    return count
