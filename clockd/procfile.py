"""The Procfile beside triggers.yaml: process types and their commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ENTRY = re.compile(r"([A-Za-z0-9_-]+):\s*(.*\S)")
_WORD = re.compile(r"\S+")


def read(path: Path) -> dict[str, str]:
    """Return the process types of a Procfile; none where nobody can read one.

    Raises:
        OSError: It is there, but cannot be read just now.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
        return {}
    matches = (_ENTRY.match(line) for line in text.split("\n"))
    return {match[1]: match[2] for match in matches if match}


def expand(command: str, types: Mapping[str, str]) -> str:
    """Return a command with a process type in its first word replaced, as Heroku does.

    What follows the process type is kept as its arguments.
    """
    match = _WORD.match(command)
    if match is None or match[0] not in types:
        return command
    return types[match[0]] + command[match.end() :]
