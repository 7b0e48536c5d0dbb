"""What stands in for clockd's threads: everything happens when the machine says so.

Each has the interface of the class it replaces. Nothing here decides anything.
"""

from __future__ import annotations

import threading
import traceback
from concurrent.futures import Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from clockd import events, failpoints, launch, lease
from clockd.errors import RunnerError
from clockd.watch import breaker, questions, streams, watcher
from clockd.watch.inbox import Inbox
from clockd.watch.streams import HISTORY_LINES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    import pytest

    from clockd.runner import Runner
    from clockd.watch.streams import StreamKey, StreamListener


class Killed(BaseException):
    """The process that was at work is gone, with all it had in memory."""


class TurnedInbox(Inbox):
    """Messages that are run when the watcher has its turn."""

    def run_for(self, timeout_s: float, stopping: threading.Event) -> None:
        """Run what is here."""
        del timeout_s, stopping
        self._run_again()
        self.run_rest()


class Pool:
    """A pool whose work is done when the machine says so."""

    def __init__(self, *_: object, **__: object) -> None:
        self._waiting: list[tuple[Future[None], Callable[[], None]]] = []
        self._closed = False

    def submit(self, work: Callable[[], None]) -> Future[None]:
        """Keep work until `run`."""
        if self._closed:
            raise RuntimeError("the pool is closed")
        future: Future[None] = Future()
        self._waiting.append((future, work))
        return future

    def run(self) -> None:
        """Do what waits, oldest first."""
        while self._waiting:
            future, work = self._waiting.pop(0)
            future.set_running_or_notify_cancel()
            work()
            future.set_result(None)

    def shutdown(self, *, wait: bool, cancel_futures: bool = False) -> None:
        """Take nothing more; what waits is done, or cancelled."""
        del wait
        self._closed = True
        if not cancel_futures:
            self.run()
        while self._waiting:
            self._waiting.pop(0)[0].cancel()


class TurnedStream:
    """A log stream that is read when the machine says so."""

    def __init__(
        self,
        key: StreamKey,
        runner: Runner,
        listener: StreamListener,
        resume: Mapping[str, int],
    ) -> None:
        del resume  # dynos' lines carry the platform's time
        self.key = key
        self._runner = runner
        self._listener = listener
        self._stream: Any = None

    def start(self) -> None:
        """Wait for `read`."""

    def close(self) -> None:
        """Read no more."""
        self._stream = None

    def line_taken(self) -> None:
        """Do nothing: there is room enough."""

    def read(self) -> None:
        """Pass on what has come; open the stream where it is not open."""
        try:
            if self._stream is None:
                self._stream = self._runner.follow(
                    self.key.app, self.key.process_type, lines=HISTORY_LINES
                )
                self._listener.opened()
            for line in self._stream:
                self._listener.line(line)
        except RunnerError:
            self._stream = None
            self._listener.lost()


class OneTurn(threading.Event):
    """Lets a loop that waits for it go round once."""

    def __init__(self) -> None:
        super().__init__()
        self._turns = 1

    def wait(self, timeout: float | None = None) -> bool:
        """Return False once."""
        del timeout
        self._turns -= 1
        return self._turns < 0


class _NoThread:
    """A thread whose rounds the machine makes."""

    def __init__(self, **_: object) -> None:
        pass

    def start(self) -> None:
        """Start nothing."""

    def join(self, timeout: float) -> None:
        """Wait for nothing."""


class _AtOnce:
    """A thread that has done its work when it was started."""

    def __init__(self, *, target: Callable[[], None], **_: object) -> None:
        self._target = target

    def start(self) -> None:
        """Do the work."""
        self._target()


def install(patch: pytest.MonkeyPatch) -> None:
    """Put the stand-ins in the places of threads, pools and queues."""
    patch.setattr(watcher, "Inbox", TurnedInbox)
    patch.setattr(questions, "ThreadPoolExecutor", Pool)
    patch.setattr(launch, "ThreadPoolExecutor", Pool)
    patch.setattr(streams, "StreamThread", TurnedStream)
    no_threads = SimpleNamespace(Thread=_NoThread, Event=threading.Event)
    patch.setattr(lease, "threading", no_threads)
    patch.setattr(breaker, "threading", SimpleNamespace(Thread=_AtOnce))
    # Each world sets its own.
    patch.setattr(failpoints, "reach", failpoints.reach)


class Complaints:
    """A log processor that keeps what a thread could not cope with, and no more."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __call__(
        self, _logger: object, _name: str, told: MutableMapping[str, Any]
    ) -> str:
        """Keep a line if it tells of an error that nobody expected."""
        if told["event"] == events.THREAD_FAILED:
            self.heard.append(traceback.format_exc())
        return ""
