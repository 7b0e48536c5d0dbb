from __future__ import annotations

import threading
from typing import Any

import pytest
from structlog.testing import capture_logs

from clockd import clock, events
from clockd.errors import StoreUnavailable
from clockd.watch.breaker import QUIET_S, RETRY_S, Breaker
from tests.support.waiting import wait_until

GONE = StoreUnavailable("gone", hint="look")


class Time:
    def __init__(self) -> None:
        self.now = 1000.0


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(clock, "boottime", lambda: time.now)
    return time


def told(logs: list[Any]) -> list[str]:
    return [line["event"] for line in logs]


def test_a_database_that_failed_is_left_alone_for_a_moment(time: Time) -> None:
    breaker = Breaker()
    assert not breaker.tripped

    breaker.trip(GONE)

    assert breaker.tripped
    with pytest.raises(StoreUnavailable):
        breaker.check()
    time.now += RETRY_S
    assert not breaker.tripped


def test_a_failing_database_is_told_of_once_and_its_return_too(time: Time) -> None:
    breaker = Breaker(during="dispatch")
    with capture_logs() as logs:
        for _ in range(10):
            breaker.trip(GONE)
            time.now += RETRY_S
        time.now += QUIET_S
        breaker.worked()
        breaker.worked()

    assert told(logs) == [events.STORE_FAILED, events.STORE_RECOVERED]
    assert (logs[0]["log_level"], logs[0]["during"]) == ("error", "dispatch")
    assert (logs[0]["reason"], logs[0]["hint"]) == ("gone", "look")
    assert logs[1]["lasted_s"] == 25.0


def test_a_database_of_which_only_a_part_works_is_not_well_again(time: Time) -> None:
    breaker = Breaker()
    with capture_logs() as logs:
        for _ in range(10):
            breaker.trip(GONE)
            time.now += RETRY_S
            breaker.worked()

    assert told(logs) == [events.STORE_FAILED]


def test_nothing_is_asked_before_a_thread_of_its_own_had_an_answer(time: Time) -> None:
    breaker, asked, answer = Breaker(), threading.Event(), threading.Event()

    def probe() -> None:
        asked.set()
        answer.wait(10)

    breaker.probe = probe
    breaker.trip(GONE)
    assert not asked.is_set()

    time.now += 10 * RETRY_S
    assert breaker.tripped
    assert asked.wait(10)
    assert breaker.tripped

    answer.set()
    wait_until(lambda: not breaker.tripped)


def test_a_probe_that_fails_leaves_the_database_alone_again(time: Time) -> None:
    breaker, calls = Breaker(), []

    def probe() -> None:
        calls.append(time.now)
        raise StoreUnavailable("still gone")

    breaker.probe = probe
    breaker.trip(GONE)
    for tries in (1, 2):
        time.now += RETRY_S
        wait_until(lambda n=tries: breaker.tripped and len(calls) == n)  # type: ignore[misc]
        wait_until(lambda: not breaker._proving)
        assert breaker.tripped

    breaker.probe = lambda: None
    time.now += RETRY_S
    wait_until(lambda: not breaker.tripped)
