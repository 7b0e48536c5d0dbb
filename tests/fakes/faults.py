"""Faults that the fake platform has on request."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """Something that goes wrong with matching requests.

    Args:
        kind: `status` (answers without doing the work), `status_after` (does it
            first), `close_before`, `close_after`, `garbage` and `truncate` (after the
            work), `hang` (until the client gives up) or `delay`.
        method: The requests' method, a regular expression.
        path: Their path, likewise.
        times: How many requests; None for all.
        probability: Of each matching request.
        status: For the `status` kinds; `body` and `headers` beside it.
        delay_s: For `delay`.
    """

    kind: str
    method: str = ".*"
    path: str = ".*"
    times: int | None = 1
    probability: float = 1.0
    status: int = 503
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def strikes(self, method: str, path: str) -> bool:
        """Return whether a request is hit, and count it."""
        if self.times == 0:
            return False
        if not re.fullmatch(self.method, method) or not re.search(self.path, path):
            return False
        if self._random.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True
