"""For how long something stood still, as seen by one who may stand still as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clockd import clock
from clockd.lease import GAP_S, STALE_S, Stillness

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Give the means to let time pass, on a clock of the test's own."""
    now = [1000.0]
    monkeypatch.setattr(clock, "boottime", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def watch(still: Stillness, advance: Callable[[float], None], seconds: int) -> float:
    """Look every second; return what the last look says."""
    for _ in range(seconds):
        advance(1)
        still.see("beat 7")
    return still.see("beat 7")


def test_what_does_not_move_stands_still_for_as_long_as_it_is_watched(
    advance: Callable[[float], None],
) -> None:
    still = Stillness()

    assert still.see("beat 7") == 0
    assert watch(still, advance, 10) == STALE_S


def test_what_moves_does_not_stand_still(advance: Callable[[float], None]) -> None:
    still = Stillness()
    watch(still, advance, 9)
    advance(1)

    assert still.see("beat 8") == 0


def test_time_in_which_the_watcher_itself_was_frozen_does_not_count(
    advance: Callable[[float], None],
) -> None:
    still = Stillness()
    watch(still, advance, 9)

    advance(GAP_S + 1)

    assert still.see("beat 7") == 0
    assert watch(still, advance, 10) == STALE_S


def test_time_in_which_the_watcher_was_busy_counts(
    advance: Callable[[float], None],
) -> None:
    still = Stillness()
    still.see("beat 7")

    advance(STALE_S)
    still.stay()

    assert still.see("beat 7") == STALE_S


def test_what_could_not_be_seen_for_a_moment_is_watched_anew(
    advance: Callable[[float], None],
) -> None:
    still = Stillness()
    watch(still, advance, 9)

    still.forget()

    assert still.see("beat 7") == 0
