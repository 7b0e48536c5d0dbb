"""`limits.runs_per_month` in the books: what is counted, and who is told of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from clockd.model import (
    NO_LIMITS,
    Hold,
    Limits,
    Outcome,
)
from clockd.store import LimitReached
from clockd.store.limits import bounds
from tests.support.stores import (
    MINUTE,
    NOON,
    SECOND,
    Books,
    ask,
    claimed,
    execute,
    slugs,
    trigger,
)

if TYPE_CHECKING:
    from clockd.model import Attempt
    from clockd.store import Taken

SKIPPED = "limit: 2 runs have started in 2026-11, and no more may"


def monthly(most: int, timezone: str = "UTC", places: int | None = None) -> Limits:
    """Return a limit of runs in a month."""
    return Limits(runs_per_month=most, timezone=timezone, concurrent_runs=places)


def use(books: Books, *names: str, now: datetime = NOON) -> list[Attempt]:
    """Have runs that have started, and ended."""
    attempts = [books.run(trigger(name), now)[1] for name in names]
    for attempt in attempts:
        books.end(attempt, now)
    return attempts


class TestMonths:
    def test_no_more_start_in_a_month(self, books: Books) -> None:
        ask(books, "a", "b", "c")

        taken = books.take(NOON, limits=monthly(2))

        assert slugs(taken.started) == ["a", "b"]
        (dropped,) = taken.dropped
        assert (dropped.outcome, dropped.reason) == (Outcome.SKIPPED, SKIPPED)
        assert books.reload(dropped) == dropped
        assert dropped.finished_at == NOON

    def test_those_that_have_ended_count(self, books: Books) -> None:
        use(books, "a", "b")
        ask(books, "c")

        assert len(books.take(NOON, limits=monthly(2)).dropped) == 1
        ask(books, "d")
        assert slugs(books.take(NOON, limits=monthly(3)).started) == ["d"]

    def test_of_fire_times_the_oldest_start(self, books: Books) -> None:
        claimed(
            books,
            trigger("late", "2 12 * * *"),
            trigger("early", "1 12 * * *"),
            now=NOON + 2 * MINUTE,
        )

        taken = books.take(NOON + 2 * MINUTE, limits=monthly(1))

        assert slugs(taken.started) == ["early"]
        assert [run.trigger.slug for run in taken.dropped] == ["late"]

    def test_the_next_month_has_runs_of_its_own(self, books: Books) -> None:
        use(books, "a", "b")
        ask(books, "c", now=datetime(2026, 12, 1, tzinfo=UTC))

        taken = books.take(datetime(2026, 12, 1, tzinfo=UTC), limits=monthly(2))

        assert slugs(taken.started) == ["c"]

    def test_the_month_is_that_of_the_fire_time(self, books: Books) -> None:
        last = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
        use(books, "a", "b")
        claimed(books, trigger("c", "59 23 30 11 *"), now=last)

        # It could not start before, and is November's all the same.
        (dropped,) = books.take(last + 5 * MINUTE, limits=monthly(2)).dropped

        assert dropped.reason == SKIPPED

    @pytest.mark.parametrize(
        ("timezone", "started"),
        [("Asia/Tokyo", ["new"]), ("UTC", []), ("America/New_York", [])],
    )
    def test_a_month_is_one_of_the_files_zone(
        self, books: Books, timezone: str, started: list[str]
    ) -> None:
        use(books, "a", "b")
        at = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)  # December, 5:00, in Tokyo
        ask(books, "new", now=at)

        taken = books.take(at, limits=monthly(2, timezone))

        assert slugs(taken.started) == started

    def test_a_month_begins_at_midnight_where_the_file_is(self) -> None:
        first, after = bounds("2026-10", "Europe/Amsterdam")

        # Summer time ends in between.
        assert first == datetime(2026, 9, 30, 22, 0, tzinfo=UTC)
        assert after == datetime(2026, 10, 31, 23, 0, tzinfo=UTC)

    @pytest.mark.parametrize("month", ["2026-12", "2028-02", "2026-01"])
    def test_months_follow_each_other_without_a_gap(self, month: str) -> None:
        first, after = bounds(month, "UTC")

        assert f"{first:%Y-%m-%d %H:%M}" == f"{month}-01 00:00"
        assert bounds(f"{after:%Y-%m}", "UTC")[0] == after

    def test_the_month_is_over_before_a_place_is_missed(self, books: Books) -> None:
        books.run(trigger("a"))
        ask(books, "b")

        taken = books.take(NOON, limits=monthly(1, places=1))

        assert (len(taken.dropped), taken.waiting) == (1, [])

    def test_who_waits_for_a_place_is_not_counted_yet(self, books: Books) -> None:
        _, attempt = books.run(trigger("a"))
        ask(books, "b", "c")
        limits = monthly(2, places=1)
        assert len(books.take(NOON, limits=limits).waiting) == 2
        books.end(attempt, NOON)

        assert slugs(books.take(NOON, limits=limits).started) == ["b"]
        (dropped,) = books.take(NOON + MINUTE, limits=limits).dropped
        assert dropped.trigger.slug == "c"

    def test_a_refused_launch_counts(self, books: Books) -> None:
        _, attempt = books.begin(trigger("a"))
        books.end(attempt, NOON, Outcome.LAUNCH_FAILED, None)
        ask(books, "b")

        assert len(books.take(NOON, limits=monthly(1)).dropped) == 1

    def test_what_was_put_back_is_not_counted(self, books: Books) -> None:
        run, attempt = books.begin(trigger("a"))
        books.store.attempts.requeue(
            attempt.id,
            attempt.requested_at,
            not_before=NOON + MINUTE,
            hold=Hold.BACKOFF,
            reason="away",
        )
        ask(books, "b")

        assert slugs(books.take(NOON, limits=monthly(1)).started) == ["b"]
        (dropped,) = books.take(NOON + MINUTE, limits=monthly(1)).dropped
        assert dropped.id == run.id

    def test_a_further_attempt_is_not_another_run(self, books: Books) -> None:
        run, attempt = books.run(trigger("a", retries=1, retry_delay_s=60))
        books.end(attempt, NOON, Outcome.FAILED, 1)

        ((started, _),) = books.take(NOON + MINUTE, limits=monthly(1)).started
        assert started.id == run.id
        ask(books, "b", now=NOON + MINUTE)
        (dropped,) = books.take(NOON + MINUTE, limits=monthly(1)).dropped
        assert (
            dropped.reason == "limit: 1 runs have started in 2026-11, and no more may"
        )

    def test_a_further_attempt_beside_new_runs_is_none_of_them(
        self, books: Books
    ) -> None:
        _, attempt = books.run(trigger("again", retries=1, retry_delay_s=60))
        books.end(attempt, NOON, Outcome.FAILED, 1)
        ask(books, "before", now=NOON - SECOND)
        ask(books, "behind", now=NOON + SECOND)

        taken = books.take(NOON + MINUTE, limits=monthly(3))

        assert slugs(taken.started) == ["before", "again", "behind"]

    def test_what_never_started_is_not_counted(self, books: Books) -> None:
        report = trigger("a")
        books.run(report)
        books.ask(report)
        assert len(books.take(NOON, limits=monthly(2)).dropped) == 1
        ask(books, "b")

        assert slugs(books.take(NOON, limits=monthly(2)).started) == ["b"]

    def test_without_a_limit_nothing_is_counted(self, books: Books) -> None:
        ask(books, "a", "b")
        counted = []

        @event.listens_for(books.store.engine, "before_cursor_execute")
        def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
            counted.append("count(" in statement)

        taken = books.take(NOON, limits=NO_LIMITS)
        books.store.runs.poll(NOON, limits=NO_LIMITS)

        assert (len(taken.started), any(counted), bool(counted)) == (2, False, True)
        assert execute(books.url, "SELECT count(*) FROM clockd_months") == [(0,)]


class TestTelling:
    """A month's limit is told of once, and again where it was raised and reached."""

    def over(self, books: Books, most: int, now: datetime = NOON) -> Taken:
        """Have a run more than may be."""
        ask(books, "over", now=now)
        taken = books.take(now, limits=monthly(most))
        assert len(taken.dropped) == 1
        return taken

    def test_it_is_told_of_once_a_month(self, books: Books) -> None:
        use(books, "a", "b")

        told = [self.over(books, 2).reached for _ in range(3)]

        first = LimitReached(runs=2, month="2026-11", timezone="UTC")
        assert told == [first, None, None]

    def test_reaching_it_exactly_is_nothing_to_tell(self, books: Books) -> None:
        ask(books, "a", "b")

        assert books.take(NOON, limits=monthly(2)).reached is None

    def test_it_is_told_of_again_once_raised(self, books: Books) -> None:
        use(books, "a")
        self.over(books, 1)
        use(books, "b")

        again = self.over(books, 2).reached

        assert again is not None
        assert again.runs == 2
        # Lower again is nothing new.
        assert self.over(books, 1).reached is None

    def test_it_is_told_of_in_each_month(self, books: Books) -> None:
        december = NOON.replace(month=12)
        use(books, "a")
        self.over(books, 1)
        use(books, "b", now=december)

        reached = self.over(books, 1, december).reached

        assert reached is not None
        assert reached.month == "2026-12"

    def test_another_clock_does_not_tell_it_again(self, books: Books) -> None:
        use(books, "a")
        self.over(books, 1)
        lease = books.store.lease
        fence = lease.take(lease.read(), "web.2:7", NOON)
        assert fence is not None
        books.fence = fence

        assert self.over(books, 1).reached is None


