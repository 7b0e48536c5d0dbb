"""What several integration tests stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clockd.watch import watcher
from tests.fakes.heroku import FakeHeroku
from tests.support.bench import Bench, Time
from tests.support.dispatching import Clockwork
from tests.support.scripted import BootClock
from tests.support.stores import Books, open_books
from tests.support.watching import World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def world(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a watcher whose platform and time obey the test."""
    monkeypatch.setattr(watcher, "TICK_S", 0.002)
    world = World(sqlite_url, BootClock(monkeypatch))
    yield world
    world.close()


@pytest.fixture
def work(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clockwork]:
    """Give an active clock whose platform and time obey the test."""
    work = Clockwork(database_url, BootClock(monkeypatch))
    yield work
    work.close()


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    """Give an open store that is the clock, on each kind of database in turn."""
    with open_books(database_url) as books:
        yield books


@pytest.fixture
def bench(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Give a clock at work over a fake Heroku; time obeys the test."""
    monkeypatch.setattr(watcher, "TICK_S", 0.01)
    apps = ("sharp-mountain-4005", "calm-river-1729")
    with FakeHeroku(apps=apps) as fake:
        bench = Bench(sqlite_url, fake, Time(monkeypatch, fake))
        yield bench
        bench.close()
