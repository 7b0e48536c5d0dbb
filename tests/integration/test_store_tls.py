"""PostgreSQL with encryption and without, as a dyno and people ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clockd.compose import install
from clockd.errors import StoreUnavailable
from clockd.store import Store
from tests.support.loopback_tls import server_context, trust_file
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Give a server with a certificate that nobody has signed, as Heroku's."""
    folder = tmp_path_factory.mktemp("tls")
    server_context(folder)
    with PostgresServer.create() as server:
        server.put("server.pem", (folder / "loopback.pem").read_text())
        server.configure(
            ssl="on", ssl_cert_file="server.pem", ssl_key_file="server.pem"
        )
        server.stop()
        server.start()
        yield server


def is_encrypted(url: str) -> bool:
    """Open a database; return whether the server sees encryption."""
    store = Store.open(url)
    try:
        with store.engine.connect() as connection:
            found = connection.exec_driver_sql(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            )
            return bool(found.scalar())
    finally:
        store.close()


def on_a_dyno(folder: Path, url: str) -> str:
    """Return the URL that a clockd on a dyno uses for one of a server elsewhere."""
    # This machine by a name that does not say so.
    named = url.replace("@127.0.0.1:", "@0.0.0.0:")
    environ = {"DYNO": "clock.1", "DATABASE_URL": named}
    return install(path=folder / "triggers.yaml", environ=environ).database_url


def test_a_dyno_uses_encryption_and_trusts_a_certificate_of_nobody(
    encrypted: PostgresServer, tmp_path: Path
) -> None:
    url = on_a_dyno(tmp_path, encrypted.url())

    assert url.endswith("?sslmode=require")
    assert is_encrypted(url)


def test_a_user_who_wants_none_gets_none(encrypted: PostgresServer) -> None:
    assert not is_encrypted(f"{encrypted.url()}?sslmode=disable")


def test_a_certificate_is_checked_where_that_is_wanted(
    encrypted: PostgresServer, tmp_path: Path
) -> None:
    url = f"{encrypted.url()}?sslmode=verify-full&sslrootcert="

    assert is_encrypted(f"{url}{trust_file(tmp_path)}")
    with pytest.raises(StoreUnavailable, match="certificate"):
        Store.open(f"{url}{tmp_path / 'nowhere.pem'}")


def test_a_server_without_encryption_is_refused_with_the_way_out(
    postgres_url: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreUnavailable, match="does not support SSL") as caught:
        Store.open(on_a_dyno(tmp_path, postgres_url))

    assert "sslmode=disable" in (caught.value.hint or "")
    Store.open(f"{postgres_url}?sslmode=disable").close()


def test_several_hosts_and_one_that_answers(postgres_url: str) -> None:
    several = postgres_url.replace("@127.0.0.1:", "@127.0.0.1:1,127.0.0.1:")

    store = Store.open(several)
    try:
        assert store.lease.read().fence == 0
    finally:
        store.close()


def test_of_several_hosts_what_each_said_is_told() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        Store.open("postgres://ann:open-sesame@127.0.0.1:1,127.0.0.1:2/books")

    assert caught.value.message.count("refused") == 2
    assert "open-sesame" not in caught.value.message
