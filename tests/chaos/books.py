"""Compares clockd's books with the truth; says what is wrong, and with which run.

Pure: both come in as values. What is found here is found in a campaign; that each kind
is found is for `test_books` to prove.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from clockd import policy, service
from clockd.model import Outcome, Overlap, RunState, StopCause
from tests.chaos.truth import SLACK_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clockd.model import Attempt, Run
    from tests.chaos.truth import Dyno, Truth

#: A dyno may live this long beyond its timeout.
LATE_S = 90.0
#: The platform's clock may be off: of two stops within this time either may count.
SKEW_S = 5.0
_BY_US = {
    StopCause.TIMEOUT: Outcome.TIMED_OUT,
    StopCause.CANCEL: Outcome.CANCELLED,
    StopCause.REPLACED: Outcome.CANCELLED,
}
_NEVER_STARTED = (Outcome.MISSED, Outcome.SKIPPED)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Something that must not be.

    Args:
        kind: `lost`, `doubled`, `wrong`, `late` or `unfinished`.
        what: A sentence.
        run_ids: The runs it is about.
    """

    kind: str
    what: str
    run_ids: tuple[int, ...] = ()


@dataclass(kw_only=True)
class Verdict:
    """What the comparison found.

    Args:
        violations: All that is wrong.
        losses: The runs whose outcome is `lost` for a good reason, with that reason.
        outcomes: How runs ended.
    """

    violations: list[Violation] = field(default_factory=list)
    losses: dict[int, str] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)

    def count(self, kind: str) -> int:
        """Return how many violations there are of a kind."""
        return sum(violation.kind == kind for violation in self.violations)


@dataclass(frozen=True, kw_only=True)
class Books:
    """What clockd has on record.

    Args:
        runs: Every run, with its attempts.
        expected: The fire times there should be, by the trigger's uuid.
        removed: The uuids of triggers that left the file.
        until: Fire times and requests later than this are left out of account.
    """

    runs: Sequence[Run]
    expected: Mapping[str, set[datetime]]
    removed: frozenset[str] = frozenset()
    until: datetime


def compare(books: Books, truth: Truth) -> Verdict:
    """Return what is wrong with `books`, by the truth."""
    comparison = _Comparison(books, truth)
    verdict = Verdict(losses=comparison.losses)
    for check in (
        comparison.fire_times,
        comparison.doubled_runs,
        comparison.doubled_dynos,
        comparison.overlaps,
        comparison.late_dynos,
        comparison.strangers,
        comparison.ends,
    ):
        verdict.violations += check()
    verdict.outcomes.update(
        run.outcome.value if run.outcome else run.state.value
        for run in comparison.counted
    )
    return verdict


