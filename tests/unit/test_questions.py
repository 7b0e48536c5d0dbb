"""Requests to the platform: a stop never waits for anything else."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from clockd.watch.questions import Questions

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_stop_is_asked_for_while_all_else_hangs() -> None:
    inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    questions = Questions(inbox.put)
    go_on = threading.Event()
    answers: list[str] = []
    try:
        for _ in range(10):
            questions.ask(lambda: go_on.wait(10), lambda _: None, lambda: None)
        questions.ask(lambda: "stopped", answers.append, lambda: None, is_stop=True)
        inbox.get(timeout=10)()
        assert answers == ["stopped"]
    finally:
        go_on.set()
        questions.close(5)


def test_a_list_is_asked_for_while_stops_hang() -> None:
    inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    questions = Questions(inbox.put)
    go_on = threading.Event()
    answers: list[str] = []
    try:
        for _ in range(10):
            questions.ask(
                lambda: go_on.wait(10), lambda _: None, lambda: None, is_stop=True
            )
        questions.ask(lambda: "listed", answers.append, lambda: None)
        inbox.get(timeout=10)()
        assert answers == ["listed"]
    finally:
        go_on.set()
        questions.close(5)
