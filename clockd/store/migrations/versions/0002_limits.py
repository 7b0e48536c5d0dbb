"""The file's limits: what they are, what they count, and when one was told of.

Besides, an index for what is looked up at each start: runs that were put on record
ahead of the clock, and never started.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_Instant = sa.BigInteger


def _index(name: str, column: sa.TextClause, where: sa.TextClause) -> None:
    op.create_index(
        f"clockd_runs_{name}",
        "clockd_runs",
        [column],
        sqlite_where=where,
        postgresql_where=where,
    )


def upgrade() -> None:
    """Add limits to what is known of the file, and the months they were reached in."""
    for column in (
        sa.Column("concurrent_runs", sa.Integer),
        sa.Column("runs_per_month", sa.Integer),
        sa.Column("max_triggers", sa.Integer),
        sa.Column("timezone", sa.Text),
    ):
        op.add_column("clockd_config", column)
    op.create_table(
        "clockd_months",
        sa.Column("month", sa.String(7), primary_key=True),
        sa.Column("limit_told", sa.Integer, nullable=False),
        sa.Column("told_at", _Instant, nullable=False),
    )
    turn = sa.text("coalesce(fire_time, claimed_at)")
    started = sa.text("attempt > 0")
    dropped = sa.text("outcome IN ('missed', 'skipped')")
    _index("started", turn, started)
    _index("dropped", sa.text("claimed_at"), dropped)