class _Comparison:
    def __init__(self, books: Books, truth: Truth) -> None:
        self._books = books
        self._truth = truth
        self._runs = {run.id: run for run in books.runs}
        self._of_trigger: dict[str, list[Run]] = defaultdict(list)
        for run in books.runs:
            self._of_trigger[run.trigger_id].append(run)
        self._of_attempt: dict[tuple[int, int], list[Dyno]] = defaultdict(list)
        for dyno in truth.dynos:
            if dyno.run_id:
                self._of_attempt[dyno.run_id, dyno.number].append(dyno)
        self.counted = [run for run in books.runs if self._counts(run)]
        self.losses: dict[int, str] = {}

    def _counts(self, run: Run) -> bool:
        return (run.fire_time or run.claimed_at) <= self._books.until

    # -- lost: fire times without a record -------------------------------------

    def fire_times(self) -> Iterator[Violation]:
        """Find fire times that are not on record exactly once, or should not be."""
        for trigger_id, expected in self._books.expected.items():
            runs = [run for run in self._of_trigger[trigger_id] if run.fire_time]
            covered = Counter(at for run in runs for at in _covers(run, expected))
            for run in runs:
                found = len(_covers(run, expected))
                beyond = (run.last_fire_time or self._books.until) > self._books.until
                if self._counts(run) and found != run.fire_count and not beyond:
                    yield _wrong(
                        f"{run.trigger.slug}: an entry stands for {run.fire_count} "
                        f"fire times where there are {found}",
                        run,
                    )
            for at in sorted(expected):
                if covered[at] == 0:
                    slug = runs[0].trigger.slug if runs else trigger_id
                    what = f"{slug}: no record of the fire time {at:%H:%M:%S}"
                    yield Violation(kind="lost", what=what)
        for trigger_id in self._of_trigger.keys() - self._books.expected.keys():
            run = self._of_trigger[trigger_id][0]
            yield _wrong(f"{run.trigger.slug}: a trigger nobody wrote", run)

    # -- doubled ---------------------------------------------------------------

    def doubled_runs(self) -> Iterator[Violation]:
        """Find fire times with two runs."""
        for trigger_id, expected in self._books.expected.items():
            runs = [run for run in self._of_trigger[trigger_id] if run.fire_time]
            covering: dict[datetime, list[Run]] = defaultdict(list)
            for run in runs:
                for at in _covers(run, expected):
                    covering[at].append(run)
            for at, those in covering.items():
                if len(those) > 1:
                    what = f"{those[0].trigger.slug}: {len(those)} records of {at}"
                    yield _doubled(what, *(run.id for run in those))

    def doubled_dynos(self) -> Iterator[Violation]:
        """Find attempts with two dynos, and runs with two dynos at once."""
        for (run_id, number), dynos in self._of_attempt.items():
            if len(dynos) > 1:
                names = ", ".join(dyno.name for dyno in dynos)
                yield _doubled(f"attempt {number} has {len(dynos)}: {names}", run_id)
        for run_id in sorted({run_id for run_id, _ in self._of_attempt}):
            dynos = self._truth.of_run(run_id)
            for before, after in pairwise(dynos):
                if before.number != after.number and before.overlaps(after):
                    yield _doubled("two attempts had a dyno at once", run_id)

    def overlaps(self) -> Iterator[Violation]:
        """Find dynos of a trigger at once whose policy forbids it."""
        for runs in self._of_trigger.values():
            alone = {r.id for r in runs if r.trigger.overlap is not Overlap.ALLOW}
            lost = {r.id for r in runs if r.outcome is Outcome.LOST}
            dynos = [d for r in runs if r.id in alone for d in self._truth.of_run(r.id)]
            dynos.sort(key=lambda dyno: dyno.started_at)
            for number, before in enumerate(dynos):
                for after in dynos[number + 1 :]:
                    if not before.overlaps(after):
                        continue
                    if before.run_id != after.run_id and before.run_id not in lost:
                        slug = self._runs[before.run_id].trigger.slug
                        what = f"{slug}: two runs had a dyno at once"
                        yield _doubled(what, before.run_id, after.run_id)

    # -- dynos -----------------------------------------------------------------

    def late_dynos(self) -> Iterator[Violation]:
        """Find dynos that lived for too long."""
        for dyno in self._truth.dynos:
            run = self._runs.get(dyno.run_id)
            if run is None:
                continue
            age_s = (dyno.ended_at or self._truth.until) - dyno.started_at
            if age_s > run.trigger.timeout_s + LATE_S:
                what = (
                    f"{dyno.name} lived for {age_s:.1f} s, its timeout is "
                    f"{run.trigger.timeout_s} s"
                )
                yield Violation(kind="late", what=what, run_ids=(run.id,))

    def strangers(self) -> Iterator[Violation]:
        """Find dynos that belong to no attempt on record, or to another's."""
        owners = {a.dyno_id: a for run in self._runs.values() for a in run.attempts}
        for (run_id, number), dynos in self._of_attempt.items():
            attempt = self._attempt(run_id, number)
            if attempt is None:
                what = f"{dynos[0].name} runs for attempt {number}, not on record"
                yield _wrong(what, run_id)
        for dyno in self._truth.dynos:
            owner = owners.get(dyno.id)
            mine = (dyno.run_id, dyno.number)
            if owner is not None and (owner.run_id, owner.number) != mine:
                what = f"{dyno.name} of run {dyno.run_id} is on record as another's"
                yield _wrong(what, owner.run_id)

    def _attempt(self, run_id: int, number: int) -> Attempt | None:
        run = self._runs.get(run_id)
        attempts = run.attempts if run else ()
        return next((a for a in attempts if a.number == number), None)

    # -- outcomes --------------------------------------------------------------

    def ends(self) -> Iterator[Violation]:
        """Find outcomes that are not what truly happened."""
        for run in self.counted:
            if run.state is not RunState.FINISHED:
                what = f"{run.trigger.slug}: is still {run.state.value}"
                yield Violation(kind="unfinished", what=what, run_ids=(run.id,))
            elif run.outcome in _NEVER_STARTED:
                yield from self._why_not_started(run)
            else:
                yield from self._end(run)

    def _end(self, run: Run) -> Iterator[Violation]:
        last = run.attempts[-1] if run.attempts else None
        if last is None:
            if run.outcome is not Outcome.CANCELLED or not run.cancel_requested_at:
                yield _wrong(f"{run.outcome}, and nothing was ever attempted", run)
            return
        came_to = (last.outcome, last.exit_status)
        cancelled = run.outcome is Outcome.CANCELLED and run.cancel_requested_at
        if came_to != (run.outcome, run.exit_status) and not cancelled:
            yield _wrong(f"is {run.outcome}, its last attempt {last.outcome}", run)
        for attempt in run.attempts:
            dynos = self._of_attempt.get((run.id, attempt.number), [])
            dyno = dynos[-1] if dynos else None
            yield from self._attempts_end(run, attempt, dyno)

    def _attempts_end(
        self, run: Run, attempt: Attempt, dyno: Dyno | None
    ) -> Iterator[Violation]:
        about = f"{run.trigger.slug}, attempt {attempt.number}"
        told = f"{attempt.outcome} {attempt.exit_status}"
        if attempt.outcome is Outcome.LOST:
            cause = self._truth.why_unseen(attempt, dyno)
            if cause is None:
                yield _wrong(f"{about}: lost, and its log lines were there", run)
            else:
                self.losses[run.id] = cause
            return
        if dyno is None:
            yield from self._without_dyno(run, attempt)
            return
        right = _outcomes(attempt, dyno, heard=self._heard(attempt, dyno))
        if attempt.outcome not in right:
            those = " or ".join(sorted(outcome.value for outcome in right))
            yield _wrong(f"{about}: {told}, but it was {those or 'running'}", run)
        elif attempt.exit_status != dyno.exit_status:
            unseen = self._truth.why_unseen(attempt, dyno)
            if attempt.exit_status is not None or unseen is None:
                what = f"{about}: {told}, but its exit status was {dyno.exit_status}"
                yield _wrong(what, run)

    def _heard(self, attempt: Attempt, dyno: Dyno) -> bool:
        books = self._truth.apps[attempt.app]
        return not dyno.unheard and books.told_end(dyno)

    def _without_dyno(self, run: Run, attempt: Attempt) -> Iterator[Violation]:
        """Check an attempt for which the platform never started anything."""
        answers = self._truth.requests_of(run.id)
        refused = bool(answers) and 400 <= (answers[-1]["status"] or 0) < 500
        cancelled = attempt.outcome is Outcome.CANCELLED and run.cancel_requested_at
        if attempt.outcome is Outcome.LAUNCH_FAILED and refused:
            return
        if (cancelled or _stopped_by_us(attempt)) and attempt.exit_status is None:
            return
        yield _wrong(
            f"{run.trigger.slug}, attempt {attempt.number}: {attempt.outcome}, and no "
            "dyno was ever started",
            run,
        )

    def _why_not_started(self, run: Run) -> Iterator[Violation]:
        """Check that a run had a reason not to start."""
        reason, ended = run.reason or "", run.finished_at or run.claimed_at
        if run.attempts:
            yield _wrong(f"{run.outcome}, and has attempts", run)
        others = [r for r in self._of_trigger[run.trigger_id] if r.id != run.id]
        if reason.startswith("superseded"):
            fine = run.fire_time is not None and any(
                r.fire_time and r.fire_time > run.fire_time for r in others
            )
        elif reason.startswith("overlap: run "):
            words = reason.replace(",", "").split()
            ids = {int(word) for word in words if word.isdigit()}
            fine = any(
                r.id in ids and (r.finished_at is None or r.finished_at >= ended)
                for r in others
            )
        elif reason == "removed":
            fine = run.trigger_id in self._books.removed
        elif reason == "in the past when first seen":
            fine = run.fire_time is not None and run.fire_time <= ended
        else:
            fine = ended > _window_ends(run)
        if not fine:
            yield _wrong(f"{run.trigger.slug}: {run.outcome} ({run.reason})", run)


