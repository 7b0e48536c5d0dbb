"""What came of launch requests: kept until it is on record, and what follows from it.

A dyno is written down; what was certainly not created goes back in line; an answer that
was lost is looked for; a refusal for good ends the attempt.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events, failpoints, policy
from clockd.errors import (
    LaunchRejected,
    LaunchUnknown,
    LeaseLost,
    RunnerUnavailable,
    StoreUnavailable,
)
from clockd.model import Hold, Outcome, RunState
from clockd.runner import Unavailable
from clockd.store import LaunchedDyno

if TYPE_CHECKING:
    from datetime import datetime

    from clockd.gates import Gates, Outage
    from clockd.launch import Result
    from clockd.model import Attempt, Run
    from clockd.store import Store
    from clockd.watch import Watcher

log = structlog.get_logger()


@dataclass(kw_only=True, eq=False)
class _Kept:
    """A result until it is on record, and what was made of it."""

    result: Result
    heeded: bool = False  #: the gates were told
    not_before: datetime | None = None  #: where it goes back in line
    hold: Hold | None = None


class Results:
    """The results that are not on record yet.

    `add` may be called from any thread, the rest from the dispatcher's.

    Args:
        store: Where they go.
        watcher: Follows the dynos, and looks for those that are not known.
        gates: Are told what the platform said.
    """

    def __init__(self, store: Store, watcher: Watcher, gates: Gates) -> None:
        self._store = store
        self._watcher = watcher
        self._gates = gates
        self._kept: list[_Kept] = []
        #: Apps in which one of those that wait for room has found some.
        self.room_found: set[str] = set()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._kept)

    def add(self, result: Result) -> None:
        """Take a result in; a dyno is followed before it is written."""
        if result.dyno is not None:
            self._watcher.launched(
                result.run, result.attempt, result.dyno, result.sent_at
            )
        with self._lock:
            self._kept.append(_Kept(result=result))

    def record(self) -> bool:
        """Write what came of launches; return whether there was anything.

        Raises:
            StoreUnavailable: It could not be written; the next call tries again.
        """
        with self._lock:
            kept = list(self._kept)
        if not kept:
            return False
        try:
            for each in kept:
                self._heed(each)
            self._record_all(kept)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception(events.THREAD_FAILED, thread="results")
            for each in kept:
                self._gates.release(each.result.run.trigger.app)
                self._forget(each)
        return True

    def _record_all(self, kept: list[_Kept]) -> None:
        """Write results; an attempt that is forgotten here is looked for later."""
        self._record_launched([k for k in kept if k.result.dyno is not None])
        for each in kept:
            if each.result.dyno is None:
                self._record_failure(each)
                self._forget(each)

    def _record_launched(self, kept: list[_Kept]) -> None:
        if not kept:
            return
        results = [each.result for each in kept]
        failpoints.reach("launch.recording")
        refused = self._store.attempts.launched(
            [
                LaunchedDyno(
                    attempt_id=result.attempt.id,
                    requested_at=result.attempt.requested_at,
                    dyno=result.dyno,
                    launched_at=result.launched_at or result.attempt.requested_at,
                )
                for result in results
                if result.dyno is not None
            ],
            clock.now(),
        )
        failpoints.reach("launch.recorded")
        for each, result in zip(kept, results, strict=True):
            if result.attempt.id in refused and result.dyno is not None:
                self._watcher.orphan(result.attempt, result.dyno)
            else:
                _log_launched(result)
            self._forget(each)

    def _heed(self, kept: _Kept) -> None:
        """Tell the gates, once, what a result says of the platform."""
        if kept.heeded:
            return
        kept.heeded = True
        result, now = kept.result, clock.boottime()
        app, error = result.run.trigger.app, result.error
        if isinstance(error, LeaseLost):
            self._gates.release(app)
            kept.not_before = clock.now()
        elif isinstance(error, RunnerUnavailable):
            self._refuse(kept, Unavailable(error.kind), error.retry_after_s, now)
        elif isinstance(error, LaunchUnknown):
            # A platform that does not answer is no better than one that is away.
            self._refuse(kept, Unavailable.CONNECTION, None, now)
        else:
            for outage in self._gates.report(app, now, asked_at=result.asked_at):
                _tell_recovered(outage, now)
            room = self._gates.made_room(app, asked_at=result.asked_at)
            if room and result.dyno is not None:
                self.room_found.add(app)

    def _refuse(
        self, kept: _Kept, kind: Unavailable, retry_after_s: float | None, now: float
    ) -> None:
        result = kept.result
        closed = self._gates.refuse(
            result.run.trigger.app,
            kind,
            now=now,
            retry_after_s=retry_after_s,
            asked_at=result.asked_at,
            run_id=result.run.id,
            unanswered=isinstance(result.error, LaunchUnknown),
        )
        kept.not_before = clock.now() + timedelta(seconds=closed.wait_s)
        kept.hold = closed.hold
        if closed.outage is not None:
            _tell_unavailable(closed.outage, result.error, now)

    def _record_failure(self, kept: _Kept) -> None:
        result = kept.result
        error, attempt = result.error, result.attempt
        assert error is not None  # noqa: S101 – a result has a dyno or an error
        if isinstance(error, (RunnerUnavailable, LeaseLost)):
            self._requeue(kept, error.message)
        elif isinstance(error, LaunchUnknown):
            self._store.attempts.unknown(
                attempt.id, attempt.requested_at, error.message
            )
            failpoints.reach("unknown.recorded")
            self._watcher.unknown(result.run, attempt, result.sent_at)
        else:
            self._fail(result, error)

    def _fail(self, result: Result, error: LaunchRejected | Exception) -> None:
        reason = str(error)
        run = self._store.attempts.finish(
            result.attempt.id,
            outcome=Outcome.LAUNCH_FAILED,
            exit_status=None,
            reason=reason,
            now=clock.now(),
            requested_at=result.attempt.requested_at,
        )
        if run is None:
            return
        log.error(
            events.RUN_FINISHED
            if run.state is RunState.FINISHED
            else events.RUN_RETRIED,
            **about(result.run, result.attempt),
            outcome=Outcome.LAUNCH_FAILED.value,
            reason=reason,
            hint=getattr(error, "hint", None),
        )

    def _requeue(self, kept: _Kept, reason: str) -> None:
        attempt, not_before = kept.result.attempt, kept.not_before or clock.now()
        self._store.attempts.requeue(
            attempt.id,
            attempt.requested_at,
            not_before=not_before,
            hold=kept.hold,
            reason=reason,
        )
        log.info(
            events.RUN_HELD,
            **about(kept.result.run, attempt),
            reason=reason,
            until=not_before,
        )

    def _forget(self, kept: _Kept) -> None:
        self._watcher.settle(kept.result.attempt.id)
        with self._lock:
            if kept in self._kept:
                self._kept.remove(kept)


def about(run: Run, attempt: Attempt | None = None) -> dict[str, object]:
    """Return what every log line about a run, or an attempt of it, carries."""
    told: dict[str, object] = {
        "trigger": run.trigger.slug,
        "run_id": run.id,
        "fire_time": run.fire_time,
    }
    if attempt is not None:
        told["attempt"] = attempt.number
    return told


def _tell_unavailable(outage: Outage, error: Exception | None, now: float) -> None:
    log.error(
        events.PLATFORM_UNAVAILABLE,
        **_of(outage),
        since=clock.now() - timedelta(seconds=now - outage.since),
        detail=str(error),
        hint=getattr(error, "hint", None),
    )


def _tell_recovered(outage: Outage, now: float) -> None:
    log.info(
        events.PLATFORM_RECOVERED,
        **_of(outage),
        lasted_s=round(now - outage.since, 1),
        runs_waited=outage.waited,
    )


def _of(outage: Outage) -> dict[str, object]:
    about_app = {} if outage.app is None else {"app": outage.app}
    return {"kind": outage.kind.value, "reason": outage.reason, **about_app}


def _log_launched(result: Result) -> None:
    dyno = result.dyno
    assert dyno is not None  # noqa: S101 – launched
    level = log.warning if dyno.warning else log.info
    level(
        events.RUN_LAUNCHED,
        **about(result.run, result.attempt),
        dyno=dyno.name,
        lag_s=policy.lag_s(result.run, result.launched_at or clock.now()),
        **({"warning": dyno.warning} if dyno.warning else {}),
    )
