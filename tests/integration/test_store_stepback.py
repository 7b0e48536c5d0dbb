"""What was put on record ahead of the clock is taken back; nothing happens twice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clockd.errors import LeaseLost
from clockd.model import CatchUp, Hold, Outcome, Overlap, RunState
from clockd.schedule import Schedule
from tests.support.stores import HOUR, MINUTE, NOON, SECOND, Books, one_off, trigger

if TYPE_CHECKING:
    from datetime import datetime

    from clockd.model import Run

DAY = timedelta(days=1)


def _runs(books: Books) -> list[Run]:
    return books.store.runs.list(limit=10_000)


def _step_back(books: Books, now: datetime) -> int:
    return books.store.claims.step_back(fence=books.fence, now=now)


def _accounted(books: Books) -> list[datetime]:
    """Return every fire time that is on record, rows of minutes spelled out."""
    return sorted(
        run.fire_time + n * MINUTE
        for run in _runs(books)
        if run.fire_time
        for n in range(run.fire_count)
    )


def test_a_day_that_was_missed_ahead_is_still_to_come(books: Books) -> None:
    books.load(trigger("hourly", "30 * * * *"))
    books.claim(NOON + DAY)

    assert _step_back(books, NOON + MINUTE) == 1

    assert _runs(books) == []
    assert books.store.claims.next_fire_time() == NOON + 30 * MINUTE


def test_fire_times_that_passed_meanwhile_are_accounted_for(books: Books) -> None:
    books.load(trigger(catch_up=CatchUp(within_s=600)))
    books.claim(NOON + DAY)
    _step_back(books, NOON + 10 * MINUTE)

    books.claim(NOON + 10 * MINUTE)

    newest, missed = _runs(books)
    assert (newest.fire_time, newest.state) == (NOON + 10 * MINUTE, RunState.WAITING)
    assert (missed.outcome, missed.fire_count) == (Outcome.MISSED, 9)


def test_what_a_clock_ahead_has_started_is_not_started_again(books: Books) -> None:
    books.load(trigger())
    books.claim(NOON + HOUR)
    ((early, _),) = books.take(NOON + HOUR).started
    assert early.fire_time == NOON + HOUR
    _step_back(books, NOON + SECOND)

    for minute in range(1, 90):
        books.claim(NOON + minute * MINUTE)

    assert _accounted(books) == [NOON + n * MINUTE for n in range(1, 90)]
    assert [run.id for run in _runs(books) if run.fire_time == NOON + HOUR] == [
        early.id
    ]


def test_an_outage_over_what_was_started_early_is_on_record_around_it(
    books: Books,
) -> None:
    books.load(trigger())
    books.claim(NOON + HOUR)
    books.take(NOON + HOUR)
    _step_back(books, NOON + SECOND)

    books.claim(NOON + 3 * HOUR)

    assert _accounted(books) == [NOON + n * MINUTE for n in range(1, 181)]


@pytest.mark.parametrize("early", [1, 59], ids=["first", "last"])
def test_an_outage_that_begins_or_ends_with_it_loses_nothing(
    books: Books, early: int
) -> None:
    books.load(trigger())
    books.claim(NOON + early * MINUTE)
    books.take(NOON + early * MINUTE)
    _step_back(books, NOON - 2 * MINUTE)

    books.claim(NOON + HOUR)

    assert _accounted(books) == [NOON + n * MINUTE for n in range(-1, 61)]


def test_what_was_started_early_supersedes_nothing(books: Books) -> None:
    books.load(trigger(overlap=Overlap.ALLOW))
    books.claim(NOON + DAY)
    books.take(NOON + DAY)
    _step_back(books, NOON + SECOND)
    books.claim(NOON + MINUTE)

    taken = books.take(NOON + MINUTE)

    assert [run.fire_time for run, _ in taken.started] == [NOON + MINUTE]


def test_a_one_off_that_was_missed_ahead_fires_at_its_time(books: Books) -> None:
    books.load(one_off("launch", NOON + 2 * HOUR))
    books.claim(NOON + DAY)
    assert books.store.claims.next_fire_time() is None

    _step_back(books, NOON + HOUR)

    assert books.store.claims.next_fire_time() == NOON + 2 * HOUR
    assert len(books.claim(NOON + 2 * HOUR).runs) == 1


def test_a_one_off_first_seen_by_a_clock_ahead_fires_at_its_time(books: Books) -> None:
    books.load(one_off("launch", NOON + 2 * HOUR), now=NOON + DAY)
    assert [run.outcome for run in _runs(books)] == [Outcome.MISSED]

    _step_back(books, NOON + HOUR)

    assert _runs(books) == []
    assert books.store.claims.next_fire_time() == NOON + 2 * HOUR


def test_a_trigger_first_seen_by_a_clock_ahead_fires_from_now_on(books: Books) -> None:
    books.load(trigger(), now=NOON + DAY)

    _step_back(books, NOON + 30 * SECOND)

    assert books.store.claims.next_fire_time() == NOON + MINUTE


def test_what_follows_an_edit_is_not_fired_for_the_time_before_it(books: Books) -> None:
    books.load(trigger())
    books.load(trigger(expression="*/5 * * * *"), now=NOON + 7 * MINUTE)
    books.claim(NOON + DAY)

    _step_back(books, NOON + 8 * MINUTE)

    assert books.store.claims.next_fire_time() == NOON + 10 * MINUTE


def test_clocks_of_two_hosts_may_differ_by_a_minute(books: Books) -> None:
    books.load(trigger())
    books.claim(NOON + MINUTE)

    assert _step_back(books, NOON + 5 * SECOND) == 0

    assert len(_runs(books)) == 1
    assert books.store.claims.next_fire_time() == NOON + 2 * MINUTE


def test_what_was_put_on_record_before_stays(books: Books) -> None:
    books.load(trigger())
    books.claim(NOON + 10 * MINUTE)
    before = _accounted(books)
    books.claim(NOON + DAY)

    _step_back(books, NOON + 10 * MINUTE + SECOND)

    assert _accounted(books) == before


def test_triggers_that_left_or_are_inactive_stay_as_they_are(books: Books) -> None:
    books.load(trigger("gone"), trigger("idle"))
    books.claim(NOON + DAY)
    books.load(trigger("idle", active=False), now=NOON + DAY)
    before = _accounted(books)

    assert _step_back(books, NOON) == 0

    assert _accounted(books) == before
    assert books.store.claims.next_fire_time() is None


def test_a_retry_planned_by_a_clock_ahead_waits_no_longer_than_it_should(
    books: Books,
) -> None:
    _, attempt = books.run(trigger(retries=1, retry_delay_s=120), NOON)
    failed = books.end(attempt, NOON + DAY, Outcome.FAILED, 1)
    assert failed is not None
    assert failed.hold is Hold.RETRY

    _step_back(books, NOON + MINUTE)

    assert books.reload(failed).not_before == NOON + MINUTE + 120 * SECOND


def test_a_retry_planned_before_keeps_its_time(books: Books) -> None:
    _, attempt = books.run(trigger(retries=1, retry_delay_s=600), NOON)
    failed = books.end(attempt, NOON, Outcome.FAILED, 1)
    assert failed is not None

    _step_back(books, NOON + MINUTE)

    assert books.reload(failed).not_before == NOON + 600 * SECOND


def test_a_run_that_was_held_or_asked_for_ahead_may_start_at_once(books: Books) -> None:
    asked = books.ask(trigger(), NOON + DAY)

    _step_back(books, NOON)

    assert [run.id for run, _ in books.take(NOON).started] == [asked.id]


def test_who_is_not_the_clock_takes_nothing_back(books: Books) -> None:
    books.load(trigger())
    books.claim(NOON + DAY)

    with pytest.raises(LeaseLost):
        books.store.claims.step_back(fence=books.fence + 1, now=NOON)

    assert len(_runs(books)) == 2


def test_a_run_put_back_in_line_by_a_clock_ahead_may_start_at_once(
    books: Books,
) -> None:
    books.load(trigger())
    books.claim(NOON + MINUTE)
    ((run, attempt),) = books.take(NOON + MINUTE).started
    books.store.attempts.requeue(
        attempt.id,
        attempt.requested_at,
        not_before=NOON + DAY,
        hold=None,
        reason="the lease was in doubt",
    )

    _step_back(books, NOON + 90 * SECOND)

    started = books.take(NOON + 90 * SECOND).started
    assert [again.id for again, _ in started] == [run.id]


def test_a_day_that_was_lived_through_twice_is_planned_in_little_time(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.load(trigger())
    for minute in range(1, 61):
        books.claim(NOON + minute * MINUTE)
        for _, attempt in books.take(NOON + minute * MINUTE).started:
            books.end(attempt, NOON + minute * MINUTE)
    before = _accounted(books)
    _step_back(books, NOON)
    asked: list[datetime] = []
    stock = Schedule.next

    def counted(schedule: Schedule, after: datetime) -> datetime | None:
        asked.append(after)
        return stock(schedule, after)

    monkeypatch.setattr(Schedule, "next", counted)
    books.claim(NOON + HOUR)

    assert _accounted(books) == before
    assert len(asked) < 10


def test_other_times_of_an_earlier_definition_hide_none_that_were_missed(
    books: Books,
) -> None:
    books.load(trigger(expression="*/20 * * * *"))
    for minute in (20, 40, 60):
        books.claim(NOON + minute * MINUTE)
        for _, attempt in books.take(NOON + minute * MINUTE).started:
            books.end(attempt, NOON + minute * MINUTE)
    _step_back(books, NOON)
    every_quarter = trigger(expression="*/15 * * * *", catch_up=CatchUp(within_s=60))
    books.load(every_quarter, now=NOON)

    books.claim(NOON + 74 * MINUTE)

    missed = [run for run in _runs(books) if run.outcome is Outcome.MISSED]
    assert [(run.fire_time, run.fire_count) for run in missed] == [
        (NOON + 15 * MINUTE, 3)
    ]
