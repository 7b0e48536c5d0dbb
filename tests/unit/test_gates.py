from __future__ import annotations

import pytest

from clockd.gates import Gates
from clockd.model import Hold
from clockd.runner import Unavailable

APP, OTHER = "one", "two"


def refuse(gates: Gates, kind: Unavailable, now: float = 0.0) -> float:
    return gates.refuse(APP, kind, now=now, retry_after_s=None).wait_s


def test_launches_go_out_while_nothing_is_wrong() -> None:
    assert Gates().admit(APP, 0.0) is None


@pytest.mark.parametrize(
    ("kind", "for_all"),
    [
        (Unavailable.CONNECTION, True),
        (Unavailable.RATE_LIMITED, True),
        (Unavailable.UNAUTHORIZED, True),
        (Unavailable.FORBIDDEN, False),
        (Unavailable.CONFLICT, False),
        (Unavailable.OVER_LIMIT, False),
    ],
)
def test_a_refusal_closes_the_gate_of_whom_it_concerns(
    kind: Unavailable, for_all: bool
) -> None:
    gates = Gates()
    refuse(gates, kind)

    assert gates.admit(APP, 0.5) is not None
    assert (gates.admit(OTHER, 0.5) is not None) is for_all


def test_waits_double_and_stay_within_a_minute() -> None:
    gates, now, waits = Gates(), 0.0, []
    for _ in range(9):
        waits.append(refuse(gates, Unavailable.CONNECTION, now))
        now += waits[-1]

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_refusals_of_launches_that_went_out_together_count_once() -> None:
    gates = Gates()
    waits = [refuse(gates, Unavailable.CONNECTION, now) for now in (0.0, 0.1, 0.2)]

    assert waits == [1.0, 0.9, 0.8]
    assert refuse(gates, Unavailable.CONNECTION, 1.0) == 2.0


def test_the_platforms_own_word_counts_where_it_is_longer() -> None:
    closed = Gates().refuse(APP, Unavailable.RATE_LIMITED, now=0.0, retry_after_s=45.0)

    assert closed.wait_s == 45.0


def test_one_probe_goes_first_when_the_platform_may_be_back() -> None:
    gates = Gates()
    wait_s = refuse(gates, Unavailable.CONNECTION)

    assert gates.admit(APP, wait_s + 0.1) is None
    assert gates.admit(OTHER, wait_s + 0.1) is not None

    gates.report(APP, wait_s + 0.2)
    assert [gates.admit(a, wait_s + 0.3) for a in (APP, OTHER)] == [None, None]


def test_want_of_room_is_a_place_in_line_and_an_ended_run_lets_one_try() -> None:
    gates = Gates()
    closed = gates.refuse(APP, Unavailable.OVER_LIMIT, now=0.0, retry_after_s=None)
    assert closed.hold is Hold.LINE
    assert gates.admit(APP, 5.0) is not None

    gates.made_room(APP)

    assert gates.admit(APP, 5.0) is None
    assert gates.admit(APP, 5.0) is not None


def test_a_refused_probe_closes_the_gate_again() -> None:
    gates = Gates()
    wait_s = refuse(gates, Unavailable.CONNECTION)
    assert gates.admit(APP, wait_s) is None

    refuse(gates, Unavailable.CONNECTION, wait_s)

    assert gates.admit(APP, wait_s + 1.0) is not None
    assert gates.admit(APP, wait_s + 2.0) is None
