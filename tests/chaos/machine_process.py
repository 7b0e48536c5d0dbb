"""One clockd process of the state machine: production's parts without their threads.

A process waits for the lease, is the clock, and may stop, be killed, or freeze and wake
up. `tenure.Tenure` puts the same parts together, and does the same in the same order.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from clockd.errors import ClockdError, LeaseLost, StoreUnavailable
from clockd.jobs import Dispatcher
from clockd.launch import Launcher, LaunchSettings
from clockd.lease import BEAT_S, RETRY_S, STALE_S, LeaseKeeper, Stillness
from clockd.model import RunnerKind
from clockd.ownership import AbandonedRuns
from clockd.scheduler import make_scheduler
from clockd.store import Store
from clockd.watch import Watcher, WatchHooks
from tests.chaos.machine_platform import PlatformRunner
from tests.chaos.machine_threads import OneTurn
from tests.chaos.machine_time import live_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.chaos.machine_world import World

#: The parts of a turn, as they follow one another where nothing goes wrong.
PARTS = ("beat", "edit", "claim", "dispatch", "launch", "dispatch", "watch")

_KIND = RunnerKind.HEROKU
_SETTINGS = LaunchSettings(
    kind=_KIND,
    host="here",
    process_type="clockd",
    environ={},
    twin=lambda _app, command: command,
)


class Process:
    """A clockd that was started; `alive` until it is killed or stopped."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.frozen = False
        self.tenure: Tenure | None = None
        self._steady = world.time.steady()
        self.store = Store.open(world.url, migrate=False)
        world.faults.follow(self.store)
        self._stand_by()

    def __repr__(self) -> str:
        return self.name

    def _stand_by(self) -> None:
        self.deposed = False
        self._still = Stillness()
        self._keeper = LeaseKeeper(self.store, self.name, self._depose)

    def _depose(self) -> None:
        self.deposed = True

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        """Live by this process's time; it may be killed meanwhile."""
        live_by(self._steady)
        try:
            yield
        finally:
            live_by(None)

    def turn(self, parts: tuple[str, ...] = PARTS) -> None:
        """Let each part have its turn."""
        if self.tenure is None:
            self._wait_for_lease()
        for part in parts:
            if self.tenure is not None and not self.deposed:
                getattr(self.tenure, part)()
        if self.tenure is not None and self.deposed:
            self._end_tenure()

    def _wait_for_lease(self) -> None:
        """Do what one round of `LeaseKeeper.wait` does."""
        try:
            lease = self.store.lease.read()
        except StoreUnavailable:
            self._still.forget()
            return
        seen = (lease.fence, lease.beat, lease.holder)
        stale = self._still.see(seen) >= STALE_S
        if (lease.holder is None or stale) and self._keeper._take(lease):
            tenure = Tenure(self, self._keeper, self._depose)
            if tenure.begin():
                self.tenure = tenure
            else:
                self._keeper.release()
                self._stand_by()

    def _end_tenure(self) -> None:
        """Stand by again, as whoever lost the lease."""
        if self.tenure is not None:
            self.tenure.end()
        self.tenure = None
        self._keeper.release()
        self._stand_by()

    def stop(self) -> None:
        """End as SIGTERM has it."""
        self._end_tenure()
        self.die()

    def die(self) -> None:
        """End at once; all that was in memory is gone."""
        self.alive = False
        self.tenure = None
        self.store.close()


