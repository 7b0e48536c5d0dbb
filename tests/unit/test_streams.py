"""Streams: how much a reading thread may post before anybody takes it."""

from __future__ import annotations

import itertools
import queue
import threading
from typing import TYPE_CHECKING

from clockd import clock
from clockd.model import RunnerKind
from clockd.runner import LogLine
from clockd.watch.streams import MOST_WAITING, StreamKey, Streams
from tests.support.scripted import ScriptedRunner
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = StreamKey(RunnerKind.HEROKU, "app", "clockd")


class Flood:
    """A stream that never ends and is never silent."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[LogLine]:
        for number in itertools.count():
            if self.closed.is_set():
                return
            yield LogLine(
                at=clock.now(), source="app", dyno="clockd.1", text=str(number)
            )

    def resume(self, dyno_id: str, lines_seen: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """End it."""
        self.closed.set()


class Flooded(ScriptedRunner):
    def follow(self, app: str, process_type: str, *, lines: int) -> Flood:  # type: ignore[override]
        del app, process_type, lines
        return Flood()


class Reading:
    """Streams whose messages are taken when the test says so."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.heard: list[str] = []
        self.streams = Streams(
            {RunnerKind.HEROKU: Flooded()}, self.inbox.put, self.hear
        )
        self.streams.open(KEY)
        self.thread = self.streams._open[KEY].thread

    def hear(self, _key: StreamKey, line: LogLine) -> bool:
        self.heard.append(line.text)
        return True

    def wait_for_messages(self, count: int) -> None:
        wait_until(
            lambda: self.inbox.qsize() == count,
            message=lambda: f"{count} messages, not {self.inbox.qsize()}",
        )


def test_a_stream_waits_until_its_lines_are_taken() -> None:
    reading = Reading()
    reading.wait_for_messages(1 + MOST_WAITING)  # that it is open is one
    for _ in range(1001):
        reading.inbox.get()()

    reading.wait_for_messages(MOST_WAITING)

    assert reading.heard == [str(number) for number in range(1000)]
    reading.streams.close()


def test_a_stream_that_is_closed_waits_no_longer() -> None:
    reading = Reading()
    reading.wait_for_messages(1 + MOST_WAITING)
    assert reading.thread is not None

    reading.streams.close()
    reading.thread.join(5)

    assert reading.inbox.qsize() == 1 + MOST_WAITING
    assert not any(
        thread.name.startswith("stream-") for thread in threading.enumerate()
    )
