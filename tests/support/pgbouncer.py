"""A transaction pooler in front of a PostgreSQL server, as hosts and teams have it.

PgBouncer as it comes: what it refuses in a startup packet by default, it refuses here.
It ends with the process that made it, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.support.postgres import account, free_port, open_tmp
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import PostgresServer

MISSING = (
    "PgBouncer was not found on PATH or in the usual places. `make test` installs it "
    "where it can; by hand: `apt-get install pgbouncer` on Debian and Ubuntu, "
    "`brew install pgbouncer` on macOS."
)
_PLACES = ("/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin", "/usr/bin")
_CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={server_port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
server_login_retry = 1
logfile = {directory}/log
pidfile = {directory}/pid
"""
#: Ends it when standard input ends: with its owner.
_GUARD = '"$1" -q "$2/pgbouncer.ini" & cat >/dev/null; kill -KILL $!; wait; rm -rf "$2"'


class PgBouncerMissing(Exception):
    """PgBouncer is not installed; the message says how to change that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PgBouncer:
    """A pooler that is running."""

    port: int

    def url(self, direct: str) -> str:
        """Return the URL of a database through the pooler, given its own."""
        database = direct.rpartition("/")[2]
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def show(self, what: str) -> list[dict[str, Any]]:
        """Return what its console shows of `pools`, `servers`, `clients` …"""
        dsn = f"host=127.0.0.1 port={self.port} user=pgbouncer dbname=pgbouncer"
        with psycopg.connect(dsn, autocommit=True) as connection:
            # Its console speaks the simple protocol only.
            cursor = psycopg.ClientCursor(connection)
            cursor.execute(f"SHOW {what}".encode())
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextlib.contextmanager
def running_pgbouncer(server: PostgresServer, *, pool_size: int) -> Iterator[PgBouncer]:
    """Run a pooler in front of a server.

    Args:
        server: What it hands connections of.
        pool_size: How many connections to it each database has.

    Raises:
        PgBouncerMissing: There is none on this machine.
    """
    program = _find_program()
    directory = Path(tempfile.mkdtemp(prefix="clockd-pgbouncer-", dir=open_tmp()))
    port = free_port()
    (directory / "pgbouncer.ini").write_text(
        _CONFIGURATION.format(
            server_port=server.port,
            port=port,
            pool_size=pool_size,
            directory=directory,
        )
    )
    as_user: dict[str, Any] = {}
    user = account()
    if user is not None:
        os.chown(directory, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "guard", program, directory],
        stdin=subprocess.PIPE,
        start_new_session=True,
        **as_user,
    ) as guard:
        try:
            wait_until(lambda: _answers(port), message=lambda: _log(directory))
            yield PgBouncer(port=port)
        finally:
            assert guard.stdin is not None
            guard.stdin.close()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _log(directory: Path) -> str:
    with contextlib.suppress(OSError):
        return (directory / "log").read_text(errors="replace")[-2000:]
    return "it has written no log"


def _find_program() -> str:
    found = shutil.which("pgbouncer")
    found = found or shutil.which("pgbouncer", path=os.pathsep.join(_PLACES))
    if found is None:
        raise PgBouncerMissing(MISSING)
    return found


if __name__ == "__main__":
    # For `make test`: is PgBouncer there?
    try:
        sys.stdout.write(f"{_find_program()}\n")
    except PgBouncerMissing as missing:
        sys.exit(str(missing))
