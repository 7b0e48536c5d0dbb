"""`clockd doctor`: each finding, and what to do about it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from clockd import clock
from clockd.lease import BEAT_S
from clockd.store import Store
from tests.fakes.heroku import FakeHeroku
from tests.support.commands import Project, Said, clockd
from tests.support.stores import NOON, plan, trigger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clockd.model import Attempt
    from tests.fakes.dynos import FakeDyno
    from tests.support.stores import Books

KEY = "HRKU-0b7d2f7e-planted-key"
LOCAL = """\
version: 1
runner: local
triggers:
  hourly: {command: bin/hourly, every: 1h}
"""
HEROKU = """\
version: 1
triggers:
  hourly: {command: bin/hourly, every: 1h}
  other: {command: bin/other, every: 1h, app: rough-sea-1234}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    project.write(LOCAL)
    return project


@pytest.fixture
def heroku() -> Iterator[FakeHeroku]:
    with FakeHeroku(apps=["sharp-mountain-4005", "rough-sea-1234"], key=KEY) as fake:
        yield fake


def doctor(**env: str) -> tuple[Said, dict[str, dict[str, Any]]]:
    """Return what doctor says, and its findings by name."""
    said = clockd("doctor", "--json", env=env)
    return said, {check["check"]: check for check in said.json}


