"""Time: it follows a jump of the wall clock only once that has lasted."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from clockd import clock
from clockd.clock import LASTS_S, STEP_S, Jump, Steady

DAY = 86_400.0


@dataclass
class Clocks:
    """Both clocks of a machine, turned by hand."""

    boot: float = 1000.0
    ahead: float = 1.8e9

    def steady(self) -> Steady:
        return Steady(lambda: self.boot + self.ahead, lambda: self.boot)

    @property
    def wall(self) -> float:
        return self.boot + self.ahead


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_time_goes_on_as_the_wall_clock_does(clocks: Clocks) -> None:
    steady = clocks.steady()

    clocks.boot += 3600

    assert steady.now() == clocks.wall
    assert steady.jumps() == []


@pytest.mark.parametrize("step", [-STEP_S, -0.5, 0.002, STEP_S])
def test_a_step_is_followed_at_once(clocks: Clocks, step: float) -> None:
    steady = clocks.steady()

    clocks.ahead += step

    assert steady.now() == clocks.wall
    assert steady.jumps() == []


@pytest.mark.parametrize("by", [-DAY, -61.0, 61.0, DAY])
def test_a_jump_is_followed_once_it_has_lasted(clocks: Clocks, by: float) -> None:
    steady = clocks.steady()
    clocks.ahead += by
    assert steady.now() == clocks.wall - by

    clocks.boot += LASTS_S - 1
    assert steady.now() == clocks.wall - by
    clocks.boot += 1
    assert steady.now() == clocks.wall

    assert steady.jumps() == [Jump(by), Jump(by, followed=True)]
    assert steady.jumps() == []


@pytest.mark.parametrize("by", [-DAY, DAY])
def test_a_jump_that_is_undone_has_never_been(clocks: Clocks, by: float) -> None:
    steady = clocks.steady()
    clocks.ahead += by
    steady.now()
    clocks.boot += LASTS_S / 2
    clocks.ahead -= by

    assert steady.now() == clocks.wall
    clocks.boot += LASTS_S
    assert steady.now() == clocks.wall
    assert steady.jumps() == [Jump(by), Jump(by, undone=True)]


def test_a_second_jump_has_to_last_by_itself(clocks: Clocks) -> None:
    steady = clocks.steady()
    clocks.ahead += DAY
    steady.now()
    clocks.boot += LASTS_S - 1
    clocks.ahead += DAY
    before = clocks.wall - 2 * DAY

    assert steady.now() == before
    clocks.boot += 2
    assert steady.now() == before + 2
    clocks.boot += LASTS_S
    assert steady.now() == clocks.wall


def test_steps_while_a_jump_has_to_last_do_not_start_it_anew(clocks: Clocks) -> None:
    steady = clocks.steady()
    clocks.ahead += DAY
    steady.now()
    for _ in range(3):
        clocks.boot += LASTS_S / 3
        clocks.ahead += 1
        steady.now()

    assert steady.now() == clocks.wall


def test_a_machine_that_slept_has_not_jumped(clocks: Clocks) -> None:
    steady = clocks.steady()

    clocks.boot += DAY

    assert steady.now() == clocks.wall
    assert steady.jumps() == []


def test_only_who_asks_for_it_gets_steady_time(monkeypatch: pytest.MonkeyPatch) -> None:
    real, ahead = time.time, [DAY]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])

    with clock.steadied():
        ahead[0] = 0
        assert clock.now().timestamp() == pytest.approx(real() + DAY, abs=5)
        assert [jump.by_s for jump in clock.jumps()] == [pytest.approx(-DAY, abs=5)]

    assert clock.now().timestamp() == pytest.approx(real(), abs=5)
    assert clock.jumps() == []
