from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clockd import clock
from clockd.admission import is_late
from clockd.model import Cause, Hold, Run, RunState, ScheduleKind, Trigger
from clockd.pace import (
    FULL,
    LISTS_LAST_S,
    LISTS_S,
    LISTS_SCARCE_S,
    REFILL_PER_S,
    SPARING,
    SPREAD,
    Allowance,
    Pace,
    between_lists_s,
)

PLENTY, LITTLE = Allowance(4000, 0.0), Allowance(0, 0.0)
NOW = clock.from_epoch(1_790_000_000)


def let_through(
    late: list[bool], left: Allowance | None, seconds: float
) -> list[tuple[float, int]]:
    """Ask as the dispatcher does, oldest first; return who went when."""
    pace, gone = Pace(), []
    again = dict.fromkeys(range(len(late)), 0.0)
    instants = [0.0]
    while (now := min(again.values(), default=seconds)) < seconds:
        pace.begin()
        allowance = left and replace(left, told_at=now)
        for number in sorted(n for n, at in again.items() if at <= now):
            slow = pace.take(allowance, now, late=late[number])
            if slow is None:
                gone.append((now, number))
                del again[number]
            else:
                again[number] = now + slow.wait_s
        instants.append(now)
    assert len(instants) <= 2 * len(late) + 2, "looked at too often"
    return gone


@pytest.mark.parametrize("left", [None, PLENTY], ids=["unknown", "plenty"])
def test_launches_on_time_are_never_held_up_while_plenty_is_left(
    left: Allowance | None,
) -> None:
    assert let_through([False] * 1000, left, 0.1) == [(0.0, n) for n in range(1000)]


def test_late_launches_go_a_few_at_a_time_in_their_order() -> None:
    gone = let_through([True] * 100, PLENTY, 60)

    assert [number for _, number in gone] == list(range(100))
    assert sum(at == 0 for at, _ in gone) == 10
    assert 17 < gone[-1][0] < 20


def test_launches_on_time_pass_late_ones() -> None:
    both = [True] * 50 + [False] * 50
    gone = {number: at for at, number in let_through(both, PLENTY, 60)}

    assert all(gone[number] == 0 for number in range(50, 100))
    assert gone[49] > 5


def test_when_little_is_left_launches_keep_to_the_refill() -> None:
    gone = let_through([False] * 200, LITTLE, 100)

    assert 100 <= len(gone) <= 0.8 * REFILL_PER_S * 100 + 5
    assert [number for _, number in gone] == sorted(number for _, number in gone)


def test_when_little_is_left_late_launches_yield() -> None:
    gone = let_through([True] * 30 + [False] * 30, LITTLE, 120)
    first = [number for _, number in gone[:31]]

    assert sum(number >= 30 for number in first) >= 29
    assert len(gone) == 60


def test_what_is_left_grows_with_the_refill_and_not_beyond_the_pool() -> None:
    allowance = Allowance(100, 50.0)

    assert allowance.left_at(50.0) == 100
    assert allowance.left_at(110.0) == 175
    assert allowance.left_at(40.0) == 100
    assert allowance.left_at(1e6) == FULL


@pytest.mark.parametrize(
    ("left", "spacing_s"),
    [
        (None, LISTS_S),
        (4500, LISTS_S),
        (900, LISTS_S),
        (899, LISTS_SCARCE_S),
        (75, LISTS_SCARCE_S),
        (74, LISTS_LAST_S),
        (0, LISTS_LAST_S),
    ],
)
def test_the_less_is_left_the_more_lists_yield_to_launches(
    left: int | None, spacing_s: float
) -> None:
    allowance = None if left is None else Allowance(left, 0.0)

    assert between_lists_s(allowance, 0.0) == spacing_s


def waiting(**changes: object) -> Run:
    values: dict[str, object] = {"fire_time": NOW, "not_before": NOW, **changes}
    trigger = Trigger(
        slug="t", command="t", schedule_kind=ScheduleKind.CRON, expression="* * * * *"
    )
    run = Run(
        id=1,
        trigger_id=trigger.uuid,
        trigger=trigger,
        cause=Cause.SCHEDULED,
        state=RunState.WAITING,
        claimed_at=NOW,
    )
    return replace(run, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("run", "late_s", "late"),
    [
        (waiting(), 0, False),
        (waiting(), 60, False),
        (waiting(), 61, True),
        (waiting(fire_time=None), 61, True),
        (waiting(hold=Hold.BACKOFF, reason="away"), 5, True),
        (waiting(hold=Hold.BACKOFF, reason=SPREAD), 5, True),
        (waiting(hold=Hold.BACKOFF, reason=SPARING), 5, False),
        (waiting(hold=Hold.RETRY, attempt=1), 600, False),
        (waiting(released_at=NOW + timedelta(seconds=590)), 600, False),
    ],
    ids=[
        *("due", "within its minute", "after its minute", "by hand"),
        *("held by an outage", "spread", "spared", "retried", "queued"),
    ],
)
def test_late_is_what_waited_for_the_platform(
    run: Run, late_s: int, late: bool
) -> None:
    assert is_late(run, NOW + timedelta(seconds=late_s)) is late
