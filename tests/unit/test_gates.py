from __future__ import annotations

import pytest

from clockd.gates import Closed, Gates
from clockd.model import Hold
from clockd.runner import Unavailable

APP, OTHER = "one", "two"


def gates(chance: float = 1.0) -> Gates:
    return Gates(lambda: chance)


def refuse(gates: Gates, kind: Unavailable, now: float = 0.0) -> float:
    return gates.refuse(APP, kind, now=now).wait_s


def admit(gates: Gates, app: str, now: float, run_id: int = 0) -> Closed | None:
    closed = gates.look(app, now, run_id=run_id)
    if closed is None:
        gates.enter(app, now)
    return closed


def test_launches_go_out_while_nothing_is_wrong() -> None:
    assert admit(gates(), APP, 0.0) is None


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
    closed = gates()
    refuse(closed, kind)

    assert closed.look(APP, 0.5) is not None
    assert (closed.look(OTHER, 0.5) is not None) is for_all


def test_waits_double_and_stay_within_half_a_minute() -> None:
    closed, now, waits = gates(), 0.0, []
    for _ in range(8):
        waits.append(refuse(closed, Unavailable.CONNECTION, now))
        now += waits[-1]

    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_half_of_a_wait_is_left_to_chance() -> None:
    waits = [refuse(gates(it), Unavailable.RATE_LIMITED) for it in (0.0, 0.5, 1.0)]

    assert waits == [1.0, 1.5, 2.0]


def test_refusals_of_launches_that_went_out_together_count_once() -> None:
    closed = gates()

    def refused(now: float, asked_at: float) -> float:
        kind = Unavailable.CONNECTION
        return closed.refuse(APP, kind, now=now, asked_at=asked_at).wait_s

    assert refused(10.0, 0.0) == 1.0
    # It was under way before the first came back, and took half a minute.
    refused(30.0, 9.0)
    assert refused(31.0, 30.5) == 2.0


def test_what_was_begun_before_a_gate_closed_says_nothing_of_the_probe() -> None:
    closed = gates()
    wait_s = refuse(closed, Unavailable.CONNECTION)
    admit(closed, APP, wait_s)

    closed.refuse(APP, Unavailable.CONNECTION, now=wait_s + 0.1, asked_at=-1.0)
    assert closed.report(APP, wait_s + 0.2, asked_at=-1.0) == []

    assert closed.look(APP, wait_s + 0.3) is not None
    closed.report(APP, wait_s + 0.4, asked_at=wait_s)
    assert closed.look(APP, wait_s + 0.5) is None


def test_the_platforms_own_word_counts_where_it_is_longer() -> None:
    closed = gates().refuse(APP, Unavailable.RATE_LIMITED, now=0.0, retry_after_s=45.0)

    assert closed.wait_s == 45.0


def test_one_probe_goes_first_when_the_platform_may_be_back() -> None:
    closed = gates()
    wait_s = refuse(closed, Unavailable.CONNECTION)

    assert admit(closed, APP, wait_s + 0.1) is None
    assert admit(closed, OTHER, wait_s + 0.1) is not None

    closed.report(APP, wait_s + 0.2)
    assert [admit(closed, a, wait_s + 0.3) for a in (APP, OTHER)] == [None, None]


def test_a_probe_that_takes_long_is_asked_after_less_often() -> None:
    closed = gates()
    wait_s = refuse(closed, Unavailable.CONNECTION)
    admit(closed, APP, wait_s)
    looks = [closed.look(OTHER, wait_s + out_s) for out_s in (0.1, 3.0, 25.0)]

    assert [look.wait_s for look in looks if look] == [1.0, 3.0, 5.0]


@pytest.mark.parametrize("kind", list(Unavailable))
def test_only_a_platform_that_may_not_answer_is_doubtful(kind: Unavailable) -> None:
    closed = gates()
    assert not closed.is_doubtful(APP)

    refuse(closed, kind)

    assert closed.is_doubtful(APP) is (kind is Unavailable.CONNECTION)


def test_a_refused_probe_closes_the_gate_again() -> None:
    closed = gates()
    wait_s = refuse(closed, Unavailable.CONNECTION)
    assert admit(closed, APP, wait_s) is None

    refuse(closed, Unavailable.CONNECTION, wait_s)

    assert admit(closed, APP, wait_s + 1.0) is not None
    assert admit(closed, APP, wait_s + 2.0) is None


