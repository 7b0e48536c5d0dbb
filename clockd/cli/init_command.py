"""`clockd init`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from clockd.errors import ConflictError

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
LINE = "clock: clockd start"


@click.command()
def init() -> None:
    """Write a first triggers.yaml and the Procfile line, here.

    Never writes over an existing triggers.yaml, nor over a clock: line.
    """
    path = Path("triggers.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TRIGGERS)
    except FileExistsError as error:
        raise ConflictError(
            "there is a triggers.yaml here already; it was left as it is",
            hint="`clockd check` says what it does",
        ) from error
    click.echo("wrote triggers.yaml: one trigger, every 10 minutes")
    click.echo(_add_line(Path("Procfile")))
    click.echo("next: `clockd check`, then `clockd start`")


def _add_line(path: Path) -> str:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if re.search(r"^clock:", text, re.MULTILINE):
        return "left the clock: line of the Procfile as it is"
    if text and not text.endswith("\n"):
        text += "\n"
    path.write_text(f"{text}{LINE}\n", encoding="utf-8")
    return f"added `{LINE}` to the Procfile"
