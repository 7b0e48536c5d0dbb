"""One attempt as the watcher sees it: what is known, and what is due next.

Holds no thread, no database and no platform: the watcher asks it and acts. Instants
that are compared with each other here are seconds of `clock.boottime`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from clockd.model import FROM_LOG, RunState, StopCause
from clockd.runner import Dyno
from clockd.watch.adoption import LOOKS_S
from clockd.watch.evidence import Evidence, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from clockd.model import Attempt, OutputLine, Run
    from clockd.runner import LogLine

#: Wait after an exit line: others may arrive out of order, output too.
SETTLE_S = 1.0
#: After a stop, the exit line may take this long.
STOP_PATIENCE_S = 60.0
#: A stop is repeated until the dyno is gone.
STOP_AGAIN_S = 10.0
#: A new dyno may be missing from the list for a while.
YOUNG_S = 60.0
#: Absent from two lists this far apart: gone.
ABSENT_S = 30.0


@dataclass(kw_only=True)
class Track:
    """What the watcher knows of one attempt; used by the watcher's thread only."""

    run: Run
    attempt: Attempt
    began: float  #: when the launch request was sent
    taken_at: float  #: when this process began to follow it
    dated: bool = True  #: `began` is known, as far as it can be
    dyno: Dyno | None = None
    evidence: Evidence = field(default_factory=Evidence)
    settled_at: float | None = None
    stop_again_at: float = 0.0
    stop_answered: bool = False  #: the platform has taken a stop in
    stopped_at: float | None = None
    stop_noted: bool = False  #: that it is to be stopped is on record
    absent_since: float | None = None
    absent_until: float | None = None
    unlisted_since: float | None = None  #: from when on no list could be read
    log_failures: int = 0  #: how often the log of a dyno that is gone was not read
    history_asked: bool = False
    history_read: bool = False
    looks: int = 0
    look_from: float = 0.0
    looking: bool = False
    put_off: int = 0  #: how often in a row the platform could not be asked
    refusals: int = 0  #: how often it may not be asked for the log
    misdated: bool = False  #: when its request went out is not known
    fresh_lines: bool = True  #: lines of dynos nobody owns came since the last look
    inherited: bool = False  #: another process sent the request
    history: list[LogLine] = field(default_factory=list)  #: read while looking
    verdict: Verdict | None = None
    retry_write_at: float = 0.0
    pending: list[OutputLine] = field(default_factory=list)
    next_sequence: int | None = 1  #: of a line; None: not known yet
    passed_on_at: datetime | None = None  #: another dyno has the name since then
    lines_heard: int = 0  #: lines of the task itself
    foreign: bool = False  #: it runs where this process cannot look
    rest_until: float = 0.0  #: an error happened: not looked at before

    @property
    def deadline(self) -> float:
        """When the attempt reaches its timeout."""
        return self.began + self.run.trigger.timeout_s

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self.attempt.stop_cause is not None

    def about(self) -> dict[str, object]:
        """Return what every log line about this attempt carries."""
        return {
            "trigger": self.run.trigger.slug,
            "run_id": self.run.id,
            "fire_time": self.run.fire_time,
            "attempt": self.attempt.number,
        }

    def owns(self, line: LogLine) -> bool:
        """Return whether a line is about this attempt's dyno; names recycle."""
        return (
            self.dyno is not None
            and line.dyno == self.dyno.name
            and line.at >= self.dyno.created_at
            and (self.passed_on_at is None or line.at < self.passed_on_at)
        )

    def hear_start(self, line: LogLine) -> None:
        """Take in that a dyno begins, perhaps under this one's name.

        One-off dynos begin once: who begins again is another one, even if the end of
        ours was not heard.
        """
        began_at = self.evidence.started_at
        if began_at is not None and line.at > began_at and self.owns(line):
            self.passed_on_at = line.at

    def see(self, line: LogLine, now: float, settle_s: float) -> None:
        """Take in a line about the dyno."""
        self.lines_heard += not line.from_platform
        ended = self.evidence.ended
        self.evidence = self.evidence.with_line(line)
        if self.evidence.ended and not ended:
            self.settled_at = now + settle_s

    def found(self, dyno: Dyno) -> None:
        """Take `dyno` as the one this attempt started."""
        self.dyno = dyno
        self.attempt = replace(
            self.attempt,
            state=RunState.STOPPING if self.stopping else RunState.RUNNING,
            dyno=dyno.name,
            dyno_id=dyno.id,
            created_at=dyno.created_at,
            size=dyno.size,
        )

    def stop(self, cause: StopCause, at: datetime, now: float) -> None:
        """Note that a stop is asked for; the first cause stays."""
        if not self.stopping:
            self.attempt = replace(
                self.attempt,
                state=RunState.STOPPING,
                stop_cause=cause,
                stop_requested_at=at,
            )
            self.stopped_at = now
        self.stop_again_at = now + STOP_AGAIN_S

    def listed(self, dynos: Sequence[Dyno], asked_at: float) -> None:
        """Take in a list of the app's dynos that was asked for at `asked_at`."""
        self.unlisted_since = None
        if self.dyno is None or asked_at < self.began + YOUNG_S:
            return
        if any(self._is(dyno) for dyno in dynos):
            self.absent_since = self.absent_until = None
            self.log_failures = 0
        else:
            self.absent_since = self.absent_since or asked_at
            self.absent_until = asked_at

    def _is(self, dyno: Dyno) -> bool:
        assert self.dyno is not None  # noqa: S101 – asked for known dynos only
        if self.dyno.id.startswith(FROM_LOG):
            return dyno.name == self.dyno.name
        return dyno.id == self.dyno.id

    @property
    def suspect(self) -> bool:
        """Whether the dyno was missing from the last list: ask again soon."""
        return self.absent_since is not None

    def gone(self, now: float) -> bool:
        """Return whether the dyno is certainly no longer there."""
        if self.absent_since is None or self.absent_until is None:
            return False
        patient = self.stopped_at is None or now >= self.stopped_at + STOP_PATIENCE_S
        return patient and self.absent_until - self.absent_since >= ABSENT_S

    def settled(self, now: float) -> bool:
        """Return whether the end was seen and stragglers had their time."""
        return self.settled_at is not None and now >= self.settled_at

    def conclude(self) -> Verdict:
        """Fix how the attempt ended from all that was seen."""
        self.verdict = self.verdict or judge(self.attempt, self.evidence)
        return self.verdict

    def next_look_at(self) -> float:
        """When the next look for a lost answer is due."""
        step = min(self.looks, len(LOOKS_S) - 1)
        return self.look_from + LOOKS_S[step]

    def look_at(self, instant: float) -> None:
        """Put the next look off until `instant`."""
        self.look_from += instant - self.next_look_at()

    @property
    def looked_enough(self) -> bool:
        """Whether every list of the look was read."""
        return self.looks >= len(LOOKS_S)


def dyno_of(attempt: Attempt) -> Dyno | None:
    """Return the dyno of an attempt as it is on record, None if it has none yet."""
    if attempt.dyno is None or attempt.dyno_id is None or attempt.created_at is None:
        return None
    return Dyno(
        app=attempt.app,
        name=attempt.dyno,
        id=attempt.dyno_id,
        command=attempt.command,
        process_type=attempt.process_type,
        state="unknown",
        size=attempt.size,
        created_at=attempt.created_at,
    )
