"""Takes runs from the line: decides on each, and puts on record what was decided.

Works in the caller's transaction, which holds the queue's lock: nobody else changes a
run meanwhile. What `policy.decide` needs to know is read for a page of runs at a time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd import policy
from clockd.model import REPLACED_BY, Hold, Outcome, RunState
from clockd.policy import Drop, GiveUp, Situation, Wait
from clockd.store import line, rows, situations
from clockd.store.limits import Allowance
from clockd.store.situations import Standing
from clockd.store.statements import AnyRow, Values, update_each
from clockd.store.tables import (
    attempts,
    runs,
    waiting,
)
from clockd.store.values import Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from clockd.model import Limits, Run
    from clockd.policy import Decision
    from clockd.store.situations import Line, Twin
    from clockd.store.values import AttemptPlan, NotNow

#: A run that waits for another is looked at this often, beside being woken.
HELD = timedelta(seconds=30)
#: The same for the run of a `run-now`, which nobody wakes.
HELD_OWNED = timedelta(seconds=2)

_PAGE = 64
_LARGEST_PAGE = 2048
#: So many runs a take holds for the limit; it keeps SQLite from other writers.
_MOST_PUT_OFF = 500


def take(
    connection: Connection,
    *,
    now: datetime,
    limit: int,
    plan: Callable[[Run], AttemptPlan],
    admit: Callable[[Run], NotNow | None],
    owner: str | None,
    limits: Limits,
) -> Taken:
    """Decide on the runs that are due, and write it down; see `Runs.take`.

    While there is room under the limit of concurrent runs, those that are held for it
    are due: so the oldest in line goes first, whatever came due just now.
    """
    allowance = Allowance(connection, limits, now)
    taking = _Taking(
        *(connection, allowance),
        now=now,
        limit=limit,
        plan=plan,
        admit=admit,
        held=HELD if owner is None else HELD_OWNED,
    )
    size, behind = max(_PAGE, 4 * limit), None
    while not taking.full:
        page = situations.due(
            *(connection, now, owner),
            size=size,
            behind=behind,
            limited=allowance.room,
        )
        taking.decide(page)
        if len(page) < size:
            break
        size, behind = min(2 * size, _LARGEST_PAGE), page[-1]
    return replace(taking.taken, reached=allowance.reached)


class _Taking:
    """One take: what is known, what was decided."""

    def __init__(
        self,
        connection: Connection,
        allowance: Allowance,
        *,
        now: datetime,
        limit: int,
        plan: Callable[[Run], AttemptPlan],
        admit: Callable[[Run], NotNow | None],
        held: timedelta,
    ) -> None:
        self._connection = connection
        self._allowance = allowance
        self._now = now
        self._held = held
        self._limit = limit
        self._plan = plan
        self._admit = admit
        self._lines: dict[str, Line] = {}
        self._ended: set[int] = set()
        self._put_off = 0
        self._changes: list[Values] = []
        self._starts: list[tuple[Run, AttemptPlan]] = []
        self._twins: set[Twin] | None = None
        self.taken = Taken()

    @property
    def full(self) -> bool:
        """Whether as many runs have started as may, or enough was put off.

        What is behind the last for which there was room is looked at by the next take:
        neither a launch nor a claim need wait for a long line to be put off.
        """
        started = len(self.taken.started) + len(self._starts)
        if started >= self._limit or self._put_off >= _MOST_PUT_OFF:
            return True
        return started > 0 and not self._allowance.room

    def decide(self, page: Sequence[AnyRow]) -> None:
        """Decide on a page of due runs, and write down what was decided."""
        new = {row.trigger_id for row in page} - self._lines.keys()
        self._lines.update(situations.read_lines(self._connection, new))
        for row in page:
            if row.id not in self._ended:
                self._decide(row)
        self._write()

    def _decide(self, row: AnyRow) -> None:
        run, mine = rows.run_of(row), self._lines[row.trigger_id]
        mine.first.discard((row.turn, row.id))
        self._supersede(run, mine)
        decision = self._ask(run, row, mine)
        if isinstance(decision, Wait) and decision.stop:
            decision = self._make_room(run, row, mine) or decision
        stays = True
        if isinstance(decision, Drop):
            self._drop(run, decision)
            stays = False
        elif isinstance(decision, GiveUp):
            self._give_up([run.id], mine)
        elif isinstance(decision, Wait):
            self._hold(run, self._now + HELD, decision.hold, decision.reason)
        elif not self.full:
            stays = not self._may_start(_released(run, self._now), mine)
        if stays and run.attempt == 0:
            mine.first.add((row.turn, row.id))

    def _ask(self, run: Run, row: AnyRow, mine: Line) -> Decision:
        others = {id_: it for id_, it in mine.active.items() if id_ != run.id}
        situation = Situation(
            active=list(others),
            started=any(standing.started for standing in others.values()),
            earlier_waiting=any(other < (row.turn, row.id) for other in mine.first),
            newest_fire_time=row.newest_fire_time,
            paused=bool(row.paused),
            removed=row.removed_at is not None and run.claimed_at <= row.removed_at,
        )
        return policy.decide(run, self._now, situation)

    def _make_room(self, run: Run, row: AnyRow, mine: Line) -> Decision | None:
        """Stop the runs that `run` replaces; those without a dyno end at once.

        Returns the decision anew where one ended, since `run` may start then.
        """
        by = f"{REPLACED_BY}{run.id}"
        others = [run_id for run_id in mine.active if run_id != run.id]
        idle = [run_id for run_id in others if mine.active[run_id].idle]
        line.want_cancelled(self._connection, others, by=by, now=self._now)
        if not idle:
            return None
        line.end_waiting(
            self._connection,
            idle,
            outcome=Outcome.CANCELLED,
            reason=f"replaced by run {run.id}",
            now=self._now,
        )
        self._ended.update(idle)
        for run_id in idle:
            del mine.active[run_id]
        return self._ask(run, row, mine)

    def _supersede(self, run: Run, mine: Line) -> None:
        """Give up earlier runs between attempts: theirs never reach a later time."""
        if run.attempt or run.fire_time is None or policy.keeps_all(run.trigger):
            return
        idle = [
            run_id
            for run_id, standing in mine.active.items()
            if standing.idle
            and standing.fire_time
            and standing.fire_time < run.fire_time
        ]
        self._give_up(idle, mine)

    def _give_up(self, run_ids: Sequence[int], mine: Line) -> None:
        """Let runs end as their last attempt did."""
        if not run_ids:
            return
        last = sa.select(
            *(attempts.c.run_id, attempts.c.outcome, attempts.c.exit_status),
            attempts.c.reason,
        ).join(runs, runs.c.id == attempts.c.run_id)
        last = last.where(
            attempts.c.run_id.in_(run_ids), attempts.c.number == runs.c.attempt
        )
        for row in self._connection.execute(last).all():
            ended = {
                "state": RunState.FINISHED.value,
                "outcome": row.outcome,
                "exit_status": row.exit_status,
                "reason": f"{row.reason}; its next fire time came before another try",
                "finished_at": self._now,
                "hold": None,
                "not_before": None,
            }
            where = sa.and_(waiting, runs.c.id == row.run_id)
            self._connection.execute(sa.update(runs).where(where).values(**ended))
        for run_id in run_ids:
            self._ended.add(run_id)
            mine.active.pop(run_id, None)
            self.taken.dropped.append(rows.run_with_id(self._connection, run_id))

    def _drop(self, run: Run, decision: Drop) -> None:
        ended = replace(
            run,
            state=RunState.FINISHED,
            outcome=decision.outcome,
            reason=decision.reason,
            finished_at=self._now,
            hold=None,
        )
        self._change(ended)
        self.taken.dropped.append(ended)

    def _hold(
        self, run: Run, not_before: datetime, hold: Hold | None, reason: str
    ) -> None:
        held = replace(run, not_before=not_before, hold=hold, reason=reason)
        self._change(held)
        if (run.hold, run.reason) != (hold, reason):
            self.taken.waiting.append((held, reason))

    def _change(self, run: Run) -> None:
        """Note how a run that does not start is to be on record."""
        self._changes.append(
            {
                "id": run.id,
                "state": run.state.value,
                "outcome": run.outcome.value if run.outcome else None,
                "reason": run.reason,
                "finished_at": run.finished_at,
                "hold": run.hold.value if run.hold else None,
                "released_at": run.released_at,
                "not_before": run.not_before,
            }
        )

    def _may_start(self, run: Run, mine: Line) -> bool:
        """Plan a run's next attempt; return whether it has left the line."""
        refusal = self._allowance.refuse(run)
        if refusal is not None:
            self._drop(run, refusal)
            return True
        if not self._allowance.room:
            until = self._now + self._held
            self._hold(run, until, Hold.LIMIT, self._allowance.waited_for)
            self._put_off += 1
            return False
        plan = self._plan(run)
        twin = (plan.app, plan.process_type, plan.twin)
        if plan.twin is not None and twin in self._open_twins():
            self.taken.blocked.append(run)
            return False
        not_now = self._admit(run)
        if not_now is not None:
            self._hold(run, not_now.not_before, not_now.hold, not_now.reason)
            return False
        if plan.twin is not None:
            self._open_twins().add((plan.app, plan.process_type, plan.twin))
        self._allowance.start(run)
        self._starts.append((run, plan))
        started = run.launched_at is not None
        mine.active[run.id] = Standing(False, started, run.fire_time)
        return True

    def _open_twins(self) -> set[Twin]:
        if self._twins is None:
            self._twins = situations.open_twins(self._connection)
        return self._twins

    def _write(self) -> None:
        """Write down what was decided for a page."""
        update_each(self._connection, runs, "id", self._changes, waiting)
        self._changes.clear()
        if not self._starts:
            return
        started = [_launching(run) for run, _ in self._starts]
        launching = [
            {
                "id": run.id,
                "state": run.state.value,
                "attempt": run.attempt,
                "hold": None,
                "released_at": run.released_at,
                "reason": None,
            }
            for run in started
        ]
        update_each(self._connection, runs, "id", launching, waiting)
        values = [
            _attempt_values(run, plan, self._now)
            for run, (_, plan) in zip(started, self._starts, strict=True)
        ]
        made = self._connection.execute(
            sa.insert(attempts).returning(attempts, sort_by_parameter_order=True),
            values,
        )
        self.taken.started.extend(
            (run, rows.attempt_of(row)) for run, row in zip(started, made, strict=True)
        )
        self._starts.clear()


def _released(run: Run, now: datetime) -> Run:
    """Return a run that need not wait for another any more: its window begins here."""
    return replace(run, released_at=now) if run.hold is Hold.OVERLAP else run


def _launching(run: Run) -> Run:
    return replace(
        run, state=RunState.LAUNCHING, attempt=run.attempt + 1, hold=None, reason=None
    )


def _attempt_values(run: Run, plan: AttemptPlan, now: datetime) -> Values:
    return {
        "run_id": run.id,
        "number": run.attempt,
        "state": RunState.LAUNCHING.value,
        "runner": plan.runner.value,
        "app": plan.app,
        "command": plan.command,
        "process_type": plan.process_type,
        "twin": plan.twin,
        "requested_at": now,
        "time_to_live_s": plan.time_to_live_s,
        "host": plan.host,
        "size": plan.size,
    }