# -- want of room --------------------------------------------------------------


def test_want_of_room_is_a_place_in_line_and_an_ended_run_lets_one_try() -> None:
    full = gates()
    closed = full.refuse(APP, Unavailable.OVER_LIMIT, now=0.0)
    assert closed.hold is Hold.LINE
    assert admit(full, APP, 5.0) is not None

    assert full.made_room(APP)

    assert admit(full, APP, 5.0) is None
    assert admit(full, APP, 5.0) is not None


def test_room_is_found_only_by_what_was_begun_after_the_refusal() -> None:
    full = gates()
    full.refuse(APP, Unavailable.OVER_LIMIT, now=5.0)

    assert not full.made_room(APP, asked_at=4.0)
    assert full.look(APP, 6.0) is not None
    assert full.made_room(APP, asked_at=5.5)


def test_there_is_no_room_to_be_made_where_nobody_waits_for_it() -> None:
    closed = gates()
    refuse(closed, Unavailable.CONNECTION)
    refuse(closed, Unavailable.CONFLICT)

    assert not closed.made_room(APP)
    assert not closed.made_room(OTHER)


# -- what is told --------------------------------------------------------------


def test_an_outage_is_told_when_it_lasts_and_once() -> None:
    closed, now, told = gates(), 100.0, []
    for _ in range(6):
        refused = closed.refuse(APP, Unavailable.CONNECTION, now=now)
        told.append(refused.outage)
        now += refused.wait_s

    assert [outage is not None for outage in told] == [False, True, *[False] * 4]
    assert told[1] is not None
    assert (told[1].since, told[1].app) == (100.0, None)
    assert told[1].reason == "the platform cannot be reached"


def test_several_launches_without_an_answer_are_told_of_at_once() -> None:
    closed = gates()

    refused = [
        closed.refuse(
            APP, Unavailable.CONNECTION, now=30.0, asked_at=0.0, unanswered=True
        )
        for _ in range(5)
    ]

    told = [it.outage is not None for it in refused]
    assert told == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("kind", "retry_after_s"),
    [
        (Unavailable.UNAUTHORIZED, None),
        (Unavailable.FORBIDDEN, None),
        (Unavailable.RATE_LIMITED, 60.0),
    ],
)
def test_what_is_long_from_the_start_is_told_at_once(
    kind: Unavailable, retry_after_s: float | None
) -> None:
    closed = gates().refuse(APP, kind, now=0.0, retry_after_s=retry_after_s)

    assert closed.outage is not None
    assert closed.outage.kind is kind


def test_a_refusal_that_is_over_at_once_is_told_neither_way() -> None:
    closed = gates()
    wait_s = refuse(closed, Unavailable.CONNECTION)
    admit(closed, APP, wait_s)

    assert closed.report(APP, wait_s + 0.1) == []


def test_want_of_room_is_no_outage() -> None:
    full = gates()

    refused = [full.refuse(APP, Unavailable.OVER_LIMIT, now=n * 40.0) for n in range(3)]

    assert [it.outage for it in refused] == [None, None, None]


def test_the_end_of_an_outage_says_how_many_runs_waited() -> None:
    closed = gates()
    closed.refuse(APP, Unavailable.UNAUTHORIZED, now=0.0, run_id=1)
    for run_id in (1, 2, 3, 3):
        admit(closed, OTHER, 10.0, run_id)
    assert admit(closed, APP, 31.0, 1) is None

    (over,) = closed.report(APP, 32.0, asked_at=31.0)

    assert (over.kind, over.since, over.waited) == (Unavailable.UNAUTHORIZED, 0.0, 3)


def test_another_reason_in_the_same_outage_is_told_too_and_once() -> None:
    closed, told = gates(), []
    for now in (0.0, 60.0, 120.0, 180.0):
        refused = [
            closed.refuse(APP, kind, now=now + late, retry_after_s=10.0).outage
            for late, kind in enumerate(
                (Unavailable.CONNECTION, Unavailable.UNAUTHORIZED)
            )
        ]
        told += [outage.kind for outage in refused if outage]

    assert told == [Unavailable.CONNECTION, Unavailable.UNAUTHORIZED]
