"""How the command line shows tables, times and JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from clockd.cli import streams
from clockd.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "launch_failed": "red",
    "lost": "red",
    "stopped_by_platform": "red",
    "missed": "yellow",
    "skipped": "yellow",
    "cancelled": "yellow",
}


def say(text: str, *, err: bool = False, **style: object) -> None:
    """Print what clockd itself says, without secrets."""
    click.echo(click.style(redact(text), **style), err=err)  # type: ignore[arg-type]


def warn(text: str) -> None:
    """Print a warning where it does not mix with what was asked for."""
    say(f"Warning: {text}", err=True, fg="yellow")


def echo_json(value: object) -> None:
    """Print JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=not streams.takes_all()))


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, outcomes: int
) -> None:
    """Print columns as wide as they need to be, on a terminal cut to its width.

    Args:
        header: The columns' names.
        rows: Their cells.
        outcomes: The number of the column, from 0, that is coloured.
    """
    lines = [header, *([redact(cell) for cell in row] for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(header))]
    start = sum(widths[:outcomes]) + 2 * outcomes
    for number, line in enumerate(lines):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        text = _cut("  ".join(cells).rstrip())
        if number == 0:
            click.echo(click.style(text, bold=True))
        else:
            end = start + widths[outcomes]
            click.echo(text[:start] + outcome(text[start:end]) + text[end:])


def _cut(text: str) -> str:
    room = _room()
    return text if room is None or len(text) <= room else text[: room - 1] + "…"


def _room() -> int | None:
    """Return how wide a line may be; None where another program reads it."""
    if not os.environ.get("COLUMNS") and not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size((100, 24)).columns


def local(at: datetime | None, zone: str, *, utc: bool) -> str:
    """Return an instant in a zone, with its offset; a dash where there is none."""
    if at is None:
        return "-"
    shown = at if utc else at.astimezone(ZoneInfo(zone))
    offset = "Z" if utc else f"{shown:%z}"[:3] + ":" + f"{shown:%z}"[3:5]
    return f"{shown:%a %Y-%m-%d %H:%M:%S} {offset}"


def distance(at: datetime, now: datetime) -> str:
    """Return how far an instant is from now, in words."""
    seconds = int((at - now).total_seconds())
    past, seconds = seconds < 0, abs(seconds)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size or unit == "s":
            text = f"{seconds // size} {unit}"
            return f"{text} ago" if past else f"in {text}"
    return ""


def count(number: int, word: str) -> str:
    """Return a number of things: `1 trigger`, `2 triggers`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def outcome(word: str) -> str:
    """Return an outcome, or what stands in its place, with its colour."""
    return click.style(word, fg=_COLOURS.get(word.strip()))
