"""What the clock is told: orders, and the signals that give them."""

from __future__ import annotations

import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from clockd.signals import SIGNALS, listen
from clockd.tenure import Orders
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Listen to signals; give what is heard."""
    heard: list[int] = []
    undo = listen(heard.append)
    yield heard
    undo()


def test_a_stop_ends_the_waiting_at_once() -> None:
    orders = Orders()
    orders.stop()

    assert orders.wait() is False


def test_the_file_is_to_be_read_again_once_per_order() -> None:
    orders = Orders()
    orders.read_again()

    assert orders.wait() is True
    assert [orders.take_reload(), orders.take_reload()] == [True, False]


def test_who_was_deposed_is_no_longer_in_charge() -> None:
    orders = Orders()
    orders.depose()

    assert orders.wait() is False


@pytest.mark.parametrize("number", sorted(SIGNALS), ids=lambda number: number.name)
def test_a_signal_is_heard(heard: list[int], number: signal.Signals) -> None:
    signal.raise_signal(number)

    wait_until(lambda: heard == [number])


def test_a_signal_may_set_what_the_main_thread_is_about_to_wait_for() -> None:
    wanted = threading.Event()
    undo = listen(lambda _number: wanted.set())
    try:
        with wanted._cond:  # type: ignore[attr-defined]  # held so inside `wait`
            signal.raise_signal(signal.SIGTERM)
        assert wanted.wait(5)
    finally:
        undo()


def test_an_error_while_it_is_told_does_not_deafen_it() -> None:
    heard: list[int] = []

    def hear(number: int) -> None:
        heard.append(number)
        raise ValueError("an error")

    undo = listen(hear)
    try:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        wait_until(lambda: heard == [signal.SIGHUP, signal.SIGTERM])
    finally:
        undo()


def test_children_take_signals_as_they_always_do(heard: list[int]) -> None:
    child = subprocess.Popen(["/bin/sh", "-c", "kill -TERM $$; sleep 5"])

    assert child.wait(10) == -signal.SIGTERM
    assert heard == []


def test_everything_is_as_before_when_it_is_undone() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    listen(lambda _number: None)()

    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert signal.set_wakeup_fd(-1) == -1
