"""The time between getting the lease and losing it: the clock at work.

Order of a start: the file's triggers, adoption of what a predecessor left, dispatcher,
scheduler. Order of an end: scheduler, dispatcher, watcher. Running dynos are left
alone; whoever is the clock next adopts them.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from clockd import clock, config, events
from clockd.compose import host_name
from clockd.errors import ConfigError, LeaseLost, SettingsError, StoreUnavailable
from clockd.jobs import Dispatcher
from clockd.launch import Launcher
from clockd.model import RunnerKind
from clockd.ownership import AbandonedRuns
from clockd.reload import FileWatch
from clockd.scheduler import log_claimed, make_scheduler
from clockd.watch import Watcher, WatchHooks

if TYPE_CHECKING:
    from clockd.compose import Installation
    from clockd.lease import LeaseKeeper
    from clockd.model import Run
    from clockd.runner import LogLine
    from clockd.store import Store, SyncResult

TURN_S = 1.0
SWEEP_S = 3.0
PRUNE_S = 3600.0
#: Of more triggers, or problems, than this the rest is told as a number.
_TOLD = 50

log = structlog.get_logger()


class Orders:
    """What the clock is told, from other threads.

    Never from a signal handler: an event that is being waited for may be locked by
    the very thread the handler interrupts.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.deposed = threading.Event()
        self._reload = threading.Event()
        self._turn = threading.Event()

    def stop(self) -> None:
        """Ask for the end."""
        self.stopping.set()
        self._turn.set()

    def depose(self) -> None:
        """Note that the lease is no longer ours."""
        if self.deposed.is_set():
            return
        self.deposed.set()
        self._turn.set()
        if not self.stopping.is_set():
            reason = "the lease has gone to another clock; standing by"
            log.warning(events.CLOCK_DEPOSED, reason=reason)

    def read_again(self) -> None:
        """Ask for triggers.yaml to be read again."""
        self._reload.set()
        self._turn.set()

    def wait(self) -> bool:
        """Wait for the next turn; return False when the tenure is over."""
        self._turn.wait(TURN_S)
        self._turn.clear()
        return not (self.stopping.is_set() or self.deposed.is_set())

    def take_reload(self) -> bool:
        """Return whether the file was to be read again since the last call."""
        wanted = self._reload.is_set()
        self._reload.clear()
        return wanted


