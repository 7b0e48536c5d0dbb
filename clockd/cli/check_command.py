"""`clockd check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from clockd import clock
from clockd.cli import output
from clockd.cli.options import install, json_option, utc_option

if TYPE_CHECKING:
    from datetime import datetime

    from clockd.config import Loaded
    from clockd.model import Trigger
    from clockd.service import TriggerView

FIRE_TIMES = 3


@click.command()
@click.argument(
    "file", required=False, type=click.Path(path_type=Path), envvar="CLOCKD_TRIGGERS"
)
@click.option(
    "-f",
    "--triggers",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The same as FILE, as other commands have it.",
)
@json_option
@utc_option
@click.pass_context
def check(
    context: click.Context,
    *,
    file: Path | None,
    path: Path | None,
    as_json: bool,
    utc: bool,
) -> None:
    """Check FILE (default: $CLOCKD_TRIGGERS or ./triggers.yaml).

    Prints every problem with its place, else every trigger with its schedule in
    English, the next three fire times and what changes of the clocks do to it. Needs
    no database and no key. Exits with 0 if the file can be used, else with 1.
    """
    if path and context.get_parameter_source("file") is ParameterSource.COMMANDLINE:
        raise click.UsageError("FILE is named twice; leave -f out.")
    loaded = install(path or file).loaded
    if as_json:
        output.echo_json(_as_json(loaded, clock.now()))
    else:
        _show(loaded, clock.now(), utc=utc)
    if loaded.problems:
        context.exit(1)


def _show(loaded: Loaded, now: datetime, *, utc: bool) -> None:
    from clockd import service

    for problem in (*loaded.problems, *loaded.warnings):
        output.say(str(problem), err=True)
    if loaded.problems:
        found = output.count(len(loaded.problems), "problem")
        output.say(f"{found}: the file cannot be used as it is.", err=True)
        return
    for view in service.trigger_views(loaded.triggers, None, now=now):
        _show_trigger(view, now, utc=utc)
    told = f"{output.count(len(loaded.triggers), 'trigger')}, no problems"
    if loaded.warnings:
        told += f", {output.count(len(loaded.warnings), 'warning')}"
    output.say(f"{told}.")


def _show_trigger(view: TriggerView, now: datetime, *, utc: bool) -> None:
    from clockd import service

    trigger = view.trigger
    output.say(trigger.slug, bold=True)
    output.say(f"  {service.description_of(trigger)} ({trigger.timezone})")
    click.echo("  $ " + trigger.command.strip().replace("\n", "\n    "))
    for at in service.fire_times(trigger, now, FIRE_TIMES):
        output.say(f"  {output.local(at, trigger.timezone, utc=utc)}")
    if view.silence:
        output.say(f"  ! It {view.silence}.", fg="yellow")
    for text in _notes(trigger, now):
        output.say(f"  ! {text}", fg="yellow")
    click.echo()


def _notes(trigger: Trigger, now: datetime) -> list[str]:
    """Return what changes of the clocks do to a trigger."""
    from clockd import dst, service

    if not trigger.active:
        return []
    return [note.text for note in dst.notes(service.schedule_of(trigger), now)]


def _as_json(loaded: Loaded, now: datetime) -> dict[str, Any]:
    from clockd import service
    from clockd.cli.failures import problem_to_json

    return {
        "ok": not loaded.problems,
        "problems": [problem_to_json(problem) for problem in loaded.problems],
        "warnings": [problem_to_json(problem) for problem in loaded.warnings],
        "triggers": [
            _trigger_to_json(view, now)
            for view in service.trigger_views(loaded.triggers, None, now=now)
        ],
    }


def _trigger_to_json(view: TriggerView, now: datetime) -> dict[str, Any]:
    from clockd import service

    fire_times = service.fire_times(view.trigger, now, FIRE_TIMES)
    return {
        **view.to_json(),
        "fire_times": [service.instant(at) for at in fire_times],
        "dst_notes": _notes(view.trigger, now),
    }
