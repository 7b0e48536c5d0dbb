"""What every command has in common: help, mistakes, errors, and where they go."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import clockd as package
from clockd.cli import COMMANDS
from clockd.errors import StoreUnavailable
from tests.support.commands import TOP, Project, clockd, process, start
from tests.support.stores import trigger

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
version: 1
runner: local
triggers:
  hourly: {command: bin/hourly, every: 1h}
"""
#: What help must not wait for.
HEAVY = (
    *("alembic", "apscheduler", "cron_descriptor", "heroku3", "psycopg", "requests"),
    *("sqlalchemy", "structlog", "yaml", "zoneinfo._common", "clockd.config"),
)
KEY = "HRKU-5e0a8a4c-planted-key"
SECRETS = {
    "HEROKU_API_KEY": KEY,
    "DATABASE_URL": "postgres://me:hunter22@127.0.0.1:1/clockd",
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    project.write(GOOD)
    return project


# -- help ----------------------------------------------------------------------


def test_help_lists_every_command_with_a_summary() -> None:
    said = clockd("--help")
    listed = re.findall(r"^  ([a-z]\S+) {2,}([A-Z].*\.)$", said.out, re.M)

    assert (said.code, said.err) == (0, "")
    assert [name for name, _ in listed] == list(COMMANDS)


@pytest.mark.parametrize(
    "command", [*COMMANDS, "runs show", "runs logs", "runs cancel"]
)
def test_every_command_has_help_that_agrees_with_the_list(command: str) -> None:
    said = clockd(*command.split(), "--help")

    assert (said.code, said.err) == (0, "")
    assert said.lines[0].startswith(f"Usage: clockd {command} ")
    assert clockd(*command.split(), "-h") == said


def test_the_version_is_told() -> None:
    assert clockd("--version").out == f"clockd, version {package.__version__}\n"


def test_without_a_command_help_is_shown_and_the_call_has_failed() -> None:
    said = clockd()

    assert said.code == 2
    assert "Usage: clockd [OPTIONS] COMMAND" in said.err


def test_help_imports_nothing_that_is_slow() -> None:
    code = (
        "import sys\n"
        "from clockd.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "finally:\n"
        "    print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        timeout=40,
    )

    assert "doctor" in done.stdout
    assert set(done.stderr.split()).isdisjoint(HEAVY)
    assert "clockd.cli" in done.stderr.split()


# -- mistakes in the call ------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("chek",), "Did you mean 'check'?"),
        (("trigger",), "Did you mean 'triggers'?"),
        (("run_now", "x"), "Did you mean 'run-now'?"),
        (("runs", "shwo", "1"), "Did you mean 'show'?"),
        (("check", "--jsno"), "Did you mean '--json'?"),
        (("next", "--form", "now"), "Did you mean '--from'?"),
    ],
    ids=lambda words: "-".join(words) if isinstance(words, tuple) else "near",
)
def test_a_slip_comes_with_what_was_meant(words: tuple[str, ...], near: str) -> None:
    said = clockd(*words)

    assert (said.code, said.out) == (2, "")
    assert near in said.err


def test_an_unknown_command_points_to_help() -> None:
    said = clockd("frobnicate")

    assert said.code == 2
    assert "No such command 'frobnicate'." in said.err
    assert "Try 'clockd --help' for help." in said.err


# -- errors --------------------------------------------------------------------


def test_an_error_and_its_hint_go_to_standard_error() -> None:
    said = process("next", "hourli")

    assert (said.code, said.out) == (1, "")
    assert said.err == "Error: there is no trigger 'hourli'\n  did you mean hourly?\n"


@pytest.mark.parametrize(
    "words", [("check",), ("triggers",), ("runs",), ("doctor",)], ids=" ".join
)
def test_an_environment_that_makes_no_sense_exits_with_2(
    words: tuple[str, ...],
) -> None:
    said = clockd(*words, env={"CLOCKD_OUTPUT_DAYS": "many"})

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Error: CLOCKD_OUTPUT_DAYS is 'many'")
    assert "\n  set the variable right, or unset it" in said.err


def test_a_database_out_of_reach_exits_with_3() -> None:
    said = clockd("runs", env=SECRETS)

    assert (said.code, said.out) == (StoreUnavailable.exit_code, "") == (3, "")
    assert said.err.startswith("Error: ")


def test_verbose_adds_the_traceback() -> None:
    words = ("next", "nothing")
    plain, verbose = clockd(*words), clockd("-v", *words)

    assert "Traceback" not in plain.err
    assert verbose.err.startswith(plain.err)
    assert "Traceback (most recent call last):" in verbose.err
    assert clockd("--verbose", *words).err == verbose.err
    assert "Traceback" in clockd(*words, env={"CLOCKD_VERBOSE": "1"}).err
    assert "Traceback" not in clockd(*words, env={"CLOCKD_VERBOSE": "0"}).err