class TestOnRecord:
    def test_a_load_keeps_the_files_limits(self, books: Books) -> None:
        limits = Limits(
            concurrent_runs=4, runs_per_month=100, triggers=9, timezone="Asia/Tokyo"
        )
        sync = books.store.triggers.sync
        sync([trigger()], fence=books.fence, now=NOON, limits=limits)
        assert books.store.triggers.limits() == limits

        sync([trigger()], fence=books.fence, now=NOON)
        assert books.store.triggers.limits() == NO_LIMITS

    def test_there_are_none_before_the_first_load(self, books: Books) -> None:
        assert books.store.triggers.limits() == NO_LIMITS

    def test_what_an_older_clockd_wrote_has_none(self, books: Books) -> None:
        books.load(trigger())
        execute(
            books.url,
            "UPDATE clockd_config SET timezone = NULL, concurrent_runs = NULL",
        )

        assert books.store.triggers.limits() == NO_LIMITS

    def test_the_months_runs_are_found_by_an_index(self, books: Books) -> None:
        query = (
            "SELECT id FROM clockd_runs WHERE attempt > 0 AND "
            "coalesce(fire_time, claimed_at) >= 0 LIMIT 5"
        )
        engine = books.store.engine
        explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
        with engine.begin() as connection:
            if engine.dialect.name != "sqlite":
                connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
            rows = connection.execute(sa.text(f"{explain} {query}")).all()

        assert "clockd_runs_started" in str(rows)
