"""`clockd doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clockd.cli import output
from clockd.cli.options import install, json_option, triggers_option

if TYPE_CHECKING:
    from pathlib import Path

    from clockd.runner import Check


@click.command()
@triggers_option
@json_option
@click.pass_context
def doctor(context: click.Context, path: Path | None, as_json: bool) -> None:
    """Check the file, the database, the clock and the platform.

    Each finding comes with what to do about it. Exits with 1 if anything is wrong.
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
    if not check.ok:
        mark = click.style("✗", fg="red")
    elif check.hint:
        mark = click.style("!", fg="yellow")
    else:
        mark = click.style("✓", fg="green")
    click.echo(f"{mark} {check.name}: {check.message}")
    if check.hint:
        click.echo(f"    {check.hint}")


def _as_json(check: Check) -> dict[str, object]:
    return {
        "check": check.name,
        "ok": check.ok,
        "message": check.message,
        "hint": check.hint,
        **({"data": dict(check.data)} if check.data else {}),
    }