def beats(books: Books, ahead: timedelta) -> threading.Event:
    """Beat as a living clock does, on a host whose clock is ahead, until told."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(0.05):
            books.store.lease.beat(books.fence, clock.now() + ahead)

    threading.Thread(target=beat, daemon=True).start()
    return over


# -- file, database, clock -----------------------------------------------------


def test_a_healthy_place_for_local_runs(project: Project) -> None:
    said = clockd("doctor")

    assert (said.code, said.err) == (0, "")
    assert said.lines == [
        "✓ triggers.yaml: triggers.yaml has 1 trigger",
        "! database: an SQLite file that does not exist yet",
        "    the first `clockd start` makes it",
        "✓ runner: tasks run as processes of this machine",
    ]
    assert not (project.path / "clockd.db").exists()


def test_json_has_level_and_hint_of_each_finding(project: Project) -> None:
    said, found = doctor()

    assert said.code == 0
    assert found["database"] == {
        "check": "database",
        "level": "warning",
        "ok": True,
        "message": "an SQLite file that does not exist yet",
        "hint": "the first `clockd start` makes it",
    }
    assert (found["runner"]["level"], found["runner"]["hint"]) == ("ok", None)


def test_a_broken_file_is_told_with_its_first_problem(project: Project) -> None:
    project.write(LOCAL.replace("every: 1h", "every: 7m, nmae: x"))
    said = clockd("doctor")

    assert said.code == 1
    assert said.lines[0].startswith("✗ triggers.yaml: triggers.yaml:4:")
    assert ", and 1 more" in said.lines[0]
    assert "`clockd check` shows every problem" in said.lines[1]


def test_a_file_with_warnings_is_worth_a_look(project: Project) -> None:
    project.write(LOCAL.replace("version: 1\n", ""))
    said = clockd("doctor")

    assert said.code == 0
    assert said.lines[:2] == [
        "! triggers.yaml: triggers.yaml has 1 trigger, and 1 warning",
        "    `clockd check` shows what to look at",
    ]


def test_a_database_out_of_reach_is_told_without_its_password(
    project: Project,
) -> None:
    url = "postgres://me:hunter22@127.0.0.1:1/clockd"
    said = clockd("doctor", env={"DATABASE_URL": url})

    assert said.code == 1
    assert said.lines[1].startswith("✗ database: ")
    assert "hunter22" not in said.out + said.err


def test_each_kind_of_database_is_named(project: Project, postgres_url: str) -> None:
    _, found = doctor(CLOCKD_DATABASE_URL=postgres_url)
    assert found["database"]["message"] == "reached, and clockd has not used it yet"

    Store.open(postgres_url).close()
    _, found = doctor(CLOCKD_DATABASE_URL=postgres_url)
    assert found["database"]["message"] == (
        "PostgreSQL, reached, and its tables are up to date"
    )
    assert found["clock"]["message"] == "no clock is running"
    assert "heroku ps:scale clock=1" in found["clock"]["hint"]


def test_sqlite_on_a_dyno_is_wrong(project: Project) -> None:
    with project.books() as books:
        books.store.lease.release(books.fence)
    said, found = doctor(DYNO="clock.1")

    assert said.code == 1
    assert found["database"]["message"] == (
        "SQLite on a dyno: its disk is lost at every restart"
    )
    assert found["database"]["hint"].startswith("heroku addons:create")
    assert found["runner"]["level"] == "warning"


def test_sqlite_on_a_dyno_is_wrong_also_before_the_first_start(
    project: Project,
) -> None:
    del project
    _, found = doctor(DYNO="run.7")

    assert found["database"]["level"] == "error"
    assert "lost at every restart" in found["database"]["message"]


def test_after_the_last_clock_was_stopped_it_says_when_that_beat(
    project: Project,
) -> None:
    with project.books() as books:
        books.store.lease.beat(books.fence, clock.now() - timedelta(minutes=5))
        books.store.lease.release(books.fence)
    said, found = doctor()

    assert said.code == 0
    assert found["clock"]["level"] == "warning"
    assert found["clock"]["message"] == (
        "no clock is running; the last beat of one was 5 min ago"
    )
    assert "`clockd start`" in found["clock"]["hint"]
    assert found["clock"]["data"]["alive"] is False
    assert found["clock"]["data"]["holder"] is None


def test_a_clock_that_beat_a_moment_ago_is_named_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clockd.doctor.PATIENCE_S", 0.0)
    with project.books() as books:
        at = clock.now()
        books.store.lease.beat(books.fence, at)
        said, found = doctor()

    assert said.code == 0
    assert found["clock"]["level"] == "ok"
    assert found["clock"]["message"].startswith(
        "web.1:7 is the clock since 2026-11-24 12:00:00 UTC (fence 1); its last beat "
        "was "
    )
    facts = found["clock"]["data"]
    assert 0 <= facts.pop("last_beat_age_s") <= BEAT_S
    assert facts == {
        "holder": "web.1:7",
        "fence": 1,
        "since": "2026-11-24T12:00:00Z",
        "last_beat": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "alive": True,
    }


@pytest.mark.parametrize(
    ("ahead", "told"),
    [(timedelta(days=-3), "3 days behind"), (timedelta(hours=5), "5 hours ahead of")],
    ids=["behind", "ahead"],
)
def test_a_clock_whose_host_has_another_time_is_watched_until_it_beats(
    project: Project, ahead: timedelta, told: str
) -> None:
    with project.books() as books:
        over = beats(books, ahead)
        try:
            said, found = doctor()
        finally:
            over.set()

    assert said.code == 0
    assert found["clock"]["message"].startswith("web.1:7 is the clock since ")
    assert found["clock"]["message"].endswith("; it has beaten just now")
    assert found["clock"]["level"] == "warning"
    assert found["clock"]["hint"].startswith(f"its host's clock is {told} this one's")
    assert found["clock"]["data"]["alive"] is True


def test_a_clock_whose_beat_stands_still_is_wrong(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clockd.doctor.PATIENCE_S", 0.2)
    with project.books() as books:
        books.store.lease.beat(books.fence, clock.now() - timedelta(minutes=5))
        said, found = doctor()

    assert said.code == 1
    assert found["clock"]["message"] == (
        "web.1:7 is on record as the clock, but gives no sign of life: its last beat "
        "was 5 min ago"
    )
    assert "start it again" in found["clock"]["hint"]
    assert "a standby takes over by itself" in found["clock"]["hint"]
    assert found["clock"]["data"]["alive"] is False


# -- Heroku --------------------------------------------------------------------


def test_account_and_every_app_are_looked_at_once(
    project: Project, heroku: FakeHeroku
) -> None:
    project.write(HEROKU)
    said = clockd("doctor", env=heroku.environ())

    assert (said.code, said.err) == (0, "")
    assert said.out.count("heroku-key: ") == 1
    assert said.out.count("clock-skew: ") == 1
    assert said.out.count("heroku-rate-limit: ") == 1
    assert "✓ heroku-app: the app sharp-mountain-4005 is there" in said.lines
    assert "✓ heroku-app: the app rough-sea-1234 is there" in said.lines
    assert KEY not in said.out


def test_facts_come_with_json(project: Project, heroku: FakeHeroku) -> None:
    project.write(HEROKU)
    _, found = doctor(**heroku.environ())

    assert found["heroku-tier"]["data"]["tier"] == "production"
    assert found["heroku-rate-limit"]["data"]["remaining"] > 4000
    assert "level" not in found["heroku-tier"]["data"]


def test_without_a_key_it_says_how_to_make_one(project: Project) -> None:
    project.write(HEROKU)
    env = {"CLOCKD_RUNNER": "heroku", "HEROKU_APP_NAME": "sharp-mountain-4005"}
    said = clockd("doctor", env=env)

    assert said.code == 1
    assert said.lines[-2:] == [
        "✗ heroku-key: tasks are to run on Heroku, but there is no HEROKU_API_KEY",
        "    set it (`heroku authorizations:create`), or write `runner: local` into "
        "triggers.yaml",
    ]


def test_a_wrong_key_is_told_once_and_never_shown(
    project: Project, heroku: FakeHeroku
) -> None:
    project.write(HEROKU)
    env = {**heroku.environ(), "HEROKU_API_KEY": "HRKU-another-key-planted"}
    said = clockd("doctor", env=env)

    assert said.code == 1
    assert [line for line in said.lines if line.startswith("✗")] == [
        line for line in said.lines if line.startswith("✗ heroku-key: ")
    ]
    assert "heroku authorizations:create" in said.lines[-1]
    assert "another-key" not in said.out + said.err


def test_an_app_that_may_not_be_seen_is_wrong_and_the_others_are_looked_at(
    project: Project, heroku: FakeHeroku
) -> None:
    project.write(HEROKU)
    heroku.forbidden.add("rough-sea-1234")
    said = clockd("doctor", env=heroku.environ())

    assert said.code == 1
    assert "✗ heroku-app: the app rough-sea-1234 could not be looked at" in said.out
    assert "✓ heroku-app: the app sharp-mountain-4005 is there" in said.lines


def test_a_platform_out_of_reach_is_told(project: Project) -> None:
    project.write(HEROKU)
    env = {
        "HEROKU_API_URL": "http://127.0.0.1:1",
        "HEROKU_API_KEY": KEY,
        "HEROKU_APP_NAME": "sharp-mountain-4005",
    }
    said = clockd("doctor", env=env)

    assert said.code == 1
    assert "✗ heroku-key: the API key could not be checked: " in said.out
    assert KEY not in said.out


def test_a_clock_that_is_wrong_is_worth_knowing(
    project: Project, heroku: FakeHeroku
) -> None:
    project.write(HEROKU)
    heroku.skew_s = 30
    said, found = doctor(**heroku.environ())

    assert said.code == 0
    assert found["clock-skew"]["level"] == "warning"
    assert "behind Heroku's" in found["clock-skew"]["message"]


def test_without_an_app_there_is_nothing_to_run_on(
    project: Project, heroku: FakeHeroku
) -> None:
    project.write("version: 1\ntriggers: {}\n")
    said = clockd("doctor", env={**heroku.environ(), "HEROKU_APP_NAME": ""})

    assert said.code == 1
    assert "✗ heroku-app: no app is named: neither in triggers.yaml" in said.out
    assert "`heroku config:set HEROKU_APP_NAME=NAME`" in said.out


def on_record(
    books: Books, dyno: FakeDyno, app: str, owner: str | None = None
) -> Attempt:
    """Put a run on record whose dyno that is."""
    books.ask(trigger(dyno.name.replace(".", "-"), app=app), owner=owner)
    fence = books.fence if owner is None else None
    taken = books.store.runs.take(
        now=NOON, limit=1, plan=plan, fence=fence, owner=owner
    )
    ((_, attempt),) = taken.started
    answer = books.answer(attempt, name=dyno.name, id=dyno.id)
    assert books.store.attempts.launched([answer], NOON) == set()
    return attempt


def test_dynos_of_another_installation_are_told_of_and_ours_are_not(
    project: Project, heroku: FakeHeroku
) -> None:
    project.write(HEROKU)
    app = heroku.app
    running, ended, owned, stranger = (
        app.start("sleep 60", type_="clockd") for _ in range(4)
    )
    with project.books() as books:
        on_record(books, running, app.name)
        books.end(on_record(books, ended, app.name), clock.now())
        on_record(books, owned, app.name, owner="laptop:1")
        books.store.lease.release(books.fence)
    found = clockd("doctor", "--json", env=heroku.environ()).json
    told = [check for check in found if check["check"] == "heroku-strangers"]

    assert [check["data"].get("dynos") for check in told] == [None, [stranger.name]]
    assert "CLOCKD_PROCESS_TYPE" in told[1]["hint"]


def test_without_the_database_nobody_is_called_a_stranger(
    project: Project, heroku: FakeHeroku
) -> None:
    project.write(HEROKU)
    heroku.app.start("sleep 60", type_="clockd")
    env = {**heroku.environ(), "DATABASE_URL": "postgres://me@127.0.0.1:1/clockd"}
    _, found = doctor(**env)

    assert "heroku-strangers" not in found
    assert "heroku-app" in found
