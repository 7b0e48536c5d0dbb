"""Compares the books with the truth: the promises of clockd, one function each.

Every function yields sentences that say what is wrong; none, where a promise is kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from clockd.model import Outcome, Overlap, Run, RunState, ScheduleKind, StopCause
from clockd.policy import GRACE_S, jittered, keeps_all
from clockd.watch.patience import OUTAGE_S
from tests.chaos.machine_platform import End
from tests.chaos.machine_time import STEP_S
from tests.chaos.machine_triggers import fires

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clockd.model import Attempt
    from tests.chaos.machine_platform import Started
    from tests.chaos.machine_world import World

_NEVER_STARTED = (Outcome.MISSED, Outcome.SKIPPED)
_WITHOUT_ATTEMPT = (*_NEVER_STARTED, Outcome.CANCELLED)
_OF_STOPS: Final = {
    StopCause.TIMEOUT: Outcome.TIMED_OUT,
    StopCause.CANCEL: Outcome.CANCELLED,
    StopCause.REPLACED: Outcome.CANCELLED,
}
_OF_STOP_REASONS: Final = {
    "stopped at its timeout": Outcome.TIMED_OUT,
    "cancelled": Outcome.CANCELLED,
    "replaced by a later run": Outcome.CANCELLED,
}
_SECOND = timedelta(seconds=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Books:
    """All runs on record, and the world they are compared with."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._platform = world.platform
        self.runs = sorted(world.desk.runs.list(limit=100_000), key=lambda it: it.id)
        self._attempts = {
            (run.id, attempt.number): attempt
            for run in self.runs
            for attempt in run.attempts
        }
        #: Instants by our wall clock are compared with this much indulgence.
        self._slack = timedelta(seconds=world.jumped_s)

    def wrong_now(self) -> Iterator[str]:
        """Yield what may not be so at any moment."""
        yield from self._booked_twice()
        yield from self._doubled()
        yield from self._side_by_side()
        yield from self._unattended()
        yield from self._too_many_attempts()
        yield from self._wrong_attempts()
        yield from self._wrong_runs()
        yield from self._world.trespasses
        yield from self._world.complaints.heard

    def wrong_at_the_end(self) -> Iterator[str]:
        """Yield what may not be so when everything has come to its end."""
        yield from self.wrong_now()
        yield from self._not_booked()
        yield from self._booked_without_need()
        yield from self._stranded()
        for run in self.runs:
            yield from self._wrong_reason(run)
            yield from self._started_too_late(run)

    # -- 1: every fire time is on record, once ---------------------------------

    def _covered(self, run: Run) -> list[datetime]:
        """Return the fire times that an entry stands for."""
        if run.fire_time is None:
            return []
        last = run.last_fire_time or run.fire_time
        return list(fires(run.trigger, run.fire_time - _SECOND, last))

    def _booked_twice(self) -> Iterator[str]:
        seen: defaultdict[tuple[str, datetime], list[Run]] = defaultdict(list)
        for run in self.runs:
            covered = self._covered(run)
            if run.fire_time is not None and len(covered) != run.fire_count:
                yield f"{_name(run)} stands for {run.fire_count}, not {len(covered)}"
            for at in covered:
                seen[run.trigger_id, at].append(run)
        for (_, at), runs in seen.items():
            if len(runs) > 1 and not self._came_back(runs):
                yield f"{at} is on record more than once: {[_name(it) for it in runs]}"

    def _came_back(self, runs: list[Run]) -> bool:
        """Whether a trigger came back that had left while the clock was ahead.

        What was put on record ahead of the clock is taken back for triggers that are in
        force only.
        """
        first, *others = runs
        left = any(
            life.trigger.uuid == first.trigger_id and life.until is not None
            for life in self._world.lives
        )
        ahead = timedelta(seconds=STEP_S)
        return left and all(it.claimed_at + ahead < first.claimed_at for it in others)

    def _not_booked(self) -> Iterator[str]:
        booked: defaultdict[str, set[datetime]] = defaultdict(set)
        for run in self.runs:
            booked[run.trigger_id].update(self._covered(run))
        now = self._world.settled_at
        for life in self._world.lives:
            trigger = life.trigger
            if life.forgotten:
                continue
            for at in fires(trigger, life.since, min(life.until or now, now)):
                if at not in booked[trigger.uuid]:
                    yield f"{trigger.slug} at {at} is not on record"

    def _booked_without_need(self) -> Iterator[str]:
        due: defaultdict[str, set[datetime]] = defaultdict(set)
        for life in self._world.lives:
            since, until = life.since, life.until or self._world.settled_at
            if life.trigger.schedule_kind is ScheduleKind.AT:
                since = _LONG_AGO  # missed before it was first seen
            seen = fires(life.trigger, since - self._slack, until + self._slack)
            due[life.trigger.uuid].update(seen)
        for run in self.runs:
            for at in self._covered(run):
                if at not in due[run.trigger_id]:
                    yield f"{_name(run)}: nothing was due at {at}"

    def _stranded(self) -> Iterator[str]:
        for run in self.runs:
            if run.state is not RunState.FINISHED:
                yield f"{_name(run)} has not come to its end: {run}"

    # -- 2 and 3: dynos --------------------------------------------------------

    def _doubled(self) -> Iterator[str]:
        started = Counter((it.run_id, it.attempt) for it in self._platform.journal)
        for (run_id, attempt), dynos in started.items():
            if dynos > 1:
                yield f"attempt {attempt} of run {run_id} has had {dynos} dynos"

    def _side_by_side(self) -> Iterator[str]:
        """No two dynos at once where the overlap policy forbids it."""
        runs = {run.id: run for run in self.runs}
        there: defaultdict[str, list[Started]] = defaultdict(list)
        for it in self._platform.journal:
            run = runs[it.run_id]
            others = there[run.trigger_id]
            others[:] = [
                other
                for other in others
                if other.ended_s is None or other.ended_s > it.created_s
            ]
            if others and run.trigger.overlap is not Overlap.ALLOW:
                yield f"{it.dyno.id} of {_name(run)} began beside {others[0].dyno.id}"
            others.append(it)

    def _unattended(self) -> Iterator[str]:
        for it in self._platform.alive:
            attempt = self._attempts.get((it.run_id, it.attempt))
            attended = attempt is not None and attempt.state is not RunState.FINISHED
            if not attended and it.end is None and not self._is_excused(it):
                yield f"{it.dyno.id} is there, and its attempt is over: {attempt}"

    def _too_many_attempts(self) -> Iterator[str]:
        for run in self.runs:
            if len(run.attempts) > 1 + run.trigger.retries:
                yield f"{_name(run)} has had {len(run.attempts)} attempts"
            for attempt in run.attempts[1:]:
                yield from self._past_the_next(run, attempt)

    def _past_the_next(self, run: Run, attempt: Attempt) -> Iterator[str]:
        """A retry never passes the next fire time."""
        if run.fire_time is None or keeps_all(run.trigger):
            return
        for other in self._later(run):
            if other.claimed_at + self._slack < attempt.requested_at:
                yield f"{_name(run)} was tried again after {_name(other)} was claimed"

    def _later(self, run: Run) -> Iterator[Run]:
        """Yield the entries of a trigger for fire times after those of `run`."""
        last = run.last_fire_time or run.fire_time
        for other in self.runs:
            at = other.fire_time
            if other.trigger_id == run.trigger_id and at and last and at > last:
                yield other

    # -- 4: outcomes -----------------------------------------------------------

    def _wrong_attempts(self) -> Iterator[str]:
        by_id = {it.dyno.id: it for it in self._platform.journal}
        by_attempt = {(it.run_id, it.attempt): it for it in self._platform.journal}
        for (run_id, number), attempt in self._attempts.items():
            if attempt.state is not RunState.FINISHED:
                continue
            own = by_attempt.get((run_id, number))
            known = by_id.get(attempt.dyno_id or "")
            if known is not None and known is not own:
                yield f"run {run_id} has {known.dyno.id}, which is another's"
            if attempt.outcome not in self._possible(attempt, own):
                yield (
                    f"run {run_id} attempt {number} {attempt.outcome} "
                    f"({attempt.reason}); in truth: {own}; {attempt}"
                )

    def _wrong_runs(self) -> Iterator[str]:
        for run in self.runs:
            if run.state is not RunState.FINISHED:
                continue
            if not run.attempts:
                if run.outcome not in _WITHOUT_ATTEMPT:
                    yield f"{_name(run)} {run.outcome} without an attempt"
            elif run.outcome not in (run.attempts[-1].outcome, Outcome.CANCELLED):
                yield f"{_name(run)} {run.outcome}, not {run.attempts[-1].outcome}"

    def _possible(self, attempt: Attempt, own: Started | None) -> set[Outcome]:
        """Return the outcomes that are true, or honest where nobody can know."""
        possible: set[Outcome] = set()
        stopped = _stopped_as(attempt)
        if stopped is not None and not self._exited_before_stop(attempt, own):
            possible.add(stopped)
        if own is None:
            # Whoever takes a launch over after a jump cannot know when it went out.
            jumped = self._world.jumped_s > STEP_S
            away = self._platform.was_away(0, OUTAGE_S)
            unseen = jumped or away or self._platform.log_lost_s
            return possible | {
                Outcome.LAUNCH_FAILED,
                *([Outcome.LOST] if unseen else []),
            }
        excused = self._is_excused(own)
        exited = own.end is End.EXITED or (own.end is not None and excused)
        if exited and not own.line_lost:
            # Where other lines are lost, the exit status alone may have been seen.
            possible.add(Outcome.FAILED if own.status else Outcome.SUCCEEDED)
        if own.end is End.TIME_TO_LIVE:
            possible.add(Outcome.TIMED_OUT)
        if own.end is End.CYCLED:
            possible.add(Outcome.STOPPED_BY_PLATFORM)
        if excused:
            possible.add(Outcome.LOST)
        return possible

    def _exited_before_stop(self, attempt: Attempt, own: Started | None) -> bool:
        """Whether it can be known that a dyno ended before it was to be stopped."""
        if own is None or own.end is not End.EXITED or own.ended_s is None:
            return False
        asked_at = attempt.stop_requested_at
        if asked_at is None or self._slack or self._is_excused(own):
            return False
        return self._world.at(own.ended_s) + _SECOND < asked_at

    def _is_excused(self, own: Started) -> bool:
        """Whether nobody can know how a dyno ended: what was said of it is lost."""
        lost = any(at >= own.created_s for at in self._platform.log_lost_s)
        away = self._platform.was_away(own.created_s, OUTAGE_S)
        return own.line_lost or lost or away

    # -- 5: what did not run, and why ------------------------------------------

    def _wrong_reason(self, run: Run) -> Iterator[str]:
        """An entry that never started says why, and that is true."""
        if run.outcome not in _NEVER_STARTED:
            return
        reason = run.reason or ""
        for start, is_so in _REASONS.items():
            if reason.startswith(start):
                if not is_so(self, run):
                    yield f"{_name(run)} {run.outcome}: {reason}: that is not so: {run}"
                return
        yield f"{_name(run)} {run.outcome} for no known reason: {reason}"

    def _is_found_late(self, run: Run) -> bool:
        last = run.last_fire_time or run.fire_time
        assert last is not None
        return run.claimed_at - last > _window(run) - self._slack

    def _is_superseded(self, run: Run) -> bool:
        until = _ended(run) + self._slack
        later = any(other.claimed_at <= until for other in self._later(run))
        return later and not keeps_all(run.trigger)

    def _is_found_with_a_later_one(self, run: Run) -> bool:
        at_once = any(
            other.claimed_at == run.claimed_at or self._slack
            for other in self._later(run)
        )
        return at_once and not run.trigger.catch_up.run_all

    def _is_not_started_in_time(self, run: Run) -> bool:
        due = run.released_at or _due(run)
        return _ended(run) + self._slack > due + _window(run) and not run.attempts

    def _is_overlapped(self, run: Run) -> bool:
        return run.trigger.overlap is Overlap.SKIP and any(
            other.trigger_id == run.trigger_id
            and other.id != run.id
            and other.launched_at is not None
            and other.launched_at <= _ended(run) + self._slack
            and _ended(other) + self._slack >= _ended(run)
            for other in self.runs
        )

    def _is_paused(self, run: Run) -> bool:
        first, last = run.fire_time, run.last_fire_time or run.fire_time
        assert first is not None
        assert last is not None
        return any(
            (_holds(it.since - _SECOND, first, it.until) and _ends(last, it.until))
            or _holds(it.since, _ended(run), it.until)
            or bool(self._slack)
            for it in self._world.pauses
            if it.uuid == run.trigger_id
        )

    def _is_removed(self, run: Run) -> bool:
        return any(
            life.trigger.uuid == run.trigger_id and life.until is not None
            for life in self._world.lives
        )

    def _is_one_off(self, run: Run) -> bool:
        return run.trigger.schedule_kind is ScheduleKind.AT

    def _started_too_late(self, run: Run) -> Iterator[str]:
        """A run starts within its window, and not under a pause."""
        if not run.attempts or run.fire_time is None:
            return
        asked_at = run.attempts[0].requested_at
        waited = run.released_at is not None
        if not waited and asked_at > _due(run) + _window(run) + self._slack:
            yield f"{_name(run)} was started at {asked_at}"
        for it in self._world.pauses:
            inside = _holds(it.since, asked_at, it.until)
            if it.uuid == run.trigger_id and inside and not self._slack:
                yield f"{_name(run)} was started at {asked_at}, under a pause"


