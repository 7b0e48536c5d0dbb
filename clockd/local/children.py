"""The wrappers that this process has started, until it has collected them.

They are the process's, not a runner's: whoever starts one keeps it from staying a
zombie, also when the runner is gone.
"""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_running: list[subprocess.Popen[bytes]] = []
_lock = threading.Lock()


def start(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], lock: int
) -> None:
    """Start a wrapper in a session of its own: no terminal's signals reach it.

    Args:
        arguments: Its command line.
        cwd: Where it runs.
        env: Its whole environment.
        lock: A file descriptor to keep open for it.

    Raises:
        OSError: It cannot be started.
        ValueError: A text holds what no command line can.
    """
    child = subprocess.Popen(  # noqa: S603 – running commands is the purpose
        arguments,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=lock,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with _lock:
        _running.append(child)


def collect() -> int:
    """Collect the wrappers that have ended; return how many still run."""
    with _lock:
        _running[:] = [child for child in _running if child.poll() is None]
        return len(_running)
