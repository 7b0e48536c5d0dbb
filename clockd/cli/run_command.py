"""`clockd run-now`."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import click

from clockd.cli.leaving import leave
from clockd.cli.options import install, triggers_option, user_name

if TYPE_CHECKING:
    from pathlib import Path

    from clockd.model import OutputLine, Run


@click.command("run-now")
@click.argument("trigger")
@click.option("--detach", is_flag=True, help="Start it and return at once.")
@triggers_option
def run_now(trigger: str, detach: bool, path: Path | None) -> None:
    """Run TRIGGER now, follow its output, and exit with its status.

    Works with and without a running clock. Exits with the task's own status; 124 if
    it timed out, 125 if it was not started, 130 if interrupted (the run goes on).
    """
    from clockd import failpoints, log
    from clockd.run_now import INTERRUPTED, Listener, RunNow, exit_code
    from clockd.signals import listen

    installation = install(path)
    log.configure(log_format="console", level="error", stream=sys.stderr)
    interrupted = threading.Event()
    failpoints.arm(installation.settings.failpoint)
    listen(lambda _number: interrupted.set())
    store = installation.open_to_run()
    try:
        listener = Listener(begun=_tell_begun, line=_print_line)
        running = RunNow(installation, store, listener, interrupted=interrupted)
        run = running.run(trigger, by=f"{user_name()} (run-now)", detach=detach)
    finally:
        store.close()
    if interrupted.is_set() and run.outcome is None:
        _say(f"interrupted; run {run.id} goes on: `clockd runs logs {run.id} -f`")
        leave(INTERRUPTED)
    if detach and run.outcome is None:
        _say(f"run {run.id} is {run.state.value}: `clockd runs show {run.id}`")
        leave(0)
    _tell_ended(run)
    leave(exit_code(run))


def _tell_begun(run: Run, live: bool) -> None:
    how = "" if live else "; no clock is running, this process follows it"
    _say(f"run {run.id} of {run.trigger.slug}{how}")


def _print_line(line: OutputLine) -> None:
    if line.source == "app":
        click.echo(line.text)
    else:
        _say(line.text)


def _tell_ended(run: Run) -> None:
    dyno = run.attempts[-1].dyno if run.attempts else None
    where = f" on {dyno}" if dyno else ""
    reason = f": {run.reason}" if run.reason else ""
    outcome = run.outcome.value if run.outcome else run.state.value
    _say(f"run {run.id}{where} {outcome}{reason}")


def _say(text: str) -> None:
    click.echo(click.style(f"-- {text}", dim=True), err=True)
