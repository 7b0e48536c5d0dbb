"""The PostgreSQL servers that tests use are themselves as promised."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy

from tests.support import pgbouncer, postgres
from tests.support.pgbouncer import running_pgbouncer
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.postgres import PostgresServer


def _tables(url: str) -> list[str]:
    engine = sqlalchemy.create_engine(url)
    try:
        return sqlalchemy.inspect(engine).get_table_names()
    finally:
        engine.dispose()


def _run(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(statement))
    engine.dispose()


@pytest.mark.parametrize("turn", ["first", "second"])
def test_a_test_gets_an_empty_database(database_url: str, turn: str) -> None:
    assert _tables(database_url) == []
    _run(database_url, f"CREATE TABLE left_by_{turn} (id INTEGER)")
    assert _tables(database_url) == [f"left_by_{turn}"]


def test_a_database_is_dropped_though_a_connection_is_open(
    postgres_server: PostgresServer,
) -> None:
    with postgres_server.database() as url:
        name = url.rpartition("/")[2]
        left_open = psycopg.connect(url.replace("+psycopg", ""))
    rows = postgres_server.execute("SELECT datname FROM pg_database")
    left_open.close()

    assert (name,) not in rows


def test_a_private_server_survives_a_stop_and_a_kill(
    private_postgres: PostgresServer,
) -> None:
    private_postgres.execute("CREATE TABLE kept (id INTEGER)")
    url = private_postgres.url()

    private_postgres.stop()
    with pytest.raises(sqlalchemy.exc.OperationalError):
        _tables(url)
    private_postgres.start()
    assert _tables(url) == ["kept"]

    private_postgres.kill()
    private_postgres.start()
    assert _tables(url) == ["kept"]


def test_a_server_ends_with_its_owner() -> None:
    owner = textwrap.dedent("""
        import sys
        from tests.support.postgres import PostgresServer
        server = PostgresServer.create()
        print(server.directory, server.pid, flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", owner], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        directory, pid = process.stdout.readline().decode().split()
        process.kill()

    wait_until(lambda: not Path(directory).exists(), 30, message=directory)
    wait_until(lambda: not _alive(int(pid)), 30, message=pid)


def test_a_machine_without_postgresql_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(postgres, "_PLACES", ())

    with pytest.raises(postgres.PostgresMissing, match="apt-get install postgresql"):
        postgres.PostgresServer.create()


def test_a_pooler_ends_with_who_made_it(postgres_server: PostgresServer) -> None:
    with running_pgbouncer(postgres_server, pool_size=1) as pooler:
        (console,) = pooler.show("users")[:1]
        port = pooler.port

    assert console
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_machine_without_pgbouncer_is_told_what_to_install(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(pgbouncer, "_PLACES", ())

    with (
        pytest.raises(pgbouncer.PgBouncerMissing, match="apt-get install pgbouncer"),
        running_pgbouncer(postgres_server, pool_size=1),
    ):
        pass


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
