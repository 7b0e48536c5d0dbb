"""What came of launch requests: kept until it is on record, and what follows from it.

A dyno is written down; what was certainly not created goes back in line; an answer that
was lost is looked for; a refusal for good ends the attempt.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from clockd import clock, events, policy
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

    from clockd.gates import Gates
    from clockd.launch import Result
    from clockd.model import Attempt, Run
    from clockd.store import Store
    from clockd.watch import Watcher

log = structlog.get_logger()


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
        self._kept: list[Result] = []
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
            self._kept.append(result)

    def record(self) -> bool:
        """Write what came of launches; return whether there was anything.

        Raises:
            StoreUnavailable: It could not be written; the next call tries again.
        """
        with self._lock:
            results = list(self._kept)
        if not results:
            return False
        try:
            self._record_all(results)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception(events.THREAD_FAILED, thread="results")
            for result in results:
                self._gates.release(result.run.trigger.app)
                self._forget(result)
        return True

    def _record_all(self, results: list[Result]) -> None:
        """Write results; an attempt that is forgotten here is looked for later."""
        self._record_launched([r for r in results if r.dyno is not None])
        for result in results:
            if result.dyno is None:
                self._record_failure(result)
                self._forget(result)

    def _record_launched(self, results: list[Result]) -> None:
        if not results:
            return
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
        for result in results:
            self._report_success(result)
            if result.attempt.id in refused and result.dyno is not None:
                self._watcher.orphan(result.attempt, result.dyno)
            else:
                _log_launched(result)
            self._forget(result)

    def _report_success(self, result: Result) -> None:
        over = self._gates.report(result.run.trigger.app, clock.boottime())
        for kind in over:
            log.info(
                events.PLATFORM_RECOVERED, app=result.run.trigger.app, reason=kind.value
            )

    def _record_failure(self, result: Result) -> None:
        error, attempt = result.error, result.attempt
        app = result.run.trigger.app
        if isinstance(error, RunnerUnavailable):
            self._put_back(result, error)
            return
        if isinstance(error, LeaseLost):
            self._gates.release(app)
            self._requeue(result, clock.now(), None, error.message)
            return
        self._gates.report(app, clock.boottime())
        assert error is not None  # noqa: S101 – a result has a dyno or an error
        if isinstance(error, LaunchUnknown):
            self._store.attempts.unknown(
                attempt.id, attempt.requested_at, error.message
            )
            self._watcher.unknown(result.run, attempt)
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

    def _put_back(self, result: Result, error: RunnerUnavailable) -> None:
        closed = self._gates.refuse(
            result.run.trigger.app,
            Unavailable(error.kind),
            now=clock.boottime(),
            retry_after_s=error.retry_after_s,
        )
        not_before = clock.now() + timedelta(seconds=closed.wait_s)
        self._requeue(result, not_before, closed.hold, error.message)

    def _requeue(
        self, result: Result, not_before: datetime, hold: Hold | None, reason: str
    ) -> None:
        attempt = result.attempt
        self._store.attempts.requeue(
            attempt.id,
            attempt.requested_at,
            not_before=not_before,
            hold=hold,
            reason=reason,
        )
        log.warning(
            events.RUN_HELD,
            **about(result.run, attempt),
            reason=reason,
            until=not_before,
        )

    def _forget(self, result: Result) -> None:
        self._watcher.settle(result.attempt.id)
        with self._lock:
            if result in self._kept:
                self._kept.remove(result)


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
