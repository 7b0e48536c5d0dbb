"""Reads texts as triggers.yaml, and says shortly what came of it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from clockd import config
from clockd.model import RunnerKind
from clockd.settings import Secret, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clockd.config import Loaded, Problem
    from clockd.model import Trigger

HEROKU = Settings(
    runner=RunnerKind.HEROKU,
    heroku_api_key=Secret("a-key-of-nobody"),
    heroku_app_name="my-app",
)
LOCAL = Settings(runner=RunnerKind.LOCAL)
_NOTHING: Mapping[str, str] = MappingProxyType({})


def read(
    text: str, settings: Settings = HEROKU, environ: Mapping[str, str] = _NOTHING
) -> Loaded:
    """Return what a text says as triggers.yaml."""
    return config.load(None, text, settings=settings, environ=environ)


def entry(*lines: str) -> str:
    """Return a file with a trigger `t`; its further lines begin at line 6, column 5."""
    begin = ["version: 1", "triggers:", "  t:", "    command: x", "    every: 10m"]
    return "\n".join([*begin, *(f"    {line}" for line in lines)]) + "\n"


def scheduled(line: str, *further: str) -> str:
    """Return a file with a trigger whose schedule is at line 5, column 5."""
    begin = ["version: 1", "triggers:", "  t:", "    command: x"]
    return "\n".join([*begin, *(f"    {each}" for each in (line, *further))]) + "\n"


def trigger(text: str, settings: Settings = HEROKU) -> Trigger:
    """Return the only trigger of a text without problems."""
    loaded = read(text, settings)
    assert shown(loaded.problems) == []
    (found,) = loaded.triggers
    return found


def errors(text: str, settings: Settings = HEROKU) -> list[str]:
    """Return the errors of a text as people see them, without the file's name."""
    return shown(read(text, settings).problems)


def warnings(text: str, settings: Settings = HEROKU) -> list[str]:
    """Return the warnings of a text without errors, without the file's name."""
    loaded = read(text, settings)
    assert shown(loaded.problems) == []
    return shown(loaded.warnings)


def shown(problems: Iterable[Problem]) -> list[str]:
    """Return problems as people see them, without the file's name."""
    return [str(problem).removeprefix("triggers.yaml:") for problem in problems]
