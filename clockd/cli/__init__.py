"""The command line. Commands are imported when they are called: help stays quick."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any, NoReturn

import click

from clockd import __version__
from clockd.errors import ClockdError

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
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the list of commands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_SUMMARIES.items()))


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
    context.obj = {"verbose": verbose}


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 fine, 1 the answer is no, 2 usage."""
    verbose = bool(os.environ.get("CLOCKD_VERBOSE"))
    words = sys.argv[1:] if arguments is None else arguments
    verbose = verbose or any(word in ("-v", "--verbose") for word in words[:1])
    try:
        code = cli.main(args=arguments, prog_name="clockd", standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("Aborted.", err=True)
        code = 130
    except ClockdError as error:
        show_error(error, verbose=verbose)
        code = error.exit_code
    except BrokenPipeError:
        # Nobody reads on (`| head`): neither the rest nor a complaint is wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 – the last line of defence
        _show_unexpected(error, verbose=verbose)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def show_error(error: ClockdError, *, verbose: bool) -> None:
    """Write an error for people: what happened, what to do, each problem."""
    from clockd import redaction

    for problem in _problems(error):
        click.echo(redaction.redact(str(problem)), err=True)
    click.echo(redaction.redact(f"Error: {error.message}"), err=True)
    if error.hint:
        click.echo(redaction.redact(f"  {error.hint}"), err=True)
    if verbose:
        click.echo(
            redaction.redact("".join(traceback.format_exception(error))), err=True
        )


def _problems(error: ClockdError) -> Any:
    return error.data.get("problems", ()) if error.code == "config" else ()


def _show_unexpected(error: Exception, *, verbose: bool) -> None:
    from clockd import redaction

    if verbose:
        text = "".join(traceback.format_exception(error))
    else:
        text = (
            f"Error: something went wrong inside clockd ({type(error).__name__}: "
            f"{error})\n  run it again as `clockd -v …` and report what it says"
        )
    click.echo(redaction.redact(text), err=True)
