"""Faults that the fake platform has on request."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.answers import Answer, error_body

#: Before the work: the platform does nothing of what it was asked for.
BEFORE = ("status", "close_before", "reset_before", "hang", "delay")
#: After the work: it was done, and the answer does not tell.
AFTER = (
    "status_after",
    "close_after",
    "reset_after",
    "hang_after",
    "garbage",
    "truncate",
)
#: Of log streams alone.
STREAM = ("cut", "end", "duplicate", "mute", "never_closed")


@dataclass
class Fault:
    """Something that goes wrong with matching requests.

    Args:
        kind: For any request, before the work: `status` (answers with it),
            `close_before`, `reset_before`, `hang` (until the client gives up) and
            `delay`. After the work: `status_after`, `close_after`, `reset_after`,
            `hang_after`, `garbage` and `truncate`. For log streams: `cut` (breaks after
            `lines` lines), `end` (a tail ends well after them; a history has all
            its lines, or tells that it has not), `duplicate` (every line comes
            twice), `mute` (no line comes) and `never_closed` (a history without end).
        method: The requests' method, a regular expression.
        path: Their path, likewise. Log streams (`/_logs/…`) are only hit by faults for
            streams, and where the path says `_logs`.
        times: How many requests; None for all.
        probability: Of each matching request.
        status: For the `status` kinds; `body` and `headers` beside it.
        delay_s: For `delay`.
        lines: For `cut` and `end`.
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
    lines: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in BEFORE + AFTER + STREAM:
            raise ValueError(f"no such fault: {self.kind}")
        re.compile(self.method)
        re.compile(self.path)
        self._random = random.Random(self.seed)

    def strikes(self, method: str, path: str) -> bool:
        """Return whether a request is hit, and count it."""
        if self.times == 0 or not self._is_about(path):
            return False
        if not re.fullmatch(self.method, method) or not re.search(self.path, path):
            return False
        if self._random.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def answer(self) -> Answer:
        """Return what the `status` kinds answer."""
        body = error_body(self.status) if self.body is None else self.body
        return Answer(self.status, body, dict(self.headers))

    def _is_about(self, path: str) -> bool:
        if path.startswith("/_logs/"):
            return self.kind in STREAM or (self.kind in BEFORE and "_logs" in self.path)
        return self.kind not in STREAM


def place_of(method: str, path: str) -> str:
    """Return in a word what a request asks for."""
    if path.startswith("/_logs/"):
        return "log"
    if path.endswith("/actions/stop"):
        return "stop"
    if path.endswith("/log-sessions"):
        return "log session"
    if path.endswith("/dynos"):
        return "launch" if method == "POST" else "list"
    return "other"
