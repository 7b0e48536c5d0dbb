"""The books follow the clock, whatever others wrote while it was wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from clockd import clock
from clockd.scheduler import make_scheduler
from tests.support.stores import Books, trigger

DAY_S = 86_400.0


@dataclass
class Wall:
    """The machine's wall clock, turned by hand."""

    ahead_s: float = 0.0


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wall]:
    """Give the wall clock of a process whose time is steadied."""
    real, wall = time.time, Wall()
    monkeypatch.setattr(time, "time", lambda: real() + wall.ahead_s)
    with clock.steadied():
        yield wall


def test_a_run_asked_for_during_a_jump_that_was_undone_starts_at_once(
    books: Books, wall: Wall
) -> None:
    scheduler = make_scheduler(
        books.store,
        fence=lambda: books.fence,
        fire=lambda _id, _times: None,
        on_lost=threading.Event().set,
    )
    scheduler.follow_clock()
    wall.ahead_s = DAY_S
    assert clock.now().timestamp() < time.time() - DAY_S / 2
    asked = books.ask(trigger(), clock.now() + timedelta(days=1))

    wall.ahead_s = 0.0
    scheduler.follow_clock()

    assert [run.id for run, _ in books.take(clock.now()).started] == [asked.id]
