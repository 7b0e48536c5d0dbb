"""The tables as they are now; `migrations` says how a database gets there.

All are prefixed `clockd_`, since the database is often the app's own. Conditions on
`state` are written as literals: SQLite uses a partial index only where it can see that
the query's condition is the index's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    literal_column,
    or_,
)

from clockd.store.columns import BigId, Instant, SafeText

if TYPE_CHECKING:
    from enum import StrEnum

    from sqlalchemy import ColumnElement

metadata = MetaData()

#: Alembic's own table: one row, the revision.
VERSION_TABLE = "clockd_schema"

lease = Table(
    "clockd_lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("holder", SafeText),
    Column("fence", BigId, nullable=False),
    Column("beat", BigId, nullable=False),
    Column("taken_at", Instant),
    Column("beat_at", Instant),
)

#: What the last good triggers.yaml says beside its triggers: one row, or none.
config = Table(
    "clockd_config",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("runner", String(8), nullable=False),
    Column("loaded_at", Instant, nullable=False),
    #: Its `limits`; empty where there are none.
    Column("concurrent_runs", Integer),
    Column("runs_per_month", Integer),
    Column("max_triggers", Integer),
    #: The zone whose months are counted.
    Column("timezone", Text),
)

#: Months, such as 2026-11, in which `runs_per_month` was reached, and of how many runs
#: people were told then.
months = Table(
    "clockd_months",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("limit_told", Integer, nullable=False),
    Column("told_at", Instant, nullable=False),
)

triggers = Table(
    "clockd_triggers",
    metadata,
    Column("uuid", String(36), primary_key=True),
    Column("slug", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("source", String(8), nullable=False),
    Column("definition", SafeText, nullable=False),
    Column("fingerprint", String(32), nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("removed_at", Instant),
    Column("paused_at", Instant),
    Column("paused_by", SafeText),
    Column("paused_reason", SafeText),
    Column("resumed_at", Instant),
    Index("clockd_triggers_by_slug", "slug"),
)

jobs = Table(
    "clockd_jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    #: As in APScheduler's own table: seconds since 1970.
    Column("next_run_time", Double, nullable=False),
    Column("claimed_until", Instant, nullable=False),
    Index("clockd_jobs_due", "next_run_time"),
)

runs = Table(
    "clockd_runs",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("trigger_id", String(36), nullable=False),
    Column("slug", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("definition", SafeText, nullable=False),
    Column("cause", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("fire_time", Instant),
    Column("not_before", Instant),
    Column("hold", String(16)),
    Column("released_at", Instant),
    Column("attempt", Integer, nullable=False),
    Column("claimed_at", Instant, nullable=False),
    Column("launched_at", Instant),
    Column("finished_at", Instant),
    Column("lag_s", Double),
    Column("outcome", String(24)),
    Column("exit_status", Integer),
    Column("reason", SafeText),
    Column("last_fire_time", Instant),
    Column("fire_count", Integer, nullable=False),
    Column("requested_by", SafeText),
    Column("cancel_requested_at", Instant),
    Column("cancel_requested_by", SafeText),
    Column("owner", SafeText),
    Column("owner_beat", BigId),
    UniqueConstraint("trigger_id", "fire_time", name="clockd_runs_one_per_fire_time"),
    sqlite_autoincrement=True,
)

attempts = Table(
    "clockd_attempts",
    metadata,
    Column("id", BigId, primary_key=True),
    Column(
        "run_id",
        BigId,
        ForeignKey("clockd_runs.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("runner", String(8), nullable=False),
    Column("app", Text, nullable=False),
    Column("command", SafeText, nullable=False),
    Column("process_type", SafeText, nullable=False),
    Column("twin", SafeText),
    Column("requested_at", Instant, nullable=False),
    Column("time_to_live_s", Integer, nullable=False),
    Column("host", SafeText, nullable=False),
    Column("size", SafeText),
    Column("dyno", SafeText),
    Column("dyno_id", SafeText),
    Column("created_at", Instant),
    Column("launched_at", Instant),
    Column("finished_at", Instant),
    Column("stop_requested_at", Instant),
    Column("stop_cause", String(16)),
    Column("exit_status", Integer),
    Column("outcome", String(24)),
    Column("reason", SafeText),
    Column("warning", SafeText),
    UniqueConstraint("run_id", "number", name="clockd_attempts_one_per_number"),
    sqlite_autoincrement=True,
)

output = Table(
    "clockd_output",
    metadata,
    Column("run_id", BigId, primary_key=True, autoincrement=False),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("source", SafeText, nullable=False),
    Column("text", SafeText, nullable=False),
    #: Bytes of the run's output up to and with this line, also of lines long gone.
    Column("position", BigId, nullable=False),
)


def _is(column: Column[Any], *values: StrEnum | str) -> ColumnElement[bool]:
    literals: list[ColumnElement[str]] = [
        literal_column(f"'{value}'") for value in values
    ]
    return column == literals[0] if len(literals) == 1 else column.in_(literals)


#: A run is in line.
waiting = _is(runs.c.state, "waiting")
#: A run has no outcome yet.
unfinished = runs.c.state != literal_column("'finished'")
#: A run counts against its trigger's overlap policy (`Run.active`).
active = and_(unfinished, or_(~waiting, runs.c.attempt > literal_column("0")))
#: A run is in line and has never been started.
never_started = and_(waiting, runs.c.attempt == literal_column("0"))
#: A run has ended without having been started, as a rule.
dropped = _is(runs.c.outcome, "missed", "skipped")
#: A run has, or has had, an attempt.
started = runs.c.attempt > literal_column("0")
#: Somebody wants an unfinished run cancelled.
cancel_wanted = and_(unfinished, runs.c.cancel_requested_at.is_not(None))
#: A `run-now` follows an unfinished run itself.
owned = and_(unfinished, runs.c.owner.is_not(None))
#: Runs are taken in this order, then by id: the oldest first.
turn = func.coalesce(runs.c.fire_time, runs.c.claimed_at)
#: An attempt has, or may have, a dyno.
attempt_open = attempts.c.state != literal_column("'finished'")
#: Nobody knows yet which dyno a launch has given.
answer_open = and_(
    _is(attempts.c.state, "launching", "unknown"), attempts.c.twin.is_not(None)
)


def _partial(where: ColumnElement[bool]) -> dict[str, Any]:
    return {"sqlite_where": where, "postgresql_where": where}


Index("clockd_runs_in_line", turn, runs.c.id, **_partial(waiting))
Index("clockd_runs_due", runs.c.not_before, **_partial(waiting))
Index("clockd_runs_unfinished", runs.c.trigger_id, **_partial(unfinished))
Index("clockd_runs_cancel_wanted", runs.c.id, **_partial(cancel_wanted))
Index("clockd_runs_owned", runs.c.id, **_partial(owned))
Index("clockd_runs_started", turn, **_partial(started))
Index("clockd_runs_dropped", runs.c.claimed_at, **_partial(dropped))
Index("clockd_runs_by_slug", runs.c.slug, runs.c.id)
Index("clockd_attempts_open", attempts.c.run_id, **_partial(attempt_open))
Index("clockd_attempts_by_end", attempts.c.app, attempts.c.finished_at)
Index(
    "clockd_attempts_one_per_dyno",
    attempts.c.app,
    attempts.c.dyno_id,
    unique=True,
    **_partial(attempts.c.dyno_id.is_not(None)),
)
