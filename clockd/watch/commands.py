"""What a command looks like where the platform shows it.

Pure. Heroku writes the values of config vars into the commands it shows, in the log and
perhaps in the list too, and a line of the log is one line: a command is cut after its
first, or within a value that has several.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_VARIABLE = re.compile(r"\$(?:\w+|\{[^}]*\})")


def first_line(command: str) -> str:
    """Return what a log shows of a command: its first line."""
    return command.partition("\n")[0].strip()


def twin_of(command: str) -> str:
    """Return what two commands must not have in common to be told apart.

    That is the first line, up to its first variable.
    """
    first = first_line(command)
    match = _VARIABLE.search(first)
    return first if match is None else first[: match.start()] + "$"


def closeness(
    text: str, commands: Collection[str], *, cut: bool = False
) -> float | None:
    """Return how closely a text fits the one of `commands` that it fits best.

    Args:
        text: What the platform shows.
        commands: The ways a command may be shown.
        cut: Whether the rest of it is missing.

    Returns:
        None where it fits none; infinity where it is the very text; else the number of
        its characters that no variable stands for.
    """
    found = [
        known
        for command in commands
        for pattern, known in _patterns(command, cut)
        if pattern.fullmatch(text.strip())
    ]
    return max(found, default=None)


@lru_cache(maxsize=1024)
def _patterns(command: str, cut: bool) -> tuple[tuple[re.Pattern[str], float], ...]:
    shapes = _beginnings(command) if cut else [command]
    return tuple(_pattern(shape.strip()) for shape in shapes)


def _beginnings(command: str) -> Iterator[str]:
    """Yield where a command may be cut: after its first line, and within values."""
    first = first_line(command)
    if "\n" in command:
        yield first
    for variable in _VARIABLE.finditer(first):
        yield first[: variable.end()]


def _pattern(shape: str) -> tuple[re.Pattern[str], float]:
    literals = _VARIABLE.split(shape)
    known = float("inf") if len(literals) == 1 else float(sum(map(len, literals)))
    return re.compile(".*".join(map(re.escape, literals)), re.DOTALL), known
