"""How an error is told: to people on standard error, to programs as JSON."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clockd.cli import output
from clockd.errors import ClockdError
from clockd.redaction import redact, register_environment

if TYPE_CHECKING:
    from collections.abc import Iterable


def show(error: Exception, *, verbose: bool, as_json: bool) -> int:
    """Tell an error, without secrets.

    Args:
        error: What went wrong.
        verbose: Whether people want the traceback, too.
        as_json: Whether standard output gets it as JSON.

    Returns:
        What to exit with.
    """
    register_environment(os.environ)
    if not isinstance(error, ClockdError):
        error = _unexpected(error)
    for problem in _problems(error):
        output.say(str(problem), err=True)
    output.say(f"Error: {error.message}", err=True)
    if error.hint:
        output.say(f"  {error.hint}", err=True)
    if verbose:
        output.say("".join(traceback.format_exception(error)), err=True)
    if as_json:
        output.echo_json({"error": to_json(error)})
    return error.exit_code


def to_json(error: ClockdError) -> dict[str, Any]:
    """Return an error as programs read it."""
    return {
        "code": error.code,
        "message": redact(error.message),
        "hint": redact(error.hint) if error.hint else None,
        "data": _plain(error.data),
    }


def problem_to_json(problem: Any) -> dict[str, Any]:
    """Return a problem of triggers.yaml as programs read it."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "message": redact(problem.message),
        "hint": redact(problem.hint) or None,
    }


def _unexpected(error: Exception) -> ClockdError:
    told = ClockdError(
        f"something went wrong inside clockd ({type(error).__name__}: {error})",
        hint="run it again as `clockd -v …` and report what it says",
    )
    told.__cause__ = error
    return told


def _problems(error: ClockdError) -> Iterable[Any]:
    found = error.data.get("problems", ()) if error.code == "config" else ()
    return found if isinstance(found, list | tuple) else ()


def _plain(value: object) -> Any:
    """Return a fact of an error as something JSON knows."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if hasattr(value, "column"):
        return problem_to_json(value)
    return redact(str(value))
