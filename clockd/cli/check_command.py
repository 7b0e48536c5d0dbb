"""`clockd check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clockd import clock
from clockd.cli import output
from clockd.cli.options import install, json_option, utc_option

if TYPE_CHECKING:
    from clockd.config import Loaded
    from clockd.model import Trigger

FIRE_TIMES = 3


@click.command()
@click.argument(
    "file", required=False, type=click.Path(path_type=Path), envvar="CLOCKD_TRIGGERS"
)
@json_option
@utc_option
@click.pass_context
def check(context: click.Context, file: Path | None, as_json: bool, utc: bool) -> None:
    """Check FILE (default: $CLOCKD_TRIGGERS or ./triggers.yaml).

    Prints every problem with its place, else every trigger with its schedule in
    English, the next three fire times and what changes of the clocks do to it. Needs
    no database and no key. Exits with 0 if the file can be used, else with 1.
    """
    loaded = install(file).loaded
    if as_json:
        output.echo_json(_as_json(loaded))
    else:
        _show(loaded, utc=utc)
    if loaded.problems:
        context.exit(1)


def _show(loaded: Loaded, *, utc: bool) -> None:
    for problem in (*loaded.problems, *loaded.warnings):
        click.echo(str(problem), err=True)
    if loaded.problems:
        count = len(loaded.problems)
        click.echo(
            f"{count} problem{'s' * (count != 1)}; nothing was changed.", err=True
        )
        return
    for trigger in loaded.triggers:
        _show_trigger(trigger, utc=utc)
    count = len(loaded.triggers)
    click.echo(f"{count} trigger{'s' * (count != 1)}, no problems.")


def _show_trigger(trigger: Trigger, *, utc: bool) -> None:
    from clockd import dst, service

    parsed = service.schedule_of(trigger)
    state = "" if trigger.active else " (inactive)"
    click.echo(click.style(f"{trigger.slug}{state}", bold=True))
    click.echo(f"  {service.description_of(trigger)} ({trigger.timezone})")
    click.echo(f"  $ {trigger.command}")
    for at in service.coming(parsed, clock.now(), FIRE_TIMES):
        click.echo(f"  {output.local(at, trigger.timezone, utc=utc)}")
    for note in dst.notes(parsed, clock.now()):
        click.echo(click.style(f"  ! {note.text}", fg="yellow"))
    click.echo()


def _as_json(loaded: Loaded) -> dict[str, Any]:
    from clockd import dst, service

    return {
        "ok": not loaded.problems,
        "problems": [_problem(problem) for problem in loaded.problems],
        "warnings": [_problem(problem) for problem in loaded.warnings],
        "triggers": [
            {
                "trigger": trigger.slug,
                "description": service.description_of(trigger),
                "timezone": trigger.timezone,
                "active": trigger.active,
                "fire_times": [
                    service.instant(at)
                    for at in service.coming(
                        service.schedule_of(trigger), clock.now(), FIRE_TIMES
                    )
                ],
                "dst_notes": [
                    note.text
                    for note in dst.notes(service.schedule_of(trigger), clock.now())
                ],
            }
            for trigger in loaded.triggers
        ],
    }


def _problem(problem: Any) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint or None,
    }
