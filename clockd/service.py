"""Use cases shared by the command line, the API and the pages.

Reads triggers.yaml and the database, writes rows; never reaches into a running clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from clockd import clock, schedule
from clockd.errors import NotFoundError
from clockd.model import Cause, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from clockd.model import Outcome, Run, Trigger
    from clockd.schedule import Schedule
    from clockd.store import Store, TriggerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerView:
    """A trigger as people see it: its definition, and what the books know of it.

    `row` is None for a trigger that no clock has loaded yet.
    """

    trigger: Trigger
    row: TriggerRow | None
    next_fire_time: datetime | None

    @property
    def last_outcome(self) -> Outcome | None:
        """How its last finished run ended."""
        return self.row.last_outcome if self.row else None

    @property
    def state(self) -> str:
        """`active`, `inactive`, `paused`, or `completed`: a one-off that ran."""
        if not self.trigger.active:
            return "inactive"
        if self.row is not None and self.row.paused_at is not None:
            return "paused"
        return "active" if self.next_fire_time else "completed"

    def to_json(self) -> dict[str, object]:
        """Return what `--json` shows."""
        trigger = self.trigger
        return {
            "trigger": trigger.slug,
            "uuid": trigger.uuid,
            "name": trigger.label,
            "command": trigger.command,
            "schedule": {trigger.schedule_kind.value: trigger.expression},
            "description": description_of(trigger),
            "timezone": trigger.timezone,
            "timeout": trigger.timeout_s,
            "dyno": trigger.dyno,
            "app": trigger.app or None,
            "active": trigger.active,
            "state": self.state,
            "overlap": trigger.overlap.value,
            "catch_up": {
                "within": trigger.catch_up.within_s,
                "run": "all" if trigger.catch_up.run_all else "newest",
            },
            "retries": trigger.retries,
            "jitter": trigger.jitter_s,
            "source": trigger.source.value,
            "next_fire_time": instant(self.next_fire_time),
            "last_outcome": self.last_outcome.value if self.last_outcome else None,
        }


def instant(at: datetime | None) -> str | None:
    """Return an instant as ISO 8601 in UTC, with a fraction only where there is one."""
    if at is None:
        return None
    return at.isoformat(
        timespec="milliseconds" if at.microsecond else "seconds"
    ).replace("+00:00", "Z")


def schedule_of(trigger: Trigger) -> Schedule:
    """Return a trigger's schedule."""
    return schedule.parse(trigger.schedule_kind, trigger.expression, trigger.timezone)


def description_of(trigger: Trigger) -> str:
    """Return a trigger's schedule in plain English."""
    from clockd.describe import describe  # slow to import, and seldom needed

    return describe(schedule_of(trigger))


def coming(parsed: Schedule, after: datetime, count: int) -> list[datetime]:
    """Return the first `count` fire times after an instant; fewer where it ends."""
    found: list[datetime] = []
    at = parsed.next(after)
    while at is not None and len(found) < count:
        found.append(at)
        at = parsed.next(at)
    return found


def next_fire_time(trigger: Trigger, after: datetime) -> datetime | None:
    """Return a trigger's first fire time after an instant, None if it never fires."""
    return schedule_of(trigger).next(after) if trigger.active else None


def trigger_views(
    triggers: Sequence[Trigger], store: Store | None, *, now: datetime
) -> list[TriggerView]:
    """Return the file's triggers, and those made through the API, with their state.

    Args:
        triggers: What triggers.yaml says.
        store: The database, where there is one.
        now: The instant from which fire times are counted where no clock has yet.
    """
    rows = {row.uuid: row for row in store.triggers.list()} if store else {}
    views = [_view(trigger, rows.pop(trigger.uuid, None), now) for trigger in triggers]
    others = [row for row in rows.values() if _belongs(row, triggers)]
    return views + [_view(row.trigger, row, now) for row in others]


def _belongs(row: TriggerRow, triggers: Sequence[Trigger]) -> bool:
    """Whether a row that is not in the file is shown: without a file, all are."""
    return row.trigger.source is Source.API or not triggers


def _view(trigger: Trigger, row: TriggerRow | None, now: datetime) -> TriggerView:
    known = row is not None and row.trigger == trigger
    next_at = row.next_fire_time if known and row else next_fire_time(trigger, now)
    return TriggerView(trigger=trigger, row=row, next_fire_time=next_at)


def find_trigger(triggers: Iterable[Trigger], slug: str) -> Trigger:
    """Return the trigger of that slug, or uuid.

    Raises:
        NotFoundError: There is none; the hint names the nearest.
    """
    by_slug = {trigger.slug: trigger for trigger in triggers}
    for trigger in by_slug.values():
        if slug in (trigger.slug, trigger.uuid):
            return trigger
    near = get_close_matches(slug, by_slug, n=1)
    raise NotFoundError(
        f"there is no trigger {slug!r}",
        hint=f"did you mean {near[0]}?" if near else "`clockd triggers` lists them",
    )


def request_run(store: Store, trigger: Trigger, *, by: str) -> Run:
    """Put a run by hand in the line; the clock launches it within a second or so."""
    return store.runs.request(trigger, cause=Cause.MANUAL, by=by, now=clock.now())


def cancel_run(store: Store, run_id: int, *, by: str) -> Run:
    """Ask for a run to be cancelled.

    Raises:
        NotFoundError: There is no such run.
        ConflictError: It has ended already.
    """
    return store.runs.cancel(run_id, by=by, now=clock.now())


def run_to_json(run: Run) -> dict[str, object]:
    """Return what `--json` shows of a run."""
    return {
        "run_id": run.id,
        "trigger": run.trigger.slug,
        "trigger_uuid": run.trigger_id,
        "command": run.trigger.command,
        "app": run.trigger.app or None,
        "cause": run.cause.value,
        "fire_time": instant(run.fire_time),
        "claimed_at": instant(run.claimed_at),
        "not_before": instant(run.not_before),
        "launched_at": instant(run.launched_at),
        "finished_at": instant(run.finished_at),
        "lag_s": run.lag_s,
        "state": run.state.value,
        "hold": run.hold.value if run.hold else None,
        "outcome": run.outcome.value if run.outcome else None,
        "exit_status": run.exit_status,
        "reason": run.reason,
        "fire_count": run.fire_count,
        "last_fire_time": instant(run.last_fire_time),
        "attempts": [
            {
                "number": attempt.number,
                "dyno": attempt.dyno,
                "dyno_id": attempt.dyno_id,
                "size": attempt.size,
                "state": attempt.state.value,
                "requested_at": instant(attempt.requested_at),
                "launched_at": instant(attempt.launched_at),
                "finished_at": instant(attempt.finished_at),
                "exit_status": attempt.exit_status,
                "outcome": attempt.outcome.value if attempt.outcome else None,
                "reason": attempt.reason,
                "warning": attempt.warning,
            }
            for attempt in run.attempts
        ],
    }
