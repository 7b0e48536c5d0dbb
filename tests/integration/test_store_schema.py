"""The schema: made once, brought up to date, never beyond what is known."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from clockd.errors import StoreError, StoreTooNew
from clockd.store import Store, migrations
from clockd.store.tables import VERSION_TABLE, metadata
from tests.support.stores import NOON, execute, open_books, trigger

if TYPE_CHECKING:
    from pathlib import Path

OPEN = """
import sys
from clockd.store import Store
Store.open(sys.argv[1]).close()
sys.exit("alembic" in sys.modules)
"""


# Where indexes of expressions are not understood, the next test looks at them.
@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_the_migrations_make_the_tables_as_they_are_declared(
    database_url: str,
) -> None:
    Store.open(database_url).close()
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"version_table": VERSION_TABLE, "compare_type": True},
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


def test_indexes_are_made_as_they_are_declared(database_url: str) -> None:
    Store.open(database_url).close()
    migrated = _index_texts(database_url)
    execute(database_url, "DROP TABLE clockd_schema")
    engine = sa.create_engine(database_url)
    metadata.drop_all(engine)
    metadata.create_all(engine)
    engine.dispose()

    assert _index_texts(database_url) == migrated
    assert len(migrated) >= 10


def _index_texts(url: str) -> list[str]:
    query = (
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND type = 'index'"
        if url.startswith("sqlite")
        else "SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'clockd%' "
        "AND tablename <> 'clockd_schema'"
    )
    return sorted(_plain(text) for (text,) in execute(url, query))


def _plain(text: str) -> str:
    return " ".join(text.replace('"', "").lower().split())


def test_every_revision_is_known_without_alembic() -> None:
    config = Config()
    (where,) = migrations.__path__
    config.set_main_option("script_location", where.replace("%", "%%"))
    script = ScriptDirectory.from_config(config)

    found = [revision.revision for revision in script.walk_revisions()]

    assert tuple(reversed(found)) == migrations.REVISIONS
    assert script.get_current_head() == migrations.HEAD


def test_a_database_is_made_once_and_kept(database_url: str) -> None:
    with open_books(database_url) as books:
        books.load(trigger())
    with open_books(database_url) as books:
        assert [row.trigger for row in books.store.triggers.list()] == [trigger()]
        assert books.fence == 2


def test_an_up_to_date_database_is_opened_without_alembic(database_url: str) -> None:
    command = [sys.executable, "-c", OPEN, database_url]

    assert subprocess.run(command, check=False).returncode == 1
    assert subprocess.run(command, check=False).returncode == 0


def test_processes_that_start_at_once_make_the_schema_once(database_url: str) -> None:
    command = [sys.executable, "-c", OPEN, database_url]
    processes = [
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    errors = [process.communicate()[1] for process in processes]

    assert errors == [""] * 4
    assert execute(database_url, "SELECT * FROM clockd_schema") == [(migrations.HEAD,)]
    assert execute(database_url, "SELECT id, fence FROM clockd_lease") == [(1, 0)]


def test_a_newer_database_is_left_alone(database_url: str) -> None:
    with open_books(database_url) as books:
        books.ask(trigger(), NOON)
    execute(database_url, "UPDATE clockd_schema SET version_num = '9999'")

    with pytest.raises(StoreTooNew, match=r"newer clockd.*9999") as caught:
        Store.open(database_url)

    assert "nothing was changed" in (caught.value.hint or "")
    assert execute(database_url, "SELECT count(*) FROM clockd_runs") == [(1,)]


def test_a_reader_does_not_make_the_schema(database_url: str) -> None:
    with pytest.raises(StoreError, match="missing") as caught:
        Store.open(database_url, migrate=False)

    assert "clockd start" in (caught.value.hint or "")
    engine = sa.create_engine(database_url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    Store.open(database_url).close()
    Store.open(database_url, migrate=False).close()


def test_a_schema_that_could_not_be_finished_is_not_there_at_all(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "migrations"
    (broken / "versions").mkdir(parents=True)
    (source,) = migrations.__path__
    for name in ("env.py", "versions/0001_initial.py"):
        with open(f"{source}/{name}") as step:
            text = step.read().replace("    _output()\n", "    1 / 0\n")
        (broken / name).write_text(text)
    monkeypatch.setattr(migrations, "__file__", str(broken / "__init__.py"))

    with pytest.raises(ZeroDivisionError):
        Store.open(database_url)

    monkeypatch.undo()
    Store.open(database_url).close()
