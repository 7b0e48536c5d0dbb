"""What a due job does: its run is taken from the line, decided on and launched.

The runs table is the queue. One thread, the dispatcher, takes what is due, hands it to
the launcher's pool and writes the results, so that all decisions are made one after the
other and a burst costs few transactions.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import structlog

from clockd import clock, events
from clockd.admission import Admission
from clockd.errors import LeaseLost, StoreUnavailable
from clockd.gates import Gates
from clockd.launch import THREADS
from clockd.model import NO_LIMITS, REPLACED_BY, Outcome, StopCause
from clockd.results import Results, about
from clockd.watch.breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from clockd.launch import Launcher, Result
    from clockd.model import Attempt, Run
    from clockd.store import LimitReached, Store, Taken
    from clockd.watch import Watcher

#: Rows of other processes are looked for this often.
POLL_S = 1.0
#: Requests that are out when a stop comes have this long to be answered.
DRAIN_S = 3.0

_ENDS = {Outcome.MISSED: events.RUN_MISSED, Outcome.SKIPPED: events.RUN_SKIPPED}

log = structlog.get_logger()


class Authority(Protocol):
    """The right to launch: a lease, or the ownership of one run."""

    @property
    def fence(self) -> int | None:
        """The fence number of a lease; raises `LeaseLost` when it is gone."""
        ...

    @property
    def owner(self) -> str | None:
        """The owner of the runs that may be taken, where it is not a lease."""
        ...

    def check(self) -> None:
        """Raise `LeaseLost` unless the right certainly holds at this instant."""
        ...


class Dispatcher:
    """Takes due runs from the line and launches them.

    Args:
        store: Where the line is.
        launcher: Sends the requests.
        watcher: Follows what was launched.
        authority: The right to launch.
        on_lost: Told, from the dispatcher's thread, that the lease has gone.
    """

    def __init__(
        self,
        store: Store,
        launcher: Launcher,
        watcher: Watcher,
        *,
        authority: Authority,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._launcher = launcher
        self._watcher = watcher
        self._authority = authority
        self._on_lost = on_lost
        self.limits = NO_LIMITS  #: those in force; may be set from any thread
        self._gates = Gates()
        self._admission = Admission(self._gates, launcher)
        self._results = Results(store, watcher, self._gates)
        self._breaker = Breaker(during="dispatch")
        self._out = 0
        self._out_lock = threading.Lock()
        self._due_hint = False
        self._room_made: set[str] = set()
        self._poll_at = 0.0
        self._next_not_before: datetime | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._live, name="dispatcher", daemon=True
        )
        self.beat = clock.boottime()  #: when the thread last came round

    # -- from any thread -------------------------------------------------------

    def start(self) -> None:
        """Begin to dispatch."""
        self._thread.start()

    def wake(self) -> None:
        """Look for due runs now."""
        self._due_hint = True
        self._wake.set()

    def stop(self, timeout_s: float) -> None:
        """Take nothing more, and write what came of the requests that are out."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout_s)

    def ended(self, run: Run) -> None:
        """Note that a run's attempt ended: others may wait for its place."""
        self._room_made.add(run.trigger.app)
        self.wake()

    # -- the thread ------------------------------------------------------------

    def _live(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(self._sleep_s())
            self._wake.clear()
            try:
                self._turn()
            except LeaseLost:
                self._on_lost()
                self._stopping.wait(POLL_S)
            except StoreUnavailable as error:
                self._breaker.trip(error)
                self._stopping.wait(POLL_S)
            except Exception:
                log.exception(events.THREAD_FAILED, thread="dispatcher")
                self._stopping.wait(POLL_S)
        self._drain()

    def _drain(self) -> None:
        """Give requests that are out a moment to be answered, and write the answers."""
        deadline = clock.boottime() + DRAIN_S
        while clock.boottime() < deadline:
            try:
                self._results.record()
            except StoreUnavailable as error:
                self._breaker.trip(error)
                return
            if not self._out and not self._results:
                return
            self._wake.wait(0.1)
            self._wake.clear()

    def _sleep_s(self) -> float:
        if self._results or (self._due_hint and self._out < THREADS):
            return 0.0
        sleep_s = max(self._poll_at - clock.boottime(), 0.0)
        if self._next_not_before is not None:
            until_s = (self._next_not_before - clock.now()).total_seconds()
            sleep_s = min(sleep_s, max(until_s, 0.0))
        return sleep_s

    def _turn(self) -> None:
        self.beat = clock.boottime()
        if self._results.record():
            self._due_hint = True
        self._use_room()
        if self.beat >= self._poll_at:
            self._poll()
        elif self._next_not_before and self._next_not_before <= clock.now():
            self._next_not_before = None
            self._due_hint = True
        if self._due_hint and self._out < THREADS and self._is_sure():
            self._take()

    def _is_sure(self) -> bool:
        """Return whether launches may go out; while in doubt, nothing is taken."""
        try:
            self._authority.check()
        except LeaseLost:
            self._due_hint = False
            return False
        return True

    def _poll(self) -> None:
        """Look for what other processes, or time, have made due."""
        poll = self._store.runs.poll(
            clock.now(), owner=self._authority.owner, limits=self.limits
        )
        self._breaker.worked()
        self._poll_at = clock.boottime() + POLL_S
        self._due_hint = self._due_hint or poll.due
        self._next_not_before = poll.next_not_before
        for run_id in poll.cancels:
            run = self._store.runs.get(run_id)
            replaced = (run.cancel_requested_by or "").startswith(REPLACED_BY)
            cause = StopCause.REPLACED if replaced else StopCause.CANCEL
            self._watcher.cancel(run_id, cause)

    def _take(self) -> None:
        self._due_hint = False
        free = THREADS - self._out
        self._admission.begin()
        try:
            taken = self._store.runs.take(
                now=clock.now(),
                limit=free,
                plan=self._launcher.plan,
                admit=self._admission.admit,
                fence=self._authority.fence,
                owner=self._authority.owner,
                limits=self.limits,
            )
        except BaseException:
            # Nobody will tell what came of these: they must not count as probes.
            self._admission.undo()
            raise
        self._breaker.worked()
        for run, attempt in taken.started:
            log.debug(events.RUN_LAUNCHING, **about(run, attempt))
            self._submit(run, attempt)
        self._tell(taken)
        if len(taken.started) >= free:
            self._due_hint = True
        if taken.waiting:
            self._poll_at = 0.0

    def _submit(self, run: Run, attempt: Attempt) -> None:
        self._watcher.expect(attempt)
        with self._out_lock:
            self._out += 1
        self._launcher.submit(
            run,
            attempt,
            guard=self._authority.check,
            done=self._done,
            ask_first=self._gates.is_doubtful(run.trigger.app),
        )

    def _done(self, result: Result) -> None:
        """Take a result from a pool thread."""
        self._results.add(result)
        with self._out_lock:
            self._out -= 1
        self._wake.set()

    def _use_room(self) -> None:
        """Let a run in line try its luck where one of its app's dynos has ended."""
        while self._room_made:
            self._gates.made_room(app := self._room_made.pop())
            self._results.room_found.add(app)
        while self._results.room_found:
            app = next(iter(self._results.room_found))
            if self._store.runs.wake_line(app, clock.now()):
                self._due_hint = True
            self._results.room_found.discard(app)

    # -- telling ---------------------------------------------------------------

    def _tell(self, taken: Taken) -> None:
        if taken.reached is not None:
            _tell_reached(taken.reached)
        for run in taken.dropped:
            log.warning(
                _ENDS.get(run.outcome or Outcome.LOST, events.RUN_FINISHED),
                **about(run),
                outcome=run.outcome.value if run.outcome else None,
                exit_status=run.exit_status,
                reason=run.reason,
            )
        for run, reason in taken.waiting:
            log.info(events.RUN_HELD, **about(run), reason=reason)


def _tell_reached(limit: LimitReached) -> None:
    log.error(
        events.LIMIT_REACHED,
        limit="runs_per_month",
        runs=limit.runs,
        month=limit.month,
        timezone=limit.timezone,
        reason=f"{limit.runs} runs have started in {limit.month}: until it is over, "
        "further ones are skipped",
        hint="raise `runs_per_month` under `limits` if that is too few",
    )
