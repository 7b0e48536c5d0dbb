"""`clockd check`: every problem, or what every trigger will do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import time_machine

from tests.support.commands import TRIGGER_KEYS, Project, clockd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: A Tuesday, in winter.
NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)

GOOD = """\
version: 1
runner: local
timezone: Europe/Amsterdam
triggers:
  newsletter:
    name: Monday newsletter
    command: bin/newsletter --all
    cron: "30 2 * * *"
    timeout: 90s
    overlap: queue
  off:
    command: bin/off
    every: 1h
    active: false
  christmas:
    command: bin/greet
    at: 2026-12-25 09:00:00
  past:
    command: |
      bin/one
      bin/two
    at: 2020-01-01 09:00:00
    timezone: UTC
"""
BAD = """\
version: 1
triggers:
  newsletter:
    comand: bin/newsletter
    cron: "0 99 * * 1"
"""


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    project.write(GOOD)
    return project


def block(out: str, slug: str) -> list[str]:
    """Return what is said of one trigger."""
    return next(b for b in out.split("\n\n") if b.startswith(f"{slug}\n")).splitlines()


def test_every_trigger_comes_with_words_command_and_three_fire_times(
    project: Project,
) -> None:
    said = clockd("check")

    assert said.code == 0
    assert block(said.out, "newsletter") == [
        "newsletter",
        "  At 02:30 AM (Europe/Amsterdam)",
        "  $ bin/newsletter --all",
        "  Wed 2026-11-25 02:30:00 +01:00",
        "  Thu 2026-11-26 02:30:00 +01:00",
        "  Fri 2026-11-27 02:30:00 +01:00",
        "  ! On Sunday 28 March 2027 clocks in Europe/Amsterdam go from 02:00 to 03:00"
        ": 02:30 does not exist; it runs at 03:00 instead.",
    ]
    assert said.lines[-1] == "4 triggers, no problems."
    assert said.err == ""


def test_times_are_in_utc_on_request(project: Project) -> None:
    assert "  Wed 2026-11-25 01:30:00 Z" in clockd("check", "--utc").lines


def test_a_trigger_that_does_not_fire_says_why(project: Project) -> None:
    said = clockd("check")

    assert block(said.out, "off")[-1] == (
        "  ! It is inactive (`active: false`) and does not fire."
    )
    assert block(said.out, "past")[-1] == "  ! It was to fire once, and that is past."


def test_a_command_of_several_lines_stays_readable(project: Project) -> None:
    assert block(clockd("check").out, "past")[2:4] == ["  $ bin/one", "    bin/two"]


def test_every_problem_is_told_with_its_place(project: Project) -> None:
    project.write(BAD)
    said = clockd("check")

    assert (said.code, said.out) == (1, "")
    assert "triggers.yaml:4:5: error[unknown-key]" in said.err
    assert "did you mean command?" in said.err
    assert "triggers.yaml:5:" in said.err
    assert "'99' cannot be the hour" in said.err
    assert "problems: the file cannot be used as it is." in said.err.splitlines()[-1]


def test_warnings_do_not_make_a_file_unusable(project: Project) -> None:
    project.write(GOOD.replace("version: 1\n", ""))
    said = clockd("check")

    assert said.code == 0
    assert "warning[version]: there is no version" in said.err
    assert said.lines[-1] == "4 triggers, no problems, 1 warning."


def test_json_has_what_every_list_of_triggers_has_and_what_is_to_come(
    project: Project,
) -> None:
    said = clockd("check", "--json")
    newsletter, off, christmas, past = said.json["triggers"]

    assert (said.code, said.json["ok"], said.json["problems"]) == (0, True, [])
    assert set(newsletter) >= TRIGGER_KEYS | {"fire_times", "dst_notes"}
    assert newsletter["name"] == "Monday newsletter"
    assert newsletter["schedule"] == {"cron": "30 2 * * *"}
    assert newsletter["timeout"] == 90
    assert newsletter["overlap"] == "queue"
    assert newsletter["next_fire_time"] == "2026-11-25T01:30:00Z"
    assert newsletter["fire_times"] == [
        f"2026-11-{day}T01:30:00Z" for day in (25, 26, 27)
    ]
    assert len(newsletter["dst_notes"]) == 1
    assert (off["active"], off["fire_times"], off["dst_notes"]) == (False, [], [])
    assert christmas["fire_times"] == ["2026-12-25T08:00:00Z"]
    assert (past["state"], past["next_fire_time"]) == ("completed", None)


def test_json_and_the_exit_code_tell_of_problems(project: Project) -> None:
    project.write(BAD)
    said = clockd("check", "--json")

    assert said.code == 1
    assert not said.json["ok"]
    assert {"file", "line", "column", "code", "message", "hint"} == set(
        said.json["problems"][0]
    )
    assert (4, "unknown-key") in {(p["line"], p["code"]) for p in said.json["problems"]}


def test_json_is_for_utf_8_also_where_text_is_not_ascii(project: Project) -> None:
    project.write(GOOD.replace("Monday newsletter", "Monday’s café"))

    assert clockd("check", "--json").json["triggers"][0]["name"] == "Monday’s café"


@pytest.mark.parametrize(
    "words",
    [("other/jobs.yaml",), ("-f", "other/jobs.yaml"), ("--triggers=other/jobs.yaml",)],
    ids=["argument", "short", "long"],
)
def test_the_file_can_be_named(project: Project, words: tuple[str, ...]) -> None:
    (project.path / "other").mkdir()
    (project.path / "other" / "jobs.yaml").write_text(BAD)

    assert "other/jobs.yaml:4:5: error" in clockd("check", *words).err


def test_the_environment_names_the_file_where_nobody_else_does(
    project: Project,
) -> None:
    (project.path / "bad.yaml").write_text(BAD)
    env = {"CLOCKD_TRIGGERS": "bad.yaml"}

    assert clockd("check", env=env).code == 1
    assert clockd("check", "triggers.yaml", env=env).code == 0
    assert clockd("check", "-f", "triggers.yaml", env=env).code == 0


def test_a_file_named_twice_is_a_mistake(project: Project) -> None:
    said = clockd("check", "triggers.yaml", "-f", "other.yaml")

    assert said.code == 2
    assert "FILE is named twice" in said.err


def test_a_file_that_is_not_there_is_a_problem_with_a_way_out(
    project: Project,
) -> None:
    said = clockd("check", "nowhere.yaml")

    assert said.code == 1
    assert "nowhere.yaml:1:1: error[file]: there is no such file" in said.err
    assert "clockd init" in said.err


def test_neither_database_nor_key_is_needed(project: Project) -> None:
    env = {"DATABASE_URL": "postgres://nobody:secret@127.0.0.1:1/nothing"}

    assert clockd("check", env=env).code == 0
    assert sorted(path.name for path in project.path.iterdir()) == ["triggers.yaml"]


def test_an_environment_that_makes_no_sense_is_not_the_files_fault(
    project: Project,
) -> None:
    said = clockd("check", "--json", env={"CLOCKD_RUNNER": "herok"})

    assert said.code == 2
    assert "Error: CLOCKD_RUNNER is 'herok'" in said.err
    assert "did you mean heroku?" in said.err
    assert json.loads(said.out)["error"]["code"] == "settings"
