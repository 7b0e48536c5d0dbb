"""`clockd doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clockd.cli import output
from clockd.cli.options import install, json_option, triggers_option
from clockd.redaction import redact

if TYPE_CHECKING:
    from pathlib import Path

    from clockd.runner import Check

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}


@click.command()
@triggers_option
@json_option
@click.pass_context
def doctor(context: click.Context, path: Path | None, as_json: bool) -> None:
    """Check the file, the database, the clock and the platform.

    Each finding comes with what to do about it: ✓ is well, ! is worth knowing, ✗ is
    wrong. Exits with 1 if anything is wrong.
    """
    from clockd import doctor as checks

    found: list[Check] = []
    for check in checks.examine(install(path)):
        found.append(check)
        if not as_json:
            _show(check)
    if as_json:
        output.echo_json([_as_json(check) for check in found])
    if not all(check.ok for check in found):
        context.exit(1)


def _show(check: Check) -> None:
    mark, colour = _MARKS[_level(check)]
    output.say(f"{click.style(mark, fg=colour)} {check.name}: {check.message}")
    if check.hint:
        output.say(f"    {check.hint}")


def _level(check: Check) -> str:
    if not check.ok:
        return "error"
    return "warning" if check.hint else "ok"


def _as_json(check: Check) -> dict[str, object]:
    facts = {name: fact for name, fact in check.data.items() if name != "level"}
    return {
        "check": check.name,
        "level": _level(check),
        "ok": check.ok,
        "message": redact(check.message),
        "hint": redact(check.hint) if check.hint else None,
        **({"data": facts} if facts else {}),
    }