class Tenure:
    """A process that is the clock, or believes so."""

    def __init__(
        self, process: Process, keeper: LeaseKeeper, on_lost: Callable[[], None]
    ) -> None:
        self.world = process.world
        self.store = process.store
        self.keeper = keeper
        self._on_lost = on_lost
        self._beat_at = self.world.time.boottime() + BEAT_S
        self._loaded = -1
        runners: dict[RunnerKind, Any] = {_KIND: PlatformRunner(self.world.platform)}
        self.launcher = Launcher(runners, _SETTINGS)
        self.watcher = Watcher(
            self.store,
            runners,
            host="here",
            hooks=WatchHooks(ended=lambda run: self.dispatcher.ended(run)),
        )
        self.dispatcher = Dispatcher(
            self.store,
            self.launcher,
            self.watcher,
            authority=keeper,
            on_lost=on_lost,
        )
        self.scheduler = make_scheduler(
            self.store,
            fence=lambda: keeper.fence,
            fire=lambda _id, _times: None,
            on_lost=on_lost,
        )
        self._jobstore = self.scheduler._jobstore
        self._jobstore.start(self.scheduler, "default")
        self._abandoned = AbandonedRuns(self.store)

    def begin(self) -> bool:
        """Load the file and adopt; return False where the tenure is over already."""
        try:
            self._load()
        except (LeaseLost, StoreUnavailable):
            return False
        self.watcher.adopt()
        return True

    def _load(self) -> None:
        world = self.world
        version, triggers = world.file_version, list(world.file.values())
        with world.noting_edits(triggers):
            self.store.triggers.sync(
                triggers, fence=self.keeper.fence, now=world.now(), runner=_KIND
            )
        self._loaded = version
        self.dispatcher.wake()

    # -- the parts of a turn ---------------------------------------------------

    def beat(self) -> None:
        """Prove that this clock lives."""
        if self.world.time.boottime() < self._beat_at:
            return
        given_back, self.keeper._given_back = self.keeper._given_back, OneTurn()
        self.keeper._beat_on(self.keeper.fence)
        self.keeper._given_back = given_back
        wait_s = RETRY_S if self.keeper._failing else BEAT_S
        self._beat_at = self.world.time.boottime() + wait_s

    def edit(self) -> None:
        """Notice that the file changed, and that a `run-now` went away."""
        try:
            if self._loaded != self.world.file_version:
                self._load()
            if self._abandoned.sweep():
                self.dispatcher.wake()
        except LeaseLost:
            self._on_lost()
        except StoreUnavailable:
            pass

    def claim(self) -> None:
        """Put on record what is due."""
        if not self.world.claiming:
            return
        self.scheduler._mind_jumps()
        with self.world.noting_claims():
            claimed = self._jobstore.get_due_jobs(self.world.now())
        if claimed:
            self.dispatcher.wake()

    def dispatch(self) -> None:
        """Take what is due from the line; write what came of launches."""
        try:
            self.dispatcher._turn()
        except LeaseLost:
            self._on_lost()
        except StoreUnavailable as error:
            self.dispatcher._breaker.trip(error)

    def launch(self) -> None:
        """Send what was taken."""
        pool: Any = self.launcher._pool
        pool.run()

    def watch(self) -> None:
        """Read the streams, look after every attempt, ask the platform."""
        streams: Any = self.watcher._streams
        for stream in list(streams._open.values()):
            stream.thread.read()
        self.watcher._turn()
        self._ask_the_platform()
        self.watcher._turn()

    def _ask_the_platform(self) -> None:
        questions: Any = self.watcher._questions
        questions._stops.run()
        questions._pool.run()

    def end(self) -> None:
        """Do what the end of a tenure does; what is not sent is put back."""
        self.launcher.close()
        with contextlib.suppress(StoreUnavailable):
            self.dispatcher._results.record()
        self.watcher._inbox.run_rest()
        self.watcher._recorder.flush(self.watcher._tracks.values())
        self.watcher._streams.close()
        self.watcher._questions.close(0)

    # -- what a clock that lost its lease may try ------------------------------

    def trespass(self) -> list[str]:
        """Try all that only the clock may do; return what was not refused."""
        fence, now = self.keeper._fence, self.world.now()
        if fence is None:
            return []
        attempts: dict[str, Callable[[], object]] = {
            "claim": lambda: self.store.claims.claim(fence=fence, now=now),
            "step_back": lambda: self.store.claims.step_back(fence=fence, now=now),
            "sync": lambda: self.store.triggers.sync([], fence=fence, now=now),
            "take": lambda: self.store.runs.take(
                now=now, limit=16, plan=self.launcher.plan, fence=fence
            ),
        }
        return [what for what, attempt in attempts.items() if not _is_refused(attempt)]


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (LeaseLost, StoreUnavailable):
        return True
    except ClockdError:
        return False
    return False
