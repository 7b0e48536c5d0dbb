"""A server that speaks PostgreSQL's protocol just far enough to refuse."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SSL_REQUEST = 80877103


@contextlib.contextmanager
def refusing_server(sqlstate: str, message: str) -> Iterator[int]:
    """Run a server that refuses every connection; gives its port on 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0))
    fields = {"S": "FATAL", "V": "FATAL", "C": sqlstate, "M": message}
    body = b"".join(f"{k}{v}\0".encode() for k, v in fields.items()) + b"\0"
    refusal = b"E" + struct.pack("!i", len(body) + 4) + body

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                length, code = struct.unpack("!ii", client.recv(8))
                if code == _SSL_REQUEST:
                    client.sendall(b"N")
                    length, code = struct.unpack("!ii", client.recv(8))
                client.recv(length - 8)
                client.sendall(refusal)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
