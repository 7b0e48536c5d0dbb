"""Fires triggers on time: APScheduler, with the parts of it that lose runs replaced.

APScheduler's thread asks the job store what is due. Ours answers with one transaction
that has claimed every due fire time, so that nothing is handed on that is not on
record. Measured faults of the stock parts that are avoided here: the loop dies on the
first database error, sleeps through clock jumps, drops what is a second late, and fires
before it has written.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

import structlog
from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import BaseJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_STOPPED
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger

from clockd import clock, events
from clockd.errors import ConflictError, LeaseLost, StoreError
from clockd.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from clockd.store import Claimed, ClaimedRun, Store

#: The loop wakes at least this often: a jump of the wall clock costs no more.
MAX_SLEEP_S = 5.0
_BACKOFF_S = (0.5, 1.0, 2.0, 5.0)

log = structlog.get_logger()


class ClaimedFireTimes(BaseTrigger):  # type: ignore[misc]
    """Gives APScheduler the fire times that were claimed, and none after them."""

    __slots__ = ("_fire_times",)

    def __init__(self, fire_times: list[datetime]) -> None:
        self._fire_times = fire_times

    def get_next_fire_time(
        self,
        previous_fire_time: datetime | None,
        now: datetime,
    ) -> datetime | None:
        """Return the claimed fire time after `previous_fire_time`."""
        del now
        return next(
            (
                at
                for at in self._fire_times
                if previous_fire_time is None or at > previous_fire_time
            ),
            None,
        )


class ClaimingJobStore(SQLAlchemyJobStore):  # type: ignore[misc]
    """A job store that claims before it submits, and keeps no pickles.

    Its table holds the next fire time of every trigger. Jobs are made from claimed
    fire times; triggers enter and leave through `store.triggers.sync` alone.
    """

    def __init__(self, store: Store, fence: Callable[[], int]) -> None:
        super().__init__(engine=store.engine, tablename="clockd_jobs")
        self._store = store
        self._fence = fence
        self._failures = 0
        self._retry_at: datetime | None = None
        self._ahead = True
        self._stepping = threading.Lock()
        self.next_at: datetime | None = None  #: what `get_next_run_time` last said
        self.on_claimed: Callable[[Claimed], None] = lambda _claimed: None
        self.on_lost: Callable[[], None] = lambda: None

    def start(self, scheduler: BackgroundScheduler, alias: str) -> None:
        """Take the table as the migrations made it."""
        BaseJobStore.start(self, scheduler, alias)

    def shutdown(self) -> None:
        """Leave the engine open: it belongs to the store."""

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """Claim every due fire time; return a job for each trigger that is to run.

        APScheduler's own idea of `now` is not used: it follows jumps at once.
        """
        del now
        try:
            self.step_back()
            now = clock.now()
            claimed = self._store.claims.claim(fence=self._fence(), now=now)
        except LeaseLost:
            self.on_lost()
            return []
        except StoreError as error:
            self._tell_failed(error, clock.now())
            return []
        self._tell_recovered()
        self.on_claimed(claimed)
        return [self._job(run) for run in claimed.runs if run.outcome is None]

    def clock_went_back(self) -> None:
        """Note that the books may be ahead of the clock now, as they may at a start."""
        with self._stepping:
            self._ahead = True

    def step_back(self) -> None:
        """Take back what was put on record ahead of the clock, where that may be.

        Raises:
            LeaseLost: Another process is the clock now; nothing was changed.
            StoreUnavailable: It could not be done; the next call tries again.
        """
        with self._stepping:
            if self._ahead:
                self._take_back()

    def _take_back(self) -> None:
        now = clock.now()
        taken_back = self._store.claims.step_back(fence=self._fence(), now=now)
        self._ahead = False
        if taken_back:
            log.warning(
                events.CLOCK_STEPPED_BACK,
                triggers=taken_back,
                reason="fire times were on record that are still to come; what had not "
                "started was taken back and will fire at its time",
            )

    def get_next_run_time(self) -> datetime | None:
        """Return when the next fire time is due, or the database is tried again."""
        self.next_at = self._retry_at
        if self._retry_at is None:
            try:
                self.next_at = self._store.claims.next_fire_time()
            except StoreError as error:
                self._tell_failed(error, clock.now())
                self.next_at = self._retry_at
        return self.next_at

    def update_job(self, job: Job) -> None:
        """Do nothing: the claim has moved the next fire time already."""

    def remove_job(self, job_id: str) -> None:
        """Do nothing: the claim has removed what never fires again."""

    def add_job(self, job: Job) -> NoReturn:
        """Refuse: triggers come from triggers.yaml or the API."""
        raise ConflictError(f"job {job.id} cannot be added to the clock's own store")

    def lookup_job(self, job_id: str) -> None:
        """Return nothing: jobs exist only while their claim is handed on."""

    def get_all_jobs(self) -> list[Job]:
        """Return nothing: jobs exist only while their claim is handed on."""
        return []

    def remove_all_jobs(self) -> NoReturn:
        """Refuse: this would forget every next fire time."""
        raise ConflictError("the clock's own store cannot be emptied")

    def _job(self, run: ClaimedRun) -> Job:
        job = Job.__new__(Job)
        for name, value in {
            "id": run.trigger_id,
            "name": run.slug,
            "func": None,
            "func_ref": None,
            "args": (),
            "kwargs": {},
            "trigger": ClaimedFireTimes([run.fire_time]),
            "executor": "default",
            "misfire_grace_time": None,
            "coalesce": False,
            "max_instances": 1,
            "next_run_time": run.fire_time,
            "_scheduler": self._scheduler,
            "_jobstore_alias": self._alias,
        }.items():
            setattr(job, name, value)
        return job

    def _tell_failed(self, error: StoreError, now: datetime) -> None:
        backoff_s = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
        self._retry_at = now + timedelta(seconds=backoff_s)
        if self._failures == 0:
            log.error(events.STORE_FAILED, reason=error.message, during="claim")
        self._failures += 1

    def _tell_recovered(self) -> None:
        self._retry_at = None
        if self._failures:
            log.info(events.STORE_RECOVERED, failures=self._failures)
        self._failures = 0


class FireTimeExecutor(BaseExecutor):  # type: ignore[misc]
    """Hands claimed fire times on; nothing is run in it, so nothing is dropped.

    Args:
        fire: Called with a trigger's uuid and its claimed fire times, in APScheduler's
            thread; must return at once.
    """

    def __init__(self, fire: Callable[[str, list[datetime]], None]) -> None:
        super().__init__()
        self._fire = fire

    def submit_job(self, job: Job, run_times: list[datetime]) -> None:
        """Hand a claim on. There is no limit of instances: policies decide later."""
        self._fire(job.id, run_times)

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        self._fire(job.id, run_times)


class ClockScheduler(BackgroundScheduler):  # type: ignore[misc]
    """APScheduler's thread, made to survive every error and to wake often enough.

    Args:
        jobstore: Claims what is due.
        fire: Told of claimed fire times, in the scheduler's thread.
    """

    def __init__(
        self,
        jobstore: ClaimingJobStore,
        fire: Callable[[str, list[datetime]], None],
    ) -> None:
        super().__init__(
            timezone="UTC",
            jobstores={"default": jobstore},
            executors={"default": FireTimeExecutor(fire)},
        )
        self._jobstore = jobstore
        self._ended = threading.Event()
        self.beat = clock.boottime()  #: when the loop last came round

    def every(self, seconds: float, work: Callable[[], None]) -> None:
        """Do housekeeping every so many seconds, in a thread of its own.

        Not as a job: a wall clock that goes back would keep it waiting.
        """

        def repeat() -> None:
            while not self._ended.wait(seconds):
                try:
                    work()
                except Exception:
                    log.exception(events.THREAD_FAILED, thread="housekeeping")

        threading.Thread(target=repeat, name="housekeeping", daemon=True).start()

    def follow_clock(self) -> None:
        """Let the books be where the clock is, before anything else is written there.

        An edit settles what was due until now by the old definitions: what a clock
        that was ahead has put on record has to be taken back before.

        Raises:
            LeaseLost: Another process is the clock now; nothing was changed.
            StoreUnavailable: It could not be done.
        """
        self._mind_jumps()
        self._jobstore.step_back()

    def wakeup_if_running(self) -> None:
        """Look at once for what is due, where the loop runs already."""
        if self.state != STATE_STOPPED:
            self.wakeup()

    def end(self, timeout_s: float = 2.0) -> None:
        """Claim nothing more; wait for the claim under way, but not for ever."""
        self._ended.set()
        if self.state == STATE_STOPPED:
            return
        thread = self._thread
        BlockingScheduler.shutdown(self, wait=False)
        thread.join(timeout_s)

    def _main_loop(self) -> None:
        wait_s = 0.0
        while self.state != STATE_STOPPED:
            self._event.wait(wait_s)
            self._event.clear()
            self.beat = clock.boottime()
            self._mind_jumps()
            try:
                self._process_jobs()
                wait_s = self._due_in_s()
            except Exception:
                # Told to stop in the middle of a turn, APScheduler trips over itself;
                # everything that was claimed is on record.
                if self.state == STATE_STOPPED:
                    return
                log.exception(events.THREAD_FAILED, thread="scheduler")
                wait_s = 1.0

    def _due_in_s(self) -> float:
        """Return how long to wait; APScheduler's answer follows jumps at once."""
        next_at = self._jobstore.next_at
        if next_at is None:
            return MAX_SLEEP_S
        until_s = (next_at - clock.now()).total_seconds()
        return min(max(until_s, 0.0), MAX_SLEEP_S)

    def _mind_jumps(self) -> None:
        """Tell of jumps of the wall clock; let the books follow one that went back."""
        clock.now()
        for jump in clock.jumps():
            log.warning(
                events.CLOCK_JUMPED, by_s=round(jump.by_s, 1), reason=_told(jump)
            )
            # Others, such as a `run-now`, do not wait for a jump to last.
            undone = jump.undone and jump.by_s > 0
            if undone or (jump.followed and jump.by_s < 0):
                self._jobstore.clock_went_back()


