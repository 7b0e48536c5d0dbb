"""The values clockd is about: triggers, runs, attempts and their states.

Pure: nothing here reads a clock, a file or a database. Instants are aware datetimes
in UTC; names that end in `_s` are seconds.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = uuid.UUID("6f9d6a3e-0f9b-5f0e-9d1c-1c5a9a3d7b10")
DEFAULT_TIMEOUT_S = 1800
DEFAULT_CATCH_UP_S = 3600
DEFAULT_RETRY_DELAY_S = 60


class ScheduleKind(StrEnum):
    """Which of the three ways of writing a schedule a trigger uses."""

    CRON = "cron"  #: five fields as Debian's cron reads them
    EVERY = "every"  #: a divisor of the hour or the day, or `monday at 09:00`
    AT = "at"  #: once, at a date and time in the trigger's zone


class Overlap(StrEnum):
    """What happens to a run that is due while another of its trigger is active."""

    SKIP = "skip"  #: the new one is recorded as skipped
    QUEUE = "queue"  #: the new one waits until the old one has ended
    ALLOW = "allow"  #: both run
    REPLACE = "replace"  #: the old one is stopped; the new one starts when it has ended


class Output(StrEnum):
    """What becomes of a task's output."""

    KEEP = "keep"
    NONE = "none"


class Source(StrEnum):
    """Where a trigger is defined."""

    FILE = "file"
    API = "api"


class Cause(StrEnum):
    """Why a run exists."""

    SCHEDULED = "scheduled"  #: its fire time came
    CATCH_UP = "catch_up"  #: its fire time was missed and is made up for
    MANUAL = "manual"  #: `clockd run-now`
    RETRY = "retry"  #: a person asked to run a finished run again
    API = "api"  #: asked for through the API


class RunState(StrEnum):
    """Where a run stands. Every state but `finished` is left again."""

    WAITING = "waiting"  #: may be launched from `not_before` on
    LAUNCHING = "launching"  #: the request is about to be sent, or on its way
    UNKNOWN = "unknown"  #: the request went out, its answer was lost
    RUNNING = "running"  #: its dyno is known
    STOPPING = "stopping"  #: a stop was asked for; the dyno may still be there
    FINISHED = "finished"  #: it has an outcome


class Outcome(StrEnum):
    """How a run, or one attempt of it, ended."""

    SUCCEEDED = "succeeded"  #: exit status 0 was seen
    FAILED = "failed"  #: another exit status was seen
    TIMED_OUT = "timed_out"  #: stopped at its timeout, whatever its exit status
    CANCELLED = "cancelled"  #: stopped by a person, or replaced by its successor
    STOPPED_BY_PLATFORM = "stopped_by_platform"  #: stopped, and not by clockd
    LAUNCH_FAILED = "launch_failed"  #: the platform refused to start it
    LOST = "lost"  #: nobody can say how it ended
    SKIPPED = "skipped"  #: never started, on purpose
    MISSED = "missed"  #: never started, because it was too late


#: How the id of a dyno begins that only its log lines have shown.
FROM_LOG: Final = "log:"
#: Who asks for the stop of a run that makes room for a later one; its id follows.
REPLACED_BY: Final = "clockd: replaced by run "

#: Outcomes after which a trigger's `retries` start another attempt.
RETRIED = frozenset(
    {
        Outcome.FAILED,
        Outcome.TIMED_OUT,
        Outcome.STOPPED_BY_PLATFORM,
        Outcome.LAUNCH_FAILED,
    }
)


class StopCause(StrEnum):
    """Why clockd asked for a dyno to be stopped."""

    TIMEOUT = "timeout"
    CANCEL = "cancel"
    REPLACED = "replaced"


class Hold(StrEnum):
    """What a waiting run waits for, beside `not_before`."""

    JITTER = "jitter"  #: its stable offset from the fire time
    OVERLAP = "overlap"  #: an earlier run of its trigger
    START = "start"  #: a launch of its trigger of which is not known whether it works
    RETRY = "retry"  #: the pause before its next attempt
    BACKOFF = "backoff"  #: the platform, which could not be asked
    LINE = "line"  #: a free place under the platform's limit of dynos
    LIMIT = "limit"  #: a free place under the file's `limits.concurrent_runs`


