"""Options and arguments that several commands share."""

from __future__ import annotations

import getpass
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from clockd import clock

if TYPE_CHECKING:
    from clockd.compose import Installation

#: Years that `--from` takes: before, zones mean little; after, the calendar ends.
_YEARS = range(1900, 3000)

triggers_option = click.option(
    "-f",
    "--triggers",
    "path",
    type=click.Path(path_type=Path),
    envvar="CLOCKD_TRIGGERS",
    show_envvar=True,
    metavar="FILE",
    help="The triggers.yaml to read; default: ./triggers.yaml.",
)
#: Of a subcommand, where `-f` may mean something else and the group has the variable.
late_triggers_option = click.option(
    "--triggers",
    "late_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The triggers.yaml to read; may also stand before the subcommand.",
)
utc_option = click.option(
    "--utc", is_flag=True, help="Show times in UTC, not in each trigger's zone."
)
count_option = click.option(
    "-n",
    "count",
    type=click.IntRange(1, 10_000),
    default=5,
    show_default=True,
    metavar="N",
    help="How many fire times.",
)
from_option = click.option(
    "--from",
    "start",
    metavar="INSTANT",
    default="now",
    show_default=True,
    help="The instant to start after: ISO 8601; without an offset, in the zone.",
)


def _note_json(context: click.Context, _option: object, wanted: bool) -> bool:
    """Remember that errors, too, are wanted as JSON."""
    if wanted:
        context.meta["clockd.json"] = True
    return wanted


json_option = click.option(
    "-j",
    "--json",
    "as_json",
    is_flag=True,
    callback=_note_json,
    help="Print JSON, for programs.",
)


def install(path: Path | None) -> Installation:
    """Read environment and file, as every command does."""
    from clockd import compose
    from clockd.redaction import register_environment

    register_environment(os.environ)
    return compose.install(path=path)


def instant(text: str, zone: str) -> datetime:
    """Return the instant that a person wrote; `now` is one too.

    Raises:
        BadParameter: It is no date and time.
    """
    if text == "now":
        return clock.now()
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no date and time; write 2026-12-25T09:00 or …T09:00Z",
            param_hint="--from",
        ) from error
    if at.year not in _YEARS:
        raise click.BadParameter(
            f"{text!r} is not between {_YEARS[0]} and {_YEARS[-1]}",
            param_hint="--from",
        )
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(zone))
    return clock.in_utc(at)


def user_name() -> str:
    """Return who gives the command, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
