"""What an installation reads, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clockd import compose

if TYPE_CHECKING:
    from pathlib import Path

FILE = "version: 1\nrunner: local\ntriggers:\n  a:\n    command: x\n    every: 1h\n"


def test_the_same_content_is_not_parsed_again(tmp_path: Path) -> None:
    path = tmp_path / "triggers.yaml"
    path.write_text(FILE)
    installation = compose.install(path=path, environ={})

    path.touch()
    assert installation.load_again() is installation.loaded

    path.write_text(FILE.replace("a:", "b:"))
    assert [trigger.slug for trigger in installation.load_again().triggers] == ["b"]

    path.unlink()
    assert installation.load_again().problems
