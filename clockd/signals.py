"""Hears signals in a thread of its own.

A handler that interrupts the main thread may do next to nothing: what it wants to set
may be locked by the very thread it interrupts.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import structlog

from clockd import events

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

#: What is listened to.
SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

log = structlog.get_logger()


def listen(heard: Callable[[int], None]) -> Callable[[], None]:
    """Have `heard` called with the number of every signal of `SIGNALS`.

    In a thread of its own, at once: the main thread may be deep inside the database,
    and a handler that interrupts it may do next to nothing. Called from the main
    thread; returns what undoes it.
    """
    ours, kernels = os.pipe()
    os.set_blocking(kernels, False)
    thread = threading.Thread(
        target=_hear_all, args=(ours, heard), name="signals", daemon=True
    )
    thread.start()
    fd = signal.set_wakeup_fd(kernels, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _do_nothing) for number in SIGNALS}

    def undo() -> None:
        signal.set_wakeup_fd(fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(kernels)
        thread.join()
        os.close(ours)

    return undo


def _hear_all(ours: int, heard: Callable[[int], None]) -> None:
    while numbers := os.read(ours, 64):
        for number in SIGNALS & set(numbers):
            try:
                heard(number)
            except Exception:
                log.exception(events.THREAD_FAILED, thread="signals")


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Let the number be written; children get the default back when they begin."""