def _told(jump: clock.Jump) -> str:
    if jump.followed:
        return "it has lasted, and is followed from now on"
    if jump.undone:
        return "it was undone; nothing has followed it"
    return f"the wall clock jumped; followed if it lasts {clock.LASTS_S:.0f} s"


def make_scheduler(
    store: Store,
    *,
    fence: Callable[[], int],
    fire: Callable[[str, list[datetime]], None],
    on_lost: Callable[[], None],
) -> ClockScheduler:
    """Return a scheduler, not yet started, that claims for the holder of `fence`.

    Args:
        store: Where triggers and runs are kept.
        fence: Gives the holder's fence number; raises `LeaseLost`.
        fire: Told of claimed fire times, in the scheduler's thread.
        on_lost: Told when a claim was refused because the lease has gone.
    """
    jobstore = ClaimingJobStore(store, fence)
    jobstore.on_claimed = lambda claimed: log_claimed(claimed.runs)
    jobstore.on_lost = on_lost
    return ClockScheduler(jobstore, fire)


def log_claimed(runs: Iterable[ClaimedRun]) -> None:
    """Write a line for each entry that claims, or an edit, put on record."""
    for run in runs:
        if run.outcome is None:
            log.info(
                events.RUN_CLAIMED,
                trigger=run.slug,
                run_id=run.run_id,
                fire_time=run.fire_time,
            )
            continue
        log.warning(
            events.RUN_MISSED if run.outcome is Outcome.MISSED else events.RUN_SKIPPED,
            trigger=run.slug,
            run_id=run.run_id,
            fire_time=run.fire_time,
            outcome=run.outcome.value,
            reason=run.reason,
            fire_times=run.fire_count,
            last_fire_time=run.last_fire_time,
        )
