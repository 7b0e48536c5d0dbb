"""The daemon: waits for the lease, then is the clock until told to stop."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import structlog

from clockd import __version__, clock, events, failpoints
from clockd.compose import process_name
from clockd.errors import LeaseLost, StoreUnavailable
from clockd.lease import STALE_S, LeaseKeeper
from clockd.signals import listen
from clockd.tenure import Orders, Tenure

if TYPE_CHECKING:
    from clockd.compose import Installation
    from clockd.store import Lease, Store

#: A stop takes no longer, whatever hangs: Heroku gives 30 s, people less.
STOP_S = 4.8
_STORE_RETRY_S = 2.0

log = structlog.get_logger()


class Daemon:
    """One `clockd start`.

    Args:
        installation: Environment and triggers.yaml.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._orders = Orders()

    def run(self) -> int:
        """Be the clock, or its standby, until a signal says stop; return 0.

        Raises:
            ConfigError: triggers.yaml has problems and there is no last good set.
            SettingsError: The environment asks for something impossible.
            StoreTooNew: A newer clockd has written the database.
        """
        failpoints.arm(self._installation.settings.failpoint)
        listen(self._on_signal)  # to the last: who is told twice is not killed
        log.info(
            events.CLOCK_STARTED,
            version=__version__,
            triggers=str(self._installation.path),
        )
        if not self._installation.loaded.problems:
            # Better said now than when the lease comes.
            self._installation.make_runners().require(self._installation.kind)
        store = self._open_store()
        if store is None:
            return 0
        try:
            self._warn(store)
            with clock.steadied():
                self._live(store)
        finally:
            store.close()
        log.info(events.CLOCK_STOPPED)
        return 0

    # -- signals ---------------------------------------------------------------

    def _on_signal(self, number: int) -> None:
        """Do what a signal says; a platform may say stop more than once."""
        if number == signal.SIGHUP:
            self._orders.read_again()
        elif not self._orders.stopping.is_set():
            force = threading.Timer(STOP_S, _leave_at_once)
            force.daemon = True
            force.start()
            self._orders.stop()

    # -- start and end ---------------------------------------------------------

    def _open_store(self) -> Store | None:
        """Open the database, however long it takes; None when told to stop first."""
        while not self._orders.stopping.is_set():
            try:
                return self._installation.open_store()
            except StoreUnavailable as error:
                log.error(events.STORE_FAILED, reason=error.message, hint=error.hint)
                self._orders.stopping.wait(_STORE_RETRY_S)
        return None

    def _warn(self, store: Store) -> None:
        if self._installation.settings.on_dyno and store.dialect == "sqlite":
            log.warning(
                events.CLOCK_WARNED,
                reason="the database is an SQLite file on this dyno's disk, which is "
                "lost at every restart: with it go all runs, and what was missed",
                hint="heroku addons:create heroku-postgresql:essential-0",
            )

    def _live(self, store: Store) -> None:
        while True:
            keeper = LeaseKeeper(store, process_name(), self._orders.depose)
            if not keeper.wait(self._orders.stopping, _tell_standby):
                return
            self._orders.deposed.clear()
            self._be_the_clock(store, keeper)

    def _be_the_clock(self, store: Store, keeper: LeaseKeeper) -> None:
        """Serve one tenure, and give the lease back whatever ends it."""
        try:
            log.info(events.CLOCK_ACTIVE, fence=keeper.fence)
            Tenure(self._installation, store, keeper, self._orders).serve()
        except LeaseLost:
            self._orders.depose()
        except StoreUnavailable as error:
            log.error(events.STORE_FAILED, reason=error.message, hint=error.hint)
            self._orders.stopping.wait(_STORE_RETRY_S)
        finally:
            keeper.release()


def _leave_at_once() -> None:
    """End the process though something hangs; whatever matters is on record."""
    log.warning(events.CLOCK_STOPPED, reason="something did not end in time")
    os._exit(0)


def _tell_standby(lease: Lease) -> None:
    reason = "another clock holds the lease; this one waits for it"
    if lease.holder == process_name():
        reason = (
            "a clock of the same name holds the lease; should it be a predecessor that "
            f"was killed, this one takes over after {STALE_S:g} s"
        )
    log.info(
        events.CLOCK_STANDBY,
        holder=lease.holder,
        fence=lease.fence,
        since=lease.taken_at,
        reason=reason,
    )
