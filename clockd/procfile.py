"""The Procfile beside triggers.yaml: process types and their commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ENTRY = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+?)\s*$")


def read(path: Path) -> dict[str, str]:
    """Return the process types of a Procfile; none where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    matches = (_ENTRY.match(line) for line in text.splitlines())
    return {match[1]: match[2] for match in matches if match}


def expand(command: str, types: Mapping[str, str]) -> str:
    """Return a command with a process type in its first word replaced, as Heroku does.

    What follows the process type is kept as its arguments.
    """
    word, blank, rest = command.partition(" ")
    return f"{types[word]}{blank}{rest}" if word in types else command
