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
from clockd.watch.track import STOP_AGAIN_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        self._orphans: dict[str, tuple[float, Attempt, Dyno, float]] = {}

    def keep_time(self, track: Track, now: float) -> None:
        """Stop a dyno that has reached its timeout, or is still there after a stop."""
        cause = track.attempt.stop_cause
        if cause is None and now >= track.deadline:
            self.stop(track, StopCause.TIMEOUT)
        elif cause is not None and now >= track.stop_again_at:
            self.stop(track, cause)

    def stop(self, track: Track, cause: StopCause) -> None:
        """Write that a dyno is to be stopped, then ask for it."""
        if not track.stopping:
            log.info(events.RUN_STOPPING, **track.about(), reason=cause.value)
        track.stop(cause, clock.now(), clock.boottime())
        if not track.stop_noted:
            self._note(track)
        if track.dyno is not None and not track.foreign:
            self._ask(track.attempt.runner, track.dyno, failed=lambda: None)

    def stop_orphan(self, attempt: Attempt, dyno: Dyno) -> None:
        """Stop a dyno that answers for an attempt which is no longer ours.

        Asked for until the platform answers, or its own limit has ended the dyno.
        """
        log.error(
            events.DYNO_ORPHANED,
            run_id=attempt.run_id,
            attempt=attempt.number,
            dyno=dyno.name,
            reason="another clock has gone on with this attempt; the dyno is stopped",
        )
        until = clock.boottime() + attempt.time_to_live_s
        self._ask_for_orphan(attempt, dyno, until)

    def _ask_for_orphan(self, attempt: Attempt, dyno: Dyno, until: float) -> None:
        def failed() -> None:
            now = clock.boottime()
            if now < until:
                self._orphans[dyno.id] = (now + STOP_AGAIN_S, attempt, dyno, until)

        self._ask(attempt.runner, dyno, failed=failed)

    def ask_again(self, now: float) -> None:
        """Ask anew for the stops of orphans that failed."""
        for key, (again_at, attempt, dyno, until) in list(self._orphans.items()):
            if now >= again_at:
                del self._orphans[key]
                self._ask_for_orphan(attempt, dyno, until)

    def _note(self, track: Track) -> None:
        cause, at = track.attempt.stop_cause, track.attempt.stop_requested_at
        assert cause is not None  # noqa: S101 – set just before
        assert at is not None  # noqa: S101 – likewise
        try:
            self._store.attempts.stopping(track.attempt.id, cause, at)
        except StoreUnavailable as error:
            log.warning(events.STORE_FAILED, reason=error.message)
        else:
            track.stop_noted = True

    def _ask(self, kind: RunnerKind, dyno: Dyno, *, failed: Callable[[], None]) -> None:
        runner = self._runners[kind]
        self._questions.ask(lambda: runner.stop(dyno), lambda _: None, failed)
