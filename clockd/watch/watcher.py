"""The watcher: one thread that owns everything that is known of active attempts.

Streams and requests to the platform run elsewhere and post what they learn into its
inbox, so that no lock is needed and nothing that blocks can hold a deadline up.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events
from clockd.errors import StoreUnavailable
from clockd.model import RunnerKind, RunState, StopCause
from clockd.runner import Dyno, LogLine
from clockd.watch import dating, patience
from clockd.watch.breaker import Breaker
from clockd.watch.evidence import is_start
from clockd.watch.inbox import Inbox
from clockd.watch.presence import Presence
from clockd.watch.questions import Questions
from clockd.watch.recorder import Recorder, tell_end
from clockd.watch.seek import Seeker, SeekHooks
from clockd.watch.stops import Stops
from clockd.watch.streams import StreamKey, Streams
from clockd.watch.track import SETTLE_S, Track, dyno_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clockd.model import Attempt, Run
    from clockd.runner import Runner
    from clockd.store import Store
    from clockd.watch.hooks import WatchHooks

TICK_S = 0.1
FLUSH_S = 0.5
RECONCILE_S = 5.0
#: A launch of this age that nobody here has under way was left by another process.
LEFT_S = 10.0
#: After an error with one attempt, that one is left alone for so long.
REST_S = 5.0
#: At the end, requests that were asked for have so long to be carried out.
PARTING_S = 0.5

log = structlog.get_logger()


class Watcher:
    """Follows attempts to their end and writes what became of them.

    Args:
        store: Where runs, attempts and output are kept.
        runners: The places where tasks run.
        host: This machine's name; local processes of others are not followed.
        hooks: Whom to tell.
    """

    def __init__(
        self,
        store: Store,
        runners: Mapping[RunnerKind, Runner],
        *,
        host: str,
        hooks: WatchHooks,
    ) -> None:
        self._store = store
        self._runners = runners
        self._host = host
        self._hooks = hooks
        self._breaker = Breaker()
        self._recorder = Recorder(store, self._breaker)
        self._inbox = Inbox()
        self._questions = Questions(self._inbox.put)
        self._streams = Streams(runners, self._inbox.put, self._hear)
        self._seeker = Seeker(
            store, runners, self._questions, self._breaker, hooks=self._seek_hooks()
        )
        self._stops = Stops(store, runners, self._questions, self._breaker)
        self._presence = Presence(
            runners, self._questions, self._streams, lambda: self._tracks.values()
        )
        self._tracks: dict[int, Track] = {}
        self._in_flight: dict[int, Attempt] = {}
        self._left_since: dict[int, float] = {}
        self._adopting = False
        self._reconcile_at = 0.0
        self._flush_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="watcher", daemon=True)
        self.beat = clock.boottime()  #: when the thread last came round

    def _seek_hooks(self) -> SeekHooks:
        return SeekHooks(
            tracks=lambda: list(self._tracks.values()),
            in_flight=lambda: list(self._in_flight.values()),
            unowned=lambda track: self._streams.unowned(StreamKey.of(track.attempt)),
            adopt=self._adopt_found,
            finish=self._finish,
            drop=lambda track: self._drop(track),
            shown=self._hooks.shown,
        )

    # -- from any thread -------------------------------------------------------

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Write what is pending and end; running dynos are left alone.

        Stops that were asked for still go out; that may take `PARTING_S` more.
        """
        self._stopping.set()
        self._inbox.put(lambda: None)
        self._thread.join(timeout_s)
        self._streams.close()
        self._questions.close(PARTING_S)

    def adopt(self) -> None:
        """From now on, follow every unfinished attempt that nobody else owns."""
        self._inbox.put(self._begin_adopting)

    def expect(self, attempt: Attempt) -> None:
        """Open the log stream for an attempt that is about to be launched."""
        self._in_flight[attempt.id] = attempt
        self._inbox.put(lambda: self._streams.open(StreamKey.of(attempt)))

    def settle(self, attempt_id: int) -> None:
        """Note that an expected launch is on record, whatever came of it."""
        self._in_flight.pop(attempt_id, None)

    def launched(self, run: Run, attempt: Attempt, dyno: Dyno, sent_at: float) -> None:
        """Follow an attempt whose dyno is known; `sent_at` is on `boottime`."""
        self._inbox.put(lambda: self._follow(run, attempt, dyno, sent_at))

    def unknown(self, run: Run, attempt: Attempt, sent_at: float) -> None:
        """Look for the dyno of an attempt whose answer was lost.

        `sent_at` is on `boottime`: when its request went out, or soon before.
        """
        self._inbox.put(lambda: self._look_for(run, attempt, sent_at))

    def orphan(self, attempt: Attempt, dyno: Dyno) -> None:
        """Stop a dyno that answers for an attempt which is no longer ours."""
        self._inbox.put(lambda: self._orphan(attempt, dyno))

    def cancel(self, run_id: int, cause: StopCause) -> None:
        """Stop a run's dyno; nothing happens where it is not followed."""
        self._inbox.put(lambda: self._cancel(run_id, cause))

    @property
    def active(self) -> int:
        """How many attempts are followed."""
        return len(self._tracks)

    # -- the thread ------------------------------------------------------------

    def _live(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except Exception:
                log.exception(events.THREAD_FAILED, thread="watcher")
                self._stopping.wait(1.0)
        self._inbox.run_rest()
        self._recorder.flush(self._tracks.values())

    def _turn(self) -> None:
        self._inbox.run_for(TICK_S if self._tracks else 1.0, self._stopping)
        now = self.beat = clock.boottime()
        if self._adopting and now >= self._reconcile_at:
            self._reconcile_at = now + RECONCILE_S
            self._reconcile(newly=False)
        for track in list(self._tracks.values()):
            self._look_at(track, now)
        self._presence.ask(now)
        self._stops.ask_again(now)
        if now >= self._flush_at:
            self._flush_at = now + FLUSH_S
            self._recorder.flush(self._tracks.values())
            used = {StreamKey.of(track.attempt) for track in self._tracks.values()}
            self._streams.close_idle(used, now)

    # -- taking attempts in ----------------------------------------------------

    def _begin_adopting(self) -> None:
        self._adopting = True
        self._reconcile(newly=True)

    def _reconcile(self, *, newly: bool) -> None:
        """Take in what the books hold as unfinished and nobody follows."""
        try:
            self._breaker.check()
            left = [
                (run, attempt)
                for run, attempt in self._store.attempts.active()
                if attempt.id not in self._tracks and attempt.id not in self._in_flight
            ]
            now = clock.boottime()
            self._left_since = {
                attempt.id: self._left_since.get(attempt.id, now) for _, attempt in left
            }
            for run, attempt in left:
                self._take_in(run, attempt, newly=newly)
        except StoreUnavailable as error:
            self._breaker.trip(error)

    def _take_in(self, run: Run, attempt: Attempt, *, newly: bool) -> None:
        dyno = dyno_of(attempt)
        if dyno is not None:
            self._resume(run, attempt, dyno)
        elif newly or clock.boottime() - self._left_since[attempt.id] >= LEFT_S:
            self._look_for(run, attempt, None)

    def _resume(self, run: Run, attempt: Attempt, dyno: Dyno) -> None:
        """Follow an attempt that another process, or an earlier one, launched."""
        lines = self._store.output.lines(run.id, attempt=attempt.number)
        lines_written = self._store.output.lines_written(run.id, attempt.number)
        now = clock.boottime()
        track = Track(
            run=run,
            attempt=attempt,
            began=now,
            taken_at=now,
            dated=False,
            inherited=True,
            next_sequence=self._store.output.state(run.id)[0],
            stopped_at=now if attempt.stop_cause else None,
            stop_noted=attempt.stop_cause is not None,
            foreign=self._is_foreign(attempt),
        )
        log.info(events.RUN_ADOPTED, **track.about(), dyno=dyno.name)
        track.found(dyno)
        self._tracks[attempt.id] = track
        if track.foreign:
            return
        seen = [
            LogLine(at=x.at, source=x.source, dyno=dyno.name, text=x.text)
            for x in lines
        ]
        for line in seen:
            track.see(line, clock.boottime(), SETTLE_S)
        # More were written than are kept.
        track.lines_heard = lines_written
        self._open_for(track, seen)

    def _date(self, track: Track, now: float) -> None:
        """Find out since when an attempt of another process has been under way."""
        age_s = dating.age_s(track, self._runners.get(track.attempt.runner), now)
        if age_s is not None:
            track.began = now - age_s
            track.dated = True

    def _open_for(self, track: Track, seen: Sequence[LogLine]) -> None:
        """Open a track's stream so that lines already on record do not come again."""
        key = StreamKey.of(track.attempt)
        if self._runners[key.runner].authoritative:
            self._streams.reopen(key, self._lines_on_record(key))
            return
        self._streams.open(key)
        to_come = Counter(seen)
        self._claim_lines(track, known=to_come)
        self._streams.remember(key, to_come.elements())

    def _lines_on_record(self, key: StreamKey) -> dict[str, int]:
        """Return how many lines of each followed dyno were taken in, by id."""
        return {
            track.dyno.id: track.lines_heard
            for track in self._tracks.values()
            if track.dyno is not None and StreamKey.of(track.attempt) == key
        }

    def _follow(self, run: Run, attempt: Attempt, dyno: Dyno, sent_at: float) -> None:
        if attempt.id in self._tracks or self._stops.is_orphan(dyno):
            return
        track = Track(
            run=run, attempt=attempt, began=sent_at, taken_at=clock.boottime()
        )
        if attempt.number > 1:
            track.next_sequence = None
        track.found(dyno)
        self._tracks[attempt.id] = track
        self._streams.open(StreamKey.of(attempt))
        self._claim_lines(track)

    def _claim_lines(self, track: Track, known: Counter[LogLine] | None = None) -> None:
        """Hand a track the lines that came before it was known.

        Those that are on record already are taken out of `known` instead.
        """
        known = Counter() if known is None else known
        assert track.dyno is not None  # noqa: S101 – found just before
        key = StreamKey.of(track.attempt)
        since = track.dyno.created_at
        for line in self._streams.claim(key, track.dyno.name, since):
            if known[line] > 0:
                known[line] -= 1
            else:
                self._take_line(track, line)

    def _look_for(self, run: Run, attempt: Attempt, sent_at: float | None) -> None:
        """Look for an attempt's dyno; of another process's, `sent_at` is None."""
        if attempt.id in self._tracks:
            return
        now = clock.boottime()
        track = Track(
            run=run,
            attempt=replace(attempt, state=RunState.UNKNOWN),
            began=now if sent_at is None else sent_at,
            taken_at=now,
            dated=sent_at is not None,
            look_from=now,
            inherited=sent_at is None,
            foreign=self._is_foreign(attempt),
        )
        if attempt.number > 1:
            track.next_sequence = None
        self._tracks[attempt.id] = track
        if not track.foreign:
            self._streams.open(StreamKey.of(attempt))
        log.warning(events.RUN_UNKNOWN, **track.about())

    def _adopt_found(self, track: Track, dyno: Dyno) -> None:
        log.info(events.RUN_ADOPTED, **track.about(), dyno=dyno.name)
        track.found(dyno)
        # Its creation tells more than the clock of whoever has requested it.
        track.dated = track.dated and not track.inherited
        key = StreamKey.of(track.attempt)
        if self._runners[key.runner].authoritative:
            self._streams.reopen(key, self._lines_on_record(key))
            return
        self._claim_lines(track)
        self._streams.repeat(key, track.history)
        track.history.clear()

    def _is_foreign(self, attempt: Attempt) -> bool:
        """Return whether an attempt runs where this process cannot look."""
        elsewhere = attempt.runner is RunnerKind.LOCAL and attempt.host != self._host
        return elsewhere or attempt.runner not in self._runners

    # -- lines -----------------------------------------------------------------

    def _hear(self, key: StreamKey, line: LogLine) -> bool:
        """Take in a new line; return whether it has an owner."""
        owners = [
            track
            for track in self._tracks.values()
            if track.owns(line) and StreamKey.of(track.attempt) == key
        ]
        if is_start(line):
            for track in owners:
                track.hear_start(line)
            owners = [track for track in owners if track.owns(line)]
        if not owners:
            for track in self._tracks.values():
                track.fresh_lines = True
            return False
        self._take_line(max(owners, key=lambda track: track.began), line)
        return True

    def _take_line(self, track: Track, line: LogLine) -> None:
        authoritative = self._runners[track.attempt.runner].authoritative
        track.see(line, clock.boottime(), 0.0 if authoritative else SETTLE_S)
        self._recorder.keep(track, line)
        self._hooks.line(track.run, line)

    # -- what is due -----------------------------------------------------------

    def _look_at(self, track: Track, now: float) -> None:
        """Do what is due for a track; an error there is no matter of the others."""
        if now < track.rest_until:
            return
        try:
            self._tick(track, now)
        except Exception:
            log.exception(events.THREAD_FAILED, thread="watcher", **track.about())
            track.rest_until = now + REST_S

    def _tick(self, track: Track, now: float) -> None:
        if not track.dated:
            self._date(track, now)
        if track.verdict is not None:
            if now >= track.retry_write_at:
                self._finish(track)
        elif track.settled(now):
            self._finish(track)
        elif track.foreign or track.dyno is None:
            if not track.foreign:
                self._seeker.step(track, now)
            if track.foreign or track.dyno is None:
                track.verdict = patience.unseen(track, now)
        elif not track.evidence.ended:
            self._stops.keep_time(track, now)
            if self._presence.vanished(track, now):
                self._finish(track)
            else:
                track.verdict = patience.unreadable(track, now)

    def _cancel(self, run_id: int, cause: StopCause) -> None:
        for track in self._tracks.values():
            if track.run.id == run_id and not track.stopping:
                self._stops.stop(track, cause)

    def _orphan(self, attempt: Attempt, dyno: Dyno) -> None:
        track = self._tracks.get(attempt.id)
        if track and (track.dyno is None or track.dyno.id == dyno.id):
            self._drop(track)
        self._stops.stop_orphan(attempt, dyno)

    # -- the end ---------------------------------------------------------------

    def _finish(self, track: Track) -> None:
        if track.attempt.id in self._in_flight:
            return  # what came of its launch is not on record yet
        closed, run = self._recorder.finish(track)
        if not closed:
            return
        self._drop(track)
        if track.dyno is not None and not track.foreign:
            self._runners[track.attempt.runner].forget(track.dyno)
        if run is not None:
            tell_end(track, run)
            self._hooks.ended(run)

    def _drop(self, track: Track) -> None:
        self._tracks.pop(track.attempt.id, None)
