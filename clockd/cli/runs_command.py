"""`clockd runs`, `runs show`, `runs logs`, `runs cancel`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from clockd import clock
from clockd.cli import output
from clockd.cli.options import install, json_option, triggers_option, utc_option

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from clockd.model import Attempt, OutputLine, Run
    from clockd.store import Store

OUTCOMES = (
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
    "stopped_by_platform",
    "launch_failed",
    "lost",
    "skipped",
    "missed",
)
TAIL = 20
FOLLOW_S = 0.5


def open_store(path: Path | None) -> Store:
    """Open the database that holds the runs."""
    from clockd.errors import NotFoundError

    installation = install(path)
    if not installation.store_exists():
        raise NotFoundError(
            "there are no runs yet: no clock has run here",
            hint="`clockd start` starts one, `clockd run-now TRIGGER` runs one by hand",
        )
    return installation.open_store()


@click.group(invoke_without_command=True)
@click.option("--trigger", metavar="SLUG", help="Only runs of this trigger.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only with this outcome.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="How many, newest first.",
)
@triggers_option
@json_option
@utc_option
@click.pass_context
def runs(
    context: click.Context,
    *,
    trigger: str | None,
    outcome: str | None,
    limit: int,
    path: Path | None,
    as_json: bool,
    utc: bool,
) -> None:
    """List runs, newest first; show, read and cancel one."""
    context.obj = {**(context.obj or {}), "path": path}
    if context.invoked_subcommand is not None:
        return
    from clockd import service
    from clockd.model import Outcome

    store = open_store(path)
    try:
        found = store.runs.list(
            trigger=trigger, outcome=Outcome(outcome) if outcome else None, limit=limit
        )
    finally:
        store.close()
    if as_json:
        output.echo_json([service.run_to_json(run) for run in found])
    elif found:
        output.table(
            ("RUN", "TRIGGER", "FIRE TIME", "STATE", "EXIT", "TOOK", "REASON"),
            [_row(run, utc=utc) for run in found],
        )
    else:
        click.echo("There are no such runs.")


def _row(run: Run, *, utc: bool) -> tuple[str, ...]:
    at = run.fire_time or run.claimed_at
    return (
        str(run.id),
        run.trigger.slug,
        output.local(at, run.trigger.timezone, utc=utc),
        run.outcome.value if run.outcome else run.state.value,
        "-" if run.exit_status is None else str(run.exit_status),
        _took(run),
        (run.reason or "") + (f" (×{run.fire_count})" if run.fire_count > 1 else ""),
    )


def _took(run: Run) -> str:
    if run.launched_at is None:
        return "-"
    seconds = ((run.finished_at or clock.now()) - run.launched_at).total_seconds()
    return f"{seconds:.1f} s"


@runs.command()
@click.argument("run_id", metavar="RUN", type=int)
@json_option
@utc_option
@click.pass_context
def show(context: click.Context, run_id: int, as_json: bool, utc: bool) -> None:
    """Show RUN: what happened when, each attempt, and its last lines."""
    from clockd import service

    store = open_store(context.obj["path"])
    try:
        run = store.runs.get(run_id)
        lines = store.output.lines(run_id)[-TAIL:]
    finally:
        store.close()
    if as_json:
        output.echo_json(service.run_to_json(run))
        return
    _show(run, utc=utc)
    for line in lines:
        _print(line)


def _show(run: Run, *, utc: bool) -> None:
    def when(at: datetime | None) -> str:
        return output.local(at, run.trigger.timezone, utc=utc)

    word = run.outcome.value if run.outcome else run.state.value
    title = f"run {run.id} of {run.trigger.slug}"
    click.echo(f"{click.style(title, bold=True)}: {output.outcome(word)}")
    for name, text in (
        ("reason", run.reason),
        ("command", run.trigger.command),
        ("cause", run.cause.value),
        ("fire time", run.fire_time and when(run.fire_time)),
        ("claimed", when(run.claimed_at)),
        ("launched", run.launched_at and when(run.launched_at)),
        ("lag", None if run.lag_s is None else f"{run.lag_s:.3f} s"),
        ("finished", run.finished_at and when(run.finished_at)),
        ("waits for", run.hold and f"{run.hold.value}, until {when(run.not_before)}"),
        ("exit status", None if run.exit_status is None else str(run.exit_status)),
    ):
        if text:
            click.echo(f"  {name:<12} {text}")
    for attempt in run.attempts:
        click.echo(f"  attempt {attempt.number}    {_attempt(attempt)}")


def _attempt(attempt: Attempt) -> str:
    word = attempt.outcome.value if attempt.outcome else attempt.state.value
    size = f" ({attempt.size})" if attempt.size else ""
    parts = [f"{attempt.dyno or 'no dyno yet'}{size}", output.outcome(word)]
    parts += [text for text in (attempt.reason, attempt.warning) if text]
    return ", ".join(parts)


@runs.command()
@click.argument("run_id", metavar="RUN", type=int)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.pass_context
def logs(context: click.Context, run_id: int, follow: bool) -> None:
    """Print the output of RUN."""
    from clockd.model import RunState

    store = open_store(context.obj["path"])
    try:
        run, printed = store.runs.get(run_id), 0
        while True:
            ended = run.state is RunState.FINISHED
            for line in store.output.lines(run_id, after=printed):
                printed = line.sequence
                _print(line)
            if ended or not follow:
                return
            time.sleep(FOLLOW_S)
            run = store.runs.get(run_id)
    except KeyboardInterrupt:
        click.echo(err=True)
    finally:
        store.close()


def _print(line: OutputLine) -> None:
    dim = line.source != "app"
    click.echo(click.style(f"-- {line.text}", dim=True) if dim else line.text)


@runs.command()
@click.argument("run_id", metavar="RUN", type=int)
@click.pass_context
def cancel(context: click.Context, run_id: int) -> None:
    """Cancel RUN: a waiting one ends at once, a running one is stopped."""
    import getpass

    from clockd import service
    from clockd.model import RunState

    store = open_store(context.obj["path"])
    try:
        run = service.cancel_run(store, run_id, by=getpass.getuser())
        live = store.lease.read().holder is not None
    finally:
        store.close()
    if run.state is RunState.FINISHED:
        click.echo(f"run {run_id} is cancelled; it had not started")
    elif live or run.owner is not None:
        click.echo(f"run {run_id} is being stopped; `clockd runs show {run_id}`")
    else:
        click.echo(f"run {run_id} will be stopped when a clock runs again")
