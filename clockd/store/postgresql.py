"""Engines on PostgreSQL whose calls return in bounded time, whatever the server does.

Imported where a URL is of PostgreSQL: its driver takes a while. Nothing here sets
anything for a session: a transaction pooler would hand it to others.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import psycopg
import sqlalchemy as sa
from psycopg import conninfo
from sqlalchemy import event

from clockd.errors import SettingsError
from clockd.store import waits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg.abc import PQGen
    from sqlalchemy import Engine

T = TypeVar("T")

#: How a URL of PostgreSQL begins.
_SCHEME = re.compile(r"postgres(ql(\+psycopg)?)?://")
_PARAMETERS: dict[str, Any] = {
    "application_name": "clockd",
    # Whatever the database's encoding is, text comes and goes as UTF-8.
    "client_encoding": "utf8",
    # A connection that was cut without a word is noticed within seconds, not hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class _Connection(psycopg.Connection[Any]):
    """A connection that is closed when an answer does not come."""

    def wait(
        self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None
    ) -> T:
        """Wait for an answer, as long as this thread's patience lasts."""
        limit_s = waits.answer_within_s() if timeout is None else timeout
        began = time.monotonic()
        try:
            return super().wait(gen, interval, limit_s)
        except psycopg.OperationalError:
            if self.closed or time.monotonic() - began < limit_s:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"the server has not answered for {limit_s:.1f} s"
            ) from None


def parameters(url: str) -> dict[str, Any]:
    """Return what a URL says, as libpq reads it.

    It knows several hosts, sockets and IPv6; of several hosts the one that can be
    written to is wanted.

    Raises:
        SettingsError: It cannot be used. The message repeats nothing of it.
    """
    url = _SCHEME.sub("postgresql://", url, count=1)
    given: dict[str, Any] = {}
    with contextlib.suppress(psycopg.Error):
        given = dict(conninfo.conninfo_to_dict(url))
    ports = str(given.get("port", "")).split(",")
    if not given or not all(port.isdecimal() for port in ports if port):
        raise SettingsError(
            "the database URL is no PostgreSQL URL that can be read",
            hint="look at its host, port and options (postgresql://user@host:5432/"
            "database?sslmode=require); special characters in a password are "
            "written as in URLs, / as %2F",
        )
    if given.get("sslmode", "prefer") not in _SSL_MODES:
        raise SettingsError(
            f"the database URL's sslmode is none of {', '.join(_SSL_MODES)}",
            hint="sslmode=require is what Heroku wants",
        )
    several = {"target_session_attrs": "read-write"} if "," in _hosts(given) else {}
    return {**_PARAMETERS, **several, **given}


def secrets_of(given: Mapping[str, Any]) -> list[str]:
    """Return what must not be seen of `parameters`, the longest first."""
    texts = [str(given[name]) for name in ("password", "sslpassword") if name in given]
    texts += [quote(text, safe="") for text in texts]
    return sorted({text for text in texts if text}, key=len, reverse=True)


def engine(given: Mapping[str, Any], size: int) -> Engine:
    """Return an engine with at most `size` connections."""
    made = sa.create_engine(
        "postgresql+psycopg://",
        pool_size=size,
        max_overflow=0,
        pool_timeout=waits.CONNECT_S,
        pool_pre_ping=True,
        hide_parameters=True,
    )

    @event.listens_for(made, "do_connect")
    def connect(
        _dialect: object, _record: object, _args: object, more: dict[str, Any]
    ) -> psycopg.Connection[Any]:
        return _connect({**more, **given})

    return made


def _hosts(given: Mapping[str, Any]) -> str:
    return str(given.get("host") or given.get("hostaddr") or "")


def _connect(given: Mapping[str, Any]) -> psycopg.Connection[Any]:
    """Connect, in a thread of its own: names that are looked up may take for ever."""
    made: list[psycopg.Connection[Any]] = []
    failed: list[Exception] = []
    lock, given_up = threading.Lock(), False
    left_s = waits.connect_within_s()

    def connect() -> None:
        try:
            # Prepared statements do not survive a transaction pooler.
            connection = _Connection.connect(
                **{"connect_timeout": int(waits.CONNECT_S), **given},
                prepare_threshold=None,
            )
        except Exception as error:  # noqa: BLE001 – raised by who waits for it
            failed.append(error)
            return
        with lock:
            if not given_up:
                made.append(connection)
                return
        connection.close()

    thread = threading.Thread(target=connect, name="connect", daemon=True)
    thread.start()
    thread.join(left_s)
    with lock:
        given_up = not made
    if made:
        return made[0]
    if failed:
        raise failed[0]
    raise psycopg.OperationalError(
        f"no connection to {_hosts(given) or 'the server'} within {left_s:.1f} s"
    )
