"""`limits.concurrent_runs` in the books: who waits for a place, and gets it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clockd.model import (
    CatchUp,
    Hold,
    Limits,
    Outcome,
    Overlap,
    RunState,
)
from clockd.store import NotNow, queue
from tests.support.stores import (
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    Books,
    ask,
    claimed,
    plan,
    slugs,
    trigger,
    twin_plan,
)

if TYPE_CHECKING:
    from clockd.model import Attempt

ONE = Limits(concurrent_runs=1)
TWO = Limits(concurrent_runs=2)
FULL = "the limit of 1 concurrent runs is reached"


class TestPlaces:
    def test_no_more_than_the_limit_have_a_dyno(self, books: Books) -> None:
        ask(books, "a", "b", "c")
        ask(books, "d", app="calm-river")

        taken = books.take(NOON, limits=TWO)

        assert slugs(taken.started) == ["a", "b"]
        assert books.take(NOON, limits=TWO).started == []
        assert len(books.store.attempts.active()) == 2

    def test_runs_of_every_app_count(self, books: Books) -> None:
        books.run(trigger("a", app="here"))
        ask(books, "b", app="there")

        assert books.take(NOON, limits=ONE).started == []

    def test_what_waits_says_for_what(self, books: Books) -> None:
        books.run(trigger("a"))
        (asked,) = ask(books, "b")

        ((held, reason),) = books.take(NOON, limits=ONE).waiting

        assert (held.id, held.hold, reason) == (asked.id, Hold.LIMIT, FULL)
        assert held.not_before == NOON + queue.HELD
        assert books.reload(asked) == held

    def test_that_is_told_once(self, books: Books) -> None:
        books.run(trigger("a"))
        ask(books, "b")
        books.take(NOON, limits=ONE)

        again = books.take(NOON + MINUTE, limits=ONE)

        assert (again.waiting, again.started) == ([], [])

    def test_a_lost_answer_keeps_its_place(self, books: Books) -> None:
        _, attempt = books.begin(trigger("a"))
        books.store.attempts.unknown(attempt.id, attempt.requested_at, "no answer")
        ask(books, "b")

        assert books.take(NOON, limits=ONE).started == []

    def test_an_end_makes_a_place(self, books: Books) -> None:
        _, attempt = books.run(trigger("a"))
        ask(books, "b")
        books.take(NOON, limits=ONE)

        books.end(attempt, NOON + SECOND)

        assert slugs(books.take(NOON + SECOND, limits=ONE).started) == ["b"]

    def test_what_was_put_back_makes_a_place(self, books: Books) -> None:
        _, attempt = books.begin(trigger("a"))
        ask(books, "b")
        books.store.attempts.requeue(
            attempt.id,
            attempt.requested_at,
            not_before=NOON + HOUR,
            hold=Hold.BACKOFF,
            reason="away",
        )

        assert slugs(books.take(NOON, limits=ONE).started) == ["b"]

    def test_a_lower_limit_stops_nothing(self, books: Books) -> None:
        for name in ("a", "b", "c"):
            books.run(trigger(name))
        ask(books, "d")

        taken = books.take(NOON, limits=ONE)

        assert (taken.started, len(books.store.attempts.active())) == ([], 3)

    def test_without_a_limit_what_was_held_starts_in_its_time(
        self, books: Books
    ) -> None:
        books.run(trigger("a"))
        ask(books, "b")
        books.take(NOON, limits=ONE)

        assert slugs(books.take(NOON + queue.HELD).started) == ["b"]

    def test_a_run_that_the_platform_keeps_off_takes_no_place(
        self, books: Books
    ) -> None:
        first, _ = ask(books, "a", "b")
        away = NotNow(not_before=NOON + HOUR, hold=Hold.BACKOFF, reason="away")

        taken = books.take(
            NOON, limits=ONE, admit=lambda run: away if run.id == first.id else None
        )

        assert slugs(taken.started) == ["b"]

    def test_a_twin_that_is_left_takes_no_place(self, books: Books) -> None:
        ask(books, "a", "b", command="same")
        ask(books, "c")

        taken = books.take(NOON, plan=twin_plan, limits=TWO)

        assert slugs(taken.started) == ["a", "c"]

    def test_runs_of_a_run_now_count_and_wait(self, books: Books) -> None:
        mine = books.ask(trigger("a"), owner="laptop:9")
        take = books.store.runs.take
        given = {"now": NOON, "limit": 5, "plan": plan, "limits": ONE}
        assert len(take(owner="laptop:9", **given).started) == 1  # type: ignore[arg-type]
        ask(books, "b")
        other = books.ask(trigger("c"), owner="laptop:8")

        assert books.take(NOON, limits=ONE).started == []
        ((held, _),) = take(owner="laptop:8", **given).waiting  # type: ignore[arg-type]

        assert (held.id, held.hold) == (other.id, Hold.LIMIT)
        assert held.not_before == NOON + queue.HELD_OWNED
        assert books.reload(mine).state is RunState.LAUNCHING


class TestLine:
    """The oldest first, whoever came due just now."""

    def test_the_oldest_fire_time_goes_first(self, books: Books) -> None:
        claimed(
            books,
            trigger("early", "1 12 * * *"),
            trigger("late", "2 12 * * *"),
            now=NOON + 2 * MINUTE,
        )
        ask(books, "by-hand", now=NOON + 90 * SECOND)

        order = []
        for _ in range(3):
            ((run, attempt),) = books.take(NOON + 2 * MINUTE, limits=ONE).started
            order.append(run.trigger.slug)
            books.end(attempt, NOON + 2 * MINUTE)

        assert order == ["early", "by-hand", "late"]

    def test_what_came_due_just_now_does_not_overtake(self, books: Books) -> None:
        _, attempt = books.run(trigger("a"))
        ask(books, "first", "second")
        books.take(NOON, limits=ONE)
        ask(books, "just-now", now=NOON + SECOND)

        books.end(attempt, NOON + SECOND)

        taken = books.take(NOON + SECOND, limits=ONE)
        assert slugs(taken.started) == ["first"]

    def test_what_was_held_last_starts_last(self, books: Books) -> None:
        _, attempt = books.run(trigger("a"))
        ask(books, "held-again")
        books.take(NOON, limits=ONE)
        books.take(NOON + queue.HELD, limits=ONE)
        ask(books, "fresh", now=NOON + SECOND)
        books.end(attempt, NOON + queue.HELD)

        taken = books.take(NOON + queue.HELD, limits=TWO)

        assert slugs(taken.started) == ["held-again", "fresh"]

    def test_it_is_missed_when_its_window_closes(self, books: Books) -> None:
        books.run(trigger("a"))
        daily = trigger("b", "1 12 * * *", catch_up=CatchUp(within_s=600))
        claimed(books, daily, now=NOON + MINUTE)
        assert len(books.take(NOON + 11 * MINUTE, limits=ONE).waiting) == 1

        (dropped,) = books.take(NOON + 12 * MINUTE, limits=ONE).dropped

        assert (dropped.trigger.slug, dropped.outcome) == ("b", Outcome.MISSED)
        assert "catch-up window of 600 s" in (dropped.reason or "")

    def test_its_next_fire_time_supersedes_it(self, books: Books) -> None:
        books.run(trigger("a"))
        claimed(books, trigger("b"), now=NOON + MINUTE)
        books.take(NOON + MINUTE, limits=ONE)
        books.claim(NOON + 2 * MINUTE)

        (dropped,) = books.take(NOON + 2 * MINUTE, limits=ONE).dropped

        assert dropped.fire_time == NOON + MINUTE
        assert "superseded" in (dropped.reason or "")

    def test_a_retry_waits_for_a_place_too(self, books: Books) -> None:
        run, attempt = books.run(trigger("a", retries=1, retry_delay_s=60))
        books.end(attempt, NOON, Outcome.FAILED, 1)
        _, other = books.run(trigger("b"), NOON)

        taken = books.take(NOON + MINUTE, limits=ONE)
        assert [held.hold for held, _ in taken.waiting] == [Hold.LIMIT]
        books.end(other, NOON + MINUTE)

        ((started, again),) = books.take(NOON + MINUTE, limits=ONE).started
        assert (started.id, again.number) == (run.id, 2)

    def test_between_attempts_it_has_no_place(self, books: Books) -> None:
        _, attempt = books.run(trigger("a", retries=1))
        books.end(attempt, NOON, Outcome.FAILED, 1)
        ask(books, "b")

        assert slugs(books.take(NOON, limits=ONE).started) == ["b"]

    def test_its_successor_in_a_queue_stays_behind_it(self, books: Books) -> None:
        _, attempt = books.run(trigger("a"))
        ask(books, "b", "b", overlap=Overlap.QUEUE)
        books.take(NOON, limits=ONE)
        books.end(attempt, NOON)

        taken = books.take(NOON + MINUTE, limits=Limits(concurrent_runs=5))

        assert slugs(taken.started) == ["b"]

    def test_a_take_puts_off_so_many_and_no_more(
        self, books: Books, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queue, "_PAGE", 8)
        books.run(trigger("a"))
        ask(books, *(f"t{number}" for number in range(520)))

        counts = [len(books.take(NOON, limits=ONE).waiting) for _ in range(3)]

        assert counts == [500, 20, 0]

    def test_what_started_ends_a_take_that_has_no_place_left(
        self, books: Books
    ) -> None:
        ask(books, *"abc")

        taken = books.take(NOON, limits=ONE)

        assert (slugs(taken.started), taken.waiting) == (["a"], [])
        assert books.store.runs.poll(NOON, limits=ONE).due


class TestPoll:
    """A place is noticed whoever has made it."""

    def held(self, books: Books) -> Attempt:
        """Have a run that waits for a place; return what is in its way."""
        _, attempt = books.run(trigger("a"))
        ask(books, "b")
        books.take(NOON, limits=ONE)
        return attempt

    def test_what_has_no_place_is_not_due(self, books: Books) -> None:
        self.held(books)

        poll = books.store.runs.poll(NOON + SECOND, limits=ONE)

        assert (poll.due, poll.next_not_before) == (False, NOON + queue.HELD)

    def test_an_end_makes_it_due(self, books: Books) -> None:
        books.end(self.held(books), NOON + SECOND)

        assert books.store.runs.poll(NOON + SECOND, limits=ONE).due

    def test_a_higher_limit_makes_it_due(self, books: Books) -> None:
        self.held(books)

        assert books.store.runs.poll(NOON + SECOND, limits=TWO).due

    def test_a_place_is_nobodys_matter_who_waits_for_something_else(
        self, books: Books
    ) -> None:
        ask(books, "later", now=NOON + HOUR)

        assert not books.store.runs.poll(NOON, limits=ONE).due

    def test_the_runs_of_others_are_not_ours(self, books: Books) -> None:
        books.end(self.held(books), NOON)

        poll = books.store.runs.poll(NOON, owner="laptop:9", limits=ONE)

        assert not poll.due
