"""Use cases shared by the command line, the API and the pages.

Reads triggers.yaml and the database, writes rows; never reaches into a running clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING

from clockd import clock, schedule
from clockd.errors import NotFoundError
from clockd.model import Cause, Source
from clockd.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from clockd.model import Outcome, Run, Trigger
    from clockd.schedule import Schedule
    from clockd.store import Store, TriggerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerView:
    """A trigger as people see it: its definition, and what the books know of it.

    Args:
        trigger: Its definition.
        row: What the books know; None for a trigger that no clock has loaded yet.
        next_fire_time: When it fires next; None while it does not fire.
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
        """`active`, `inactive`, `paused`, or `completed`: a one-off that is past."""
        if not self.trigger.active:
            return "inactive"
        if _is_paused(self.row):
            return "paused"
        return "active" if self.next_fire_time else "completed"

    @property
    def fires(self) -> bool:
        """Whether it is switched on."""
        return self.trigger.active and not _is_paused(self.row)

    @property
    def silence(self) -> str | None:
        """Why it does not fire, half a sentence; None where it does."""
        state, row = self.state, self.row
        if state == "active":
            return None
        if state == "inactive":
            return "is inactive (`active: false`) and does not fire"
        if state == "paused" and row is not None and row.paused_at is not None:
            why = f": {row.paused_reason}" if row.paused_reason else ""
            since = f"{row.paused_at:%Y-%m-%d %H:%M} UTC"
            return f"is paused by {row.paused_by} since {since}{why}"
        return "was to fire once, and that is past"

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
            "paused": _pause_to_json(self.row),
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


def coming(parsed: Schedule, after: datetime) -> Iterator[datetime]:
    """Yield the fire times after an instant, in order, until there are no more."""
    at = parsed.next(after)
    while at is not None:
        yield at
        at = parsed.next(at)


def fire_times(trigger: Trigger, after: datetime, count: int) -> list[datetime]:
    """Return a trigger's first fire times after an instant; none if it is inactive."""
    if not trigger.active:
        return []
    return list(islice(coming(schedule_of(trigger), after), count))


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
    others = [row for row in rows.values() if row.trigger.source is Source.API]
    return views + [_view(row.trigger, row, now) for row in others]


def _view(trigger: Trigger, row: TriggerRow | None, now: datetime) -> TriggerView:
    return TriggerView(
        trigger=trigger, row=row, next_fire_time=_next_fire_time(trigger, row, now)
    )


def _next_fire_time(
    trigger: Trigger, row: TriggerRow | None, now: datetime
) -> datetime | None:
    """Return when a trigger fires next: as its clock has it, else as its words do."""
    if not trigger.active or _is_paused(row):
        return None
    if row is not None and row.trigger == trigger:
        return row.next_fire_time
    return next(coming(schedule_of(trigger), now), None)


def _is_paused(row: TriggerRow | None) -> bool:
    return row is not None and row.paused_at is not None


def _pause_to_json(row: TriggerRow | None) -> dict[str, object] | None:
    if row is None or row.paused_at is None:
        return None
    return {
        "at": instant(row.paused_at),
        "by": row.paused_by,
        "reason": _told(row.paused_reason),
    }


def find_trigger(triggers: Iterable[Trigger], slug: str) -> Trigger:
    """Return the trigger of that slug, or uuid.

    Raises:
        NotFoundError: There is none; the hint names the nearest.
    """
    slugs = []
    for trigger in triggers:
        if slug in (trigger.slug, trigger.uuid):
            return trigger
        slugs.append(trigger.slug)
    near = get_close_matches(slug, slugs, n=1)
    raise NotFoundError(
        f"there is no trigger {slug!r}",
        hint=f"did you mean {near[0]}?" if near else "`clockd triggers` lists them",
    )


def list_runs(
    store: Store,
    triggers: Sequence[Trigger],
    *,
    trigger: str | None = None,
    outcome: Outcome | None = None,
    limit: int,
) -> list[Run]:
    """Return runs with their attempts, newest first.

    Args:
        store: The database.
        triggers: What triggers.yaml says: these exist, even without a run.
        trigger: Only those of this slug, or uuid.
        outcome: Only those that ended so.
        limit: At most so many.

    Raises:
        NotFoundError: There is no such trigger, and never was; the hint names the
            nearest.
    """
    found = store.runs.list(trigger=trigger, outcome=outcome, limit=limit)
    if not found and trigger is not None:
        on_record = [row.trigger for row in store.triggers.list(include_removed=True)]
        find_trigger([*triggers, *on_record], trigger)
    return found


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
        "reason": _told(run.reason),
        "fire_count": run.fire_count,
        "last_fire_time": instant(run.last_fire_time),
        "cancel_requested_at": instant(run.cancel_requested_at),
        "cancel_requested_by": _told(run.cancel_requested_by),
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
                "reason": _told(attempt.reason),
                "warning": _told(attempt.warning),
            }
            for attempt in run.attempts
        ],
    }


def _told(text: str | None) -> str | None:
    """Return what a platform or a person wrote, without secrets."""
    return text and redact(text)