class RunnerKind(StrEnum):
    """Where tasks run."""

    HEROKU = "heroku"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may run; None stands for as much as there is.

    Args:
        concurrent_runs: Runs, of all apps, that have or may have a dyno at a time.
        runs_per_month: Runs that get an attempt in a month.
        triggers: Triggers of the file.
        timezone: The zone whose months are counted.
    """

    concurrent_runs: int | None = None
    runs_per_month: int | None = None
    triggers: int | None = None
    timezone: str = "UTC"


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """How late a missed fire time may still run, and whether all of them do.

    Args:
        within_s: Seconds after the fire time; 0 stands for `none`.
        run_all: Run every missed fire time within the window, not only the newest.
    """

    within_s: int = DEFAULT_CATCH_UP_S
    run_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """An entry of triggers.yaml with every default filled in.

    `env` is unexpanded: `${NAME}` in it is replaced when a dyno is launched, so that
    no secret is stored.
    """

    slug: str
    command: str
    schedule_kind: ScheduleKind
    expression: str
    timezone: str = "UTC"
    name: str = ""  #: what people read; the slug where none is given
    app: str = ""  #: Heroku app; empty for local runs without one
    dyno: str | None = None  #: size, lower case; None for the app's default
    timeout_s: int = DEFAULT_TIMEOUT_S
    active: bool = True
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = field(default_factory=CatchUp)
    retries: int = 0
    retry_delay_s: int = DEFAULT_RETRY_DELAY_S
    jitter_s: int = 0
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    output: Output = Output.KEEP
    source: Source = Source.FILE

    @property
    def uuid(self) -> str:
        """The trigger's identity: UUIDv5 of app and slug."""
        return trigger_uuid(self.app, self.slug)

    @property
    def label(self) -> str:
        """What people read."""
        return self.name or self.slug

    def to_definition(self) -> dict[str, Any]:
        """Return everything that defines the trigger, ready for JSON."""
        return {
            "slug": self.slug,
            "name": self.name,
            "command": self.command,
            "schedule": {self.schedule_kind.value: self.expression},
            "timezone": self.timezone,
            "app": self.app,
            "dyno": self.dyno,
            "timeout": self.timeout_s,
            "active": self.active,
            "overlap": self.overlap.value,
            "catch_up": {
                "within": self.catch_up.within_s,
                "run_all": self.catch_up.run_all,
            },
            "retries": self.retries,
            "retry_delay": self.retry_delay_s,
            "jitter": self.jitter_s,
            "env": dict(self.env),
            "output": self.output.value,
            "source": self.source.value,
        }

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> Trigger:
        """Return the trigger that `to_definition` was made from."""
        ((kind, expression),) = definition["schedule"].items()
        return cls(
            slug=definition["slug"],
            name=definition["name"],
            command=definition["command"],
            schedule_kind=ScheduleKind(kind),
            expression=expression,
            timezone=definition["timezone"],
            app=definition["app"],
            dyno=definition["dyno"],
            timeout_s=definition["timeout"],
            active=definition["active"],
            overlap=Overlap(definition["overlap"]),
            catch_up=CatchUp(
                within_s=definition["catch_up"]["within"],
                run_all=definition["catch_up"]["run_all"],
            ),
            retries=definition["retries"],
            retry_delay_s=definition["retry_delay"],
            jitter_s=definition["jitter"],
            env=MappingProxyType(dict(definition["env"])),
            output=Output(definition["output"]),
            source=Source(definition["source"]),
        )

    def to_json(self) -> str:
        """Return the definition as canonical JSON: equal triggers, equal text."""
        return json.dumps(self.to_definition(), sort_keys=True, ensure_ascii=False)


def trigger_uuid(app: str, slug: str) -> str:
    """Return the identity of the trigger `slug` of `app`."""
    return str(uuid.uuid5(NAMESPACE, f"{app}/{slug}"))


def fingerprint(definition_json: str) -> str:
    """Return a short digest of a definition's canonical JSON."""
    return hashlib.sha256(definition_json.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One dyno started, or about to be started, for a run."""

    id: int
    run_id: int
    number: int  #: from 1
    state: RunState  #: launching, unknown, running, stopping or finished
    runner: RunnerKind
    app: str
    command: str  #: as sent
    process_type: str
    requested_at: datetime  #: just before the request went out, our clock
    time_to_live_s: int
    host: str = ""  #: where a local process runs
    size: str | None = None
    dyno: str | None = None  #: name, `clockd.1234`; names recycle
    dyno_id: str | None = None
    created_at: datetime | None = None  #: the platform's clock
    launched_at: datetime | None = None  #: when the request was sent
    finished_at: datetime | None = None
    stop_requested_at: datetime | None = None
    stop_cause: StopCause | None = None
    exit_status: int | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution, for one fire time or by hand."""

    id: int
    trigger_id: str
    trigger: Trigger  #: the definition it runs with
    cause: Cause
    state: RunState
    claimed_at: datetime
    fire_time: datetime | None = None  #: None where a person asked
    not_before: datetime | None = None
    hold: Hold | None = None
    released_at: datetime | None = None  #: when it need not wait for another any more
    attempt: int = 0  #: how many attempts were made
    launched_at: datetime | None = None  #: of the first attempt
    finished_at: datetime | None = None
    lag_s: float | None = None
    outcome: Outcome | None = None
    exit_status: int | None = None
    reason: str | None = None
    last_fire_time: datetime | None = None  #: of an entry that stands for several
    fire_count: int = 1  #: fire times this entry stands for
    cancel_requested_at: datetime | None = None
    cancel_requested_by: str | None = None
    owner: str | None = None  #: a `run-now` that follows it itself
    attempts: tuple[Attempt, ...] = ()

    @property
    def active(self) -> bool:
        """Whether it counts against its trigger's overlap policy."""
        if self.state is RunState.WAITING:
            return self.attempt > 0
        return self.state is not RunState.FINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLine:
    """A line a task printed, or the platform said about its dyno."""

    at: datetime
    source: str  #: `app` for the task's own, `heroku` or `clockd` for the platform's
    text: str
    attempt: int = 1
    sequence: int = 0
