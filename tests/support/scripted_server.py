"""A TCP server that answers HTTP requests byte for byte as a test says.

For what a well-behaved server never does: reset, hang up, fall silent, cut an answer.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

_PATIENCE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it came over the wire."""

    method: str
    path: str
    headers: Mapping[str, str]  #: names in lower case
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON."""
        return json.loads(self.body)


#: Does something with a connection; returns whether it stays open.
Act = Callable[[socket.socket], bool]
#: Acts for requests in their order (the last one again and again), or a choice.
Script = Sequence[Act] | Callable[[Request], Act]


def answer(
    status: int = 200,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    keep: bool = True,
) -> Act:
    """Answer as HTTP has it; `body` is bytes, or becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return raw(head + content, keep=keep)


def raw(data: bytes, *, keep: bool = False) -> Act:
    """Send exactly these bytes."""

    def act(connection: socket.socket) -> bool:
        connection.sendall(data)
        return keep

    return act


def hang_up(_connection: socket.socket) -> bool:
    """Close without an answer."""
    return False


def reset(connection: socket.socket) -> bool:
    """Close so that the client gets a reset."""
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    return False


def in_turn(*acts: Act) -> Act:
    """Do one thing after another, until one closes the connection."""
    return lambda connection: all(act(connection) for act in acts)


def until(event: threading.Event) -> Act:
    """Stay silent until `event` is set."""

    def act(_connection: socket.socket) -> bool:
        event.wait(_PATIENCE_S)
        return True

    return act


def until_closed(connection: socket.socket) -> bool:
    """Stay silent until the client hangs up."""
    connection.settimeout(_PATIENCE_S)
    with contextlib.suppress(OSError):
        connection.recv(1)
    return False


@dataclass(kw_only=True)
class ScriptedServer:
    """Listens on loopback while it is entered.

    Args:
        script: What is done with each request.
        tls: Makes it an HTTPS server.
    """

    script: Script = (answer(),)
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connected: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(0)
    )
    closed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    connections: int = 0
    received: int = 0  #: bytes
    _open: set[socket.socket] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> ScriptedServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(_PATIENCE_S)

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _spawn(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        plain = connection
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with self._lock:
                self.connections += 1
            self.connected.release()
            while (request := self._read(connection)) is not None:
                if not self._act(request)(connection):
                    return
        except OSError:
            # The client hung up, or the test is over.
            return
        finally:
            with self._lock:
                self._open.discard(plain)
                connection.close()
                plain.close()
            self.closed.release()

    def _act(self, request: Request) -> Act:
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
        if callable(self.script):
            return self.script(request)
        return self.script[min(number, len(self.script) - 1)]

    def _read(self, connection: socket.socket) -> Request | None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += (block := self._receive(connection))
            if not block:
                return None
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        while len(body) < int(headers.get("content-length", 0)):
            body += self._receive(connection)
        method, path, _ = first.split(" ")
        return Request(method=method, path=path, headers=headers, body=body)

    def _receive(self, connection: socket.socket) -> bytes:
        block = connection.recv(65_536)
        with self._lock:
            self.received += len(block)
        return block
