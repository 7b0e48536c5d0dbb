"""Sockets to Heroku, shared by all threads, and what is known of each request.

Each request is an exchange that knows as a fact, not from the type of an exception,
whether a byte of it went out; a guard is asked at the last moment before. Nothing is
ever sent a second time here.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from clockd import clock, failpoints
from clockd.heroku.answers import Answer, Reply, Silence

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token

#: A socket that rested longer is not trusted: whoever is between may have dropped it.
_IDLE_S = 240.0
_SOCKETS = 32

# Their warnings quote URLs, and the URL of a log stream is a secret.
for _name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.response"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class NotSent(Exception):
    """The guard refused; what it raised is in the exchange."""


#: What a request may raise; why is told by the exchange.
FAILURES = (
    NotSent,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)

_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def current() -> Exchange | None:
    """Return the exchange that this thread is in."""
    return _current.get()


class Exchange:
    """One request and what came of it; a context that the request is made in.

    Args:
        guard: Called last thing before the request's bytes go out.
        accept: The `Accept` header, where the session's own will not do.
    """

    def __init__(
        self, *, guard: Callable[[], None] | None = None, accept: str | None = None
    ) -> None:
        self.accept = accept
        self.failure: BaseException | None = None
        self.refused: BaseException | None = None
        self.response: requests.Response | None = None
        self.body: bytes | None = None
        self.socket: Any = None
        self.sent = False
        self._guard = guard
        self._token: Token[Exchange | None] | None = None

    def __enter__(self) -> Exchange:
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _current.reset(self._token)

    def begin(self, sock: object) -> None:
        """Ask the guard; from here on, bytes may be on their way."""
        if self._guard is not None:
            try:
                self._guard()
            except BaseException as caught:  # noqa: BLE001 – comes out again
                self.refused = caught
                raise NotSent from None
        self.socket = sock
        self.sent = True

    def wait(self) -> None:
        """Note that all of the request is out, and its answer is waited for."""
        if self._guard is not None:
            failpoints.reach("launch.sent")

    def reply(self) -> Reply:
        """Return what came back.

        Raises:
            BaseException: What the guard raised, unchanged.
        """
        if self.refused is not None:
            raise self.refused
        if self.response is None:
            return Silence(sent=self.sent, reason=explain(self.failure))
        return Answer(
            status=self.response.status_code,
            headers=self.response.headers,
            body=self.body,
        )


class _Begin:
    """Connects first, then lets the exchange begin, then writes the first byte."""

    def endheaders(self: Any, message_body: Any = None, **options: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = current()
        if exchange is not None:
            exchange.begin(self.sock)
        super().endheaders(message_body, **options)  # type: ignore[misc]

    def getresponse(self: Any) -> Any:
        exchange = current()
        if exchange is not None:
            exchange.wait()
        return super().getresponse()  # type: ignore[misc]


class _HTTPConnection(_Begin, HTTPConnection):
    pass


class _HTTPSConnection(_Begin, HTTPSConnection):
    pass


class _Resting:
    """Closes pooled connections that have rested too long to be trusted."""

    def _put_conn(self: Any, conn: Any | None) -> None:
        if conn is not None:
            conn.rested_since = clock.boottime()
        super()._put_conn(conn)  # type: ignore[misc]

    def _get_conn(self: Any, timeout: float | None = None) -> Any:
        conn: Any = super()._get_conn(timeout)  # type: ignore[misc]
        since = getattr(conn, "rested_since", None)
        if since is not None and clock.boottime() - since > _IDLE_S:
            conn.close()
        return conn


class _HTTPPool(_Resting, HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(_Resting, HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


def _socket_options() -> list[tuple[int, int, int]]:
    """Return options that find a silently lost connection within a minute."""
    options = [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ]
    # macOS has another name for the first of these.
    idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
    for name, value in ((idle, 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


class Transport(HTTPAdapter):
    """The sockets that all threads share."""

    def __init__(self) -> None:
        super().__init__(pool_connections=8, pool_maxsize=_SOCKETS, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools, with connections that take part in exchanges."""
        options["socket_options"] = _socket_options()
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make the same kind of pools behind a proxy."""
        options["socket_options"] = _socket_options()
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def explain(failure: BaseException | None) -> str:
    """Return in a few words why a request failed, without URLs or secrets."""
    chain = _chain(failure)
    for kind, text in _EXPLANATIONS:
        for error in chain:
            if isinstance(error, kind):
                return text.format(detail=_detail(error))
    told = (e for e in chain if isinstance(e, OSError) and e.strerror)
    return _detail(next(told, failure or OSError("no answer")))


_EXPLANATIONS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "the server's certificate is not valid ({detail})"),
    (socket.gaierror, "the host name cannot be resolved ({detail})"),
    (urllib3.exceptions.NewConnectionError, "no connection ({detail})"),
    (urllib3.exceptions.ConnectTimeoutError, "connecting took too long"),
    (urllib3.exceptions.ReadTimeoutError, "no answer came in time"),
    (TimeoutError, "it took too long"),
    (http.client.IncompleteRead, "the answer was cut off"),
    (urllib3.exceptions.IncompleteRead, "the answer was cut off"),
    (http.client.RemoteDisconnected, "the connection was closed without an answer"),
    (ssl.SSLError, "no secure connection could be made ({detail})"),
    (http.client.HTTPException, "the answer is not HTTP"),
    (urllib3.exceptions.DecodeError, "the answer cannot be decoded"),
    (ConnectionError, "{detail}"),
    (urllib3.exceptions.ProxyError, "the proxy does not let it through"),
)


def _detail(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "TLS error")
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        error = error.__cause__ or error
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__


def _chain(failure: BaseException | None) -> list[BaseException]:
    """Return an exception and all that it wraps, outermost first."""
    found: list[BaseException] = []
    pending: list[object] = [failure]
    while pending and len(found) < 20:
        error = pending.pop(0)
        if not isinstance(error, BaseException) or error in found:
            continue
        found.append(error)
        pending += [getattr(error, "reason", None), *error.args]
        pending += [error.__cause__, error.__context__]
    return found
