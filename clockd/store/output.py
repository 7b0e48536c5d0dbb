"""What tasks printed: the newest part of every run's output.

Written in batches of many runs. `position` counts a run's bytes from its first line, so
that the newest can be kept without adding up what is there.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd.model import OutputLine
from clockd.store.columns import storable
from clockd.store.statements import Values, batches, insert_new
from clockd.store.tables import output, runs
from clockd.store.values import OutputState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from clockd.store.database import Database
    from clockd.store.values import OutputRow

#: Bytes kept of one run's output, the newest.
KEPT = 1 << 20
#: Older ones are dropped in steps, not with every line.
_STEP = 1 << 16
_PRUNED_AT_ONCE = 200
_PRUNING_S = 120.0
_CUT = " … (cut)"


class Outputs:
    """The output of all runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, rows: Sequence[OutputRow]) -> None:
        """Add lines to runs' output; those that are on record already are left out.

        A line whose sequence is not above all of its run's is on record, or was.
        """
        if not rows:
            return
        by_run = attrgetter("run_id", "sequence")
        with self._database.write(lock=None) as connection:
            states = _states(connection, sorted({row.run_id for row in rows}))
            for run_id, lines in groupby(
                sorted(rows, key=by_run), attrgetter("run_id")
            ):
                if run_id in states:
                    _append(connection, run_id, lines, states[run_id])

    def state(self, run_id: int) -> OutputState:
        """Return where a run's output stands: the next line's number, bytes so far."""
        with self._database.read() as connection:
            return _states(connection, [run_id]).get(run_id, OutputState(1, 0))

    def lines(
        self,
        run_id: int,
        *,
        after: int = 0,
        limit: int | None = None,
        attempt: int | None = None,
    ) -> list[OutputLine]:
        """Return a run's lines in order.

        Args:
            run_id: Whose.
            after: Only those with a higher sequence.
            limit: At most so many.
            attempt: Only those of this attempt.
        """
        query = sa.select(output).where(
            output.c.run_id == run_id, output.c.sequence > after
        )
        if attempt is not None:
            query = query.where(output.c.attempt == attempt)
        query = query.order_by(output.c.sequence).limit(limit)
        with self._database.read() as connection:
            return [
                OutputLine(
                    at=row.at,
                    source=row.source,
                    text=row.text,
                    attempt=row.attempt,
                    sequence=row.sequence,
                )
                for row in connection.execute(query)
            ]

    def lines_written(self, run_id: int, attempt: int) -> int:
        """Return how many lines of its own an attempt has ever had written.

        Also those that are no longer kept, but for the platform's among them.
        """
        mine = sa.and_(output.c.run_id == run_id, output.c.attempt == attempt)
        earlier = sa.and_(output.c.run_id == run_id, output.c.attempt < attempt)
        of_platform = sa.func.count().filter(output.c.source != "app")
        sequence = output.c.sequence
        spans = sa.select(
            sa.func.min(sequence), sa.func.max(sequence), of_platform
        ).where(mine)
        before = sa.select(sa.func.max(sequence)).where(earlier)
        with self._database.read() as connection:
            first, last, told = connection.execute(spans).one()
            begin = connection.execute(before).scalar()
        if last is None:
            return 0
        if begin is None:
            # Of earlier attempts nothing is left: it may have begun anywhere.
            begin = 0 if attempt == 1 else first - 1
        return int(last - begin - told)

    def prune(self, before: datetime) -> int:
        """Delete the output of runs that finished before an instant.

        Works in parts, so that nobody waits long; returns how many lines are gone.
        """
        has_output = sa.exists().where(output.c.run_id == runs.c.id)
        old = sa.select(runs.c.id).where(runs.c.finished_at < before, has_output)
        deleted = 0
        while True:
            # Nobody waits for this; what is deleted at once may be a million lines.
            with self._database.write(lock=None, patience_s=_PRUNING_S) as connection:
                some = connection.execute(old.limit(_PRUNED_AT_ONCE)).scalars().all()
                if not some:
                    return deleted
                gone = sa.delete(output).where(output.c.run_id.in_(some))
                deleted += connection.execute(gone).rowcount


def _states(connection: Connection, run_ids: Sequence[int]) -> dict[int, OutputState]:
    """Return where the output of runs stands; runs that are not there are left out."""
    newest = (
        sa.select(output.c.sequence)
        .where(output.c.run_id == runs.c.id)
        .order_by(output.c.sequence.desc())
        .limit(1)
        .correlate(runs)
        .scalar_subquery()
    )
    query = sa.select(runs.c.id, output.c.sequence, output.c.position).outerjoin(
        output, sa.and_(output.c.run_id == runs.c.id, output.c.sequence == newest)
    )
    states = {}
    for some in batches(run_ids):
        for run_id, sequence, position in connection.execute(
            query.where(runs.c.id.in_(some))
        ):
            states[run_id] = OutputState((sequence or 0) + 1, position or 0)
    return states


def _append(
    connection: Connection, run_id: int, lines: Iterable[OutputRow], state: OutputState
) -> None:
    position = state.position
    values: list[Values] = []
    for line in lines:
        if line.sequence < state.next_sequence:
            continue
        text = _fit(storable(line.text))
        position += len(text.encode()) + 1
        values.append(
            {
                "run_id": run_id,
                "sequence": line.sequence,
                "attempt": line.attempt,
                "at": line.at,
                "source": line.source,
                "text": text,
                "position": position,
            }
        )
    insert_new(connection, output, values)
    if position // _STEP != state.position // _STEP and position > KEPT:
        gone = sa.delete(output).where(output.c.run_id == run_id)
        connection.execute(gone.where(output.c.position <= position - KEPT))


def _fit(text: str) -> str:
    """Return a line that is not larger than all that is kept of a run."""
    if len(text) <= KEPT // 4 or len(stored := text.encode()) < KEPT:
        return text
    return stored[: KEPT - 1 - len(_CUT.encode())].decode(errors="ignore") + _CUT
