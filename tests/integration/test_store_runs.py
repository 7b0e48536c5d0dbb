"""Runs: asked for, polled, cancelled, owned and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clockd.errors import ConflictError, NotFoundError
from clockd.model import Cause, Hold, Outcome, Overlap, RunState
from clockd.store import NotNow, OwnedRun
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
    from clockd.model import Run


def test_a_run_by_hand_waits_from_now_on(books: Books) -> None:
    report = trigger(env={"LEVEL": "${LEVEL}"})

    run = books.store.runs.request(report, cause=Cause.API, by="ann", now=NOON)

    assert (run.trigger, run.trigger_id) == (report, report.uuid)
    assert (run.cause, run.state) == (Cause.API, RunState.WAITING)
    assert (run.fire_time, run.not_before, run.claimed_at) == (None, NOON, NOON)
    assert books.reload(run) == run


def test_a_trigger_may_be_asked_for_many_times(books: Books) -> None:
    assert books.ask(trigger()).id < books.ask(trigger()).id


def test_a_poll_tells_what_is_due_and_what_comes(books: Books) -> None:
    assert not books.store.runs.poll(NOON).due
    books.ask(trigger("later"), NOON + HOUR)
    poll = books.store.runs.poll(NOON)
    assert (poll.due, poll.next_not_before) == (False, NOON + HOUR)

    books.ask(trigger())

    poll = books.store.runs.poll(NOON)
    assert (poll.due, poll.next_not_before, poll.cancels) == (True, NOON + HOUR, [])


def test_a_poll_leaves_owned_runs_to_their_owners(books: Books) -> None:
    run = books.ask(trigger(), owner="laptop:9")
    books.store.runs.take(
        now=NOON,
        limit=1,
        plan=plan,
        admit=lambda _: NotNow(not_before=NOON, hold=None, reason="not yet"),
        owner="laptop:9",
    )
    assert not books.store.runs.poll(NOON).due
    assert books.reload(run).reason == "not yet"


def test_an_owner_polls_for_its_own_runs(books: Books) -> None:
    mine = books.ask(trigger(), owner="laptop:9")
    books.ask(trigger(), owner="other:1")

    poll = books.store.runs.poll(NOON - SECOND, owner="laptop:9")
    assert (poll.due, poll.next_not_before, poll.cancels) == (False, NOON, [])

    taken = books.store.runs.take(now=NOON, limit=9, plan=plan, owner="laptop:9")
    books.store.runs.cancel(mine.id, by="ann", now=NOON)
    poll = books.store.runs.poll(NOON, owner="laptop:9")
    assert [run.id for run, _ in taken.started] == [mine.id]
    assert (poll.due, poll.next_not_before, poll.cancels) == (False, None, [mine.id])


def test_cancelling_a_run_in_line_ends_it(books: Books) -> None:
    run = books.ask(trigger())

    cancelled = books.store.runs.cancel(run.id, by="ann", now=NOON + SECOND)

    assert (cancelled.state, cancelled.outcome) == (
        RunState.FINISHED,
        Outcome.CANCELLED,
    )
    assert (cancelled.reason, cancelled.finished_at) == (
        "cancelled by ann",
        NOON + SECOND,
    )
    assert books.take(NOON + MINUTE).started == []


def test_cancelling_a_run_between_attempts_ends_it(books: Books) -> None:
    run, attempt = books.run(trigger(retries=1))
    books.end(attempt, NOON, Outcome.FAILED, 1)

    assert books.store.runs.cancel(run.id, by="ann", now=NOON).outcome is (
        Outcome.CANCELLED
    )
    assert books.take(NOON + HOUR).started == []


def test_cancelling_a_run_under_way_asks_for_its_stop(books: Books) -> None:
    run, _ = books.run(trigger())

    asked = books.store.runs.cancel(run.id, by="ann", now=NOON + SECOND)

    assert (asked.state, asked.outcome) == (RunState.RUNNING, None)
    assert asked.cancel_requested_by == "ann"
    books.store.runs.cancel(run.id, by="bob", now=NOON + MINUTE)
    asked = books.reload(run)
    assert (asked.cancel_requested_by, asked.cancel_requested_at) == (
        "ann",
        NOON + SECOND,
    )
    assert books.store.runs.poll(NOON).cancels == [run.id]


def test_a_run_that_has_ended_cannot_be_cancelled(books: Books) -> None:
    run, attempt = books.run(trigger())
    books.end(attempt, NOON)

    with pytest.raises(ConflictError, match=f"run {run.id} .* ended.* succeeded"):
        books.store.runs.cancel(run.id, by="ann", now=NOON)

    assert books.reload(run).cancel_requested_at is None
    assert books.store.runs.poll(NOON).cancels == []


def test_cancelling_a_run_in_line_lets_the_next_one_be_decided(books: Books) -> None:
    queued = trigger(overlap=Overlap.QUEUE)
    first = books.ask(queued, NOON + HOUR)
    second = books.ask(queued, NOON + HOUR + SECOND)
    not_yet = NotNow(not_before=NOON + 3 * HOUR, hold=Hold.LINE, reason="no room")
    books.take(NOON + HOUR + SECOND, admit=lambda _: not_yet)
    assert books.reload(second).hold is Hold.OVERLAP

    books.store.runs.cancel(first.id, by="ann", now=NOON + HOUR + 2 * SECOND)

    ((run, _),) = books.take(NOON + HOUR + 2 * SECOND).started
    assert run.id == second.id


def test_what_does_not_exist_is_not_found(books: Books) -> None:
    with pytest.raises(NotFoundError, match="no run 4711"):
        books.store.runs.get(4711)
    with pytest.raises(NotFoundError, match="no run 4711"):
        books.store.runs.cancel(4711, by="ann", now=NOON)


def test_the_oldest_run_in_line_is_woken_when_there_is_room(books: Books) -> None:
    not_yet = NotNow(not_before=NOON + HOUR, hold=Hold.LINE, reason="no room")
    backoff = NotNow(not_before=NOON + HOUR, hold=Hold.BACKOFF, reason="no answer")
    first, second = books.ask(trigger("one")), books.ask(trigger("two"))
    elsewhere = books.ask(trigger("three", app="elsewhere"))
    failing = books.ask(trigger("four"))
    books.take(NOON, admit=lambda run: backoff if run.id == failing.id else not_yet)

    assert books.store.runs.wake_line("sharp-mountain", NOON + SECOND) == 1

    ((run, _),) = books.take(NOON + SECOND).started
    assert run.id == first.id
    assert books.store.runs.wake_line("sharp-mountain", NOON + MINUTE, limit=9) == 1
    assert books.reload(second).not_before == NOON + MINUTE
    assert books.store.runs.wake_line("sharp-mountain", NOON + MINUTE) == 0
    assert books.reload(elsewhere).not_before == NOON + HOUR


def test_an_owner_keeps_its_run_while_it_beats(books: Books) -> None:
    run = books.ask(trigger(), owner="laptop:9")
    books.ask(trigger("nobodys"))
    assert books.store.runs.owned() == [OwnedRun(run.id, "laptop:9", 0)]

    assert books.store.runs.own_beat(run.id, "laptop:9")

    assert books.store.runs.owned() == [OwnedRun(run.id, "laptop:9", 1)]
    assert not books.store.runs.disown(run.id, "laptop:9", 0)
    assert books.reload(run).owner == "laptop:9"


def test_a_run_whose_owner_is_silent_goes_to_the_clock(books: Books) -> None:
    run = books.ask(trigger(), owner="laptop:9")
    books.store.runs.own_beat(run.id, "laptop:9")

    assert books.store.runs.disown(run.id, "laptop:9", 1)

    assert books.store.runs.owned() == []
    assert not books.store.runs.own_beat(run.id, "laptop:9")
    assert [run_.id for run_, _ in books.take(NOON).started] == [run.id]


def test_a_run_that_waits_for_a_dead_clock_can_be_taken_over(books: Books) -> None:
    run = books.ask(trigger())

    assert books.store.runs.take_over(run.id, "laptop:9")

    assert books.store.runs.owned() == [OwnedRun(run.id, "laptop:9", 0)]
    assert not books.store.runs.take_over(run.id, "laptop:8")
    assert books.take(NOON).started == []


def test_a_run_the_clock_has_begun_is_not_taken_over(books: Books) -> None:
    run, _ = books.begin(trigger())

    assert not books.store.runs.take_over(run.id, "laptop:9")


def test_a_finished_run_has_no_owner_to_watch(books: Books) -> None:
    run = books.ask(trigger(), owner="laptop:9")
    books.store.runs.cancel(run.id, by="ann", now=NOON)

    assert books.store.runs.owned() == []
    assert not books.store.runs.disown(run.id, "laptop:9", 0)


def _ids(runs: list[Run]) -> list[int]:
    return [run.id for run in runs]


def test_runs_are_listed_newest_first_with_their_attempts(books: Books) -> None:
    first, attempt = books.run(trigger("one"))
    second = books.ask(trigger("two"))

    runs = books.store.runs.list()

    assert _ids(runs) == [second.id, first.id]
    assert [run.attempts for run in runs] == [(), (attempt,)]


def test_runs_are_listed_by_trigger_outcome_and_state(books: Books) -> None:
    report = trigger()
    good, attempt = books.run(report)
    books.end(attempt, NOON)
    bad, attempt = books.run(report)
    books.end(attempt, NOON, Outcome.FAILED, 1)
    other = books.ask(trigger("other"))

    runs = books.store.runs.list
    assert _ids(runs(trigger="report")) == [bad.id, good.id]
    assert _ids(runs(trigger=report.uuid)) == [bad.id, good.id]
    assert _ids(runs(outcome=Outcome.FAILED)) == [bad.id]
    assert _ids(runs(state=RunState.WAITING)) == [other.id]
    assert _ids(runs(trigger="report", outcome=Outcome.SUCCEEDED)) == [good.id]
    assert runs(trigger="nobody") == []


def test_runs_are_listed_page_by_page(books: Books) -> None:
    made = [books.ask(trigger()).id for _ in range(5)]

    page = _ids(books.store.runs.list(limit=2))
    rest = _ids(books.store.runs.list(limit=9, before=page[-1]))

    assert page + rest == sorted(made, reverse=True)
