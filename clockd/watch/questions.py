"""Asks the platform questions in threads of their own and posts the answers back.

Stops have threads that nothing else uses: lists and logs of a platform that hangs must
not hold them up.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

import structlog

from clockd import events
from clockd.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable

_THREADS = 4

T = TypeVar("T")
log = structlog.get_logger()


class Questions:
    """A few threads for requests that may block.

    Args:
        post: Hands a message to the thread that wants the answers.
    """

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="platform")
        self._stops = ThreadPoolExecutor(_THREADS, thread_name_prefix="stop")
        self._asked: set[Future[None]] = set()
        self._lock = threading.Lock()
        self._failing = False

    def ask(
        self,
        question: Callable[[], T],
        answered: Callable[[T], None],
        failed: Callable[[], None],
        *,
        is_stop: bool = False,
    ) -> None:
        """Ask, and post `answered` with the answer, or `failed`."""

        def work() -> None:
            try:
                answer = question()
            except RunnerError as error:
                # An outage is told of once; it fails every question.
                tell = log.debug if self._failing else log.warning
                tell(events.PLATFORM_FAILED, reason=error.message)
                self._failing = True
                self._post(failed)
            except Exception:
                log.exception(events.THREAD_FAILED, thread="platform")
                self._post(failed)
            else:
                self._failing = False
                self._post(lambda: answered(answer))

        try:
            asked = (self._stops if is_stop else self._pool).submit(work)
        except RuntimeError:
            return  # closed: nobody waits for the answer
        with self._lock:
            self._asked.add(asked)
        asked.add_done_callback(self._forget)

    def _forget(self, asked: Future[None]) -> None:
        with self._lock:
            self._asked.discard(asked)

    def close(self, timeout_s: float) -> None:
        """Take no more questions, and give those that were asked a moment.

        They are carried out even if that takes longer: a stop may be among them. What
        is answered now is dropped.
        """
        for pool in (self._pool, self._stops):
            pool.shutdown(wait=False)
        with self._lock:
            asked = list(self._asked)
        wait(asked, timeout_s)