class Tenure:
    """One tenure; `serve` is all of it.

    Args:
        installation: Environment and triggers.yaml.
        store: The database.
        keeper: Holds the lease.
        orders: What the clock is told meanwhile.
    """

    def __init__(
        self,
        installation: Installation,
        store: Store,
        keeper: LeaseKeeper,
        orders: Orders,
    ) -> None:
        self._installation = installation
        self._store = store
        self._keeper = keeper
        self._orders = orders
        self._kind = installation.kind
        self._file = FileWatch(installation.path)
        self._runners = installation.make_runners()
        self._launcher = Launcher(
            self._runners, installation.launch_settings(self._kind)
        )
        self._watcher = Watcher(
            store,
            self._runners,
            host=host_name(),
            hooks=WatchHooks(
                line=self._show,
                ended=lambda run: self._dispatcher.ended(run),
                shown=installation.shown,
            ),
        )
        self._dispatcher = Dispatcher(
            store,
            self._launcher,
            self._watcher,
            authority=keeper,
            on_lost=orders.depose,
        )
        self._scheduler = make_scheduler(
            store,
            fence=lambda: keeper.fence,
            fire=lambda _trigger_id, _fire_times: self._dispatcher.wake(),
            on_lost=orders.depose,
        )
        self._abandoned = AbandonedRuns(store)

    def serve(self) -> None:
        """Be the clock until told to stop, or deposed.

        Raises:
            ConfigError: triggers.yaml has problems and there is no last good set.
            SettingsError: Tasks are to run on Heroku, and there is no key.
            StoreUnavailable: The database could not be used at the start.
        """
        self._load_at_start()
        try:
            self._watcher.start()
            self._watcher.adopt()
            self._dispatcher.start()
            self._scheduler.start()
            log.info(events.CLOCK_READY)
            self._scheduler.every(SWEEP_S, self._sweep)
            self._scheduler.every(PRUNE_S, self._prune)
            while self._orders.wait():
                self._turn()
        finally:
            self._end()

    def _turn(self) -> None:
        try:
            self._mind_file()
        except LeaseLost:
            self._orders.depose()
        except StoreUnavailable as error:
            log.error(events.STORE_FAILED, reason=error.message, during="reload")
            self._file.forget()
        except Exception:
            log.exception(events.THREAD_FAILED, thread="main")

    def _end(self) -> None:
        log.info(events.CLOCK_STOPPING, following=self._watcher.active)
        self._scheduler.end()
        self._launcher.close()
        self._dispatcher.stop(timeout_s=3.3)
        self._watcher.stop(timeout_s=0.8)

    def _show(self, run: Run, line: LogLine) -> None:
        """Show what a local task prints; dynos print to the app's log themselves."""
        if self._kind is RunnerKind.LOCAL and not line.from_platform:
            log.info(
                events.RUN_PRINTED,
                trigger=run.trigger.slug,
                run_id=run.id,
                text=line.text,
            )

    # -- the file --------------------------------------------------------------

    def _load_at_start(self) -> None:
        """Write the file's triggers into the books; without a good file, keep them."""
        self._file.take()
        loaded = self._installation.load_again()
        if not loaded.problems:
            self._apply(loaded)
            return
        last = self._store.triggers.runner()
        self._dispatcher.limits = self._store.triggers.limits()
        if last is None:
            raise ConfigError(
                f"{self._installation.path} cannot be used",
                hint="there is no last good set of triggers to run instead",
                problems=loaded.problems,
            )
        # What a broken file says of its runner is not to be trusted.
        self._run_on(self._installation.settings.runner or last)
        _tell_rejected(loaded)

    def _mind_file(self) -> None:
        """Load the file again when it has changed, or SIGHUP says so."""
        if self._orders.take_reload():
            self._file.take()
        elif not self._file.changed():
            return
        loaded = self._installation.load_again()
        if loaded.problems:
            _tell_rejected(loaded)
            return
        try:
            self._apply(loaded)
        except SettingsError as error:
            log.error(events.CONFIG_REJECTED, reason=error.message, hint=error.hint)

    def _apply(self, loaded: config.Loaded) -> None:
        _tell_warnings(loaded)
        self._run_on(config.effective_runner(loaded, self._installation.settings))
        self._scheduler.follow_clock()
        result = self._store.triggers.sync(
            loaded.triggers,
            fence=self._keeper.fence,
            now=clock.now(),
            runner=self._kind,
            limits=loaded.limits,
        )
        self._dispatcher.limits = loaded.limits
        _log_sync(result, loaded)
        self._scheduler.wakeup_if_running()
        self._dispatcher.wake()

    def _run_on(self, kind: RunnerKind) -> None:
        """Let tasks run on a place from now on; those under way stay where they are.

        Its runner is made here: the first launch should not wait for that.
        """
        self._runners.require(kind)
        if kind is not self._kind:
            log.warning(
                events.CONFIG_LOADED, warning=f"tasks run on {kind.value} from now on"
            )
        self._kind = kind
        self._launcher.settings = self._installation.launch_settings(kind)

    # -- housekeeping ----------------------------------------------------------

    def _sweep(self) -> None:
        try:
            if self._abandoned.sweep():
                self._dispatcher.wake()
        except StoreUnavailable as error:
            log.warning(events.STORE_FAILED, reason=error.message)

    def _prune(self) -> None:
        days = self._installation.settings.output_days
        try:
            self._store.output.prune(clock.now() - timedelta(days=days))
        except StoreUnavailable as error:
            log.warning(events.STORE_FAILED, reason=error.message)


def _tell_warnings(loaded: config.Loaded) -> None:
    for problem in loaded.warnings[:_TOLD]:
        log.warning(events.CONFIG_LOADED, warning=str(problem))
    if len(loaded.warnings) > _TOLD:
        log.warning(
            events.CONFIG_LOADED,
            warning=f"{len(loaded.warnings) - _TOLD} more: `clockd check` shows them",
        )


def _tell_rejected(loaded: config.Loaded) -> None:
    for problem in loaded.problems[:_TOLD]:
        log.error(events.CONFIG_REJECTED, problem=str(problem))
    log.error(
        events.CONFIG_REJECTED,
        problems=len(loaded.problems),
        reason="the last good set of triggers goes on running",
    )


def _log_sync(result: SyncResult, loaded: config.Loaded) -> None:
    for event, slugs in (
        (events.TRIGGER_ADDED, result.added),
        (events.TRIGGER_CHANGED, result.changed),
        (events.TRIGGER_REMOVED, result.removed),
    ):
        for slug in slugs if len(slugs) <= _TOLD else ():
            log.info(event, trigger=slug)
    log_claimed(result.planned)
    for run in result.ended:
        log.warning(
            events.RUN_SKIPPED,
            trigger=run.slug,
            run_id=run.run_id,
            fire_time=run.fire_time,
            outcome=run.outcome.value,
            reason=run.reason,
        )
    log.info(
        events.CONFIG_LOADED,
        triggers=len(loaded.triggers),
        added=len(result.added),
        changed=len(result.changed),
        removed=len(result.removed),
    )
