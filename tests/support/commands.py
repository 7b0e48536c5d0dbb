"""The command line as its users meet it: a folder, a triggers.yaml, commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from click.testing import CliRunner

from clockd.cli import cli
from tests.support.stores import open_books

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from tests.support.stores import Books

TOP = Path(__file__).resolve().parents[2]

#: What every trigger shows in any `--json`.
TRIGGER_KEYS = {
    *("trigger", "uuid", "name", "command", "schedule", "description", "timezone"),
    *("timeout", "dyno", "app", "active", "overlap", "source", "next_fire_time"),
    "last_outcome",
}


@dataclass(frozen=True)
class Said:
    """What a command exited with and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """What it printed, in lines."""
        return self.out.splitlines()


def clockd(
    *words: str, env: Mapping[str, str] | None = None, color: bool = False
) -> Said:
    """Give a command in this process, in the current folder."""
    result = CliRunner().invoke(
        cli, words, prog_name="clockd", env=dict(env or {}), color=color
    )
    # Some commands log errors alone; what comes after them may look for more.
    structlog.reset_defaults()
    return Said(result.exit_code, result.stdout, result.stderr)


def start(
    *words: str, env: Mapping[str, str] | None = None, **more: Any
) -> subprocess.Popen[str]:
    """Start `python -m clockd` as a process of its own, in the current folder."""
    given: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "clockd", *words],
        env={**os.environ, "PYTHONPATH": str(TOP), **(env or {})},
        **given | more,
    )


def process(*words: str, env: Mapping[str, str] | None = None, **more: Any) -> Said:
    """Run `python -m clockd` as a process of its own, to its end."""
    with start(*words, env=env, **more) as running:
        out, err = running.communicate(timeout=40)
    return Said(running.returncode, out, err)


@dataclass(frozen=True)
class Project:
    """A folder with a triggers.yaml, and perhaps a database."""

    path: Path

    def write(self, text: str) -> None:
        """Write triggers.yaml."""
        (self.path / "triggers.yaml").write_text(text, encoding="utf-8")

    @property
    def url(self) -> str:
        """The URL of the database beside triggers.yaml."""
        return f"sqlite:///{self.path / 'clockd.db'}"

    def books(self) -> AbstractContextManager[Books]:
        """Open that database, and be its clock."""
        return open_books(self.url)
