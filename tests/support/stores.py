"""An open store that is the clock, with the calls that most tests begin with."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from clockd.model import (
    NO_LIMITS,
    Cause,
    Limits,
    Outcome,
    RunnerKind,
    ScheduleKind,
    Trigger,
)
from clockd.runner import Dyno
from clockd.store import AttemptPlan, LaunchedDyno, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from clockd.model import Attempt, Run
    from clockd.store import Claimed, NotNow, SyncResult, Taken

#: A Tuesday, at a whole second.
NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def trigger(
    slug: str = "report", expression: str = "* * * * *", **more: Any
) -> Trigger:
    """Return a trigger that fires every minute, unless told otherwise."""
    given: dict[str, Any] = {
        "command": f"bin/{slug}",
        "schedule_kind": ScheduleKind.CRON,
        "app": "sharp-mountain",
    }
    return Trigger(slug=slug, expression=expression, **given | more)


def one_off(slug: str, at: datetime, **more: Any) -> Trigger:
    """Return a trigger that fires once."""
    return trigger(
        slug, f"{at:%Y-%m-%d %H:%M:%S}", schedule_kind=ScheduleKind.AT, **more
    )


def plan(run: Run) -> AttemptPlan:
    """Plan an attempt that no other can be mistaken for."""
    return AttemptPlan(
        runner=RunnerKind.HEROKU,
        app=run.trigger.app,
        command=run.trigger.command,
        process_type="clockd",
        size="basic",
        time_to_live_s=1860,
    )


def twin_plan(run: Run) -> AttemptPlan:
    """Plan an attempt that can be told from others by its command alone."""
    return AttemptPlan(
        runner=RunnerKind.HEROKU,
        app=run.trigger.app,
        command=run.trigger.command,
        process_type="clockd",
        size=None,
        time_to_live_s=1860,
        twin=run.trigger.command,
    )


@dataclass(kw_only=True)
class Books:
    """A store, and the fence of its clock."""

    store: Store
    fence: int
    url: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def load(self, *triggers: Trigger, now: datetime = NOON) -> SyncResult:
        """Take a file's triggers over."""
        return self.store.triggers.sync(triggers, fence=self.fence, now=now)

    def claim(self, now: datetime) -> Claimed:
        """Claim what is due."""
        return self.store.claims.claim(fence=self.fence, now=now)

    def take(
        self,
        now: datetime,
        limit: int = 16,
        plan: Callable[[Run], AttemptPlan] = plan,
        admit: Callable[[Run], NotNow | None] = lambda _run: None,
        limits: Limits = NO_LIMITS,
    ) -> Taken:
        """Take what is due from the line."""
        return self.store.runs.take(
            now=now,
            limit=limit,
            plan=plan,
            admit=admit,
            fence=self.fence,
            limits=limits,
        )

    def ask(self, trigger: Trigger, now: datetime = NOON, **more: Any) -> Run:
        """Put a run by hand in the line."""
        return self.store.runs.request(
            trigger, cause=Cause.MANUAL, by="ann", now=now, **more
        )

    def begin(self, trigger: Trigger, now: datetime = NOON) -> tuple[Run, Attempt]:
        """Return a run by hand that is launching."""
        asked = self.ask(trigger, now)
        started = self.take(now).started
        return next(pair for pair in started if pair[0].id == asked.id)

    def answer(
        self, attempt: Attempt, at: datetime | None = None, **dyno: Any
    ) -> LaunchedDyno:
        """Return the platform's answer to an attempt's launch."""
        at = at or attempt.requested_at
        number = next(self._numbers)
        given: dict[str, Any] = {
            "app": attempt.app,
            "name": f"clockd.{number}",
            "id": f"dyno-{number}",
            "command": attempt.command,
            "process_type": attempt.process_type,
            "state": "starting",
            "size": attempt.size,
            "created_at": at.replace(microsecond=0),
        }
        return LaunchedDyno(
            attempt_id=attempt.id,
            requested_at=attempt.requested_at,
            dyno=Dyno(**given | dyno),
            launched_at=at,
        )

    def run(self, trigger: Trigger, now: datetime = NOON) -> tuple[Run, Attempt]:
        """Return a run by hand whose dyno is known."""
        run, attempt = self.begin(trigger, now)
        assert self.store.attempts.launched([self.answer(attempt)], now) == set()
        run = self.store.runs.get(run.id)
        return run, run.attempts[-1]

    def end(
        self,
        attempt: Attempt,
        now: datetime,
        outcome: Outcome = Outcome.SUCCEEDED,
        status: int | None = 0,
    ) -> Run | None:
        """Write an attempt's end."""
        return self.store.attempts.finish(
            attempt.id, outcome=outcome, exit_status=status, reason="it ended", now=now
        )

    def reload(self, run: Run) -> Run:
        """Return a run as it is now."""
        return self.store.runs.get(run.id)


def slugs(started: Iterable[tuple[Run, Attempt]]) -> list[str]:
    """Return whose runs have started."""
    return [run.trigger.slug for run, _ in started]


def ask(books: Books, *names: str, now: datetime = NOON, **more: Any) -> list[Run]:
    """Put a run of each of some triggers in the line."""
    return [books.ask(trigger(name, **more), now) for name in names]


def claimed(books: Books, *triggers: Trigger, now: datetime) -> None:
    """Have what triggers have due until now on record."""
    books.load(*triggers, now=NOON)
    books.claim(now)


def execute(url: str, statement: str, **values: Any) -> list[Any]:
    """Run one statement behind the store's back; return its rows."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement), values)
            return list(result) if result.returns_rows else []
    finally:
        engine.dispose()


@contextlib.contextmanager
def open_books(url: str) -> Iterator[Books]:
    """Open a database and be its clock."""
    store = Store.open(url)
    try:
        fence = store.lease.take(store.lease.read(), "web.1:7", NOON)
        assert fence is not None
        yield Books(store=store, fence=fence, url=url)
    finally:
        store.close()
