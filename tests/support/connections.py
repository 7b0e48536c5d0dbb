"""Counts the connections that programs have to a PostgreSQL server."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import PostgresServer


@dataclass
class Connections:
    """How many connections each program had at most, by `application_name`."""

    server: PostgresServer
    most: dict[str, int] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Count while the block lasts."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            # While the server is away there is nothing to count.
            with contextlib.suppress(psycopg.Error):
                for name, count in self.server.execute(
                    "SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1"
                ):
                    self.most[name] = max(self.most.get(name, 0), count)
