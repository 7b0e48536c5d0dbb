"""Finds out what became of launches whose answer was lost, and acts on it.

A look reads the dyno list some times, the lines of dynos nobody owns, and at last the
whole log. Found: adopted. Certainly not created: back in the line. Neither: `lost`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events
from clockd.errors import StoreUnavailable
from clockd.model import Outcome
from clockd.runner import attempt_key
from clockd.store import LaunchedDyno
from clockd.watch import adoption
from clockd.watch.evidence import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from clockd.model import Attempt, RunnerKind
    from clockd.runner import Dyno, LogLine, Runner
    from clockd.store import Store
    from clockd.watch.breaker import Breaker
    from clockd.watch.questions import Questions
    from clockd.watch.track import Track

_AGAIN_S = 5.0
#: A list that is due within this time is read with another one of its app.
_EARLY_S = 2.0
_NOT_CREATED = "its launch certainly did not happen"

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class SeekHooks:
    """What the seeker has done by the watcher, whose thread calls it."""

    tracks: Callable[[], Iterable[Track]]
    unowned: Callable[[Track], Sequence[LogLine]]
    adopt: Callable[[Track, Dyno], None]
    finish: Callable[[Track], None]
    drop: Callable[[Track], None]
    #: The ways a command of an app may be shown by the platform.
    shown: Callable[[str, str], frozenset[str]]


class Seeker:
    """Works on tracks without a dyno; used by the watcher's thread only."""

    def __init__(
        self,
        store: Store,
        runners: Mapping[RunnerKind, Runner],
        questions: Questions,
        breaker: Breaker,
        *,
        hooks: SeekHooks,
    ) -> None:
        self._store = store
        self._runners = runners
        self._questions = questions
        self._breaker = breaker
        self._hooks = hooks

    def step(self, track: Track, now: float) -> None:
        """Do what is due for a track at `now` (seconds of `boottime`)."""
        runner = self._runners[track.attempt.runner]
        if not runner.authoritative and track.fresh_lines:
            self._hear(track)
        if _is_due(track, now):
            self._look(runner, self._together(track, now))

    def _hear(self, track: Track) -> None:
        """Look for a track's dyno in the lines of dynos nobody owns."""
        try:
            self._search_log(track, self._hooks.unowned(track))
        except StoreUnavailable as error:
            self._breaker.trip(error)
        else:
            track.fresh_lines = False

    def _together(self, track: Track, now: float) -> list[Track]:
        """Return the tracks that one look serves: one request per app, not per run.

        Whose list is due soon gets it now; the last look of all is never early.
        """
        early_s = 0.0 if track.looked_enough else _EARLY_S
        return [
            other
            for other in self._hooks.tracks()
            if other is track
            or (
                (other.attempt.runner, other.attempt.app, other.looked_enough)
                == (track.attempt.runner, track.attempt.app, track.looked_enough)
                and not other.foreign
                and _is_due(other, now + early_s)
            )
        ]

    def _look(self, runner: Runner, tracks: Sequence[Track]) -> None:
        """Ask the platform once, and tell every track what it answers."""
        app, last = tracks[0].attempt.app, tracks[0].looked_enough
        for track in tracks:
            track.looking = True

        def put_off() -> None:
            for track in tracks:
                self._put_off(track)

        def on_list(dynos: Sequence[Dyno]) -> None:
            for track in tracks:
                self._settle(track, lambda it: self._on_list(it, dynos))

        def on_history(lines: Sequence[LogLine]) -> None:
            for track in tracks:
                self._settle(track, lambda it: self._on_history(it, lines))

        if last:
            lines = adoption.HISTORY_LINES
            self._questions.ask(
                lambda: runner.history(app, lines=lines), on_history, put_off
            )
        else:
            self._questions.ask(lambda: runner.dynos(app), on_list, put_off)

    def _put_off(self, track: Track) -> None:
        track.looking = False
        track.look_at(clock.boottime() + _AGAIN_S)

    def _settle(self, track: Track, act: Callable[[Track], None]) -> None:
        """Act on an answer; where the books cannot be asked, look again later."""
        track.looking = False
        try:
            act(track)
        except StoreUnavailable as error:
            self._breaker.trip(error)
            self._put_off(track)
        except Exception:
            log.exception(events.THREAD_FAILED, thread="watcher", **track.about())
            self._put_off(track)

    def _on_list(self, track: Track, dynos: Sequence[Dyno]) -> None:
        if track.dyno is not None:
            return
        if self._runners[track.attempt.runner].authoritative:
            self._settle_by_key(track, dynos)
            return
        owned = self._owned(track)
        dyno = adoption.find_in_list(
            self._as_dated(track), self._commands(track), dynos, owned
        )
        track.looks += 1
        if dyno is not None:
            self._take(track, dyno)

    def _settle_by_key(self, track: Track, dynos: Sequence[Dyno]) -> None:
        key = attempt_key(track.attempt)
        dyno = next((dyno for dyno in dynos if dyno.key == key), None)
        if dyno is None:
            self._back_in_line(track)
        else:
            self._take(track, dyno)

    def _search_log(self, track: Track, lines: Sequence[LogLine]) -> bool:
        """Take the dyno that lines show; return whether they show one."""
        attempt, owned = self._as_dated(track), self._owned(track)
        dyno = adoption.find_in_log(attempt, self._commands(track), lines, owned)
        if dyno is not None:
            self._take(track, dyno)
        return dyno is not None

    def _on_history(self, track: Track, lines: Sequence[LogLine]) -> None:
        if track.dyno is not None or self._search_log(track, lines):
            track.history.extend(lines)
        elif not adoption.reaches_back(lines, self._as_dated(track).requested_at):
            track.verdict = Verdict(
                outcome=Outcome.LOST,
                exit_status=None,
                reason="the launch was not answered, no dyno was found, and the log "
                "does not reach back far enough to say that none was started",
            )
            self._hooks.finish(track)
        else:
            self._back_in_line(track)

    def _take(self, track: Track, dyno: Dyno) -> None:
        """Adopt a dyno, if the books agree that the attempt is still ours."""
        found = LaunchedDyno(
            attempt_id=track.attempt.id,
            requested_at=track.attempt.requested_at,
            dyno=dyno,
            launched_at=track.attempt.requested_at,
        )
        self._breaker.check()
        if self._store.attempts.launched([found], clock.now()):
            self._hooks.drop(track)
        else:
            self._hooks.adopt(track, dyno)

    def _back_in_line(self, track: Track) -> None:
        """Put a run back of whose attempt it is certain that it was not created.

        Whether it still may start is decided anew: the look may have taken long.
        """
        if track.stopping:
            self._hooks.finish(track)
            return
        wait_s = self._predecessors_time(track)
        if wait_s > 0:
            track.looks -= 1
            track.look_at(clock.boottime() + wait_s)
            return
        self._breaker.check()
        ours = self._store.attempts.requeue(
            track.attempt.id,
            track.attempt.requested_at,
            not_before=clock.now(),
            hold=None,
            reason=_NOT_CREATED,
        )
        self._hooks.drop(track)
        if ours:
            log.info(events.RUN_HELD, **track.about(), reason=_NOT_CREATED)

    def _predecessors_time(self, track: Track) -> float:
        """Return for how long another process's request may still be on its way."""
        if self._runners[track.attempt.runner].authoritative or not track.inherited:
            return 0.0
        age_s = (clock.now() - track.attempt.requested_at).total_seconds()
        return adoption.RESEND_AFTER_S - age_s

    def _commands(self, track: Track) -> frozenset[str]:
        return self._hooks.shown(track.attempt.app, track.attempt.command)

    def _as_dated(self, track: Track) -> Attempt:
        """Return a track's attempt with the instant of its request as the platform
        would give it: what lists and logs say bears the platform's time.
        """
        skew = timedelta(seconds=self._runners[track.attempt.runner].skew_s)
        return replace(track.attempt, requested_at=track.attempt.requested_at - skew)

    def _owned(self, track: Track) -> adoption.Owned:
        """Return the dynos of other attempts.

        Raises:
            StoreUnavailable: The books cannot be read just now.
        """
        self._breaker.check()
        attempt = track.attempt
        asked_at = min(attempt.requested_at, self._as_dated(track).requested_at)
        since = asked_at - 2 * adoption.SKEW
        owned = self._store.attempts.dynos_since(attempt.app, since, but=attempt.id)
        return adoption.Owned(
            ids={dyno_id for dyno_id, _ in owned}, names={name for _, name in owned}
        )


def _is_due(track: Track, now: float) -> bool:
    """Return whether a track's dyno is to be looked for at `now`."""
    return track.dyno is None and not track.looking and now >= track.next_look_at()
