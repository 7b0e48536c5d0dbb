"""The command line on a database of another version, and on one without tables."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from clockd.store import Store, migrations
from tests.support.commands import Project, Said, clockd
from tests.support.dumps import restore
from tests.support.stores import execute

if TYPE_CHECKING:
    from pathlib import Path

OLD = "0001"
LOCAL = """\
version: 1
runner: local
triggers:
  hourly: {command: exit 3, every: 1h}
"""
TOO_OLD = f"the database's schema is {OLD}, this clockd needs {migrations.HEAD}"
HINT_OLD = (
    "`clockd start` of this version brings it up to date; until then, use the version "
    "of the clock that runs there"
)
TOO_NEW = (
    "the database was written by a newer clockd: its schema is 9999, "
    f"this one knows {migrations.HEAD}"
)
HINT_NEW = "install that version again; nothing was changed"

#: Commands that read, or end one run.
LOOKS = [
    ("runs",),
    ("runs", "show", "1"),
    ("runs", "logs", "1"),
    ("runs", "cancel", "1"),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    project.write(LOCAL)
    return project


@pytest.fixture
def old(project: Project) -> Project:
    """Give a folder whose database an older clockd has left."""
    restore(OLD, project.url)
    return project


@pytest.fixture
def new(project: Project) -> Project:
    """Give a folder whose database a newer clockd has left."""
    Store.open(project.url).close()
    execute(project.url, "UPDATE clockd_schema SET version_num = '9999'")
    return project


@pytest.fixture(params=LOOKS, ids="-".join)
def look(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Give each command that looks into the database in turn."""
    words: tuple[str, ...] = request.param
    return words


def version(project: Project) -> str:
    """Return a database's revision."""
    ((found,),) = execute(project.url, "SELECT * FROM clockd_schema")
    return str(found)


def error(said: Said) -> list[str]:
    """Return what a command that failed has said of it."""
    assert said.out == ""
    return said.err.splitlines()


class TestOlder:
    def test_a_look_says_so_and_changes_nothing(
        self, old: Project, look: tuple[str, ...]
    ) -> None:
        said = clockd(*look)

        assert said.code == 1
        assert error(said) == [f"Error: {TOO_OLD}", f"  {HINT_OLD}"]
        assert version(old) == OLD

    def test_programs_read_which_version_it_has(self, old: Project) -> None:
        assert clockd("runs", "--json").json["error"] == {
            "code": "store-too-old",
            "message": TOO_OLD,
            "hint": HINT_OLD,
            "data": {"version": OLD},
        }

    @pytest.mark.parametrize("command", ["triggers", "next", "check"])
    def test_what_the_file_says_is_shown_all_the_same(
        self, old: Project, command: str
    ) -> None:
        said = clockd(command)

        assert (said.code, "hourly" in said.out) == (0, True)
        assert version(old) == OLD

    def test_the_list_of_triggers_says_what_is_not_in_it(self, old: Project) -> None:
        said = clockd("triggers")

        assert f"{TOO_OLD}; showing the file alone" in said.err
        assert HINT_OLD in said.err
        assert version(old) == OLD

    def test_doctor_says_what_brings_it_up_to_date(self, old: Project) -> None:
        said = clockd("doctor")

        where = said.lines.index(next(x for x in said.lines if "database: " in x))
        assert said.lines[where].endswith(TOO_OLD)
        assert said.lines[where].startswith("! ")
        assert said.lines[where + 1].strip() == HINT_OLD
        assert said.code == 0
        assert version(old) == OLD

    def test_a_run_by_hand_leaves_it_to_the_clock(self, old: Project) -> None:
        said = clockd("run-now", "hourly")

        assert said.code == 1
        assert error(said) == [
            f"Error: {TOO_OLD}, and web.1:7 is on record as its clock",
            f"  {HINT_OLD}",
        ]
        assert version(old) == OLD

    def test_a_run_by_hand_without_a_clock_brings_it_up_to_date(
        self, old: Project
    ) -> None:
        execute(old.url, "UPDATE clockd_lease SET holder = NULL")

        said = clockd("run-now", "no-such-trigger")

        assert "there is no trigger 'no-such-trigger'" in said.err
        assert version(old) == migrations.HEAD

    def test_once_it_is_up_to_date_all_is_shown(self, old: Project) -> None:
        Store.open(old.url).close()

        said = clockd("runs", "--outcome", "failed", "--json")

        assert [run["trigger"] for run in said.json] == ["ends-failed"]


class TestNewer:
    @pytest.mark.parametrize("command", ["start", "run-now"])
    def test_what_would_write_says_so_and_changes_nothing(
        self, new: Project, command: str
    ) -> None:
        said = clockd(command, *(["hourly"] if command == "run-now" else []))

        assert said.code == 1
        assert f"Error: {TOO_NEW}" in said.err.splitlines()
        assert f"  {HINT_NEW}" in said.err.splitlines()
        assert version(new) == "9999"

    def test_a_look_says_so_too(self, new: Project, look: tuple[str, ...]) -> None:
        said = clockd(*look)

        assert said.code == 1
        assert error(said) == [f"Error: {TOO_NEW}", f"  {HINT_NEW}"]

    def test_programs_read_which_version_it_has(self, new: Project) -> None:
        told = clockd("runs", "--json").json["error"]

        assert (told["code"], told["data"]) == ("store-too-new", {"version": "9999"})

    def test_doctor_finds_it_wrong(self, new: Project) -> None:
        said = clockd("doctor", "--json")

        (check,) = [check for check in said.json if check["check"] == "database"]
        assert (said.code, check["ok"]) == (1, False)
        assert (check["message"], check["hint"]) == (TOO_NEW, HINT_NEW)


class TestWithoutTables:
    """An app's own database, which clockd has never used."""

    @pytest.fixture(autouse=True)
    def _app(self, project: Project) -> None:
        with sqlite3.connect(project.path / "clockd.db") as connection:
            connection.execute("CREATE TABLE people (name TEXT)")
        connection.close()

    def tables(self, project: Project) -> list[str]:
        """Return the tables that are there."""
        found = execute(project.url, "SELECT name FROM sqlite_master")
        return [name for (name,) in found]

    @pytest.mark.parametrize(
        "words",
        [("runs",), ("triggers",), ("next",), ("doctor",), ("check",)],
        ids="-".join,
    )
    def test_a_look_makes_none(self, project: Project, words: tuple[str, ...]) -> None:
        said = clockd(*words)

        assert (said.code, self.tables(project)) == (0, ["people"])

    @pytest.mark.parametrize("word", ["show", "logs", "cancel"])
    def test_there_is_no_run_to_look_at(self, project: Project, word: str) -> None:
        said = clockd("runs", word, "1")

        assert said.code == 1
        assert "there are no runs yet: no clock has run here" in said.err
        assert self.tables(project) == ["people"]

    def test_doctor_says_who_makes_them(self, project: Project) -> None:
        said = clockd("doctor")

        assert "reached, and clockd has not used it yet" in said.out
        assert "the first `clockd start` makes its tables" in said.out
        assert self.tables(project) == ["people"]
