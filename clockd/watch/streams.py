"""Keeps log streams open: a thread for each that reads it and opens it again.

The threads only pass lines on; which of them were seen before, and which belong to
nobody yet, is kept by `Streams` in the watcher's own thread.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events
from clockd.errors import RunnerError
from clockd.watch.replay import ReplayFilter, UnownedLines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime

    from clockd.model import Attempt, RunnerKind
    from clockd.runner import LogLine, LogStream, Runner

#: Older lines asked for at each opening: all that Logplex keeps.
HISTORY_LINES = 1500
_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
#: A stream that lasted this long did not fail at once: backing off starts anew.
_LASTING_S = 60.0
#: Lines of one stream that the watcher has not taken yet; more have to wait.
MOST_WAITING = 5000
_ROOM_S = 0.5
#: A stream stays open this long after its last run: the next one is often near.
LINGER_S = 120.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StreamKey:
    """Which stream: one per place, app and process type."""

    runner: RunnerKind
    app: str
    process_type: str

    @classmethod
    def of(cls, attempt: Attempt) -> StreamKey:
        """Return the stream on which an attempt's lines arrive."""
        return cls(attempt.runner, attempt.app, attempt.process_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamListener:
    """Whom the reading thread tells; called from that thread."""

    opened: Callable[[], None]
    line: Callable[[LogLine], None]
    lost: Callable[[], None]


class StreamThread:
    """Reads one stream until it is closed.

    `resume` gives, for each dyno by id, how many of its lines are on record; runners
    that number their lines go on from there.
    """

    def __init__(
        self,
        key: StreamKey,
        runner: Runner,
        listener: StreamListener,
        resume: Mapping[str, int],
    ) -> None:
        self.key = key
        self._runner = runner
        self._listener = listener
        self._resume = resume
        self._closed = threading.Event()
        self._stream: LogStream | None = None
        self._room = threading.Semaphore(MOST_WAITING)
        self._thread = threading.Thread(
            target=self._read_until_closed,
            name=f"stream-{key.app or 'local'}-{key.process_type}",
            daemon=True,
        )

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading; returns at once, no line is passed on afterwards."""
        self._closed.set()
        if self._stream is not None:
            self._stream.close()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout_s)

    def _read_until_closed(self) -> None:
        failures = 0
        while not self._closed.is_set():
            began = clock.boottime()
            try:
                self._read_once()
            except RunnerError as error:
                self._tell_lost(str(error))
            except Exception:
                log.exception(
                    events.THREAD_FAILED, thread=threading.current_thread().name
                )
                self._tell_lost("internal error")
            else:
                self._tell_lost("ended by the platform")
            if clock.boottime() - began > _LASTING_S:
                failures = 0
            self._closed.wait(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
            failures += 1

    def _tell_lost(self, reason: str) -> None:
        if not self._closed.is_set():
            log.debug(events.STREAM_LOST, app=self.key.app, reason=reason)
            self._listener.lost()

    def _read_once(self) -> None:
        stream = self._runner.follow(
            self.key.app, self.key.process_type, lines=HISTORY_LINES
        )
        self._stream = stream
        try:
            if self._closed.is_set():
                return
            for dyno_id, lines_seen in self._resume.items():
                stream.resume(dyno_id, lines_seen)
            log.debug(events.STREAM_OPENED, app=self.key.app)
            self._listener.opened()
            for line in stream:
                if self._closed.is_set():
                    return
                if line is not None and self._has_room():
                    self._listener.line(line)
        finally:
            stream.close()

    def _has_room(self) -> bool:
        """Wait until the watcher has taken enough lines; return False if closed."""
        while not self._room.acquire(timeout=_ROOM_S):
            if self._closed.is_set():
                return False
        return True

    def line_taken(self) -> None:
        """Note that the watcher has taken a line."""
        self._room.release()


@dataclass(kw_only=True, eq=False)
class OpenStream:
    """A stream and what is known of its lines."""

    key: StreamKey
    replay: ReplayFilter = field(default_factory=ReplayFilter)
    unowned: UnownedLines = field(default_factory=UnownedLines)
    thread: StreamThread | None = None
    healthy: bool = False
    idle_since: float | None = None


class Streams:
    """The open streams; used by the watcher's thread only.

    Args:
        runners: The places where tasks run.
        post: Hands a message to the watcher's thread.
        hear: Takes a line that was not seen before; returns whether it has an owner.
    """

    def __init__(
        self,
        runners: Mapping[RunnerKind, Runner],
        post: Callable[[Callable[[], None]], None],
        hear: Callable[[StreamKey, LogLine], bool],
    ) -> None:
        self._runners = runners
        self._post = post
        self._hear = hear
        self._open: dict[StreamKey, OpenStream] = {}

    def open(self, key: StreamKey, resume: Mapping[str, int] | None = None) -> None:
        """Open a stream unless it is open already."""
        stream = self._open.get(key)
        if stream is None:
            stream = self._open[key] = OpenStream(key=key)
            stream.thread = StreamThread(
                key, self._runners[key.runner], self._listener(stream), resume or {}
            )
            stream.thread.start()
        stream.idle_since = None

    def _listener(self, stream: OpenStream) -> StreamListener:
        """Return a listener whose messages count only while `stream` is the open one.

        What an old thread has posted already must not be taken for the new one's.
        """

        def if_open(act: Callable[[], None]) -> None:
            if self._open.get(stream.key) is stream:
                act()

        def post(act: Callable[[], None]) -> None:
            self._post(lambda: if_open(act))

        def take(line: LogLine) -> None:
            if stream.thread is not None:
                stream.thread.line_taken()
            if_open(lambda: self.take(stream.key, line))

        return StreamListener(
            opened=lambda: post(lambda: self._opened(stream)),
            line=lambda line: self._post(lambda: take(line)),
            lost=lambda: post(lambda: setattr(stream, "healthy", False)),
        )

    def reopen(self, key: StreamKey, resume: Mapping[str, int]) -> None:
        """Open a stream anew, so that it goes on where `resume` says."""
        self.drop(key)
        self.open(key, resume)

    def drop(self, key: StreamKey) -> None:
        """Close a stream and forget its lines."""
        stream = self._open.pop(key, None)
        if stream is not None and stream.thread is not None:
            stream.thread.close()

    def close(self) -> None:
        """Close every stream."""
        for key in list(self._open):
            self.drop(key)

    def close_idle(self, used: Collection[StreamKey], now: float) -> None:
        """Close the streams that nobody used for a while; `now` is on `boottime`."""
        for key, stream in list(self._open.items()):
            if key in used:
                stream.idle_since = None
            elif stream.idle_since is None:
                stream.idle_since = now
            elif now - stream.idle_since > LINGER_S:
                self.drop(key)

    def healthy(self, key: StreamKey) -> bool:
        """Return whether a stream is open and delivering."""
        stream = self._open.get(key)
        return stream is not None and stream.healthy

    def remember(self, key: StreamKey, lines: Iterable[LogLine]) -> None:
        """Take lines as seen that an earlier process saw; they may come again."""
        self._open[key].replay.remember(lines)

    def claim(self, key: StreamKey, dyno: str, since: datetime) -> list[LogLine]:
        """Hand over the lines of a dyno that came before it had an owner."""
        stream = self._open.get(key)
        return stream.unowned.claim(dyno, since) if stream else []

    def unowned(self, key: StreamKey) -> list[LogLine]:
        """Return the lines of dynos nobody owns."""
        stream = self._open.get(key)
        return stream.unowned.lines() if stream else []

    def repeat(self, key: StreamKey, lines: Iterable[LogLine]) -> None:
        """Take in lines of another reading of the same log; known ones are dropped."""
        if stream := self._open.get(key):
            stream.replay.reopened()
            for line in lines:
                self.take(key, line)

    def take(self, key: StreamKey, line: LogLine) -> None:
        """Pass a line on unless it was seen before."""
        stream = self._open.get(key)
        if stream is None:
            return
        if not self._runners[key.runner].authoritative and stream.replay.is_repeat(
            line
        ):
            return
        if not self._hear(key, line):
            stream.unowned.add(line)

    def _opened(self, stream: OpenStream) -> None:
        stream.healthy = True
        stream.replay.reopened()