def _covers(run: Run, expected: set[datetime]) -> list[datetime]:
    assert run.fire_time is not None
    last = run.last_fire_time or run.fire_time
    return [at for at in expected if run.fire_time <= at <= last]


def _window_ends(run: Run) -> datetime:
    window = timedelta(seconds=max(run.trigger.catch_up.within_s, policy.GRACE_S))
    return (run.fire_time or run.claimed_at) + window


def _stopped_by_us(attempt: Attempt) -> bool:
    return (
        attempt.stop_cause is not None and attempt.outcome is _BY_US[attempt.stop_cause]
    )


def _outcomes(attempt: Attempt, dyno: Dyno, *, heard: bool) -> set[Outcome]:
    """Return the outcomes that are right for what happened to a dyno."""
    if dyno.ended_at is None:
        return set()
    natural = Outcome.FAILED if dyno.exit_status else Outcome.SUCCEEDED
    of_itself = {
        None: natural,
        "platform": Outcome.STOPPED_BY_PLATFORM,
        "time_to_live": Outcome.TIMED_OUT,
    }.get(dyno.stopped_by)
    asked_at = attempt.stop_requested_at
    if attempt.stop_cause is None or asked_at is None:
        if not heard and dyno.stopped_by is None:
            return set()  # nobody could know
        return {of_itself} if of_itself else set()
    ours = _BY_US[attempt.stop_cause]
    if not heard or of_itself is None:
        return {ours} | ({of_itself} if of_itself and dyno.stopped_by else set())
    if asked_at.timestamp() <= dyno.ended_at - SLACK_S:
        # It was asked for first; the platform, or the task, may have been faster.
        return {ours} if dyno.stopped_by is None else {ours, of_itself}
    if asked_at.timestamp() <= _when_certain(dyno):
        return {ours, of_itself}
    return {of_itself}


