"""What a newcomer finds at the top of the repository is there and true."""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import clockd

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).resolve().parents[2]
#: Written in two halves, so that this file does not hold them itself.
FORBIDDEN = tuple("".join(halves) for halves in [("/wo", "rk/"), ("bash_", "jobs")])
TEXTS = {".py", ".md", ".yaml", ".yml", ".toml", ".cfg", ".json", ".sh", ".txt", ""}
NOT_OURS = {"build", "dist", "__pycache__", "node_modules"}


def texts() -> Iterator[Path]:
    for folder, folders, names in os.walk(TOP):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS
            and (name == ".ci" or not name.startswith("."))
            and not name.endswith(".egg-info")
        ]
        yield from (
            path for name in names if (path := Path(folder, name)).suffix in TEXTS
        )


def first_screen() -> str:
    return (TOP / "README.md").read_text().split("\n## ")[0]


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile"),
        *("setup.cfg", "pyproject.toml", "ruff.toml", ".importlinter"),
        *("triggers.yaml", "Procfile", "docs/architecture.md", "clockd/py.typed"),
    ],
)
def test_the_repository_has_what_it_needs(name: str) -> None:
    assert (TOP / name).read_text() or name.endswith("py.typed")


@pytest.mark.parametrize(
    "name",
    [
        *(".ci/run", "bin/report", "tools/make-venv"),
        *("tools/install-packages", "tools/ensure-postgresql"),
    ],
)
def test_a_script_can_be_run(name: str) -> None:
    path = TOP / name

    assert path.read_text().startswith("#!/")
    assert os.access(path, os.X_OK)


def test_the_newest_change_is_of_this_version() -> None:
    versions = re.findall(r"^## (\S+)", (TOP / "CHANGELOG.md").read_text(), re.M)
    setup = configparser.ConfigParser()
    setup.read(TOP / "setup.cfg")

    assert versions[0] == clockd.__version__
    assert setup["metadata"]["version"] == "attr: clockd.__version__"


def test_the_first_screen_is_a_sentence_twelve_lines_and_the_commands() -> None:
    blocks = re.findall(r"```\w*\n(.*?)```", first_screen(), re.S)
    example, here, heroku = (block.strip().splitlines() for block in blocks)

    assert len(example) == 12
    assert [line.split("  ")[0] for line in here] == ["make run", "make test"]
    assert len(heroku) == 4


def test_every_make_command_that_is_told_of_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (TOP / "Makefile").read_text(), re.M))
    told = {
        word
        for name in ("README.md", "CONTRIBUTING.md", ".ci/run", "Makefile")
        for word in re.findall(
            r"(?:^|`|'|\s)make (?:--no-print-directory )?([a-z]+)(?=[`' \n]|$)",
            (TOP / name).read_text(),
        )
        if word not in {"says", "of"}
    }

    assert told
    assert told <= targets


def test_what_the_procfile_starts_is_what_the_triggers_name() -> None:
    procfile = dict(
        line.split(": ", 1) for line in (TOP / "Procfile").read_text().splitlines()
    )

    assert procfile["clock"] == "clockd start"
    assert "command: report " in (TOP / "triggers.yaml").read_text()
    assert (TOP / procfile["report"].split()[-1]).exists()


def test_nothing_names_the_machine_it_was_written_on() -> None:
    found = [
        f"{path.relative_to(TOP)}: {word}"
        for path in texts()
        for word in FORBIDDEN
        if word in path.read_text(errors="replace")
    ]

    assert found == []


@pytest.mark.parametrize(
    "summary",
    [
        "=== 4067 passed in 388.03s (0:06:28) ===",
        "=== 5 failed, 4058 passed, 1 error in 518.03s (0:08:38) ===",
        "1 passed in 0.02s",
    ],
)
def test_what_ends_a_test_run_is_found_by_the_script_of_the_ci(summary: str) -> None:
    (pattern,) = re.findall(r"grep -E '([^']+)'", (TOP / ".ci/run").read_text())

    assert re.search(pattern, summary)
