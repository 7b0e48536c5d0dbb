"""What goes into the store and comes out of it, beside the values of `model`.

Instants are aware datetimes in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from clockd.model import Attempt, Cause, Hold, Outcome, Run, RunnerKind, Trigger
    from clockd.runner import Dyno


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The row that says who is the clock.

    Only `holder`, `fence` and `beat` mean anything; the instants are for display, as
    they come from the holder's wall clock.
    """

    holder: str | None
    fence: int
    beat: int
    taken_at: datetime | None = None
    beat_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRun:
    """An entry that a claim, or an edit, has put on record.

    With an `outcome` it never starts; without one it waits until `not_before`.
    """

    run_id: int | None
    trigger_id: str
    slug: str
    fire_time: datetime
    not_before: datetime
    cause: Cause
    outcome: Outcome | None = None
    reason: str | None = None
    fire_count: int = 1
    last_fire_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim has put on record, oldest first.

    Args:
        runs: The new entries; fire times that were on record already are not there.
        due: How many triggers had something due.
    """

    runs: Sequence[ClaimedRun] = ()
    due: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What became of the file's triggers, by slug; `added` holds those come back too.

    `planned` are the entries that were written on the way: what was due until the
    edit, with what the edit made of it. `ended` are the other runs that the edit ended.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    planned: list[ClaimedRun] = field(default_factory=list)
    ended: list[EndedRun] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRow:
    """A trigger as it is on record; the `last_…` are of its newest finished run.

    `paused_at`, `paused_by` and `paused_reason` are None where it is not paused now.
    """

    trigger: Trigger
    uuid: str
    first_seen: datetime
    removed_at: datetime | None = None
    paused_at: datetime | None = None
    paused_by: str | None = None
    paused_reason: str | None = None
    next_fire_time: datetime | None = None
    last_outcome: Outcome | None = None
    last_run_id: int | None = None
    last_finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPlan:
    """What a run's next attempt asks for.

    `twin` is what its command comes down to: of one app and process type, at most one
    attempt of the same twin is launching or unknown at a time. None: no such limit.
    """

    runner: RunnerKind
    app: str
    command: str
    process_type: str
    size: str | None
    time_to_live_s: int
    host: str = ""
    twin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNow:
    """A run that may start, but not yet; `hold` and `reason` say what it waits for."""

    not_before: datetime
    hold: Hold | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached:
    """`runs` have started in `month`, such as 2026-11, of a zone; no more may."""

    runs: int
    month: str
    timezone: str


class EndedRun(NamedTuple):
    """A run that an edit has ended, without having started."""

    run_id: int
    slug: str
    fire_time: datetime | None
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of the runs that were due.

    Args:
        started: Runs whose attempt is on record as launching: launch it.
        dropped: Runs that ended here, without having started, or with their last
            attempt's outcome.
        waiting: Runs that were put off for another reason than before, with it.
        blocked: Runs that are left as they were: another launch of the same command is
            open.
        reached: The month's limit, the first time that it keeps a run from starting.
    """

    started: list[tuple[Run, Attempt]] = field(default_factory=list)
    dropped: list[Run] = field(default_factory=list)
    waiting: list[tuple[Run, str]] = field(default_factory=list)
    blocked: list[Run] = field(default_factory=list)
    reached: LimitReached | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What other processes, or time, have made due.

    Args:
        due: Whether a run waits whose `not_before` has come.
        next_not_before: When the next one comes after that.
        cancels: Active runs somebody wants cancelled.
    """

    due: bool
    next_not_before: datetime | None = None
    cancels: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchedDyno:
    """The answer to a launch; `requested_at` tells which sending it belongs to."""

    attempt_id: int
    requested_at: datetime
    dyno: Dyno
    launched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRow:
    """A line of a run's output; `sequence` counts from 1 over all its attempts."""

    run_id: int
    attempt: int
    sequence: int
    at: datetime
    source: str
    text: str


class OwnedRun(NamedTuple):
    """A run that a `run-now` follows itself, and that owner's proof of life."""

    run_id: int
    owner: str
    beat: int


class OutputState(NamedTuple):
    """Where a run's output stands: the next line's number, bytes so far."""

    next_sequence: int
    position: int


class OwnedDyno(NamedTuple):
    """A dyno that belongs to an attempt."""

    dyno_id: str
    name: str


class DatedDyno(NamedTuple):
    """A dyno that belongs to an attempt, with when the platform has created it."""

    dyno_id: str
    name: str
    created_at: datetime
