"""What every test stands on: a clean environment and two kinds of database."""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres import PostgresServer, end_shared_server, shared_server

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Tells the workers of a session where the controller keeps its state, and who it is.
_SESSION = "TEST_SESSION_STATE"
_CLEAN_OF = (
    *("CLOCKD_", "HEROKU_", "DATABASE_URL", "DYNO", "PG"),
    *("COLUMNS", "NO_COLOR", "FORCE_COLOR"),
)


def pytest_configure(config: pytest.Config) -> None:
    """Forget what the shell that runs the tests has set for the real clockd."""
    for name in [name for name in os.environ if name.startswith(_CLEAN_OF)]:
        del os.environ[name]
    if not _is_worker(config):
        state = Path(tempfile.gettempdir(), f"clockd-tests-{uuid.uuid4().hex[:12]}")
        os.environ[_SESSION] = f"{os.getpid()}:{state}"


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the session shared."""
    if not _is_worker(config):
        end_shared_server(_session()[1])


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what one test sets from the next."""
    for name in [name for name in os.environ if name.startswith(_CLEAN_OF)]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """Give the server that all tests share; use a database of your own on it."""
    owner, state = _session()
    return shared_server(state, owner=owner)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the URL of a fresh PostgreSQL database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the URL of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'clockd.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of a fresh database, of each kind in turn."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def private_postgres() -> Iterator[PostgresServer]:
    """Give a server of the test's own, to stop, start and kill."""
    with PostgresServer.create() as server:
        yield server


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _session() -> tuple[int, Path]:
    owner, _, state = os.environ[_SESSION].partition(":")
    return int(owner), Path(state)
