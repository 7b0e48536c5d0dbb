"""Notices that triggers.yaml has changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_Stamp = tuple[int, int, int] | None


class FileWatch:
    """Compares a file with what it was at the last call.

    Editors replace files, deploy tools touch them: only another content counts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: _Stamp = None
        self._digest: str | None = None

    def changed(self) -> bool:
        """Return whether the content is another than at the last call."""
        stamp = self._read_stamp()
        if stamp == self._stamp:
            return False
        digest = self._read_digest()
        changed = digest != self._digest
        self._stamp, self._digest = stamp, digest
        return changed

    def forget(self) -> None:
        """Let the next call return True."""
        self._stamp, self._digest = (0, 0, 0), None

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
