"""`clockd init`: a first triggers.yaml and the Procfile's line, never over others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clockd import config
from clockd.cli.init_command import TRIGGERS
from clockd.settings import Settings
from tests.support.commands import clockd

LINE = "clock: clockd start\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_and_a_procfile_are_written() -> None:
    said = clockd("init")

    assert (said.code, said.err) == (0, "")
    assert said.lines == [
        "added `clock: clockd start` to the Procfile",
        "wrote triggers.yaml: one trigger, every 10 minutes",
        "next: `clockd check`, then `clockd start`",
    ]
    assert Path("Procfile").read_text() == LINE
    assert clockd("check").lines[-1] == "1 trigger, no problems."


def test_what_the_file_shows_in_comments_can_be_used() -> None:
    text = re.sub(r"^( *)# ([ a-z-]+:.*)$", r"\1\2", TRIGGERS, flags=re.M)
    loaded = config.load(None, text, settings=Settings())

    assert (loaded.problems, loaded.warnings) == ((), ())
    assert {trigger.slug for trigger in loaded.triggers} == {
        *("hello", "monday-newsletter"),
        "christmas",
    }
    assert {trigger.dyno for trigger in loaded.triggers} == {"standard-1x"}


def test_an_existing_file_is_left_as_it_is_and_so_is_the_procfile() -> None:
    Path("triggers.yaml").write_text("mine")
    said = clockd("init")

    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "Error: there is a triggers.yaml here already; it was left as it is\n"
        "  `clockd check` says what it does\n"
    )
    assert Path("triggers.yaml").read_text() == "mine"
    assert not Path("Procfile").exists()


def test_a_link_that_leads_nowhere_is_left_as_it_is() -> None:
    Path("triggers.yaml").symlink_to("elsewhere.yaml")

    assert clockd("init").code == 1
    assert not Path("elsewhere.yaml").exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"web: npm start\n", b"web: npm start\nclock: clockd start\n"),
        (b"web: npm start", b"web: npm start\nclock: clockd start\n"),
        (b"", b"clock: clockd start\n"),
        (b"# clock: none\n", b"# clock: none\nclock: clockd start\n"),
        (b"web: caf\xe9\r\n", b"web: caf\xe9\r\nclock: clockd start\n"),
    ],
    ids=["one", "no-line-end", "empty", "comment", "not-utf-8"],
)
def test_the_line_is_added_to_a_procfile(before: bytes, after: bytes) -> None:
    Path("Procfile").write_bytes(before)

    assert clockd("init").code == 0
    assert Path("Procfile").read_bytes() == after


def test_the_line_is_added_once() -> None:
    clockd("init")
    Path("triggers.yaml").unlink()
    said = clockd("init")

    assert said.lines[0] == (
        "the Procfile has a line `clock: clockd start`, which was left as it is"
    )
    assert Path("Procfile").read_text() == LINE


def test_another_clock_is_left_as_it_is_and_told_of() -> None:
    Path("Procfile").write_text("clock: python clock.py\r\nweb: npm start\r\n")
    said = clockd("init")

    assert said.lines[0] == (
        "the Procfile has a line `clock: python clock.py`, which was left as it is; "
        "clockd needs `clock: clockd start` there"
    )
    assert Path("Procfile").read_bytes().count(b"clock:") == 1


def test_a_procfile_that_cannot_be_changed_leaves_nothing_behind() -> None:
    Path("Procfile").mkdir()
    said = clockd("init")

    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "Error: the Procfile cannot be changed: Is a directory; nothing was written\n"
        "  it needs the line `clock: clockd start`; mend it, then run `clockd init` "
        "again\n"
    )
    assert not Path("triggers.yaml").exists()

    Path("Procfile").rmdir()
    assert clockd("init").code == 0


def test_a_file_that_cannot_be_written_can_be_written_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("clockd.cli.init_command.TRIGGERS_FILE", Path("no/triggers.yaml"))
        said = clockd("init")

    assert said.code == 1
    assert said.lines == ["added `clock: clockd start` to the Procfile"]
    assert "Error: triggers.yaml cannot be written: No such file" in said.err
    assert "then run `clockd init` again" in said.err

    assert clockd("init").code == 0
    assert Path("Procfile").read_text() == LINE
