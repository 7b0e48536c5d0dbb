"""Asks the platform questions in threads of their own and posts the answers back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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

    def ask(
        self,
        question: Callable[[], T],
        answered: Callable[[T], None],
        failed: Callable[[], None],
    ) -> None:
        """Ask, and post `answered` with the answer, or `failed`."""

        def work() -> None:
            try:
                answer = question()
            except RunnerError as error:
                log.warning(events.PLATFORM_FAILED, reason=error.message)
                self._post(failed)
            except Exception:
                log.exception(events.THREAD_FAILED, thread="platform")
                self._post(failed)
            else:
                self._post(lambda: answered(answer))

        self._pool.submit(work)

    def close(self) -> None:
        """Ask nothing more; answers under way are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
