"""Stops dynos: at their timeout, on request, and those that belong to nobody.

That a stop is wanted is written before it is asked for; it is asked for again until the
dyno is gone, as the platform's answer proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from clockd import clock, events
from clockd.errors import StoreUnavailable
from clockd.model import StopCause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clockd.model import Attempt, RunnerKind
    from clockd.runner import Dyno, Runner
    from clockd.store import Store
    from clockd.watch.questions import Questions
    from clockd.watch.track import Track

log = structlog.get_logger()


class Stops:
    """Asks for dynos to be stopped; used by the watcher's thread only."""

    def __init__(
        self,
        store: Store,
        runners: Mapping[RunnerKind, Runner],
        questions: Questions,
    ) -> None:
        self._store = store
        self._runners = runners
        self._questions = questions

    def keep_time(self, track: Track, now: float) -> None:
        """Stop a dyno that has reached its timeout, or is still there after a stop."""
        cause = track.attempt.stop_cause
        if cause is None and now >= track.deadline:
            self.stop(track, StopCause.TIMEOUT)
        elif cause is not None and now >= track.stop_again_at:
            self.stop(track, cause)

    def stop(self, track: Track, cause: StopCause) -> None:
        """Write that a dyno is to be stopped, then ask for it."""
        first = not track.stopping
        track.stop(cause, clock.now(), clock.boottime())
        if first:
            self._note(track, cause)
        if track.dyno is not None:
            self._ask(track.attempt.runner, track.dyno)

    def stop_orphan(self, attempt: Attempt, dyno: Dyno) -> None:
        """Stop a dyno that answers for an attempt which is no longer ours."""
        log.error(
            events.DYNO_ORPHANED,
            run_id=attempt.run_id,
            attempt=attempt.number,
            dyno=dyno.name,
            reason="another clock has gone on with this attempt; the dyno is stopped",
        )
        self._ask(attempt.runner, dyno)

    def _note(self, track: Track, cause: StopCause) -> None:
        log.info(events.RUN_STOPPING, **track.about(), reason=cause.value)
        try:
            self._store.attempts.stopping(track.attempt.id, cause, clock.now())
        except StoreUnavailable as error:
            log.warning(events.STORE_FAILED, reason=error.message)

    def _ask(self, kind: RunnerKind, dyno: Dyno) -> None:
        runner = self._runners[kind]
        self._questions.ask(lambda: runner.stop(dyno), lambda _: None, lambda: None)
