"""How long PostgreSQL is waited for: a thread at a time, in seconds.

A server that accepts but does not answer would hold a caller for ever: neither its own
time limits nor those of TCP end that wait. Together these keep a call within 15 s.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: To get a working connection may take so long, from the pool or anew.
CONNECT_S = 6.0
#: Whether one still works is asked of it for so long: then there is time for another.
PING_S = 3.0
#: A statement that has not been answered for so long never will be. The server itself
#: gives up a second earlier: then it says so, and goes on with nothing.
ANSWER_S = 8.0
#: Who had to wait for a connection gets at least this long to use it.
LEAST_S = 0.5


class _Patience(threading.local):
    connected_by: float | None = None  #: while it gets a connection
    answer_s: float | None = None  #: for statements that take more than usual


_patience = _Patience()


@contextlib.contextmanager
def connecting() -> Iterator[None]:
    """Bound the time in which this thread gets a connection."""
    _patience.connected_by = time.monotonic() + CONNECT_S
    try:
        yield
    finally:
        _patience.connected_by = None


@contextlib.contextmanager
def answering(seconds: float | None) -> Iterator[None]:
    """Let this thread's statements take so long; None leaves it at `ANSWER_S`."""
    _patience.answer_s = seconds
    try:
        yield
    finally:
        _patience.answer_s = None


def answer_within_s() -> float:
    """Return how long this thread's next answer may take."""
    if _patience.connected_by is None:
        return _patience.answer_s or ANSWER_S
    return min(connect_within_s(), PING_S)


def connect_within_s() -> float:
    """Return how long a new connection for this thread may take."""
    if _patience.connected_by is None:
        return CONNECT_S
    # Not `clock.boottime`: in tests it leaps.
    return max(_patience.connected_by - time.monotonic(), LEAST_S)
