"""What others tell the watcher: messages that its thread runs one after the other."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events
from clockd.errors import StoreUnavailable

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

#: A message that needed a database which was away is run again after this long.
AGAIN_S = 1.0

log = structlog.get_logger()


class Inbox:
    """Messages in the order they came; `put` may be called from any thread."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._again: list[tuple[float, Callable[[], None]]] = []

    def put(self, message: Callable[[], None]) -> None:
        """Have a message run by the watcher's thread."""
        self._messages.put(message)

    def run_for(self, timeout_s: float, stopping: threading.Event) -> None:
        """Run messages as they come, until the time is up or a stop is asked for."""
        until = clock.boottime() + timeout_s
        while not stopping.is_set():
            self._run_again()
            wait_s = min([until, *(at for at, _ in self._again)]) - clock.boottime()
            if clock.boottime() >= until:
                return
            try:
                message = self._messages.get(timeout=max(wait_s, 0.0))
            except queue.Empty:
                continue
            self._run(message)

    def run_rest(self) -> None:
        """Run what is here by now, and nothing that comes later."""
        for _ in range(self._messages.qsize()):
            self._run(self._messages.get())

    def _run_again(self) -> None:
        now = clock.boottime()
        due = [message for at, message in self._again if at <= now]
        self._again = [(at, message) for at, message in self._again if at > now]
        for message in due:
            self._run(message)

    def _run(self, message: Callable[[], None]) -> None:
        """Run a message; what it says must not be lost while the database is away."""
        try:
            message()
        except StoreUnavailable as error:
            log.warning(events.STORE_FAILED, reason=error.message)
            self._again.append((clock.boottime() + AGAIN_S, message))
        except Exception:
            log.exception(events.THREAD_FAILED, thread="watcher")
