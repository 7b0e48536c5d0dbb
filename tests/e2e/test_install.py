"""`pip install .` gives a working clockd in a clean virtual environment.

One test, since the installation takes most of its time. It is the only one that asks
the package index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import clockd

TOP = Path(__file__).resolve().parents[2]
NOT_COPIED = shutil.ignore_patterns(
    ".venv",
    ".git",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "*.egg-info",
    "clockd.db*",
)
FILE = """
version: 1
runner: local
triggers:
  nightly:
    command: echo done
    cron: "0 3 * * *"
"""


class Installed:
    """A virtual environment with clockd in it, and an empty directory to be in."""

    def __init__(self, directory: Path) -> None:
        self.programs = directory / "venv" / "bin"
        self.home = directory / "home"
        self.home.mkdir()

    def run(self, program: str, *arguments: str) -> str:
        """Run one of its programs in a clean environment; return what it printed."""
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.home,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """Install a copy of this tree, so that the build leaves nothing in it."""
    source, venv = tmp_path / "source", tmp_path / "venv"
    shutil.copytree(TOP, source, ignore=NOT_COPIED)
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [f"{venv}/bin/python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", str(source)], check=True)
    shutil.rmtree(source)
    return Installed(tmp_path)


@pytest.mark.timeout(300)
def test_the_installed_package_is_whole_and_works(installed: Installed) -> None:
    _commands_work(installed)
    _data_is_there_and_nothing_else(installed)
    _migrations_make_a_database(installed)


def _commands_work(installed: Installed) -> None:
    (installed.home / "triggers.yaml").write_text(FILE)

    assert clockd.__version__ in installed.run("clockd", "--version")
    assert "run-now" in installed.run("clockd", "--help")
    assert "nightly" in installed.run("clockd", "check", "triggers.yaml")
    assert "nightly" in installed.run("python", "-m", "clockd", "check")


def _data_is_there_and_nothing_else(installed: Installed) -> None:
    code = "import clockd; print(clockd.__path__[0], end='')"
    package = Path(installed.run("python", "-c", code))

    assert (package / "py.typed").exists()
    assert (package / "triggers.schema.json").exists()
    assert not (package.parent / "tests").exists()
    assert not (package.parent / "bench").exists()


def _migrations_make_a_database(installed: Installed) -> None:
    code = "from clockd.store import Store; Store.open('sqlite:///fresh.db').close()"
    installed.run("python", "-c", code)

    assert (installed.home / "fresh.db").stat().st_size > 0
