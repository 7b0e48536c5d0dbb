"""The command line. Commands are imported when they are called: help stays quick."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, NoReturn

import click

from clockd import __version__
from clockd.cli import streams

#: Command → the module it lives in; the function there has the command's name.
COMMANDS = {
    "start": "start",
    "run-now": "run",
    "check": "check",
    "explain": "explain",
    "triggers": "triggers",
    "next": "triggers",
    "runs": "runs",
    "init": "init",
    "doctor": "doctor",
}
#: Where the function cannot have the command's name.
_FUNCTIONS = {"run-now": "run_now", "next": "next_"}

_SUMMARIES = {
    "start": "Be the clock: fire every trigger on time.",
    "run-now": "Run a trigger by hand and follow it to its end.",
    "check": "Check triggers.yaml and show what it will do.",
    "explain": "Say what a cron expression means, and when it fires.",
    "triggers": "List the triggers.",
    "next": "List the coming fire times.",
    "runs": "List runs; show, read and cancel one.",
    "init": "Write a first triggers.yaml and the Procfile line.",
    "doctor": "Check everything the clock needs.",
}


class LazyGroup(click.Group):
    """A group that imports a command only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order they are shown."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        module_name = COMMANDS.get(cmd_name)
        if module_name is None:
            return None
        module = importlib.import_module(f"clockd.cli.{module_name}_command")
        command: click.Command = getattr(module, _FUNCTIONS.get(cmd_name, cmd_name))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command where there is no such one."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            # The group itself knows no command before it is imported.
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=COMMANDS, ctx=ctx
            ) from None

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the list of commands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_SUMMARIES.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; tell its error as people, and programs, want to read it."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            # Nobody reads on (`| head`): neither the rest nor a complaint is wanted.
            streams.abandon()
            return ctx.exit(0)
        except Exception as error:  # noqa: BLE001 – the last line of defence
            from clockd.cli import failures

            return ctx.exit(
                failures.show(
                    error,
                    verbose=ctx.params["verbose"],
                    as_json=bool(ctx.meta.get("clockd.json")),
                )
            )


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", prog_name="clockd")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    envvar="CLOCKD_VERBOSE",
    show_envvar=True,
    help="Show the whole traceback of an error.",
)
@click.pass_context
def cli(context: click.Context, verbose: bool) -> None:
    """clockd fires the triggers of triggers.yaml on time, each as a one-off dyno."""
    del verbose  # read by LazyGroup.invoke
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        context.color = False


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    0: fine; 1: the answer is no; 2: the call or the environment makes no sense; 3: the
    database or the platform could not be asked; 130: interrupted. `run-now` exits with
    the task's status, or 124 and 125.
    """
    streams.prepare()
    try:
        code = cli.main(args=arguments, prog_name="clockd", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("Aborted.", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)
