"""`clockd init`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from clockd.cli import output
from clockd.errors import ClockdError, ConflictError

TRIGGERS = """\
# What runs when. Check it with `clockd check`; every key is explained in the README.
version: 1
# app: sharp-mountain-4005      # the Heroku app; default: $HEROKU_APP_NAME
timezone: UTC                   # where the times below are meant

defaults:
  timeout: 30m                  # a task is stopped when it runs longer
  # dyno: standard-1x           # default: the app's own size

triggers:
  hello:
    command: echo "Hello from clockd"
    every: 10m                  # at :00, :10, :20 …

  # monday-newsletter:
  #   name: Monday morning newsletter
  #   command: node bin/send-newsletter.js
  #   cron: "0 9 * * 1"         # as Debian's cron reads it
  #   timezone: Europe/Amsterdam
  #   retries: 2                # after a failure: again after 1 min, then 2 min

  # christmas:
  #   command: bin/greetings
  #   at: 2026-12-25 09:00:00   # once
"""
TRIGGERS_FILE = Path("triggers.yaml")
PROCFILE = Path("Procfile")
LINE = "clock: clockd start"


_CLOCK = re.compile(rb"^clock:[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)


@click.command()
def init() -> None:
    """Write a first triggers.yaml and the Procfile line, here.

    Never writes over an existing triggers.yaml, nor over a clock: line.
    """
    path = TRIGGERS_FILE
    if path.exists() or path.is_symlink():
        raise _exists()
    # The Procfile first: whatever goes wrong, the same command goes on from there.
    output.say(_add_line(PROCFILE))
    _write(path)
    output.say("wrote triggers.yaml: one trigger, every 10 minutes")
    output.say("next: `clockd check`, then `clockd start`")


def _exists() -> ConflictError:
    return ConflictError(
        "there is a triggers.yaml here already; it was left as it is",
        hint="`clockd check` says what it does",
    )


def _write(path: Path) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TRIGGERS)
    except FileExistsError as error:
        raise _exists() from error
    except OSError as error:
        raise ClockdError(
            f"triggers.yaml cannot be written: {error.strerror}",
            hint="make this folder writable, then run `clockd init` again",
        ) from error


def _add_line(path: Path) -> str:
    """Add the clock's line to a Procfile, unless it has one; return what was done."""
    try:
        there = path.read_bytes() if path.exists() else b""
        if found := _CLOCK.search(there):
            return _left(found[1].decode(errors="replace"))
        with path.open("ab") as file:
            before = b"\n" if there and not there.endswith(b"\n") else b""
            file.write(before + LINE.encode() + b"\n")
    except OSError as error:
        raise ClockdError(
            f"the Procfile cannot be changed: {error.strerror}; nothing was written",
            hint=f"it needs the line `{LINE}`; mend it, then run `clockd init` again",
        ) from error
    return f"added `{LINE}` to the Procfile"


def _left(command: str) -> str:
    told = f"the Procfile has a line `clock: {command}`, which was left as it is"
    if f"clock: {command}" == LINE:
        return told
    return f"{told}; clockd needs `{LINE}` there"
