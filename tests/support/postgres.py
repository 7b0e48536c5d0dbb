"""Temporary PostgreSQL servers for tests and benchmarks.

A server has a directory of its own and listens on 127.0.0.1 only. It is never left
behind: a watchdog ends it and removes its directory when its owner is gone, however
that came about.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

MISSING = (
    "PostgreSQL's server programs (initdb, pg_ctl) were not found on PATH or in the "
    "usual places. `make test` installs them where it can; by hand: `apt-get install "
    "postgresql` on Debian and Ubuntu, `brew install postgresql` on macOS."
)
_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/pgsql-*/bin",
    "/Applications/Postgres.app/Contents/Versions/latest/bin",
)
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "32MB",
    # What is written here need not outlive the machine.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
_START_TRIES = 40
_WATCHDOG = """
(
    while [ -d "$1" ] && kill -0 "$2"; do sleep 1; done
    [ -d "$1" ] || exit 0
    kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"
    rm -rf "$1"
) </dev/null >/dev/null 2>&1 &
"""


class PostgresMissing(Exception):
    """PostgreSQL is not installed; the message says how to change that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A cluster with its server. Start, stop and kill it as a test needs."""

    directory: Path
    port: int

    @classmethod
    def create(cls, *, owner: int | None = None) -> Self:
        """Make a new cluster and start its server.

        Args:
            owner: The process with whose end the server ends; None for this one.

        Raises:
            PostgresMissing: There is no PostgreSQL on this machine.
        """
        programs = _find_programs()
        # Not pytest's directory: root's is closed to the user the server runs as.
        directory = Path(tempfile.mkdtemp(prefix="clockd-pg-", dir=open_tmp()))
        user = account()
        if user is not None:
            os.chown(directory, user.pw_uid, user.pw_gid)
        _run(programs / "initdb", *_initdb_options(directory / "data"))
        _watch(directory, owner or os.getpid())
        server = cls(directory=directory, port=free_port())
        server.start()
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    @property
    def pid(self) -> int | None:
        """The server's process id; None where it does not run."""
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            return int((self._data / "postmaster.pid").read_text().split()[0])
        return None

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def start(self) -> None:
        """Start the server and return when it takes connections.

        A port stays the same over a server's life; after `kill` the server's old
        processes may take a moment to be gone, so this tries again for a while.
        """
        options = " ".join(
            f"-c {name}='{value}'"
            for name, value in {**_SETTINGS, "port": self.port}.items()
        )
        for left in reversed(range(_START_TRIES)):
            try:
                self._control(
                    "start", "-w", "-l", self.directory / "log", "-o", options
                )
            except RuntimeError as error:
                if not left:
                    log = (self.directory / "log").read_text(errors="replace")
                    raise RuntimeError(f"{error}\n{log[-4000:]}") from None
                time.sleep(0.25)
            else:
                return

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; open connections are closed. Starting again is possible.

        Args:
            mode: `fast`, or `immediate`: as a crash, though nothing is left behind.
        """
        self._control("stop", "-w", "-m", mode)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server accept, but not answer, for a while."""
        # Who is frozen cannot make another process: none is missed.
        pids: list[int] = []
        while new := [pid for pid in self._processes() if pid not in pids]:
            for pid in new:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            pids += new
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _processes(self) -> list[int]:
        main = self.pid
        if main is None:
            return []
        shown = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        pairs = [map(int, line.split()) for line in shown.stdout.splitlines()]
        return [main, *(pid for pid, parent in pairs if parent == main)]

    def configure(self, **settings: str) -> None:
        """Change settings that hold from the next start on."""
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def put(self, name: str, text: str) -> None:
        """Write a file into the cluster's directory that only the server may read."""
        path = self._data / name
        path.write_text(text)
        path.chmod(0o600)
        user = account()
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)

    def kill(self) -> None:
        """Kill the server with SIGKILL, as a crash of its machine would."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def destroy(self) -> None:
        """End the server for good and remove its files."""
        with contextlib.suppress(RuntimeError):
            self._control("stop", "-w", "-m", "immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """Run one statement as superuser, outside a transaction; return its rows."""
        dsn = f"host=127.0.0.1 port={self.port} user=postgres dbname={database}"
        with psycopg.connect(dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Give the URL of a new, empty database and drop it at the end."""
        name = f"test_{uuid.uuid4().hex[:16]}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _control(self, *arguments: str | Path) -> None:
        _run(_find_programs() / "pg_ctl", "-D", self._data, *arguments)


def shared_server(state: Path, *, owner: int) -> PostgresServer:
    """Return the server that all processes of a test session share.

    The first one to ask makes it; `state` is the directory in which it is noted.

    Args:
        state: A directory of the session; made where it is missing.
        owner: The process that ends the session.
    """
    state.mkdir(parents=True, exist_ok=True)
    note = state / "postgres.json"
    with (state / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if note.exists():
            return _from_note(note)
        server = PostgresServer.create(owner=owner)
        note.write_text(json.dumps([str(server.directory), server.port]))
        return server


def end_shared_server(state: Path) -> None:
    """End the server that was noted in `state`, if there is one."""
    note = state / "postgres.json"
    if note.exists():
        _from_note(note).destroy()
    shutil.rmtree(state, ignore_errors=True)


def _from_note(note: Path) -> PostgresServer:
    directory, port = json.loads(note.read_text())
    return PostgresServer(directory=Path(directory), port=port)


def _find_programs() -> Path:
    """Return the directory that holds `initdb` and `pg_ctl`."""
    found = shutil.which("initdb")
    places = [str(Path(found).resolve().parent)] if found else []
    for pattern in _PLACES:
        places += sorted(glob.glob(pattern), reverse=True)
    for place in places:
        if all(Path(place, name).exists() for name in ("initdb", "pg_ctl", "postgres")):
            return Path(place)
    raise PostgresMissing(MISSING)


def _initdb_options(data: Path) -> tuple[str | Path, ...]:
    return (
        *("-D", data, "-U", "postgres", "-A", "trust"),
        *("-E", "UTF8", "--locale=C", "--no-sync"),
    )


def account() -> pwd.struct_passwd | None:
    """Return the user to run the server as; None for the user we are.

    The server refuses to run as root.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL cannot run as root, and there is no other user here")


def open_tmp() -> str | None:
    """Return where directories are made that `account` can reach; None for anywhere."""
    return "/tmp" if os.geteuid() == 0 else None


def _run(program: Path, *arguments: str | Path) -> None:
    user = account()
    as_user: dict[str, Any] = {}
    if user is not None:
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with tempfile.TemporaryFile() as output:
        # A file, not a pipe: the server inherits it and would keep a pipe open.
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            check=False,
            **as_user,
        )
        if done.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace")
            raise RuntimeError(f"{program.name} {arguments[-1]} failed:\n{text}")


def _watch(directory: Path, owner: int) -> None:
    subprocess.run(
        ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(directory), str(owner)],
        start_new_session=True,
        check=True,
    )


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    # For `make test`: is PostgreSQL there?
    try:
        sys.stdout.write(f"{_find_programs()}\n")
    except PostgresMissing as missing:
        sys.exit(str(missing))
