"""Notices that triggers.yaml has changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_Stamp = tuple[int, int, int] | None


class FileWatch:
    """Compares a file with what was last taken of it.

    Editors replace files, deploy tools touch them: only another content counts. What is
    being written is left alone until it stands still.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: _Stamp = None
        self._seen: _Stamp = None
        self._digest: str | None = None

    def take(self) -> None:
        """Take the file as known, as it is now."""
        self._taken = self._seen = self._read_stamp()
        self._digest = self._read_digest()

    def changed(self) -> bool:
        """Return whether the file has become another, and take it as known then.

        True only when it was the same at the last call: it may be half-written.
        """
        stamp = self._read_stamp()
        still, self._seen = stamp == self._seen, stamp
        if not still or stamp == self._taken:
            return False
        digest = self._read_digest()
        changed = digest != self._digest
        self._taken, self._digest = stamp, digest
        return changed

    def forget(self) -> None:
        """Let the file count as changed, also if it is not."""
        self._taken, self._digest = (0, 0, 0), None

    def _read_stamp(self) -> _Stamp:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def _read_digest(self) -> str:
        try:
            return hashlib.sha256(self._path.read_bytes()).hexdigest()
        except OSError as error:
            return f"unreadable: {error.errno}"
