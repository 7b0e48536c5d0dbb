"""Commits whose answer was lost: they did happen, and doing them again does no harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from clockd.errors import StoreUnavailable
from clockd.model import Outcome, RunState, StopCause
from clockd.store import OutputRow, Store
from tests.support.dispatching import Clockwork
from tests.support.dispatching import trigger as by_hand
from tests.support.lossy_proxy import LossyProxy
from tests.support.scripted import BootClock
from tests.support.stores import MINUTE, NOON, SECOND, Books, open_books, trigger
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clockd.model import Run
    from tests.support.postgres import PostgresServer


@dataclass(frozen=True)
class Lossy:
    """Books on a database that loses answers."""

    books: Books
    proxy: LossyProxy

    def lose(self, call: Callable[[], Any]) -> None:
        """Make a call whose commit is not answered."""
        self.proxy.lose()
        with pytest.raises(StoreUnavailable, match="did not say whether") as caught:
            call()
        assert caught.value.data["in_doubt"] is True
        assert self.proxy.lost == 1

    def twice(self, call: Callable[[], Any]) -> Any:
        """Make a call whose commit is not answered, then again; return what it says."""
        self.lose(call)
        return call()


@pytest.fixture
def lossy(postgres_server: PostgresServer, postgres_url: str) -> Iterator[Lossy]:
    with (
        LossyProxy(to=postgres_server.port) as proxy,
        open_books(proxy.url(postgres_url)) as books,
    ):
        yield Lossy(books, proxy)


def test_a_fire_time_is_claimed_once(lossy: Lossy) -> None:
    lossy.books.load(trigger())

    assert lossy.twice(lambda: lossy.books.claim(NOON + MINUTE)).due == 0

    (run,) = lossy.books.store.runs.list()
    assert (run.state, run.fire_time) == (RunState.WAITING, NOON + MINUTE)


def test_what_was_taken_unknowingly_is_taken_again(lossy: Lossy) -> None:
    books = lossy.books
    run = books.ask(trigger())
    lossy.lose(lambda: books.take(NOON))
    assert books.reload(run).state is RunState.LAUNCHING

    assert books.store.runs.poll(NOON).due
    ((again, attempt),) = books.take(NOON + SECOND).started

    assert (again.id, attempt.number) == (run.id, 1)
    assert attempt.requested_at == NOON + SECOND
    assert books.reload(run).attempts == (attempt,)
    assert not books.store.runs.poll(NOON + SECOND).due


def test_a_retry_that_was_taken_unknowingly_keeps_its_number(lossy: Lossy) -> None:
    books = lossy.books
    run, attempt = books.run(trigger(retries=1, retry_delay_s=60))
    books.end(attempt, NOON, Outcome.FAILED, 1)
    later = NOON + MINUTE
    lossy.lose(lambda: books.take(later))

    ((_, second),) = books.take(later + SECOND).started

    assert second.number == 2
    numbers = [attempt.number for attempt in books.reload(run).attempts]
    assert numbers == [1, 2]


def test_what_was_taken_unknowingly_and_cancelled_does_not_start(lossy: Lossy) -> None:
    books = lossy.books
    run = books.ask(trigger())
    lossy.lose(lambda: books.take(NOON))
    books.store.runs.cancel(run.id, by="ann", now=NOON)

    assert books.take(NOON + SECOND).started == []

    assert books.reload(run).outcome is Outcome.CANCELLED


def test_what_another_has_sent_meanwhile_is_not_taken_back(lossy: Lossy) -> None:
    books = lossy.books
    run = books.ask(trigger())
    lossy.lose(lambda: books.take(NOON))
    (attempt,) = books.reload(run).attempts
    # A successor has looked for its dyno and found one, whosever that is.
    books.store.attempts.launched([books.answer(attempt)], NOON)

    assert books.take(NOON + SECOND).started == []

    assert books.reload(run).state is RunState.RUNNING


def test_a_dyno_is_written_down_once(lossy: Lossy) -> None:
    books = lossy.books
    run, attempt = books.begin(trigger())
    answer = books.answer(attempt)

    assert lossy.twice(lambda: books.store.attempts.launched([answer], NOON)) == set()

    assert books.reload(run).attempts[0].dyno_id == answer.dyno.id


def test_a_lost_launch_is_noted(lossy: Lossy) -> None:
    books = lossy.books
    run, attempt = books.begin(trigger())

    lossy.twice(lambda: books.store.attempts.unknown(attempt.id, NOON, "no answer"))

    assert books.reload(run).state is RunState.UNKNOWN


def test_a_run_is_put_back_in_line_once(lossy: Lossy) -> None:
    books = lossy.books
    run, attempt = books.begin(trigger())

    def requeue() -> bool:
        return books.store.attempts.requeue(
            attempt.id, NOON, not_before=NOON, hold=None, reason="not created"
        )

    assert lossy.twice(requeue) is False

    now = books.reload(run)
    assert (now.state, now.attempt, now.attempts) == (RunState.WAITING, 0, ())


def test_the_end_of_a_run_is_written_and_told_once(lossy: Lossy) -> None:
    books = lossy.books
    run, attempt = books.run(trigger())

    told: Run | None = lossy.twice(lambda: books.end(attempt, NOON))

    assert told is not None
    assert (told.id, told.outcome) == (run.id, Outcome.SUCCEEDED)
    assert books.end(attempt, NOON) is None


def test_a_failed_attempt_is_followed_by_one_other(lossy: Lossy) -> None:
    books = lossy.books
    run, attempt = books.run(trigger(retries=5, retry_delay_s=60))

    told = lossy.twice(lambda: books.end(attempt, NOON, Outcome.FAILED, 1))

    assert told.state is RunState.WAITING
    assert books.reload(run).attempt == 1
    assert len(books.take(NOON + MINUTE).started) == 1


def test_an_end_that_another_wrote_is_not_told_as_ours(lossy: Lossy) -> None:
    books = lossy.books
    _, attempt = books.run(trigger())
    lossy.lose(lambda: books.end(attempt, NOON, Outcome.TIMED_OUT, None))

    assert books.end(attempt, NOON, Outcome.SUCCEEDED) is None


def test_the_first_reason_of_a_stop_stays(lossy: Lossy) -> None:
    books = lossy.books
    run, attempt = books.run(trigger())
    stopping = books.store.attempts.stopping

    lossy.lose(lambda: stopping(attempt.id, StopCause.TIMEOUT, NOON))

    assert not stopping(attempt.id, StopCause.CANCEL, NOON)
    assert books.reload(run).attempts[0].stop_cause is StopCause.TIMEOUT


def test_a_line_is_written_once(lossy: Lossy) -> None:
    books = lossy.books
    run_id = books.ask(trigger()).id
    row = OutputRow(
        run_id=run_id, attempt=1, sequence=1, at=NOON, source="app", text="hello"
    )

    lossy.twice(lambda: books.store.output.append([row]))

    assert [line.text for line in books.store.output.lines(run_id)] == ["hello"]


def test_a_beat_more_than_is_known_keeps_the_lease(lossy: Lossy) -> None:
    books = lossy.books

    assert lossy.twice(lambda: books.store.lease.beat(books.fence, NOON))

    assert books.store.lease.read().beat == 2


def test_who_was_not_told_that_it_has_the_lease_takes_it_again(lossy: Lossy) -> None:
    lease = lossy.books.store.lease
    seen = lease.read()

    assert lossy.twice(lambda: lease.take(seen, "web.1:8", NOON)) is None

    assert lease.take(lease.read(), "web.1:8", NOON) == seen.fence + 2


def test_a_file_is_taken_over_once(lossy: Lossy) -> None:
    books = lossy.books
    books.load(trigger("old"))

    result = lossy.twice(lambda: books.load(trigger("new"), now=NOON + MINUTE))

    assert (result.added, result.unchanged) == ([], 1)
    assert [run.trigger.slug for run in books.store.runs.list()] == ["old"]


def test_a_run_is_owned_by_who_took_it_over_unknowingly(lossy: Lossy) -> None:
    books = lossy.books
    run = books.ask(trigger())

    assert lossy.twice(lambda: books.store.runs.take_over(run.id, "one-off.1:7"))

    assert not books.store.runs.take_over(run.id, "one-off.2:7")


def test_a_run_taken_unknowingly_is_launched_within_moments(
    postgres_server: PostgresServer,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with LossyProxy(to=postgres_server.port) as proxy:
        work = Clockwork(proxy.url(postgres_url), BootClock(monkeypatch))
        other = Store.open(postgres_url)
        try:
            proxy.lose(after=b"INSERT INTO clockd_attempts")
            run = work.request(by_hand())
            # Well before anybody looks for a dyno that was never asked for.
            wait_until(lambda: other.runs.get(run.id).state is RunState.RUNNING, 8)
        finally:
            other.close()
            work.close()

    assert proxy.lost == 1
    assert len(work.runner.requests) == 1
