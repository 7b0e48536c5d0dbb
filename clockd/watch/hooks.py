"""Whom the watcher tells of what it sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from clockd.model import Run
    from clockd.runner import LogLine


@dataclass(frozen=True, kw_only=True)
class WatchHooks:
    """Whom the watcher tells; called from its thread, they must not block."""

    #: A task printed a line, or the platform said something about its dyno.
    line: Callable[[Run, LogLine], None] = lambda _run, _line: None
    #: An attempt ended: its run is finished, or waits for its next attempt.
    ended: Callable[[Run], None] = lambda _run: None
    #: The ways a command of an app may be shown by the platform.
    shown: Callable[[str, str], frozenset[str]] = lambda _app, text: frozenset({text})
