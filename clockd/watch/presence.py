"""Notices dynos that are gone without a word: the dyno list as the safety net.

A dyno that is missing from two lists half a minute apart is gone. The whole log is read
once then, for the exit line that the stream may have dropped, before its run is `lost`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clockd.pace import between_lists_s
from clockd.watch import adoption
from clockd.watch.polling import AppKey, ListSchedule
from clockd.watch.streams import StreamKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from clockd.model import RunnerKind
    from clockd.runner import Dyno, LogLine, Runner
    from clockd.watch.questions import Questions
    from clockd.watch.streams import Streams
    from clockd.watch.track import Track


class Presence:
    """Asks for lists and, once per vanished dyno, the log; the watcher's thread only.

    Args:
        runners: The places where tasks run.
        questions: Asks them.
        streams: The open streams; the log's lines go through them.
        tracks: Gives every track.
    """

    def __init__(
        self,
        runners: Mapping[RunnerKind, Runner],
        questions: Questions,
        streams: Streams,
        tracks: Callable[[], Iterable[Track]],
    ) -> None:
        self._runners = runners
        self._questions = questions
        self._streams = streams
        self._tracks = tracks
        self._schedule = ListSchedule()

    def ask(self, now: float) -> None:
        """Ask for the one list that is due, if any."""
        worried: dict[AppKey, bool] = {}
        for track in self._tracks():
            key = StreamKey.of(track.attempt)
            if track.foreign or track.dyno is None:
                continue
            if self._runners[key.runner].authoritative:
                continue
            amiss = track.stopping or track.suspect or not self._streams.healthy(key)
            app = AppKey(key.runner, key.app)
            worried[app] = worried.get(app, False) or amiss
        due = self._schedule.due(worried, now, spacing_s=self._spacing_s(worried, now))
        if due is not None:
            runner = self._runners[due.runner]
            self._questions.ask(
                lambda: runner.dynos(due.app),
                lambda dynos: self._on_list(due, dynos, now),
                lambda: self._on_failure(due, now),
            )

    def _spacing_s(self, worried: Mapping[AppKey, bool], now: float) -> float:
        """Return the seconds between two lists, by what is left of the rate limit."""
        told = [self._runners[kind].allowance for kind in {k.runner for k in worried}]
        return max((between_lists_s(left, now) for left in told), default=0.0)

    def _on_list(self, key: AppKey, dynos: Sequence[Dyno], asked_at: float) -> None:
        self._schedule.answered(key)
        for track in self._tracks():
            if AppKey(track.attempt.runner, track.attempt.app) == key:
                track.listed(dynos, asked_at)

    def _on_failure(self, key: AppKey, asked_at: float) -> None:
        self._schedule.answered(key)
        for track in self._tracks():
            if AppKey(track.attempt.runner, track.attempt.app) == key:
                track.unlisted_since = track.unlisted_since or asked_at

    def vanished(self, track: Track, now: float) -> bool:
        """Return whether a dyno is gone for good and the log has nothing to add."""
        if not track.gone(now):
            return False
        if not track.history_asked:
            track.history_asked = True
            runner, app = self._runners[track.attempt.runner], track.attempt.app
            self._questions.ask(
                lambda: runner.history(app, lines=adoption.HISTORY_LINES),
                lambda lines: self._on_history(track, lines),
                lambda: _start_over(track),
            )
        return track.history_read

    def _on_history(self, track: Track, lines: Sequence[LogLine]) -> None:
        track.history_read = True
        self._streams.repeat(StreamKey.of(track.attempt), lines)


def _start_over(track: Track) -> None:
    """Let the next two lists show the dyno's absence anew."""
    track.log_failures += 1
    track.history_asked = False
    track.absent_since = track.absent_until = None
