"""`clockd runs`, `runs show`, `runs logs`, `runs cancel`."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from clockd import clock
from clockd.cli import output
from clockd.cli.options import (
    install,
    json_option,
    late_triggers_option,
    triggers_option,
    user_name,
    utc_option,
)
from clockd.model import Outcome, RunState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from clockd.compose import Installation
    from clockd.model import Attempt, OutputLine, Run
    from clockd.store import Store

TAIL = 20
FOLLOW_S = 0.5
#: As large as the databases' numbers are.
RUN_ID = click.IntRange(1, 2**63 - 1)

run_argument = click.argument("run_id", metavar="RUN", type=RUN_ID)


@click.group(invoke_without_command=True)
@click.option("--trigger", metavar="SLUG", help="Only runs of this trigger.")
@click.option(
    "--outcome",
    type=click.Choice([outcome.value for outcome in Outcome]),
    metavar="OUTCOME",
    help=f"Only those that ended so: {', '.join(Outcome)}.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    metavar="N",
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
    if context.invoked_subcommand is not None:
        _refuse_filters(context)
        context.obj = {"path": path, "as_json": as_json, "utc": utc}
        return
    from clockd import service

    installation = install(path)
    found = _list(installation, trigger, Outcome(outcome) if outcome else None, limit)
    if as_json:
        output.echo_json([service.run_to_json(run) for run in found])
    elif found:
        output.table(
            ("RUN", "TRIGGER", "CAUSE", "TIME", "STATE", "EXIT", "TOOK", "REASON"),
            [_row(run, utc=utc) for run in found],
            outcomes=4,
        )
    elif trigger or outcome:
        output.say("There are no such runs.")
    else:
        output.say("There are no runs yet: `clockd start` runs what is due.")


def _refuse_filters(context: click.Context) -> None:
    """Refuse what would be without effect on a subcommand."""
    for name in ("trigger", "outcome", "limit"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name} chooses runs of the list; "
                f"`clockd runs {context.invoked_subcommand}` takes the number of one."
            )


def _list(
    installation: Installation,
    trigger: str | None,
    outcome: Outcome | None,
    limit: int,
) -> list[Run]:
    from clockd import service

    triggers = installation.loaded.triggers
    store = installation.open_as_it_is()
    if store is None:
        if trigger is not None:
            service.find_trigger(triggers, trigger)
        return []
    try:
        return service.list_runs(
            store, triggers, trigger=trigger, outcome=outcome, limit=limit
        )
    finally:
        store.close()


def _row(run: Run, *, utc: bool) -> tuple[str, ...]:
    at = run.fire_time or run.claimed_at
    return (
        str(run.id),
        run.trigger.slug,
        run.cause.value,
        output.local(at, run.trigger.timezone, utc=utc),
        run.outcome.value if run.outcome else run.state.value,
        "-" if run.exit_status is None else str(run.exit_status),
        _took(run),
        (_reason(run) or "") + (f" (×{run.fire_count})" if run.fire_count > 1 else ""),
    )


def _reason(ended: Run | Attempt) -> str | None:
    """Return why it stands so, where the exit status does not say it already."""
    told = f"exit status {ended.exit_status}"
    return None if ended.reason == told else ended.reason


def _took(run: Run) -> str:
    if run.launched_at is None:
        return "-"
    seconds = ((run.finished_at or clock.now()) - run.launched_at).total_seconds()
    return f"{seconds:.1f} s"


@contextmanager
def _store_of(context: click.Context, late_path: Path | None) -> Iterator[Store]:
    """Open the database that holds the runs, as it is.

    Also to cancel one: an older schema is brought up to date by its clock's successor.
    """
    from clockd.errors import NotFoundError

    installation = install(late_path or context.obj["path"])
    store = installation.open_as_it_is()
    if store is None:
        raise NotFoundError(
            "there are no runs yet: no clock has run here",
            hint="`clockd start` starts one, `clockd run-now TRIGGER` runs one by hand",
        )
    try:
        yield store
    finally:
        store.close()


@runs.command()
@run_argument
@late_triggers_option
@json_option
@utc_option
@click.pass_context
def show(
    context: click.Context,
    run_id: int,
    *,
    late_path: Path | None,
    as_json: bool,
    utc: bool,
) -> None:
    """Show RUN: what happened when, each attempt, and its last lines."""
    from clockd import service

    with _store_of(context, late_path) as store:
        run = store.runs.get(run_id)
        lines = store.output.lines(run_id)
    if as_json or context.obj["as_json"]:
        output.echo_json(service.run_to_json(run))
        return
    _show(run, utc=utc or context.obj["utc"])
    if len(lines) > TAIL:
        output.say(f"  output       the last {TAIL} lines of {len(lines)}:")
    elif lines:
        output.say("  output")
    for line in lines[-TAIL:]:
        _print(line)


def _show(run: Run, *, utc: bool) -> None:
    def when(at: datetime | None) -> str:
        return output.local(at, run.trigger.timezone, utc=utc)

    word = run.outcome.value if run.outcome else run.state.value
    title = click.style(f"run {run.id} of {run.trigger.slug}", bold=True)
    click.echo(f"{title}: {output.outcome(word)}")
    click.echo(
        "  command      " + run.trigger.command.strip().replace("\n", "\n" + " " * 15)
    )
    for name, text in (
        ("reason", _reason(run)),
        ("cause", run.cause.value),
        ("fire time", run.fire_time and when(run.fire_time)),
        ("stands for", run.fire_count > 1 and _fire_times(run, utc=utc)),
        ("claimed", when(run.claimed_at)),
        ("launched", run.launched_at and when(run.launched_at)),
        ("lag", None if run.lag_s is None else f"{run.lag_s:.3f} s"),
        ("finished", run.finished_at and when(run.finished_at)),
        ("took", run.launched_at and _took(run)),
        ("waits for", run.hold and f"{run.hold.value}, until {when(run.not_before)}"),
        ("exit status", None if run.exit_status is None else str(run.exit_status)),
        ("cancelled by", run.cancel_requested_by),
    ):
        if text:
            output.say(f"  {name:<12} {text}")
    for attempt in run.attempts:
        output.say(f"  attempt {attempt.number:<4} {_attempt(attempt)}")


def _fire_times(run: Run, *, utc: bool) -> str:
    last = output.local(run.last_fire_time, run.trigger.timezone, utc=utc)
    return f"{run.fire_count} fire times, the last on {last}"


def _attempt(attempt: Attempt) -> str:
    word = attempt.outcome.value if attempt.outcome else attempt.state.value
    size = f" ({attempt.size})" if attempt.size else ""
    parts = [f"{attempt.dyno or 'no dyno'}{size}", output.outcome(word)]
    if attempt.exit_status is not None:
        parts.append(f"exit status {attempt.exit_status}")
    parts += [text for text in (_reason(attempt), attempt.warning) if text]
    return ", ".join(parts)


@runs.command()
@run_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@late_triggers_option
@click.pass_context
def logs(
    context: click.Context, run_id: int, *, follow: bool, late_path: Path | None
) -> None:
    """Print the output of RUN.

    What became of the run goes to standard error.
    """
    with _store_of(context, late_path) as store:
        run = store.runs.get(run_id)
        if follow and run.state is not RunState.FINISHED and not _live(store, run):
            _tell("no clock is running: the run goes on when one is")
        try:
            printed = _print_all(store, run_id, follow=follow)
        except KeyboardInterrupt:
            click.echo(err=True)
            context.exit(130)
        run = store.runs.get(run_id)
    if not printed or follow:
        word = run.outcome.value if run.outcome else run.state.value
        told = "" if printed else ", without output"
        why = f" ({run.reason})" if run.reason else ""
        _tell(f"run {run_id}: {word}{told}{why}")


def _print_all(store: Store, run_id: int, *, follow: bool) -> int:
    """Print a run's lines, perhaps until it has ended; return the last one's number."""
    printed, attempt = 0, 1
    while True:
        # What comes after the end is not there: the end is written last.
        ended = store.runs.get(run_id).state is RunState.FINISHED
        for line in store.output.lines(run_id, after=printed):
            if line.attempt != attempt:
                _tell(f"attempt {line.attempt}")
            printed, attempt = line.sequence, line.attempt
            _print(line)
        if ended or not follow:
            return printed
        time.sleep(FOLLOW_S)


def _print(line: OutputLine) -> None:
    if line.source == "app":
        click.echo(line.text)
    else:
        output.say(f"-- {line.text}", dim=True)


def _tell(text: str) -> None:
    output.say(f"-- {text}", err=True, dim=True)


def _live(store: Store, run: Run) -> bool:
    """Return whether somebody takes care of a run."""
    return run.owner is not None or store.lease.read().holder is not None


@runs.command()
@run_argument
@late_triggers_option
@click.pass_context
def cancel(context: click.Context, run_id: int, *, late_path: Path | None) -> None:
    """Cancel RUN: a waiting one ends at once, a running one is stopped."""
    from clockd import service

    with _store_of(context, late_path) as store:
        run = service.cancel_run(store, run_id, by=user_name())
        live = _live(store, run)
    if run.state is RunState.FINISHED:
        before = "no further attempt starts" if run.attempt else "it had not started"
        output.say(f"run {run_id} is cancelled; {before}")
    elif live:
        output.say(f"run {run_id} is being stopped; `clockd runs show {run_id}`")
    else:
        output.say(f"run {run_id} will be stopped when a clock runs again")
