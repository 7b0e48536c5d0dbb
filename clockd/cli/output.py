"""How the command line shows tables, times and JSON."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

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


def echo_json(value: object) -> None:
    """Print JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns as wide as they need to be; the last one is cut to the terminal."""
    lines = [header, *rows]
    widths = [max(len(line[n]) for line in lines) for n in range(len(header))]
    room = shutil.get_terminal_size((100, 24)).columns
    for number, line in enumerate(lines):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        text = "  ".join(cells).rstrip()
        if len(text) > room:
            text = text[: room - 1] + "…"
        click.echo(click.style(text, bold=number == 0))


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


def outcome(word: str | None) -> str:
    """Return an outcome with its colour, a dash where there is none."""
    return click.style(word, fg=_COLOURS.get(word)) if word else "-"
