"""Finds out what became of launches whose answer was lost, and acts on it.

A look reads the dyno list some times, the lines of dynos nobody owns, and at last the
whole log. Found: adopted. Certainly not created: back in the line. Neither: `lost`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events, failpoints
from clockd.errors import RunnerUnavailable, StoreUnavailable
from clockd.model import Outcome
from clockd.runner import Unavailable, attempt_key
from clockd.store import DatedDyno, LaunchedDyno
from clockd.watch import adoption, dating, platform_time
from clockd.watch.adoption import Wanted
from clockd.watch.evidence import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from clockd.model import Attempt, RunnerKind
    from clockd.runner import Dyno, LogLine, Runner
    from clockd.store import Store
    from clockd.watch.breaker import Breaker
    from clockd.watch.questions import Questions
    from clockd.watch.track import Track

    _Find = Callable[[Wanted, Iterable[LogLine], Collection[DatedDyno]], Dyno | None]

#: A look that failed is repeated after this long, doubling up to the other.
_AGAIN_S = 5.0
_LONGEST_S = 40.0
#: A log that was refused so often may not be read at all (Private Space Logging).
_REFUSALS = 3
#: A list that is due within this time is read with another one of its app.
_EARLY_S = 2.0
_NOT_CREATED = "its launch certainly did not happen"
_UNANSWERED = "the launch was not answered, no dyno was found, and "

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class SeekHooks:
    """What the seeker has done by the watcher, whose thread calls it."""

    tracks: Callable[[], Iterable[Track]]
    unowned: Callable[[Track], Sequence[LogLine]]
    #: The attempts whose answers this process waits for.
    in_flight: Callable[[], Iterable[Attempt]]
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

        def on_history(lines: Sequence[LogLine] | None) -> None:
            for track in tracks:
                self._settle(track, lambda it: self._on_history(it, lines))

        if last:
            self._questions.ask(lambda: _read_log(runner, app), on_history, put_off)
        else:
            self._questions.ask(lambda: runner.dynos(app), on_list, put_off)

    def _put_off(self, track: Track) -> None:
        """Look again later, where the platform could not be asked."""
        wait_s = min(_AGAIN_S * 2**track.put_off, _LONGEST_S)
        track.put_off += 1
        self._look_again(track, wait_s)

    def _look_again(self, track: Track, wait_s: float) -> None:
        track.looking = False
        track.look_at(clock.boottime() + wait_s)

    def _settle(self, track: Track, act: Callable[[Track], None]) -> None:
        """Act on an answer; where the books cannot be asked, look again later."""
        track.looking = False
        try:
            act(track)
        except StoreUnavailable as error:
            self._breaker.trip(error)
            self._look_again(track, _AGAIN_S)
        except Exception:
            log.exception(events.THREAD_FAILED, thread="watcher", **track.about())
            self._look_again(track, _AGAIN_S)

    def _on_list(self, track: Track, dynos: Sequence[Dyno]) -> None:
        if track.dyno is not None:
            return
        if self._runners[track.attempt.runner].authoritative:
            self._settle_by_key(track, dynos)
            return
        dyno = self._find(track, lambda *it: adoption.find_in_list(it[0], dynos, it[1]))
        track.looks += 1
        track.put_off = 0
        if dyno is not None:
            self._take(track, dyno)

    def _settle_by_key(self, track: Track, dynos: Sequence[Dyno]) -> None:
        key = attempt_key(track.attempt)
        dyno = next((dyno for dyno in dynos if dyno.key == key), None)
        if dyno is None:
            self._back_in_line(track)
        else:
            self._take(track, dyno)

    def _search_log(
        self, track: Track, lines: Sequence[LogLine], find: _Find = adoption.find_in_log
    ) -> bool:
        """Take the dyno that lines show; return whether they show one."""
        dyno = self._find(track, lambda *it: find(it[0], lines, it[1]))
        if dyno is not None:
            self._take(track, dyno)
        return dyno is not None

    def _find(
        self,
        track: Track,
        find: Callable[[Wanted, Collection[DatedDyno]], Dyno | None],
    ) -> Dyno | None:
        """Find a track's dyno; the books are asked only where there may be one.

        Raises:
            StoreUnavailable: They cannot be read just now.
        """
        wanted = self._wanted(track)
        if find(wanted, ()) is None:
            return None
        return find(wanted, self._owned(track, wanted.since))

    def _on_history(self, track: Track, lines: Sequence[LogLine] | None) -> None:
        if track.dyno is not None:
            return
        if lines is None:
            self._refused(track)
            return
        # Whoever adopts hears them again: the end may be among them.
        track.history = list(lines)
        if not (
            self._search_log(track, lines)
            or self._search_log(track, lines, adoption.find_stillborn)
        ):
            track.history.clear()
            self._conclude(track, lines)

    def _refused(self, track: Track) -> None:
        track.refusals += 1
        if track.refusals < _REFUSALS:
            self._put_off(track)
        else:
            self._give_up(track, "the app's log may not be read")

    def _conclude(self, track: Track, lines: Sequence[LogLine]) -> None:
        """Decide on an attempt of which neither lists nor log show a dyno."""
        runner = self._runners[track.attempt.runner]
        if not platform_time.is_known(runner):
            self._put_off(track)
        elif not adoption.reaches_back(lines, self._requested(track)[1]):
            self._give_up(
                track,
                "the log does not reach back far enough to say that none was started",
            )
        elif track.misdated:
            self._give_up(
                track,
                "when it was requested is not known: the clock of the host that "
                "requested it was wrong",
            )
        else:
            self._back_in_line(track)

    def _give_up(self, track: Track, why: str) -> None:
        track.verdict = Verdict(
            outcome=Outcome.LOST, exit_status=None, reason=_UNANSWERED + why
        )
        self._hooks.finish(track)

    def _take(self, track: Track, dyno: Dyno) -> None:
        """Adopt a dyno, if the books agree that the attempt is still ours."""
        dyno = _with_warning(track.attempt, dyno)
        found = LaunchedDyno(
            attempt_id=track.attempt.id,
            requested_at=track.attempt.requested_at,
            dyno=dyno,
            launched_at=track.attempt.requested_at,
        )
        self._breaker.check()
        failpoints.reach("adopt.recording")
        refused = self._store.attempts.launched([found], clock.now())
        failpoints.reach("adopt.recorded")
        if refused:
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
        # Since it was requested, and since we look: no host's clock may shorten it.
        runner = self._runners[track.attempt.runner]
        age_s = platform_time.age_s(runner, self._requested(track)[0])
        looked_s = clock.boottime() - track.taken_at
        return adoption.RESEND_AFTER_S - min(age_s, looked_s)

    def _requested(self, track: Track) -> tuple[datetime, datetime]:
        return dating.requested(track, self._runners[track.attempt.runner])

    def _wanted(self, track: Track) -> Wanted:
        attempt = track.attempt
        requested_at, since = self._requested(track)
        return Wanted(
            attempt=attempt,
            requested_at=requested_at,
            since=since,
            commands=self._commands(attempt),
            rivals=[self._commands(other) for other in self._rivals(attempt)],
        )

    def _commands(self, attempt: Attempt) -> frozenset[str]:
        return self._hooks.shown(attempt.app, attempt.command)

    def _rivals(self, attempt: Attempt) -> list[Attempt]:
        """Return the other launches that are open, of the same app and type."""
        unknown = (t.attempt for t in self._hooks.tracks() if t.dyno is None)
        return [
            other
            for other in (*unknown, *self._hooks.in_flight())
            if (other.app, other.process_type) == (attempt.app, attempt.process_type)
            and other.id != attempt.id
        ]

    def _owned(self, track: Track, since: datetime) -> list[DatedDyno]:
        """Return the dynos of other attempts, on record or followed.

        Raises:
            StoreUnavailable: The books cannot be read just now.
        """
        self._breaker.check()
        attempt = track.attempt
        return [
            *self._store.attempts.dynos_created(
                attempt.app, since - adoption.BOOT, but=attempt.id
            ),
            *(
                DatedDyno(other.dyno.id, other.dyno.name, other.dyno.created_at)
                for other in self._hooks.tracks()
                if other.dyno is not None and other.attempt.app == attempt.app
            ),
        ]


def _read_log(runner: Runner, app: str) -> Sequence[LogLine] | None:
    """Return an app's log, None where it may not be read."""
    try:
        return runner.history(app, lines=adoption.HISTORY_LINES)
    except RunnerUnavailable as error:
        if error.kind not in (Unavailable.FORBIDDEN, Unavailable.CONFLICT):
            raise
        log.warning(events.PLATFORM_FAILED, reason=error.message)
        return None


def _with_warning(attempt: Attempt, dyno: Dyno) -> Dyno:
    """Return a dyno with a warning where it has not the size that was asked for."""
    asked, given = (_size(size) for size in (attempt.size, dyno.size))
    if not asked or not given or asked == given:
        return dyno
    return replace(
        dyno,
        warning=f"size {attempt.size} was asked for; it was started on {dyno.size}",
    )


def _size(size: str | None) -> str:
    """Return a size as it can be compared: Heroku shows Shield dynos as Private."""
    return (size or "").lower().replace("shield", "private")


def _is_due(track: Track, now: float) -> bool:
    """Return whether a track's dyno is to be looked for at `now`."""
    return track.dyno is None and not track.looking and now >= track.next_look_at()
