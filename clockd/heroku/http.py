"""HTTP as the runner on Heroku needs it: sessions, and the logs behind secret URLs."""

from __future__ import annotations

import contextlib
import os
import socket
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests

from clockd import __version__, clock
from clockd.errors import RunnerUnavailable, SettingsError
from clockd.heroku.answers import Silence, unavailable
from clockd.heroku.sockets import FAILURES, Exchange, Transport, current, explain
from clockd.runner import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_S: Final = 10.0
READ_S: Final = 30.0
_BLOCK = 65_536
#: More than Logplex keeps: 1,500 lines of 10,000 bytes.
_LONGEST_LOG = 32 * 1024 * 1024
_WHOLE_LOG_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How the Platform API is reached; the same for every thread.

    Args:
        url: The Platform API, without a slash at its end.
        connect_s: Seconds after which connecting is given up.
        read_s: Seconds after which waiting for a part of an answer is given up.
        transport: The shared sockets.
        certificates: A file or directory of certificates to trust, or True for those
            that everybody trusts.
    """

    url: str
    connect_s: float
    read_s: float
    transport: Transport = field(default_factory=Transport)
    certificates: str | bool = field(default_factory=lambda: _certificates())


class Session(requests.Session):
    """A session for one thread: no netrc, no redirects, time limits on everything.

    Args:
        access: How the Platform API is reached.
        url: Whom the session talks to; decides which proxy is used.
        key: The API key; None where none is to be sent.
    """

    def __init__(self, access: Access, url: str, *, key: str | None = None) -> None:
        super().__init__()
        self.trust_env = False
        self.proxies = _environment_proxies(url)
        self.verify = access.certificates
        self.headers["User-Agent"] = f"clockd/{__version__}"
        if key is not None:
            self.auth = ("", key)
        self.mount("http://", access.transport)
        self.mount("https://", access.transport)
        self.hooks["response"].append(_note_response)
        self._timeout = (access.connect_s, access.read_s)

    def request(  # type: ignore[override]
        self, method: str, url: str, **options: Any
    ) -> requests.Response:
        """Send a request once, within the session's limits."""
        exchange = current()
        if exchange is not None and exchange.accept is not None:
            options["headers"] = {
                **(options.get("headers") or {}),
                "Accept": exchange.accept,
            }
        # A redirect would send a POST again, or turn it into a GET.
        options.update(timeout=self._timeout, allow_redirects=False)
        response = super().request(method, url, **options)
        if exchange is not None and not options.get("stream"):
            exchange.body = response.content
        return response


def _note_response(response: requests.Response, **_: object) -> None:
    """Keep status and headers even if the body cannot be read afterwards."""
    exchange = current()
    if exchange is not None:
        exchange.response = response


def _environment_proxies(url: str) -> dict[str, str]:
    host = urlsplit(url).netloc.rpartition("@")[2]
    if urllib.request.proxy_bypass_environment(host):  # type: ignore[attr-defined]
        return {}
    return {
        scheme: proxy
        for scheme, proxy in urllib.request.getproxies_environment().items()
        if scheme in ("http", "https", "all")
    }


def _certificates() -> str | bool:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = os.environ.get(name)
        if path and not Path(path).exists():
            raise SettingsError(
                f"{name} names certificates that are not there: {path}",
                hint="correct the path, or unset the variable",
            )
        if path:
            return path
    return True


class ByteStream:
    """The body of an open answer, piece by piece; read by one thread.

    Args:
        exchange: An exchange that has its response.
        endless: Whether silence is normal: reading then has no time limit.
    """

    def __init__(self, exchange: Exchange, *, endless: bool) -> None:
        assert exchange.response is not None  # noqa: S101 – the caller has looked
        self._response = exchange.response
        self._socket = exchange.socket
        self.content_type = self._response.headers.get("Content-Type", "")
        raw = self._response.raw
        #: Whether the end of the stream can be told from a cut.
        self.framed = bool(raw.chunked) or raw.length_remaining is not None
        if endless:
            self._socket.settimeout(None)

    def read(self) -> bytes:
        """Return the next bytes as soon as there are any; none at the end.

        Raises:
            OSError: The stream broke; the message holds no secret.
        """
        failure: Exception
        try:
            return self._response.raw.read1(_BLOCK, decode_content=True) or b""
        except FAILURES as caught:
            failure = caught
        raise OSError(explain(failure))

    def interrupt(self) -> None:
        """Wake a thread that is reading; callable from any thread."""
        # An SSLSocket's own shutdown would take its TLS state from under the reader.
        sock = getattr(self._socket, "socket", self._socket)
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back to the system; only when nobody is reading."""
        self._response.close()


def open_log(access: Access, url: object, *, what: str, endless: bool) -> ByteStream:
    """Open a log's URL, which is a secret: no error quotes it.

    Args:
        access: How the Platform API is reached; a log must be at least as safe.
        url: What the platform gave as the URL.
        what: What did not happen if this fails, as the beginning of a sentence.
        endless: Whether silence is normal afterwards.

    Raises:
        RunnerUnavailable: It could not be opened.
    """
    if not isinstance(url, str) or not _is_as_safe(url, access.url):
        raise RunnerUnavailable(
            f"{what}: Heroku gave no usable URL", kind=Unavailable.CONNECTION
        )
    session = Session(access, url)
    session.headers["Accept"] = "text/plain, */*;q=0.5"
    session.headers["Accept-Encoding"] = "identity"
    with Exchange() as exchange:
        try:
            session.request("GET", url, stream=True)
        except FAILURES as caught:
            exchange.failure = caught
    reply = exchange.reply()
    if isinstance(reply, Silence):
        raise unavailable(reply, what)
    stream = ByteStream(exchange, endless=endless and reply.status == 200)
    if reply.status == 200:
        return stream
    stream.close()
    raise RunnerUnavailable(
        f"{what}: its server answered {reply.status}", kind=Unavailable.CONNECTION
    )


def _is_as_safe(url: str, api_url: str) -> bool:
    schemes = ("https",) if api_url.startswith("https:") else ("http", "https")
    try:
        return urlsplit(url).scheme in schemes
    except ValueError:
        return False


def read_to_end(stream: ByteStream, what: str) -> Iterator[bytes]:
    """Yield a log that has an end.

    Raises:
        RunnerUnavailable: Its end was not reached; what was yielded is not all.
    """
    size, until = 0, clock.boottime() + _WHOLE_LOG_S
    why = "it has no end"
    while size < _LONGEST_LOG and clock.boottime() < until:
        try:
            block = stream.read()
        except OSError as error:
            why = str(error)
            break
        if not block and stream.framed:
            return
        if not block:
            why = "nothing tells its end from a cut"
            break
        size += len(block)
        yield block
    raise RunnerUnavailable(f"{what}: {why}", kind=Unavailable.CONNECTION)


def require_key(key: str) -> None:
    """Raise SettingsError unless `key` can be an API key."""
    if not key.isascii() or not key.isprintable() or not key or " " in key:
        raise SettingsError(
            "the Heroku API key is empty, or holds characters that no key has",
            hint="set HEROKU_API_KEY to the token alone, without blanks or quotes",
        )


def host_of(url: str) -> str:
    """Return the host of `url`; raise SettingsError where it has none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        host = port = ""
    if not host or parts.scheme not in ("http", "https"):
        raise SettingsError(
            "the URL of Heroku's API is not an http or https URL",
            hint="unset HEROKU_API_URL, or set it like https://api.heroku.com",
        )
    return host + port
