"""`clockd run-now`: run a trigger by hand and follow it to its end.

With a live clock the run is a row that the clock launches and follows; this process
only reads along. Without one, this process owns the run and does both itself, with the
same code; when it goes, the clock (or its next start) takes the run over.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clockd import clock, config, service
from clockd.compose import host_name, process_name
from clockd.errors import ConflictError, NotFoundError
from clockd.jobs import Dispatcher
from clockd.launch import Launcher
from clockd.lease import STALE_S
from clockd.model import Cause, Hold, Outcome, OutputLine, RunnerKind, RunState
from clockd.ownership import RunOwner, new_owner
from clockd.watch import Watcher, WatchHooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from clockd.compose import Installation
    from clockd.model import Limits, Run, Trigger
    from clockd.runner import LogLine
    from clockd.store import Lease, Store

POLL_S = 0.2
_PLACES = {RunnerKind.HEROKU: "on Heroku", RunnerKind.LOCAL: "on this machine"}

TIMED_OUT = 124
NOT_STARTED = 125
INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Whom `run-now` tells while it waits."""

    #: The run exists now; the flag says whether a live clock takes care of it.
    begun: Callable[[Run, bool], None]
    #: Something was printed.
    line: Callable[[OutputLine], None]


class RunNow:
    """One `clockd run-now`.

    Args:
        installation: Environment and triggers.yaml.
        store: The database.
        listener: Whom to tell.
        interrupted: Set from a signal handler: stop following, leave the run alone.
    """

    def __init__(
        self,
        installation: Installation,
        store: Store,
        listener: Listener,
        *,
        interrupted: threading.Event,
    ) -> None:
        self._installation = installation
        self._store = store
        self._listener = listener
        self._interrupted = interrupted
        self._runners = installation.make_runners()
        self._printed = 0
        self._waits_for: str | None = None

    def run(self, slug: str, *, by: str, detach: bool) -> Run:
        """Run a trigger; return the run as it stands when following it has ended.

        Raises:
            NotFoundError: There is no such trigger.
            ConfigError: No clock is running and triggers.yaml has problems.
            ConflictError: Likewise, and the clock's tasks run somewhere else.
            SettingsError: Likewise, tasks run on Heroku, and there is no key.
        """
        lease = self._store.lease.read()
        if lease.holder is None:
            return self._run_here(self._from_file(slug), by=by, detach=detach)
        run = service.request_run(self._store, self._known(slug), by=by)
        self._listener.begun(run, True)
        return self._read_along(run, lease, detach=detach)

    def _from_file(self, slug: str) -> Trigger:
        config.require(self._installation.loaded)
        return service.find_trigger(self._installation.loaded.triggers, slug)

    def _known(self, slug: str) -> Trigger:
        """Return a trigger of the live clock, which may not have loaded it yet."""
        try:
            return self._store.triggers.find(slug).trigger
        except NotFoundError as error:
            loaded = self._installation.loaded
            if any(slug in (t.slug, t.uuid) for t in loaded.triggers):
                raise NotFoundError(
                    f"the running clock does not know trigger {slug!r} yet",
                    hint="triggers.yaml here has it: deploy it, or wait for the reload",
                ) from error
            raise

    # -- with a live clock -----------------------------------------------------

    def _read_along(self, run: Run, lease: Lease, *, detach: bool) -> Run:
        """Print what the clock writes; take the run over if the clock is dead.

        To detach, it is enough that the clock has taken the run, or gives a beat.
        """
        beat_at = clock.boottime()
        while True:
            over = self._interrupted.wait(POLL_S)
            run = self._store.runs.get(run.id)
            taken = run.attempt > 0 or run.state is not RunState.WAITING
            if not detach:
                self._print_new(run)
                self._tell_waiting(run)
            if over or run.state is RunState.FINISHED or (detach and taken):
                return run
            now_lease = self._store.lease.read()
            if (now_lease.fence, now_lease.beat) != (lease.fence, lease.beat):
                if detach:
                    return run
                lease, beat_at = now_lease, clock.boottime()
            elif clock.boottime() - beat_at >= STALE_S and not taken:
                owner = new_owner(process_name())
                if self._take_over(run, owner):
                    return self._attend(run, owner, detach=detach)

    def _take_over(self, run: Run, owner: str) -> bool:
        """Take a run from a dead clock, unless that would have run it elsewhere."""
        if self._other_place() is not None:
            return False
        self._runners.require(self._installation.kind)
        return self._store.runs.take_over(run.id, owner)

    def _print_new(self, run: Run) -> None:
        for line in self._store.output.lines(run.id, after=self._printed):
            self._printed = line.sequence
            self._listener.line(line)

    def _tell_waiting(self, run: Run) -> None:
        """Say what a run is held for, once."""
        # Between attempts the reason is how the last one ended.
        held = run.hold not in (None, Hold.RETRY)
        reason = run.reason if held else None
        if reason and reason != self._waits_for:
            text = f"run {run.id} waits: {reason}"
            self._listener.line(OutputLine(at=clock.now(), source="clockd", text=text))
        self._waits_for = reason

    # -- without one -----------------------------------------------------------

    def _run_here(self, trigger: Trigger, *, by: str, detach: bool) -> Run:
        owner = new_owner(process_name())
        self._refuse_other_place()
        self._runners.require(self._installation.kind)
        run = self._store.runs.request(
            trigger, cause=Cause.MANUAL, by=by, now=clock.now(), owner=owner
        )
        self._listener.begun(run, False)
        return self._attend(run, owner, detach=detach)

    def _other_place(self) -> RunnerKind | None:
        """Return where the database's clock runs tasks, if nobody says it is here.

        What was only detected may be wrong: a production database is used from a
        laptop as well, which has no key.
        """
        installation = self._installation
        told = installation.settings.runner is not None
        if told or installation.loaded.runner != "auto":
            return None
        place = self._store.triggers.runner()
        return None if place is installation.kind else place

    def _refuse_other_place(self) -> None:
        place, here = self._other_place(), self._installation.kind
        if place is None:
            return
        key = "HEROKU_API_KEY, or " if place is RunnerKind.HEROKU else ""
        raise ConflictError(
            f"this database's clock runs tasks {_PLACES[place]}; here they would run "
            f"{_PLACES[here]}",
            hint=f"set {key}CLOCKD_RUNNER={here.value} if that is meant",
        )

    def _attend(self, run: Run, owner: str, *, detach: bool) -> Run:
        """Launch and follow a run that this process owns."""
        authority = RunOwner(self._store, run.id, owner)
        kind, runners = self._installation.kind, self._runners
        launcher = Launcher(runners, self._installation.launch_settings(kind))
        watcher = Watcher(
            self._store,
            runners,
            host=host_name(),
            hooks=WatchHooks(
                line=self._pass_on,
                ended=lambda ended: dispatcher.ended(ended),
                shown=self._installation.shown,
            ),
        )
        dispatcher = Dispatcher(self._store, launcher, watcher, authority=authority)
        dispatcher.limits = self._limits()
        authority.start()
        watcher.start()
        dispatcher.start()
        dispatcher.wake()
        try:
            return self._wait(run, detach=detach)
        finally:
            launcher.close()
            dispatcher.stop(timeout_s=3.5)
            watcher.stop(timeout_s=1.0)
            authority.release()

    def _limits(self) -> Limits:
        """Return the file's limits, or where it is broken those of the last good one.

        What waits in line for a clock does not count: nobody may ever take it.
        """
        loaded = self._installation.loaded
        return self._store.triggers.limits() if loaded.problems else loaded.limits

    def _pass_on(self, _run: Run, line: LogLine) -> None:
        self._listener.line(OutputLine(at=line.at, source=line.source, text=line.text))

    def _wait(self, run: Run, *, detach: bool) -> Run:
        while True:
            over = self._interrupted.wait(POLL_S)
            run = self._store.runs.get(run.id)
            started = run.state in (RunState.RUNNING, RunState.STOPPING)
            self._tell_waiting(run)
            if over or run.state is RunState.FINISHED or (detach and started):
                return run


def exit_code(run: Run) -> int:
    """Return what `run-now` exits with for a finished run.

    The task's own status; 124 timed out, 125 not started; 1 where nothing better is
    known of how it ended.
    """
    if run.outcome is Outcome.SUCCEEDED:
        return 0
    if run.outcome is Outcome.TIMED_OUT:
        return TIMED_OUT
    if run.outcome in (Outcome.SKIPPED, Outcome.MISSED, Outcome.LAUNCH_FAILED):
        return NOT_STARTED
    return run.exit_status or 1
