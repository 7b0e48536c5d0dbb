"""Stops dynos: at their timeout, on request, and those that belong to nobody.

That a stop is wanted is written before it is asked for; it is asked for again until the
dyno is gone, as the platform's answer proves nothing. One request for each dyno is out
at a time: those to a platform that hangs must not pile up. A dyno that has taken a stop
in and is no longer listed is left alone: its name may be another's by now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events, failpoints
from clockd.errors import StoreUnavailable
from clockd.model import StopCause
from clockd.watch import platform_time
from clockd.watch.track import STOP_AGAIN_S, YOUNG_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from clockd.model import Attempt, RunnerKind
    from clockd.runner import Dyno, Runner
    from clockd.store import Store
    from clockd.watch.breaker import Breaker
    from clockd.watch.questions import Questions
    from clockd.watch.track import Track

#: An orphan is gone when so many lists in a row do not show it.
ORPHAN_ABSENCES = 2
#: Where lists show what has ended too, its stop is asked for so often.
ORPHAN_STOPS = 3

log = structlog.get_logger()


@dataclass(kw_only=True)
class _Orphan:
    """A dyno that is to be stopped; instants are seconds of `boottime`."""

    kind: RunnerKind
    dyno: Dyno
    since: float
    until: float  #: its own limit has ended it
    again_at: float
    stops: int = 0  #: how many were answered
    absences: int = 0  #: how many lists in a row do not show it


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
        self._asking: set[str] = set()  #: ids of dynos a stop is under way for

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
        track.stop(cause, self._instant(track), clock.boottime())
        self._note(track)
        if track.dyno is None or track.foreign:
            return
        if track.stop_answered and track.suspect:
            return

        def answered() -> None:
            track.stop_answered = True

        self._ask(track.attempt.runner, track.dyno, answered=answered)

    def _instant(self, track: Track) -> datetime:
        """Return the current instant by the clock that the exit line will bear."""
        runner = self._runners.get(track.attempt.runner)
        return clock.now() if runner is None else platform_time.now(runner)

    def stop_orphan(self, attempt: Attempt, dyno: Dyno) -> None:
        """Stop a dyno that answers for an attempt which is no longer ours.

        Asked for until the dyno is gone, or its own limit has ended it.
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
            since=now,
            until=now + attempt.time_to_live_s,
            again_at=now,
        )
        self.ask_again(now)

    def is_orphan(self, dyno: Dyno) -> bool:
        """Return whether a dyno is being stopped as nobody's."""
        return dyno.id in self._orphans

    def ask_again(self, now: float) -> None:
        """Ask for the stops of orphans that are due, or whether they are gone."""
        for orphan in list(self._orphans.values()):
            if now < orphan.again_at:
                continue
            orphan.again_at = now + STOP_AGAIN_S
            if now >= orphan.until or self._is_gone(orphan, now):
                del self._orphans[orphan.dyno.id]
            elif orphan.stops and orphan.absences:
                self._look_for(orphan)
            else:
                self._ask(
                    orphan.kind,
                    orphan.dyno,
                    answered=lambda it=orphan: self._stopped(it),  # type: ignore[misc]
                )

    def _is_gone(self, orphan: _Orphan, now: float) -> bool:
        if self._runners[orphan.kind].authoritative:
            return orphan.stops >= ORPHAN_STOPS
        # A new dyno may be missing in the list for a while.
        old = now - orphan.since >= YOUNG_S
        return old and orphan.absences >= ORPHAN_ABSENCES

    def _stopped(self, orphan: _Orphan) -> None:
        orphan.stops += 1
        if not self._runners[orphan.kind].authoritative:
            self._look_for(orphan)

    def _look_for(self, orphan: _Orphan) -> None:
        runner, dyno = self._runners[orphan.kind], orphan.dyno

        def on_list(dynos: Sequence[Dyno]) -> None:
            listed = any(other.id == dyno.id for other in dynos)
            orphan.absences = 0 if listed else orphan.absences + 1

        self._questions.ask(lambda: runner.dynos(dyno.app), on_list, lambda: None)

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
            failpoints.reach("stop.noted")

    def _ask(
        self, kind: RunnerKind, dyno: Dyno, *, answered: Callable[[], None]
    ) -> None:
        if dyno.id in self._asking:
            return
        self._asking.add(dyno.id)
        runner = self._runners[kind]

        def stop() -> None:
            runner.stop(dyno)
            failpoints.reach("stop.asked")

        def on_answer(_: None) -> None:
            self._asking.discard(dyno.id)
            answered()

        self._questions.ask(
            stop, on_answer, lambda: self._asking.discard(dyno.id), is_stop=True
        )