_REASONS: dict[str, Callable[[Books, Run], bool]] = {
    "found later than its catch-up window": Books._is_found_late,
    "superseded by a later fire time": Books._is_found_with_a_later_one,
    "superseded by the fire time": Books._is_superseded,
    "could not be started within": Books._is_not_started_in_time,
    "overlap: ": Books._is_overlapped,
    "paused": Books._is_paused,
    "removed": Books._is_removed,
    "in the past when first seen": Books._is_one_off,
}


def _stopped_as(attempt: Attempt) -> Outcome | None:
    """Return the outcome of a stop of ours; None where there was none.

    Where the database was away, only the attempt's end tells of it.
    """
    if attempt.stop_cause is not None:
        return _OF_STOPS[attempt.stop_cause]
    return _OF_STOP_REASONS.get(attempt.reason or "")


def _name(run: Run) -> str:
    at = f"{run.fire_time:%d. %H:%M:%S}" if run.fire_time else "by hand"
    return f"run {run.id} ({run.trigger.slug}, {at})"


def _window(run: Run) -> timedelta:
    return timedelta(seconds=max(run.trigger.catch_up.within_s, GRACE_S))


def _due(run: Run) -> datetime:
    return jittered(run.trigger, run.fire_time) if run.fire_time else run.claimed_at


def _ended(run: Run) -> datetime:
    assert run.finished_at is not None
    return run.finished_at


def _holds(since: datetime, at: datetime, until: datetime | None) -> bool:
    return since <= at and _ends(at, until)


def _ends(at: datetime, until: datetime | None) -> bool:
    return until is None or at <= until
