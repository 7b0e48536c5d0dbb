"""Databases as a clockd of an earlier revision has left them, kept as SQL.

`python -m tests.support.dumps` makes those of the newest revision, one for SQLite and
one for PostgreSQL, with something of everything in them; it needs `pg_dump`. Make them
before you write a migration: what an older clockd wrote cannot be made afterwards.
"""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa

from clockd.model import NO_LIMITS, Hold, Limits, Outcome, Overlap, StopCause
from clockd.store import OutputRow, migrations
from tests.support.postgres import PostgresServer, _find_programs
from tests.support.stores import (
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    Books,
    execute,
    one_off,
    open_books,
    plan,
    trigger,
)

if TYPE_CHECKING:
    from typing import Any

    from clockd.model import Run, Trigger

DATA = Path(__file__).resolve().parents[1] / "data"
#: When a dump's clock has written its last word.
THEN = NOON + 3 * HOUR

#: What every dump has runs in: a state, with what it waits for, or its outcome.
WANTED = frozenset(
    {
        *("waiting", "waiting retry", "waiting line", "waiting overlap"),
        *("launching", "unknown", "running", "stopping"),
        *("finished succeeded", "finished failed", "finished timed_out"),
        *("finished cancelled", "finished stopped_by_platform", "finished lost"),
        *("finished launch_failed", "finished skipped", "finished missed"),
    }
)

_ENDS = {
    Outcome.SUCCEEDED: 0,
    Outcome.FAILED: 2,
    Outcome.TIMED_OUT: 143,
    Outcome.CANCELLED: 143,
    Outcome.STOPPED_BY_PLATFORM: 143,
    Outcome.LAUNCH_FAILED: None,
    Outcome.LOST: None,
}


def path_of(revision: str, kind: str) -> Path:
    """Return where the dump of a revision is.

    Args:
        revision: Such as 0001.
        kind: `sqlite` or `postgresql`.
    """
    return DATA / f"schema-{revision}.{kind}.sql"


def restore(revision: str, url: str) -> None:
    """Make an empty database one that a clockd of `revision` has left."""
    kind = "sqlite" if url.startswith("sqlite") else "postgresql"
    text = path_of(revision, kind).read_text(encoding="utf-8")
    if kind == "sqlite":
        with contextlib.closing(sqlite3.connect(_file(url))) as connection:
            connection.executescript(text)
        return
    with psycopg.connect(_dsn(url)) as connection:
        connection.execute(text.encode())


def states(url: str) -> set[str]:
    """Return what a database has runs in, as `WANTED` has it."""
    found = execute(url, "SELECT state, coalesce(hold, outcome, '') FROM clockd_runs")
    return {" ".join(row).strip() for row in found}


def dump(url: str) -> str:
    """Return a database as SQL, the same for the same contents."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(_file(url))) as connection:
            return "".join(f"{line}\n" for line in connection.iterdump())
    command = [str(_find_programs() / "pg_dump"), "--inserts", "--no-owner", _dsn(url)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # Settings and psql's commands differ with the version of pg_dump.
    left_out = ("--", "SET ", "SELECT pg_catalog.set_config", "\\")
    kept = [x for x in done.stdout.splitlines() if x and not x.startswith(left_out)]
    return "".join(f"{line}\n" for line in kept)


def fill(books: Books) -> None:
    """Let a clock work from noon to three, and leave something of everything."""
    halted = trigger("halted", "*/30 * * * *", env={"NAME": "Zoë 'x'"})
    stay = (
        halted,
        trigger("hourly", "0 * * * *", timezone="Europe/Amsterdam"),
        _yearly("patient", overlap=Overlap.QUEUE),
        trigger("idle", active=False),
        one_off("past", NOON - HOUR),
    )
    books.load(*stay, _yearly("gone"))
    books.load(*stay, now=NOON + SECOND)
    books.store.triggers.pause(halted.uuid, by="ann", reason="holidays", now=NOON)
    _ends(books)
    _in_line(books)
    _under_way(books)
    for hours in (1, 2, 3):
        books.claim(NOON + hours * HOUR)
    _take(books)


def _ends(books: Books) -> None:
    for outcome, status in _ENDS.items():
        run, attempt = books.run(_yearly(f"ends-{outcome.replace('_', '-')}"))
        if outcome is Outcome.FAILED:
            _print(books, run)
        books.end(attempt, NOON + MINUTE, outcome, status)


def _print(books: Books, run: Run) -> None:
    rows = [
        OutputRow(
            run_id=run.id,
            attempt=1,
            sequence=number,
            at=NOON + SECOND,
            source="app",
            text=f"line {number}",
        )
        for number in (1, 2)
    ]
    books.store.output.append(rows)


def _in_line(books: Books) -> None:
    _, attempt = books.run(_yearly("retried", retries=2, retry_delay_s=60))
    books.end(attempt, THEN, Outcome.FAILED, 1)
    _, attempt = books.begin(_yearly("put-back"), THEN)
    books.store.attempts.requeue(
        attempt.id,
        attempt.requested_at,
        not_before=THEN + MINUTE,
        hold=Hold.LINE,
        reason="the app has as many one-off dynos as it may",
    )
    patient = _yearly("patient", overlap=Overlap.QUEUE)
    books.run(patient)
    books.ask(patient, THEN)
    books.ask(_yearly("later"), THEN + MINUTE)


def _under_way(books: Books) -> None:
    books.begin(_yearly("launching"))
    _, attempt = books.begin(_yearly("answer-lost"))
    books.store.attempts.unknown(attempt.id, attempt.requested_at, "no answer")
    books.run(_yearly("running"))
    _, attempt = books.run(_yearly("stopping"))
    books.store.attempts.stopping(attempt.id, StopCause.TIMEOUT, NOON + MINUTE)


def reach_limits(books: Books) -> None:
    """Have a run more than may run at a time, and one more than may in a month."""
    limits = Limits(concurrent_runs=1, runs_per_month=1, timezone="Europe/Amsterdam")
    known = books.store.triggers.definitions()
    books.store.triggers.sync(known, fence=books.fence, now=THEN, limits=limits)
    books.ask(_yearly("not-this-month"), THEN)
    _take(books, limits)
    books.ask(_yearly("one-too-many"), THEN)
    _take(books, replace(limits, runs_per_month=None))


def _take(books: Books, limits: Limits = NO_LIMITS) -> None:
    taken = books.store.runs.take(
        now=THEN, limit=16, plan=plan, fence=books.fence, limits=limits
    )
    answers = [books.answer(attempt) for _, attempt in taken.started]
    books.store.attempts.launched(answers, THEN)


def _yearly(slug: str, **more: Any) -> Trigger:
    return trigger(slug, "0 0 1 1 *", **more)


def _file(url: str) -> str:
    return sa.engine.make_url(url).database or ""


def _dsn(url: str) -> str:
    return url.replace("+psycopg", "")


def _make(url: str) -> str:
    with open_books(url) as books:
        fill(books)
        reach_limits(books)
        assert states(url) >= WANTED, WANTED - states(url)
    return dump(url)


def main() -> None:
    """Write the dumps of the newest revision."""
    with (
        PostgresServer.create() as server,
        server.database() as postgresql,
        tempfile.TemporaryDirectory() as folder,
    ):
        for url in (f"sqlite:///{folder}/clockd.db", postgresql):
            kind = url.split(":")[0].partition("+")[0]
            path_of(migrations.HEAD, kind).write_text(_make(url), encoding="utf-8")


if __name__ == "__main__":
    main()
