"""What tests of whole processes stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.heroku import FakeHeroku
from tests.support.clockd import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Give a folder in which tasks are local processes."""
    home = Home(tmp_path)
    yield home
    home.close()


@pytest.fixture
def fake() -> Iterator[FakeHeroku]:
    """Give a platform."""
    with FakeHeroku() as fake:
        yield fake


@pytest.fixture
def heroku(tmp_path: Path, fake: FakeHeroku) -> Iterator[Home]:
    """Give a folder in which tasks are dynos of `fake`."""
    home = Home(tmp_path, fake.environ())
    yield home
    home.close()