def _when_certain(dyno: Dyno) -> float:
    """Return from when on a stop cannot be taken for what ended a dyno."""
    assert dyno.ended_at is not None
    if dyno.stopped_at is None:
        return dyno.ended_at + SLACK_S
    return max(dyno.ended_at, dyno.stopped_at + SKEW_S) + SLACK_S


def _wrong(what: str, run: Run | int) -> Violation:
    run_id = run if isinstance(run, int) else run.id
    return Violation(kind="wrong", what=what, run_ids=(run_id,))


def _doubled(what: str, *run_ids: int) -> Violation:
    return Violation(kind="doubled", what=what, run_ids=run_ids)


def evidence(violation: Violation, books: Books, truth: Truth) -> dict[str, Any]:
    """Return all that is known of the runs a violation is about."""
    runs = {run.id: run for run in books.runs}
    return {
        "kind": violation.kind,
        "what": violation.what,
        "runs": [
            {
                "on record": service.run_to_json(run) if run else None,
                "attempts": [
                    {name: str(getattr(attempt, name)) for name in attempt.__slots__}
                    for attempt in (run.attempts if run else ())
                ],
                "dynos": [vars(dyno) for dyno in truth.of_run(run_id)],
                "requests": truth.requests_of(run_id),
            }
            for run_id, run in ((id_, runs.get(id_)) for id_ in violation.run_ids)
        ],
    }
