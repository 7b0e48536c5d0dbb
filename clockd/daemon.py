"""The daemon: waits for the lease, then is the clock until told to stop.

Order of a start: database, lease, the file's triggers, adoption of what a predecessor
left, dispatcher, scheduler. Order of a stop: scheduler, dispatcher, watcher, lease.
Running dynos are left alone; whoever is the clock next adopts them.
"""

from __future__ import annotations

import signal
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from clockd import __version__, clock, config, events
from clockd.compose import host_name, process_name
from clockd.errors import ConfigError, LeaseLost, StoreUnavailable
from clockd.jobs import Dispatcher
from clockd.lease import LeaseKeeper
from clockd.ownership import AbandonedRuns
from clockd.reload import FileWatch
from clockd.scheduler import log_claimed, make_scheduler
from clockd.watch import Watcher, WatchHooks

if TYPE_CHECKING:
    from types import FrameType

    from clockd.compose import Installation
    from clockd.model import Run
    from clockd.runner import Runner
    from clockd.scheduler import ClockScheduler
    from clockd.store import Lease, Store, SyncResult

TURN_S = 1.0
SWEEP_S = 3.0
PRUNE_HOURS = 1
_STORE_RETRY_S = 2.0

log = structlog.get_logger()


class Daemon:
    """One `clockd start`.

    Args:
        installation: Environment and triggers.yaml.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._stopping = threading.Event()
        self._deposed = threading.Event()
        self._reload = threading.Event()
        self._turn = threading.Event()

    def run(self) -> int:
        """Be the clock, or its standby, until a signal says stop; return 0.

        Raises:
            ConfigError: triggers.yaml has problems and there is no last good set.
            SettingsError: The environment asks for something impossible.
            StoreTooNew: A newer clockd has written the database.
        """
        self._listen_to_signals()
        log.info(
            events.CLOCK_STARTED,
            version=__version__,
            triggers=str(self._installation.path),
            runner=self._installation.kind.value,
        )
        runner = self._installation.make_runner()
        store = self._open_store()
        if store is None:
            return 0
        try:
            self._warn(store)
            self._live(store, runner)
        finally:
            store.close()
        log.info(events.CLOCK_STOPPED)
        return 0

    # -- signals ---------------------------------------------------------------

    def _listen_to_signals(self) -> None:
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def _on_stop(self, number: int, _frame: FrameType | None) -> None:
        if self._stopping.is_set():
            raise SystemExit(128 + number)
        self._stopping.set()
        self._turn.set()

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload.set()
        self._turn.set()

    # -- start and end ---------------------------------------------------------

    def _open_store(self) -> Store | None:
        """Open the database, however long it takes; None when told to stop first."""
        while not self._stopping.is_set():
            try:
                return self._installation.open_store()
            except StoreUnavailable as error:
                log.error(events.STORE_FAILED, reason=error.message, hint=error.hint)
                self._stopping.wait(_STORE_RETRY_S)
        return None

    def _warn(self, store: Store) -> None:
        if self._installation.settings.on_dyno and store.dialect == "sqlite":
            log.warning(
                events.CLOCK_WARNED,
                reason="the database is an SQLite file on this dyno's disk, which is "
                "lost at every restart: with it go all runs, and what was missed",
                hint="heroku addons:create heroku-postgresql:essential-0",
            )

    def _live(self, store: Store, runner: Runner) -> None:
        keeper = LeaseKeeper(store, process_name(), self._depose)
        while not self._stopping.is_set():
            if not keeper.wait(self._stopping, _tell_standby):
                break
            self._deposed.clear()
            log.info(events.CLOCK_ACTIVE, fence=keeper.fence)
            try:
                _Tenure(self, self._installation, store, runner, keeper).serve()
            except LeaseLost:
                self._depose()
            except StoreUnavailable as error:
                log.error(events.STORE_FAILED, reason=error.message, hint=error.hint)
                self._stopping.wait(_STORE_RETRY_S)
            finally:
                keeper.release()

    def _depose(self) -> None:
        if not self._deposed.is_set():
            self._deposed.set()
            self._turn.set()
            if not self._stopping.is_set():
                log.warning(
                    events.CLOCK_DEPOSED,
                    reason="the lease has gone to another clock; standing by",
                )

    # -- for the tenure --------------------------------------------------------

    def depose(self) -> None:
        """Note, from any thread, that the lease is no longer ours."""
        self._depose()

    def wait(self) -> bool:
        """Wait for the next turn; return False when the tenure is over."""
        self._turn.wait(TURN_S)
        self._turn.clear()
        return not (self._stopping.is_set() or self._deposed.is_set())

    def reload_requested(self) -> bool:
        """Return whether SIGHUP came since the last call."""
        requested = self._reload.is_set()
        self._reload.clear()
        return requested


class _Tenure:
    """The time between getting the lease and losing it or giving it back."""

    def __init__(
        self,
        daemon: Daemon,
        installation: Installation,
        store: Store,
        runner: Runner,
        keeper: LeaseKeeper,
    ) -> None:
        self._daemon = daemon
        self._installation = installation
        self._store = store
        self._keeper = keeper
        self._file = FileWatch(installation.path)
        self._launcher = installation.make_launcher(runner)
        self._watcher = Watcher(
            store,
            {runner.kind: runner},
            host=host_name(),
            hooks=WatchHooks(
                ended=self._ended,
                relaunch=lambda run, attempt: self._dispatcher.relaunch(run, attempt),
                shown=installation.shown,
            ),
        )
        self._dispatcher = Dispatcher(
            store,
            self._launcher,
            self._watcher,
            authority=keeper,
            on_lost=daemon.depose,
        )
        self._scheduler = self._make_scheduler()
        self._abandoned = AbandonedRuns(store)

    def _make_scheduler(self) -> ClockScheduler:
        return make_scheduler(
            self._store,
            fence=lambda: self._keeper.fence,
            fire=lambda _trigger_id, _fire_times: self._dispatcher.wake(),
            on_lost=self._daemon.depose,
        )

    def serve(self) -> None:
        """Be the clock until told to stop, or deposed."""
        self._load_at_start()
        self._watcher.start()
        self._watcher.adopt()
        self._dispatcher.start()
        self._scheduler.start()
        log.info(events.CLOCK_READY)
        self._scheduler.every(SWEEP_S, self._sweep)
        self._scheduler.every(PRUNE_HOURS * 3600.0, self._prune)
        try:
            while self._daemon.wait():
                self._mind_file()
        finally:
            self._end()

    def _end(self) -> None:
        log.info(events.CLOCK_STOPPING, following=self._watcher.active)
        self._scheduler.end()
        self._launcher.close()
        self._dispatcher.stop(timeout_s=3.5)
        self._watcher.stop(timeout_s=1.0)

    def _ended(self, run: Run) -> None:
        self._dispatcher.ended(run)

    # -- the file --------------------------------------------------------------

    def _load_at_start(self) -> None:
        """Write the file's triggers into the books; without a good file, keep them."""
        self._file.changed()
        loaded = config.load(
            self._installation.path, settings=self._installation.settings
        )
        if loaded.problems and not self._store.triggers.definitions():
            raise ConfigError(
                f"{self._installation.path} cannot be used",
                hint="there is no last good set of triggers to run instead",
                problems=loaded.problems,
            )
        self._apply(loaded)

    def _mind_file(self) -> None:
        """Load the file again when it has changed, or SIGHUP says so."""
        requested = self._daemon.reload_requested()
        if not (self._file.changed() or requested):
            return
        loaded = config.load(
            self._installation.path, settings=self._installation.settings
        )
        try:
            self._apply(loaded)
        except StoreUnavailable as error:
            log.error(events.STORE_FAILED, reason=error.message, during="reload")
            self._file.forget()

    def _apply(self, loaded: config.Loaded) -> None:
        for problem in loaded.warnings:
            log.warning(events.CONFIG_LOADED, warning=str(problem))
        if loaded.problems:
            for problem in loaded.problems:
                log.error(events.CONFIG_REJECTED, problem=str(problem))
            log.error(
                events.CONFIG_REJECTED,
                problems=len(loaded.problems),
                reason="the last good set of triggers goes on running",
            )
            return
        result = self._store.triggers.sync(
            loaded.triggers, fence=self._keeper.fence, now=clock.now()
        )
        _log_sync(result, loaded)
        self._scheduler.wakeup_if_running()
        self._dispatcher.wake()

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


def _tell_standby(lease: Lease) -> None:
    log.info(
        events.CLOCK_STANDBY,
        holder=lease.holder,
        reason="another clock holds the lease; this one waits for it",
    )


def _log_sync(result: SyncResult, loaded: config.Loaded) -> None:
    for event, slugs in (
        (events.TRIGGER_ADDED, result.added),
        (events.TRIGGER_CHANGED, result.changed),
        (events.TRIGGER_REMOVED, result.removed),
    ):
        for slug in slugs[:50]:
            log.info(event, trigger=slug)
    log_claimed(result.planned)
    log.info(
        events.CONFIG_LOADED,
        triggers=len(loaded.triggers),
        added=len(result.added),
        changed=len(result.changed),
        removed=len(result.removed),
    )
