"""The world of the state machine: a platform, a database, a file, and processes.

It also keeps what the books are compared with: when each definition was in force, when
triggers were paused, what the wall clock did.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from clockd import clock, failpoints
from clockd.errors import StoreUnavailable
from clockd.model import Cause
from clockd.store import Store
from tests.chaos.machine_platform import Platform, Task
from tests.chaos.machine_process import PARTS, Process
from tests.chaos.machine_threads import Killed
from tests.chaos.machine_time import START, STEP_S
from tests.chaos.machine_triggers import TRIGGERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clockd.model import Trigger
    from tests.chaos.machine_process import Tenure
    from tests.chaos.machine_threads import Complaints
    from tests.chaos.machine_time import Time

#: Turns in which all has to come to an end when nothing fails any more.
_PATIENCE = 900


@dataclass(eq=False)
class Life:
    """A definition of a trigger: its fire times in (since, until] are due."""

    trigger: Trigger
    since: datetime
    until: datetime | None = None
    forgotten: bool = False  #: its fire times may be missing from the books


@dataclass(eq=False)
class Pause:
    """When a trigger was paused."""

    uuid: str
    since: datetime
    until: datetime | None = None


class Faults:
    """What goes wrong with processes and their database."""

    def __init__(self) -> None:
        self.away = False  #: the database cannot be reached
        self.answers_lost = 0  #: so many commits more are done, and not answered
        self.deadly_step: str | None = None
        self.commits = 0

    def reach(self, step: str) -> None:
        """Kill the process if this is the step at which it is to die."""
        if self.deadly_step == step:
            self.deadly_step = None
            raise Killed

    def follow(self, store: Store) -> None:
        """Let these faults befall a store."""
        hurry(store)
        database: Any = store._database
        read, write = database.read, database.write

        @contextmanager
        def faulty_read(**given: Any) -> Iterator[Any]:
            self._check()
            with read(**given) as connection:
                yield connection

        @contextmanager
        def faulty_write(**given: Any) -> Iterator[Any]:
            self._check()
            with write(**given) as connection:
                yield connection
            self.commits += 1
            if self.answers_lost:
                self.answers_lost -= 1
                raise StoreUnavailable("the answer was lost")

        database.read, database.write = faulty_read, faulty_write

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("the database is away")


def hurry(store: Store) -> None:
    """Spare a store the wait for its disk: no machine loses its power here."""
    if store.dialect == "sqlite":

        @event.listens_for(store.engine, "connect")
        def set_up(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA synchronous = OFF")

        store.engine.dispose()


@dataclass(eq=False)
class World:
    """Everything there is; `url` is that of a fresh database."""

    url: str
    time: Time
    complaints: Complaints
    faults: Faults = field(default_factory=Faults)
    processes: list[Process] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    trespasses: list[str] = field(default_factory=list)
    file_version: int = 0
    claiming: bool = True
    #: Fire times up to here must be on record in the end.
    settled_at: datetime = START
    jumped_s: float = 0.0  #: all jumps of the wall clock, added up
    _names: int = 0

    def __post_init__(self) -> None:
        failpoints.reach = self.faults.reach
        self.platform = Platform(self.time)
        self.file = {trigger.slug: trigger for trigger in TRIGGERS}
        self.desk = Store.open(self.url, migrate=False)
        hurry(self.desk)
        self.start()

    def close(self) -> None:
        """End everything."""
        for process in self.processes:
            process.die()
        self.desk.close()

    @staticmethod
    def now() -> datetime:
        """Return the time of the process that acts."""
        return clock.now()

    def at(self, true_s: float) -> datetime:
        """Return what our wall clock shows at a true instant, as it is set now."""
        return self.time.wall + timedelta(seconds=true_s - self.time.elapsed_s)

    # -- processes and time ----------------------------------------------------

    def start(self) -> None:
        """Start a process."""
        self._names += 1
        self.processes.append(Process(self, f"clock.{self._names}"))
        self.turn(self.processes[-1])

    def let(self, process: Process, act: Callable[[], object]) -> None:
        """Let a process do something; it may be killed at it."""
        with process.acting():
            try:
                act()
            except Killed:
                process.die()
        self.processes = [it for it in self.processes if it.alive]

    def turn(self, process: Process, parts: tuple[str, ...] = PARTS) -> None:
        """Let a process have its turn, or some parts of one."""
        self.let(process, lambda: process.turn(parts))

    def pass_time(self, seconds: float, turns: int) -> None:
        """Let time pass; each process that is awake has so many turns meanwhile."""
        for _ in range(turns):
            self.platform.advance(self.time.elapsed_s + seconds / turns)
            for process in list(self.processes):
                if not process.frozen:
                    self.turn(process)

    def jump(self, seconds: float) -> None:
        """Set the wall clock."""
        self.time.jump_s += seconds
        self.jumped_s += abs(seconds)

    @property
    def holder(self) -> Process | None:
        """The process that is the clock, or believes so."""
        return next((it for it in self.processes if it.tenure is not None), None)

    def trespass(self) -> None:
        """Let whoever lost its lease, unknowingly, try what only the clock may."""
        fence = self.desk.lease.read().fence
        for process in list(self.processes):
            tenure = process.tenure
            if tenure is not None and tenure.keeper._fence not in (None, fence):
                before = self._on_record()
                self.let(process, partial(self._trespass, tenure))
                if self._on_record() != before:
                    self.trespasses.append("a stale fence has changed something")

    def _trespass(self, tenure: Tenure) -> None:
        done = tenure.trespass()
        self.trespasses += [f"{what} with a stale fence" for what in done]

    def _on_record(self) -> list[Any]:
        return [self.desk.runs.list(limit=10_000), self.desk.triggers.list()]

    # -- what people do --------------------------------------------------------

    def edit(self, old: str, new: Trigger | None) -> None:
        """Replace a trigger of the file by another, or by none."""
        self.file.pop(old, None)
        if new is not None:
            self.file[new.slug] = new
        self.file_version += 1

    def run_by_hand(self, trigger: Trigger, *, owned: bool) -> None:
        """Ask for a run; one with an owner who is never heard of again."""
        self.desk.runs.request(
            trigger,
            cause=Cause.MANUAL,
            by="ann",
            now=self.time.wall,
            owner="laptop:1" if owned else None,
        )

    def cancel(self, run_id: int) -> None:
        """Ask for a run to be cancelled."""
        self.desk.runs.cancel(run_id, by="ann", now=self.time.wall)

    def pause(self, slug: str) -> None:
        """Pause a trigger that is on record, or resume it."""
        known = self.desk.triggers.definitions()
        uuid = next((it.uuid for it in known if it.slug == slug), None)
        if uuid is None:
            return
        now = self.time.wall
        if self.desk.triggers.pause(uuid, by="ann", now=now):
            self.pauses.append(Pause(uuid, now))
        elif self.desk.triggers.resume(uuid, now=now):
            next(p for p in reversed(self.pauses) if p.uuid == uuid).until = now

    # -- what is in force ------------------------------------------------------

    @contextmanager
    def noting_edits(self, triggers: Sequence[Trigger]) -> Iterator[None]:
        """Note what is in force from now on, if it is committed within the block."""
        before, now = self.faults.commits, self.now().replace(microsecond=0)
        try:
            yield
        finally:
            if self.faults.commits > before:
                self._note_edit(triggers, now)

    def _note_edit(self, triggers: Sequence[Trigger], now: datetime) -> None:
        wanted = {trigger.uuid: trigger for trigger in triggers}
        for life in self.lives:
            if life.until is not None:
                continue
            if wanted.get(life.trigger.uuid) == life.trigger:
                del wanted[life.trigger.uuid]
            else:
                life.until = now
        self.lives += [Life(trigger, since=now) for trigger in wanted.values()]

    @contextmanager
    def noting_claims(self) -> Iterator[None]:
        """Note it if the books were taken back to where the clock is."""
        before, now = self.faults.commits, self.now().replace(microsecond=0)
        try:
            yield
        finally:
            if self.faults.commits > before:
                self._note_step_back(now)

    def _note_step_back(self, now: datetime) -> None:
        """Note what the books can no longer tell.

        What was put on record ahead of the clock is taken back and reckoned anew by the
        definition in force; one that had ended by then leaves no entries but its runs.
        """
        for life in self.lives:
            if life.since > now + timedelta(seconds=STEP_S):
                life.since = now
            if life.until is not None and life.until > now:
                life.forgotten = True

    # -- the end ---------------------------------------------------------------

    def settle(self) -> None:
        """Let nothing fail any more, and all come to its end."""
        self.platform.recover()
        self.platform.answers.clear()
        self.platform.task = Task(lasts_s=5.0)
        self.faults.away, self.faults.answers_lost = False, 0
        self.faults.deadly_step = None
        for process in self.processes:
            process.frozen = False
        if not self.processes:
            self.start()
        self.pass_time(90, 30)
        self._claim_to_the_end()
        for _ in range(_PATIENCE):
            if self._quiet:
                break
            self.pass_time(10, 1)

    def _claim_to_the_end(self) -> None:
        """Let the clock catch up with its own time, then claim nothing more."""
        for _ in range(60):
            next_at = self.desk.claims.next_fire_time()
            caught_up = next_at is None or next_at > self.time.wall
            if self.holder is not None and caught_up:
                break
            self.pass_time(5, 1)
        self.claiming = False
        self.settled_at = self.time.wall.replace(microsecond=0)

    @property
    def _quiet(self) -> bool:
        poll = self.desk.runs.poll(self.time.wall)
        waits = poll.due or poll.next_not_before is not None
        return not (waits or self.platform.alive or self.desk.attempts.active())
