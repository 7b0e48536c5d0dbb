"""A run that waits for the platform, and the next fire times of its trigger."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from clockd.model import CatchUp, Hold, Outcome, Overlap, RunState
from clockd.store import NotNow
from tests.support.stores import (
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    Books,
    plan,
    trigger,
)

if TYPE_CHECKING:
    from clockd.model import Attempt, Run, Trigger


def hourly(**more: Any) -> Trigger:
    return trigger("hourly", "0 * * * *", **more)


def fire(books: Books, report: Trigger) -> tuple[Run, Attempt]:
    """Let a trigger fire at one, and put its attempt on record as launching."""
    books.load(report)
    books.claim(NOON + HOUR)
    ((run, attempt),) = books.take(NOON + HOUR).started
    return run, attempt


def put_back(books: Books, attempt: Attempt, until: timedelta) -> None:
    """Let the platform be away."""
    assert books.store.attempts.requeue(
        attempt.id,
        attempt.requested_at,
        not_before=NOON + until,
        hold=Hold.BACKOFF,
        reason="away",
    )


def test_a_launch_that_hangs_does_not_cost_the_next_fire_time(books: Books) -> None:
    first, attempt = fire(books, hourly())
    books.claim(NOON + 2 * HOUR)

    ((second, _),) = books.take(NOON + 2 * HOUR).waiting
    assert second.hold is Hold.START
    put_back(books, attempt, 2 * HOUR)

    taken = books.take(NOON + 2 * HOUR + SECOND)
    assert [run.id for run, _ in taken.started] == [second.id]
    assert books.reload(first).outcome is Outcome.SKIPPED
    assert "superseded" in (books.reload(first).reason or "")


def test_a_retry_never_reaches_the_next_fire_time_though_the_platform_is_away(
    books: Books,
) -> None:
    first, attempt = fire(books, hourly(retries=3, retry_delay_s=60))
    books.store.attempts.launched([books.answer(attempt)], NOON + HOUR)
    books.end(attempt, NOON + HOUR + MINUTE, Outcome.FAILED, 9)
    away = NotNow(not_before=NOON + 9 * HOUR, hold=Hold.BACKOFF, reason="away")
    books.take(NOON + HOUR + 3 * MINUTE, admit=lambda _: away)
    books.claim(NOON + 2 * HOUR)

    taken = books.take(NOON + 2 * HOUR)

    ((second, _),) = taken.started
    assert second.fire_time == NOON + 2 * HOUR
    assert [run.id for run in taken.dropped] == [first.id]
    ended = books.reload(first)
    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 9)
    assert "next fire time" in (ended.reason or "")


def test_under_queue_a_retry_is_not_given_up(books: Books) -> None:
    report = hourly(retries=3, retry_delay_s=60, overlap=Overlap.QUEUE)
    first, attempt = fire(books, report)
    books.store.attempts.launched([books.answer(attempt)], NOON + HOUR)
    books.end(attempt, NOON + HOUR + MINUTE, Outcome.FAILED, 9)
    books.claim(NOON + 2 * HOUR)

    ((again, _),) = books.take(NOON + 2 * HOUR).started

    assert (again.id, again.attempt) == (first.id, 2)


def test_a_replacing_run_is_not_missed_while_the_old_one_is_stopped(
    books: Books,
) -> None:
    report = hourly(overlap=Overlap.REPLACE, catch_up=CatchUp(within_s=0))
    _, attempt = fire(books, report)
    books.store.attempts.launched([books.answer(attempt)], NOON + HOUR)
    books.claim(NOON + 2 * HOUR)
    books.take(NOON + 2 * HOUR)
    books.end(attempt, NOON + 2 * HOUR + 2 * MINUTE, Outcome.CANCELLED)

    ((run, _),) = books.take(NOON + 2 * HOUR + 2 * MINUTE).started

    assert run.fire_time == NOON + 2 * HOUR


def test_a_trigger_that_came_back_runs_by_hand_before_a_clock_has_seen_it(
    books: Books,
) -> None:
    report = hourly()
    books.load(report)
    books.load(now=NOON + MINUTE)
    old = books.ask(report, NOON)
    run = books.ask(report, NOON + 2 * MINUTE, owner="laptop:9")

    taken = books.store.runs.take(
        now=NOON + 2 * MINUTE, limit=1, plan=plan, owner="laptop:9"
    )

    assert [started.id for started, _ in taken.started] == [run.id]
    ((dropped),) = books.take(NOON + 2 * MINUTE).dropped
    assert (dropped.id, dropped.reason) == (old.id, "removed")
    assert books.reload(run).state is RunState.LAUNCHING
