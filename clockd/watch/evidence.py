"""What the lines about a dyno prove of how its attempt ended.

Pure. Rules from Heroku's habits: "State changed to complete" is no proof of anything,
only `Process exited with status N` is; on a stop the exit line comes last, up to 30 s
after the state line, with status 0, 143 or 137; lines can be lost or arrive out of
order by some tens of milliseconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from clockd.model import Outcome, StopCause

if TYPE_CHECKING:
    from datetime import datetime

    from clockd.model import Attempt
    from clockd.runner import LogLine

_STARTING = re.compile(r"Starting process with command\b")
_SIGTERM = re.compile(r"Stopping all processes with SIGTERM")
_CYCLING = re.compile(r"Cycling\b")
_VANISHED = re.compile(r"Process vanished without an exit status")
_TTL_SLACK = timedelta(seconds=5)
#: How far the platform's clock, whose time lines bear, may be behind ours.
_SKEW = timedelta(seconds=5)

_STATUS_MEANING = {
    126: "found, but cannot be executed",
    127: "command not found",
    130: "interrupted by SIGINT",
    137: "killed by SIGKILL, often for lack of memory",
    139: "crashed with a segmentation fault",
    143: "ended by SIGTERM",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen of one dyno so far; instants are the platform's."""

    started_at: datetime | None = None
    exit_status: int | None = None
    exited_at: datetime | None = None
    sigterm_at: datetime | None = None
    cycling_at: datetime | None = None
    vanished: bool = False  #: a local process ended and left no status

    @property
    def ended(self) -> bool:
        """Whether the end itself was seen."""
        return self.exit_status is not None or self.vanished

    def with_line(self, line: LogLine) -> Evidence:
        """Return the evidence with what `line` says about the dyno added."""
        if not line.from_platform:
            return self
        status = line.exit_status
        if status is not None and self.exit_status is None:
            return replace(self, exit_status=status, exited_at=line.at)
        if is_start(line):
            return replace(self, started_at=self.started_at or line.at)
        if _SIGTERM.match(line.text):
            return replace(self, sigterm_at=self.sigterm_at or line.at)
        if _CYCLING.match(line.text):
            return replace(self, cycling_at=self.cycling_at or line.at)
        if _VANISHED.match(line.text):
            return replace(self, vanished=True)
        return self


def is_start(line: LogLine) -> bool:
    """Return whether with this line a dyno begins."""
    return line.from_platform and bool(_STARTING.match(line.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an attempt ended, with the sentence that says why."""

    outcome: Outcome
    exit_status: int | None
    reason: str


def judge(attempt: Attempt, evidence: Evidence) -> Verdict:
    """Say how an attempt ended whose dyno is known to be gone.

    Without an exit line or a stop of ours nobody knows: the outcome is `lost`.
    """
    if attempt.stop_cause is not None and not _ended_before_stop(attempt, evidence):
        return _stopped_by_us(attempt, evidence)
    if _outlived_its_time(attempt, evidence):
        return Verdict(
            outcome=Outcome.TIMED_OUT,
            exit_status=evidence.exit_status,
            reason="stopped by the platform at its limit of "
            f"{attempt.time_to_live_s} s",
        )
    if evidence.sigterm_at or evidence.cycling_at:
        return Verdict(
            outcome=Outcome.STOPPED_BY_PLATFORM,
            exit_status=evidence.exit_status,
            reason="stopped by the platform"
            + (" (cycling)" if evidence.cycling_at else " (SIGTERM)"),
        )
    if evidence.exit_status is None:
        return Verdict(
            outcome=Outcome.LOST,
            exit_status=None,
            reason="the dyno is gone and no exit status was seen",
        )
    return Verdict(
        outcome=Outcome.FAILED if evidence.exit_status else Outcome.SUCCEEDED,
        exit_status=evidence.exit_status,
        reason=explain_status(evidence.exit_status),
    )


def explain_status(status: int) -> str:
    """Return an exit status with what it usually means."""
    meaning = _STATUS_MEANING.get(status)
    return f"exit status {status}" + (f": {meaning}" if meaning else "")


def _ended_before_stop(attempt: Attempt, evidence: Evidence) -> bool:
    """Return whether a dyno ended, or was stopped by others, before we asked for it."""
    asked_at = attempt.stop_requested_at
    if asked_at is None:
        return False
    if evidence.sigterm_at is not None:
        # Not that of our own stop, which comes after it by any clock.
        return evidence.sigterm_at + _SKEW < asked_at
    return evidence.exited_at is not None and evidence.exited_at < asked_at


def _stopped_by_us(attempt: Attempt, evidence: Evidence) -> Verdict:
    reasons = {
        StopCause.TIMEOUT: "stopped at its timeout",
        StopCause.CANCEL: "cancelled",
        StopCause.REPLACED: "replaced by a later run",
    }
    assert attempt.stop_cause is not None  # noqa: S101 – the caller asked for it
    timed_out = attempt.stop_cause is StopCause.TIMEOUT
    return Verdict(
        outcome=Outcome.TIMED_OUT if timed_out else Outcome.CANCELLED,
        exit_status=evidence.exit_status,
        reason=reasons[attempt.stop_cause],
    )


def _outlived_its_time(attempt: Attempt, evidence: Evidence) -> bool:
    began = attempt.created_at or attempt.requested_at
    ended = evidence.exited_at or evidence.sigterm_at or evidence.cycling_at
    if ended is None:
        return False
    limit = began + timedelta(seconds=attempt.time_to_live_s) - _TTL_SLACK
    stopped = evidence.sigterm_at or evidence.cycling_at
    return ended >= limit and (bool(stopped) or evidence.exit_status in (137, 143))