def test_what_nobody_thought_of_is_told_as_a_fault_of_clockd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def burst(*_: object, **__: object) -> None:
        raise RuntimeError(f"no luck with {KEY}")

    monkeypatch.setattr("clockd.compose.install", burst)
    said = clockd("triggers", "--json", env={"HEROKU_API_KEY": KEY})

    assert said.code == 1
    assert said.err == (
        "Error: something went wrong inside clockd (RuntimeError: no luck with ***)\n"
        "  run it again as `clockd -v …` and report what it says\n"
    )
    assert said.json["error"]["message"].endswith("no luck with ***)")
    assert "in burst" in clockd("-v", "triggers", env={"HEROKU_API_KEY": KEY}).err


def test_a_pipe_of_the_database_that_breaks_is_no_reader_that_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StoreUnavailable("the connection broke") from BrokenPipeError()

    monkeypatch.setattr("clockd.compose.Installation.open_as_it_is", broken)

    assert clockd("runs").code == 3


@pytest.mark.parametrize(
    "words",
    [
        *[("check",), ("check", "--json"), ("triggers",), ("triggers", "--json")],
        *[("next",), ("explain", "@daily"), ("runs",), ("runs", "--json")],
        *[("-v", "runs"), ("runs", "show", "1"), ("doctor",), ("doctor", "--json")],
        *[("-v", "run-now", "hourly"), ("runs", "--limit", KEY)],
    ],
    ids=lambda words: "-".join(words).strip("-")[:20],
)
def test_no_secret_is_ever_shown(words: tuple[str, ...]) -> None:
    env = {**SECRETS, "HEROKU_API_URL": "http://127.0.0.1:1"}
    said = (process if "run-now" in words else clockd)(*words, env=env)

    assert said.out + said.err != ""
    assert "hunter22" not in said.out + said.err
    if KEY not in words:
        assert KEY not in said.out + said.err


def test_a_reason_that_holds_a_secret_is_shown_without(project: Project) -> None:
    with project.books() as books:
        run = books.ask(trigger("report"))
        books.store.runs.cancel(run.id, by=f"token={KEY}", now=run.claimed_at)
    env = {"HEROKU_API_KEY": KEY}

    for words in (("runs",), ("runs", "show", "1"), ("runs", "logs", "1")):
        said = clockd(*words, env=env)
        assert "cancelled by token=***" in said.out + said.err
    assert KEY not in clockd("runs", "--json", env=env).out


# -- streams -------------------------------------------------------------------


@pytest.mark.parametrize("words", [("check",), ("explain", "@daily", "-n", "9999")])
def test_who_stops_reading_gets_no_complaint(
    project: Project, words: tuple[str, ...]
) -> None:
    many = "".join(f"  t{n}: {{command: x, every: 1h}}\n" for n in range(500))
    project.write(GOOD + many)
    with start(*words) as running:
        assert running.stdout is not None
        assert running.stdout.readline() != ""
        running.stdout.close()
        assert running.stderr is not None
        err = running.stderr.read()

    assert (running.returncode, err) == (0, "")


def test_a_full_disk_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        said = process("check", stdout=full)

    assert said.code == 1
    assert os.strerror(errno.ENOSPC) in said.err


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", "✓"), ("latin-1", "ok"), ("ascii", "✓"), ("cp1252", "ok")],
)
def test_signs_that_a_terminal_has_not_are_written_in_others(
    encoding: str, mark: str
) -> None:
    env = {"PYTHONIOENCODING": encoding}
    said = process("doctor", env=env, encoding="utf-8")

    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"{mark} triggers.yaml: ")


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_no_locale_ends_a_command(project: Project, locale: str) -> None:
    project.write(GOOD.replace("bin/hourly", "echo “café” 🚀"))
    env = {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

    for words in (("check",), ("doctor",)):
        assert process(*words, env=env, encoding="utf-8").code == 0


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_json_is_json_in_any_encoding(project: Project, encoding: str) -> None:
    project.write(GOOD.replace("bin/hourly", "echo “café” 🚀"))
    env = {"PYTHONIOENCODING": encoding}
    said = process("triggers", "--json", env=env, encoding=encoding)

    assert said.json[0]["command"] == "echo “café” 🚀"


def test_a_name_that_is_no_text_is_told_all_the_same() -> None:
    said = process("check", os.fsdecode(b"\xff.yaml"))

    assert said.code == 1
    assert said.err.startswith("\\udcff.yaml:1:1: error[file]: there is no such file")
    assert '"ok": false' in process("check", os.fsdecode(b"\xff.yaml"), "-j").out


def test_nothing_is_coloured_where_no_colour_is_wanted() -> None:
    assert "\x1b" in clockd("check", color=True).out
    assert "\x1b" not in clockd("check", color=True, env={"NO_COLOR": "1"}).out
    assert "\x1b" not in clockd("check").out
