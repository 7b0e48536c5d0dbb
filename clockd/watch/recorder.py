"""Writes what the watcher learns: output in batches, then the end of an attempt.

When the database cannot be written, everything is kept and written when it is back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events, failpoints
from clockd.errors import StoreUnavailable
from clockd.model import Outcome, Output, OutputLine, RunState
from clockd.store import OutputRow
from clockd.watch.breaker import RETRY_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clockd.model import Run
    from clockd.runner import LogLine
    from clockd.store import Store
    from clockd.watch.breaker import Breaker
    from clockd.watch.track import Track

#: Lines kept in memory for one run while the database is away.
MAX_PENDING = 20_000

log = structlog.get_logger()


class Recorder:
    """Writes output and outcomes; used by the watcher's thread only."""

    def __init__(self, store: Store, breaker: Breaker) -> None:
        self._store = store
        self._breaker = breaker
        # A beat of nobody: it writes nothing, and shows that something could be.
        breaker.probe = lambda: store.runs.own_beat(0, "")

    def keep(self, track: Track, line: LogLine) -> None:
        """Keep a line of a track's dyno for the next batch."""
        if track.run.trigger.output is Output.NONE:
            return
        track.pending.append(
            OutputLine(
                at=line.at,
                source=line.source,
                text=line.text,
                attempt=track.attempt.number,
                sequence=track.next_sequence or 0,
            )
        )
        if track.next_sequence is not None:
            track.next_sequence += 1
        if len(track.pending) > MAX_PENDING:
            del track.pending[: MAX_PENDING // 10]

    def flush(self, tracks: Iterable[Track]) -> bool:
        """Write the pending lines of all tracks in one transaction.

        Returns False where the database could not be written; the lines are kept.
        """
        tripped = self._breaker.tripped
        waiting = [track for track in tracks if track.pending]
        if tripped or not waiting:
            return not waiting
        try:
            for track in waiting:
                self._number(track)
            self._store.output.append(_rows(waiting))
        except StoreUnavailable as error:
            self._breaker.trip(error)
            return False
        failpoints.reach("output.written")
        self._breaker.worked()
        for track in waiting:
            track.pending.clear()
        return True

    def _number(self, track: Track) -> None:
        """Number the lines of an attempt that goes on where an earlier one ended."""
        if track.next_sequence is None:
            first = self._store.output.state(track.run.id)[0]
            track.pending = [
                replace(line, sequence=first + index)
                for index, line in enumerate(track.pending)
            ]
            track.next_sequence = first + len(track.pending)

    def finish(self, track: Track) -> tuple[bool, Run | None]:
        """Write a track's verdict, its output first.

        Who saw no dyno says so: an answer that another process has written meanwhile
        counts more. Returns whether the books are closed, and the run as it stands
        then (None where another process was first).
        """
        verdict = track.conclude()
        if self._breaker.tripped or not self.flush([track]):
            return self._later(track)
        try:
            run = self._store.attempts.finish(
                track.attempt.id,
                outcome=verdict.outcome,
                exit_status=verdict.exit_status,
                reason=verdict.reason,
                now=clock.now(),
                requested_at=track.attempt.requested_at if track.dyno is None else None,
            )
        except StoreUnavailable as error:
            self._breaker.trip(error)
            return self._later(track)
        self._breaker.worked()
        return True, run

    def _later(self, track: Track) -> tuple[bool, None]:
        track.retry_write_at = clock.boottime() + RETRY_S
        return False, None


def _rows(tracks: Iterable[Track]) -> list[OutputRow]:
    return [
        OutputRow(
            run_id=track.run.id,
            attempt=line.attempt,
            sequence=line.sequence,
            at=line.at,
            source=line.source,
            text=line.text,
        )
        for track in tracks
        for line in track.pending
    ]


def tell_end(track: Track, run: Run) -> None:
    """Write the line that sums an attempt, or the whole run, up."""
    verdict = track.conclude()
    finished = run.state is RunState.FINISHED
    level = log.info if verdict.outcome is Outcome.SUCCEEDED else log.warning
    level(
        events.RUN_FINISHED if finished else events.RUN_RETRIED,
        **track.about(),
        dyno=track.dyno.name if track.dyno else None,
        lag_s=run.lag_s,
        outcome=verdict.outcome.value,
        exit_status=verdict.exit_status,
        reason=verdict.reason,
        duration_s=round(clock.boottime() - track.began, 3),
        next_attempt_at=None if finished else run.not_before,
    )
