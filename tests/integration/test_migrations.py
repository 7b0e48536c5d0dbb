"""Databases of earlier clockds: brought up to date with all that is in them.

A migration wants a dump of the schema before it; see `tests.support.dumps`.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from clockd.errors import StoreTooOld
from clockd.model import Outcome, RunState
from clockd.store import Store, migrations, schema
from tests.support.dumps import WANTED, path_of, restore, states
from tests.support.stores import HOUR, MINUTE, NOON, execute, open_books

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.stores import Books

EARLIER = migrations.REVISIONS[:-1]
#: When the dumps were made, and a little.
AFTER = NOON + 3 * HOUR + 5 * MINUTE

OPEN = """
import sys
from clockd.store import Store, migrations
if len(sys.argv) > 2:
    migrations.__file__ = sys.argv[2]
Store.open(sys.argv[1]).close()
"""

Row = dict[str, Any]


@pytest.fixture(params=EARLIER)
def revision(request: pytest.FixtureRequest) -> str:
    """Give every revision but the newest in turn."""
    found: str = request.param
    return found


@pytest.fixture
def old_url(revision: str, database_url: str) -> str:
    """Give a database as a clockd of that revision has left it."""
    restore(revision, database_url)
    return database_url


def contents(url: str) -> dict[str, list[Row]]:
    """Return what clockd's tables hold."""
    engine = sa.create_engine(url)
    held = {}
    with engine.connect() as connection:
        for name in sa.inspect(connection).get_table_names():
            if name.startswith("clockd_") and name != "clockd_schema":
                rows = connection.execute(sa.text(f"SELECT * FROM {name}"))  # noqa: S608
                held[name] = sorted(map(dict, rows.mappings()), key=repr)
    engine.dispose()
    return held


def narrowed(rows: list[Row], like: list[Row]) -> list[Row]:
    """Return rows with as many columns as those they are compared with."""
    names = like[0].keys() if like else ()
    return sorted(({n: row[n] for n in names} for row in rows), key=repr)


def missing(before: Mapping[str, list[Row]], after: Mapping[str, list[Row]]) -> Row:
    """Return what was there before and is not any more, by table."""
    return {
        name: (rows, narrowed(after.get(name, []), rows))
        for name, rows in before.items()
        if narrowed(after.get(name, []), rows) != rows
    }


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_earlier_schema_has_a_dump(kind: str) -> None:
    assert [one for one in EARLIER if not path_of(one, kind).exists()] == []


class TestUpgrade:
    def test_the_dump_has_something_of_everything(
        self, old_url: str, revision: str
    ) -> None:
        assert execute(old_url, "SELECT * FROM clockd_schema") == [(revision,)]
        assert states(old_url) >= WANTED
        assert {name for name, rows in contents(old_url).items() if not rows} == set()

    def test_all_that_was_there_is_there(self, old_url: str) -> None:
        before = contents(old_url)

        Store.open(old_url).close()

        assert execute(old_url, "SELECT * FROM clockd_schema") == [(migrations.HEAD,)]
        assert missing(before, contents(old_url)) == {}

    def test_the_clock_goes_on_where_the_older_one_was(self, old_url: str) -> None:
        with open_books(old_url) as books:
            assert books.fence > 1
            before = {run.id for run in books.store.runs.list(limit=1000)}
            started = {run.trigger.slug for run, _ in books.take(AFTER).started}
            due = [run.slug for run in books.claim(AFTER + HOUR).runs]

            assert started >= {"retried", "put-back"}
            assert "hourly" in due
            assert {run.id for run in books.store.runs.list(limit=1000)} > before

    def test_what_was_under_way_is_followed_to_its_end(self, old_url: str) -> None:
        with open_books(old_url) as books:
            active = books.store.attempts.active()
            assert {attempt.state for _, attempt in active} == {
                *(RunState.LAUNCHING, RunState.UNKNOWN),
                *(RunState.RUNNING, RunState.STOPPING),
            }
            for _, attempt in active:
                assert books.end(attempt, AFTER) is not None

    def test_people_find_everything(self, old_url: str) -> None:
        with open_books(old_url) as books:
            triggers = {row.trigger.slug: row for row in books.store.triggers.list()}
            assert triggers["halted"].paused_by == "ann"
            assert triggers["halted"].trigger.env["NAME"] == "Zoë 'x'"
            assert set(triggers) >= {"hourly", "patient", "idle", "past"}
            assert "gone" not in triggers
            (run,) = books.store.runs.list(outcome=Outcome.FAILED)
            assert run.exit_status == 2
            said = [line.text for line in books.store.output.lines(run.id)]
            assert said == ["line 1", "line 2"]

    def test_the_file_is_taken_over_as_before(self, old_url: str) -> None:
        with open_books(old_url) as books:
            known = books.store.triggers.definitions()
            runner = books.store.triggers.runner()

            result = books.load(*known, now=AFTER)

            assert (result.unchanged, result.added) == (len(known), [])
            assert books.store.triggers.runner() is runner

    def test_processes_that_open_it_at_once_upgrade_it_once(self, old_url: str) -> None:
        before = contents(old_url)
        processes = [_open(old_url) for _ in range(3)]
        errors = [process.communicate()[1] for process in processes]

        assert errors == [""] * 3
        assert execute(old_url, "SELECT * FROM clockd_schema") == [(migrations.HEAD,)]
        assert missing(before, contents(old_url)) == {}


