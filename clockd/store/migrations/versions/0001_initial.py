"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Instant = sa.BigInteger


def upgrade() -> None:
    """Make every table, and the one row of the lease."""
    _lease()
    _config()
    _triggers()
    _jobs()
    _runs()
    _index_runs()
    _attempts()
    _index_attempts()
    _output()


def _lease() -> None:
    lease = op.create_table(
        "clockd_lease",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.Text),
        sa.Column("fence", _Id, nullable=False),
        sa.Column("beat", _Id, nullable=False),
        sa.Column("taken_at", _Instant),
        sa.Column("beat_at", _Instant),
    )
    op.bulk_insert(lease, [{"id": 1, "fence": 0, "beat": 0}])


def _config() -> None:
    op.create_table(
        "clockd_config",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("runner", sa.String(8), nullable=False),
        sa.Column("loaded_at", _Instant, nullable=False),
    )


def _triggers() -> None:
    op.create_table(
        "clockd_triggers",
        sa.Column("uuid", sa.String(36), primary_key=True),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("first_seen", _Instant, nullable=False),
        sa.Column("changed_at", _Instant, nullable=False),
        sa.Column("removed_at", _Instant),
        sa.Column("paused_at", _Instant),
        sa.Column("paused_by", sa.Text),
        sa.Column("paused_reason", sa.Text),
        sa.Column("resumed_at", _Instant),
    )
    op.create_index("clockd_triggers_by_slug", "clockd_triggers", ["slug"])


def _jobs() -> None:
    op.create_table(
        "clockd_jobs",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("next_run_time", sa.Double, nullable=False),
        sa.Column("claimed_until", _Instant, nullable=False),
    )
    op.create_index("clockd_jobs_due", "clockd_jobs", ["next_run_time"])


def _runs() -> None:
    op.create_table(
        "clockd_runs",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("trigger_id", sa.String(36), nullable=False),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("fire_time", _Instant),
        sa.Column("not_before", _Instant),
        sa.Column("hold", sa.String(16)),
        sa.Column("released_at", _Instant),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("claimed_at", _Instant, nullable=False),
        sa.Column("launched_at", _Instant),
        sa.Column("finished_at", _Instant),
        sa.Column("lag_s", sa.Double),
        sa.Column("outcome", sa.String(24)),
        sa.Column("exit_status", sa.Integer),
        sa.Column("reason", sa.Text),
        sa.Column("last_fire_time", _Instant),
        sa.Column("fire_count", sa.Integer, nullable=False),
        sa.Column("requested_by", sa.Text),
        sa.Column("cancel_requested_at", _Instant),
        sa.Column("cancel_requested_by", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("owner_beat", _Id),
        sa.UniqueConstraint(
            "trigger_id", "fire_time", name="clockd_runs_one_per_fire_time"
        ),
        sqlite_autoincrement=True,
    )


def _index_runs() -> None:
    turn: Any = sa.text("coalesce(fire_time, claimed_at)")
    unfinished = "state != 'finished'"
    for name, columns, where in (
        ("in_line", [turn, "id"], "state = 'waiting'"),
        ("due", ["not_before"], "state = 'waiting'"),
        ("unfinished", ["trigger_id"], unfinished),
        ("cancel_wanted", ["id"], f"{unfinished} AND cancel_requested_at IS NOT NULL"),
        ("owned", ["id"], f"{unfinished} AND owner IS NOT NULL"),
    ):
        op.create_index(
            f"clockd_runs_{name}", "clockd_runs", columns, **_partial(where)
        )
    op.create_index("clockd_runs_by_slug", "clockd_runs", ["slug", "id"])


def _attempts() -> None:
    op.create_table(
        "clockd_attempts",
        sa.Column("id", _Id, primary_key=True),
        sa.Column(
            "run_id",
            _Id,
            sa.ForeignKey("clockd_runs.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("runner", sa.String(8), nullable=False),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("process_type", sa.Text, nullable=False),
        sa.Column("twin", sa.Text),
        sa.Column("requested_at", _Instant, nullable=False),
        sa.Column("time_to_live_s", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("size", sa.Text),
        sa.Column("dyno", sa.Text),
        sa.Column("dyno_id", sa.Text),
        sa.Column("created_at", _Instant),
        sa.Column("launched_at", _Instant),
        sa.Column("finished_at", _Instant),
        sa.Column("stop_requested_at", _Instant),
        sa.Column("stop_cause", sa.String(16)),
        sa.Column("exit_status", sa.Integer),
        sa.Column("outcome", sa.String(24)),
        sa.Column("reason", sa.Text),
        sa.Column("warning", sa.Text),
        sa.UniqueConstraint("run_id", "number", name="clockd_attempts_one_per_number"),
        sqlite_autoincrement=True,
    )


def _index_attempts() -> None:
    table = "clockd_attempts"
    op.create_index(
        "clockd_attempts_open", table, ["run_id"], **_partial("state != 'finished'")
    )
    op.create_index("clockd_attempts_by_end", table, ["app", "finished_at"])
    op.create_index(
        "clockd_attempts_one_per_dyno",
        table,
        ["app", "dyno_id"],
        unique=True,
        **_partial("dyno_id IS NOT NULL"),
    )


def _output() -> None:
    op.create_table(
        "clockd_output",
        sa.Column("run_id", _Id, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("at", _Instant, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("position", _Id, nullable=False),
    )


def _partial(where: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}
