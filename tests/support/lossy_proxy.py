"""A way to PostgreSQL on which the answer to a commit can get lost.

The server has done what it was told; who told it will never know.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

_COMMIT = b"COMMIT\0"


@dataclass(kw_only=True)
class LossyProxy:
    """Passes everything on while it is entered, until told to lose an answer.

    Args:
        to: The server's port on 127.0.0.1.
    """

    to: int
    lost: int = 0  #: how many answers were lost
    _after: bytes | None = None
    _listener: socket.socket = field(init=False)
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for end in self._open:
                _end(end)

    def url(self, direct: str) -> str:
        """Return the URL of a database on this way, given its own."""
        port: int = self._listener.getsockname()[1]
        return direct.replace(f":{self.to}/", f":{port}/")

    def lose(self, after: bytes = b"") -> None:
        """Lose the answer to the next commit of a transaction that holds `after`."""
        self._after = after

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.to))
        muted = threading.Event()
        with self._lock:
            self._open |= {client, server}
        back = threading.Thread(
            target=self._bring_back, args=(server, client, muted), daemon=True
        )
        back.start()
        said = b""
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                said += data
                if _COMMIT in data:
                    if self._after is not None and self._after in said:
                        self._after = None
                        muted.set()
                    said = b""
                server.sendall(data)
        _end(server)
        back.join()
        client.close()
        server.close()
        with self._lock:
            self._open -= {client, server}

    def _bring_back(
        self, server: socket.socket, client: socket.socket, muted: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                if muted.is_set():
                    self.lost += 1
                    break
                client.sendall(data)
        _end(client)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
