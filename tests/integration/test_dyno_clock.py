"""How far our clock is ahead of the platform's, as its answers show."""

from __future__ import annotations

import itertools
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from clockd import clock
from clockd.dyno import HerokuRunner
from tests.support.scripted_server import Act, Request, ScriptedServer, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

APP = "sharp-mountain-4005"


def dated(at: datetime) -> Act:
    """Answer with an empty list, given at an instant of the platform's clock."""
    return answer(200, [], headers={"Date": format_datetime(at, usegmt=True)})


class Platform:
    """A platform whose clock is behind ours."""

    def __init__(self) -> None:
        self.behind_s = 0.0
        self.act: Act | None = None

    def choose(self, _request: Request) -> Act:
        return self.act or dated(clock.now() - timedelta(seconds=self.behind_s))


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def runner(platform: Platform) -> Iterator[HerokuRunner]:
    with ScriptedServer(script=platform.choose) as server:
        runner = HerokuRunner(
            "planted-key-0123456789", api_url=server.url, connect_s=10, read_s=10
        )
        yield runner
        runner.close()


def test_nobody_knows_before_the_first_answer(runner: HerokuRunner) -> None:
    assert runner.skew_s is None


@pytest.mark.parametrize("behind_s", [0.0, 10.0, -3600.0], ids=["true", "fast", "slow"])
def test_the_time_of_an_answer_tells_it(
    platform: Platform, runner: HerokuRunner, behind_s: float
) -> None:
    platform.behind_s = behind_s
    runner.dynos(APP)

    # To half a second, as answers bear whole ones; a busy machine adds a little.
    assert runner.skew_s == pytest.approx(behind_s, abs=0.8)


def test_an_answer_without_a_time_tells_nothing(
    platform: Platform, runner: HerokuRunner
) -> None:
    platform.behind_s = 60.0
    runner.dynos(APP)
    platform.act = answer(200, [])
    runner.dynos(APP)

    assert runner.skew_s == pytest.approx(60.0, abs=0.8)


def test_a_jump_of_our_clock_is_known_before_the_next_answer(
    platform: Platform, runner: HerokuRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.dynos(APP)
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(days=1))

    assert runner.skew_s == pytest.approx(86_400.0, abs=0.8)


def test_an_answer_that_took_long_tells_nothing(
    platform: Platform, runner: HerokuRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.behind_s = 60.0
    ticks = itertools.count(step=3)
    monkeypatch.setattr(clock, "boottime", lambda: float(next(ticks)))
    runner.dynos(APP)

    assert runner.skew_s is None
