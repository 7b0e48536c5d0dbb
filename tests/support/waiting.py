"""Waiting for a condition with a deadline, in place of sleeping for luck."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_INTERVAL_S = 0.01


def wait_until(
    predicate: Callable[[], T],
    timeout: float = 10,
    *,
    message: str | Callable[[], str] = "",
) -> T:
    """Call `predicate` until it returns something true, and return that.

    Args:
        predicate: What is waited for; called about a hundred times a second.
        timeout: Seconds after which it is given up.
        message: What was waited for, or a function that tells how far it came.

    Raises:
        AssertionError: The time is up.
    """
    deadline = time.monotonic() + timeout
    while not (found := predicate()):
        if time.monotonic() > deadline:
            told = message() if callable(message) else message
            raise AssertionError(f"not within {timeout:g} s: {told or predicate!r}")
        time.sleep(_INTERVAL_S)
    return found
