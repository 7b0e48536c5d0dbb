"""What a user can write or read is named in README.md or docs/, and exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from clockd.cli import COMMANDS, cli
from clockd.config import keys
from clockd.model import Outcome, Overlap
from clockd.run_now import INTERRUPTED, NOT_STARTED, TIMED_OUT
from clockd.settings import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text()
DOCUMENTS = README + "".join(
    path.read_text() for path in sorted((TOP / "docs").glob("*.md"))
)
_BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
#: Words in code marks and in blocks of code.
WORDS = set(
    re.findall(
        r"[\w.$@/-]+",
        " ".join(
            _BLOCK.findall(DOCUMENTS)
            + re.findall(r"`[^`]+`", _BLOCK.sub("", DOCUMENTS))
        ),
    )
)
#: Said by `--help`, and of no use to a reader of the documents.
_SELF_EVIDENT = {"--help", "--version"}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name, those of groups included."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for inner, subcommand in command.commands.items():
                yield f"{name} {inner}", subcommand


def options() -> Iterator[tuple[str, click.Option]]:
    """Yield every option with its command."""
    for name, command in [("", cli), *commands()]:
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                yield name, parameter


def spellings() -> dict[str, set[str]]:
    """Return the ways of writing every option, by the one that says most."""
    found: dict[str, set[str]] = {}
    for _, option in options():
        found.setdefault(max(option.opts, key=len), set()).update(option.opts)
    return found


ALL_COMMANDS = [name for name, _ in commands()]
ALL_OPTIONS = sorted(spellings().keys() - _SELF_EVIDENT)
OPTION_VARIABLES = {
    name for _, option in options() for name in [option.envvar] if isinstance(name, str)
}
ALL_VARIABLES = sorted(
    {variable.name for variable in VARIABLES if variable.public} | OPTION_VARIABLES
)
ALL_KEYS = sorted({*keys.TOP_NAMES, *keys.TRIGGER, *keys.LIMITS})


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert f"clockd {command}" in README


@pytest.mark.parametrize("option", ALL_OPTIONS)
def test_every_option_is_documented(option: str) -> None:
    assert spellings()[option] & WORDS


@pytest.mark.parametrize("variable", ALL_VARIABLES)
def test_every_variable_is_documented(variable: str) -> None:
    assert variable in WORDS


@pytest.mark.parametrize(
    "variable", [variable.name for variable in VARIABLES if not variable.public]
)
def test_what_only_tests_set_is_not_documented(variable: str) -> None:
    assert variable not in README


@pytest.mark.parametrize("key", ALL_KEYS)
def test_every_key_of_triggers_yaml_is_documented(key: str) -> None:
    assert key in WORDS


@pytest.mark.parametrize("word", sorted(Outcome))
def test_every_outcome_is_documented(word: str) -> None:
    assert word in WORDS


@pytest.mark.parametrize("word", sorted(Overlap))
def test_every_overlap_is_documented(word: str) -> None:
    assert word in WORDS


def test_no_command_is_named_that_does_not_exist() -> None:
    named = re.findall(r"`clockd ([a-z][a-z-]*(?: [a-z-]+)?)", DOCUMENTS)
    groups = {name.split()[0] for name in ALL_COMMANDS if " " in name}
    missing = [
        name
        for name in named
        if (name if name.split()[0] in groups else name.split()[0]) not in ALL_COMMANDS
    ]

    assert named
    assert missing == []


def test_no_option_is_named_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `clockd ([^`]+)` \|", README, re.M)
    known = dict(commands())
    for row in rows:
        name = max((n for n in known if row.startswith(n)), key=len)
        named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row))
        there = {opt for param in known[name].params for opt in param.opts}
        assert named <= there, row

    assert len(rows) >= len(COMMANDS)


def test_every_variable_that_is_named_exists() -> None:
    table = README.split("## Environment")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.M)
    named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}

    assert named <= set(ALL_VARIABLES)


def test_every_key_that_is_named_exists() -> None:
    table = README.split("## triggers.yaml")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.M)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}

    assert named
    assert named <= set(ALL_KEYS)


def test_the_exit_codes_of_run_now_are_documented() -> None:
    for code in (TIMED_OUT, NOT_STARTED, INTERRUPTED):
        assert re.search(rf"\b{code}\b", README)