class TestBeside:
    """An older clock goes on working while a newer one waits to take over."""

    def test_what_an_older_clockd_writes_is_still_taken(self, old_url: str) -> None:
        before = contents(old_url)
        Store.open(old_url).close()
        engine = sa.create_engine(old_url)
        order = sorted(before, key=lambda name: name == "clockd_attempts")
        with engine.begin() as connection:
            for name in reversed(order):
                connection.execute(sa.text(f"DELETE FROM {name}"))  # noqa: S608
            for name in order:
                # With the columns that it knows, and no others.
                table = sa.table(name, *map(sa.column, before[name][0]))
                connection.execute(sa.insert(table), before[name])
        engine.dispose()

        assert missing(before, contents(old_url)) == {}
        with open_books(old_url) as books:
            _works(books)

    def test_what_it_reads_has_not_changed(self, old_url: str) -> None:
        before = _columns(old_url)
        Store.open(old_url).close()

        after = _columns(old_url)
        assert {column: after.get(column) for column in before} == before


def _works(books: Books) -> None:
    assert books.claim(AFTER + HOUR).runs
    assert books.take(AFTER + HOUR).started


def _columns(url: str) -> dict[tuple[str, str], tuple[str, bool]]:
    """Return the type of every column, and whether it may be empty."""
    engine = sa.create_engine(url)
    inspector = sa.inspect(engine)
    found = {
        (name, column["name"]): (str(column["type"]), column["nullable"])
        for name in inspector.get_table_names()
        if name.startswith("clockd_")
        for column in inspector.get_columns(name)
    }
    engine.dispose()
    return found


class TestHalfWay:
    """A migration happens, or has not happened."""

    def test_an_error_leaves_the_old_schema(
        self, old_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, columns = contents(old_url), _columns(old_url)
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "__file__", _ending_in("1 / 0", tmp_path))
            with pytest.raises(ZeroDivisionError):
                Store.open(old_url)

        assert contents(old_url) == before
        assert _columns(old_url) == columns
        _upgrades(old_url)

    def test_a_kill_leaves_the_old_schema(self, old_url: str, tmp_path: Path) -> None:
        before, columns = contents(old_url), _columns(old_url)

        kill = "import os; os.kill(os.getpid(), 9)"
        process = _open(old_url, _ending_in(kill, tmp_path))
        process.communicate()

        assert process.returncode == -signal.SIGKILL
        assert contents(old_url) == before
        assert _columns(old_url) == columns
        _upgrades(old_url)


def _ending_in(statement: str, folder: Path) -> str:
    """Return where migrations are whose newest step ends in a statement."""
    (source,) = migrations.__path__
    copy = folder / "migrations"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (newest,) = copy.glob(f"versions/{migrations.HEAD}_*.py")
    newest.write_text(f"{newest.read_text()}    {statement}\n")
    return str(copy / "__init__.py")


def _upgrades(url: str) -> None:
    Store.open(url).close()
    assert execute(url, "SELECT * FROM clockd_schema") == [(migrations.HEAD,)]


def _open(url: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OPEN, url, *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


class TestLeftAlone:
    """Commands do not upgrade what a clock is at work on."""

    def test_a_reader_never_does(self, old_url: str, revision: str) -> None:
        with pytest.raises(StoreTooOld, match=f"schema is {revision}") as caught:
            Store.open_as_it_is(old_url)

        assert "clockd start" in (caught.value.hint or "")
        assert execute(old_url, "SELECT * FROM clockd_schema") == [(revision,)]

    def test_a_run_by_hand_does_not_beside_a_clock(
        self, old_url: str, revision: str
    ) -> None:
        with pytest.raises(StoreTooOld, match=r"web\.1:7 is on record") as caught:
            Store.open(old_url, beside_clock=False)

        assert "clockd start" in (caught.value.hint or "")
        assert execute(old_url, "SELECT * FROM clockd_schema") == [(revision,)]

    def test_a_run_by_hand_does_where_there_is_no_clock(self, old_url: str) -> None:
        execute(old_url, "UPDATE clockd_lease SET holder = NULL")

        Store.open(old_url, beside_clock=False).close()

        assert execute(old_url, "SELECT * FROM clockd_schema") == [(migrations.HEAD,)]


def test_a_database_that_clockd_has_not_used_is_not_touched_by_a_look(
    database_url: str,
) -> None:
    assert Store.open_as_it_is(database_url) is None

    engine = sa.create_engine(database_url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_run_by_hand_makes_the_first_schema(database_url: str) -> None:
    Store.open(database_url, beside_clock=False).close()

    found = Store.open_as_it_is(database_url)

    assert found is not None
    assert schema.version_of(found._database) == migrations.HEAD
    found.close()
