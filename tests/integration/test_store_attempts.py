"""Attempts: answers of launches, lost answers, stops, ends and what follows."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from clockd.model import Hold, Outcome, Overlap, RunState, StopCause
from clockd.store import OwnedDyno
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
    from clockd.model import Attempt, Run


def _requeue(books: Books, attempt: Attempt) -> bool:
    return books.store.attempts.requeue(
        attempt.id,
        attempt.requested_at,
        not_before=NOON + MINUTE,
        hold=Hold.BACKOFF,
        reason="no connection",
    )


# -- answers -------------------------------------------------------------------


def test_an_answered_launch_is_running(books: Books) -> None:
    run, attempt = books.begin(trigger())
    answer = books.answer(attempt, at=NOON + SECOND, warning="smaller than asked")

    assert books.store.attempts.launched([answer], NOON + SECOND) == set()

    run = books.reload(run)
    assert (run.state, run.launched_at, run.lag_s) == (
        RunState.RUNNING,
        NOON + SECOND,
        None,
    )
    (running,) = run.attempts
    assert running == replace(
        attempt,
        state=RunState.RUNNING,
        dyno=answer.dyno.name,
        dyno_id=answer.dyno.id,
        created_at=answer.dyno.created_at,
        launched_at=NOON + SECOND,
        warning="smaller than asked",
    )


def test_lag_counts_from_the_jittered_fire_time(books: Books) -> None:
    books.load(trigger(jitter_s=30))
    (entry,) = books.claim(NOON + MINUTE).runs
    ((run, attempt),) = books.take(entry.not_before).started
    sent_at = entry.not_before + 0.25 * SECOND

    books.store.attempts.launched([books.answer(attempt, at=sent_at)], NOON)

    assert entry.not_before > entry.fire_time
    assert books.reload(run).lag_s == 0.25


def test_the_lag_is_that_of_the_first_attempt(books: Books) -> None:
    books.load(trigger(retries=1, expression="0 13 * * *"))
    books.claim(NOON + HOUR)
    for minute in (0, 5):
        ((run, attempt),) = books.take(NOON + HOUR + minute * MINUTE).started
        books.store.attempts.launched([books.answer(attempt)], NOON)
        books.end(attempt, NOON + HOUR + minute * MINUTE, Outcome.FAILED, 1)

    run = books.reload(run)
    assert (run.lag_s, run.launched_at) == (0.0, NOON + HOUR)
    assert run.attempts[1].launched_at == NOON + HOUR + 5 * MINUTE


def test_many_answers_are_written_at_once(books: Books) -> None:
    for n in range(120):
        books.ask(trigger(f"t{n}"))
    started = books.take(NOON, limit=200).started
    answers = [books.answer(attempt) for _, attempt in started]

    assert books.store.attempts.launched(answers, NOON) == set()

    dynos = {a.attempt_id: a.dyno.id for a in answers}
    active = books.store.attempts.active()
    assert {attempt.id: attempt.dyno_id for _, attempt in active} == dynos
    assert {run.state for run, _ in active} == {RunState.RUNNING}


def test_the_same_answer_twice_is_no_harm(books: Books) -> None:
    run, attempt = books.begin(trigger())
    answer = books.answer(attempt)
    books.store.attempts.launched([answer], NOON)
    before = books.reload(run)

    assert books.store.attempts.launched([answer, answer], NOON) == set()
    assert books.reload(run) == before

    books.end(attempt, NOON)
    assert books.store.attempts.launched([answer], NOON) == set()


def test_an_answer_to_an_earlier_sending_is_not_ours(books: Books) -> None:
    run, attempt = books.begin(trigger())
    assert _requeue(books, attempt)
    ((_, again),) = books.take(NOON + HOUR).started

    assert books.store.attempts.launched([books.answer(attempt)], NOON) == {attempt.id}

    assert books.reload(run).attempts[0].dyno is None
    assert books.store.attempts.launched([books.answer(again)], NOON) == set()


def test_a_second_dyno_for_one_attempt_is_not_ours(books: Books) -> None:
    _, attempt = books.run(trigger())

    assert books.store.attempts.launched([books.answer(attempt)], NOON) == {attempt.id}


def test_an_answer_to_a_forgotten_attempt_is_not_ours(books: Books) -> None:
    _, attempt = books.begin(trigger())
    _requeue(books, attempt)

    assert books.store.attempts.launched([books.answer(attempt)], NOON) == {attempt.id}


def test_a_dyno_belongs_to_one_attempt(books: Books) -> None:
    _, first = books.begin(trigger("one"))
    _, second = books.begin(trigger("two"))
    _, third = books.begin(trigger("three", app="elsewhere"))
    attempts = (first, second, third)
    answers = [books.answer(attempt, id="the-same") for attempt in attempts]

    assert books.store.attempts.launched(answers[:1], NOON) == set()
    assert books.store.attempts.launched(answers[1:], NOON) == {second.id}


def test_no_answers_are_no_work(books: Books) -> None:
    assert books.store.attempts.launched([], NOON) == set()


# -- lost answers --------------------------------------------------------------


def test_a_lost_answer_is_on_record(books: Books) -> None:
    run, attempt = books.begin(trigger())
    unknown = books.store.attempts.unknown

    assert not unknown(attempt.id, NOON - SECOND, "another sending")
    assert unknown(attempt.id, attempt.requested_at, "connection reset")

    run = books.reload(run)
    assert (run.state, run.reason) == (RunState.UNKNOWN, "connection reset")
    assert run.attempts[0].state is RunState.UNKNOWN
    assert not unknown(attempt.id, attempt.requested_at, "again")


def test_a_lost_answer_comes_too_late_for_a_known_dyno(books: Books) -> None:
    run, attempt = books.run(trigger())

    assert not books.store.attempts.unknown(attempt.id, attempt.requested_at, "late")
    assert books.reload(run).state is RunState.RUNNING


def test_an_adopted_dyno_makes_an_unknown_attempt_run(books: Books) -> None:
    run, attempt = books.begin(trigger())
    books.store.attempts.unknown(attempt.id, attempt.requested_at, "connection reset")

    assert books.store.attempts.launched([books.answer(attempt)], NOON) == set()

    run = books.reload(run)
    assert (run.state, run.reason) == (RunState.RUNNING, None)
    assert run.attempts[0].reason is None


def test_an_attempt_that_was_not_created_never_happened(books: Books) -> None:
    run, attempt = books.begin(trigger())

    assert _requeue(books, attempt)

    run = books.reload(run)
    assert (run.state, run.attempt, run.attempts) == (RunState.WAITING, 0, ())
    assert (run.hold, run.not_before) == (Hold.BACKOFF, NOON + MINUTE)
    assert run.reason == "no connection"
    ((_, again),) = books.take(NOON + MINUTE).started
    assert (again.number, again.id > attempt.id) == (1, True)
    assert not _requeue(books, attempt)


def test_a_requeued_retry_is_still_between_attempts(books: Books) -> None:
    run, attempt = books.run(trigger(retries=1))
    books.end(attempt, NOON, Outcome.FAILED, 1)
    ((_, second),) = books.take(NOON + MINUTE).started

    assert _requeue(books, second)

    run = books.reload(run)
    assert (run.attempt, run.active, len(run.attempts)) == (1, True, 1)


def test_a_run_somebody_wants_cancelled_is_not_put_back(books: Books) -> None:
    run, attempt = books.begin(trigger())
    books.store.runs.cancel(run.id, by="ann", now=NOON)

    assert _requeue(books, attempt)

    run = books.reload(run)
    assert (run.state, run.outcome) == (RunState.FINISHED, Outcome.CANCELLED)


def test_a_verdict_on_a_sending_that_was_answered_changes_nothing(books: Books) -> None:
    run, attempt = books.begin(trigger(retries=1))
    books.store.attempts.launched([books.answer(attempt)], NOON)

    ended = books.store.attempts.finish(
        attempt.id,
        outcome=Outcome.LAUNCH_FAILED,
        exit_status=None,
        reason="refused, long ago",
        now=NOON,
        requested_at=attempt.requested_at,
    )

    assert ended is None
    assert books.reload(run).state is RunState.RUNNING


def test_a_dyno_known_by_its_log_line_gets_its_id_when_the_answer_comes(
    books: Books,
) -> None:
    run, attempt = books.begin(trigger())
    by_line = books.answer(attempt, name="clockd.7", id="log:clockd.7:x")
    answered = books.answer(attempt, name="clockd.7", id="id-7")
    stranger = books.answer(attempt, name="clockd.8", id="id-8")
    assert books.store.attempts.launched([by_line], NOON) == set()

    assert books.store.attempts.launched([stranger], NOON) == {attempt.id}
    assert books.store.attempts.launched([answered], NOON) == set()

    assert books.reload(run).attempts[0].dyno_id == "id-7"


# -- stops ---------------------------------------------------------------------


def test_a_stop_is_on_record_with_its_first_cause(books: Books) -> None:
    run, attempt = books.run(trigger())
    stopping = books.store.attempts.stopping

    assert stopping(attempt.id, StopCause.TIMEOUT, NOON + SECOND)
    assert not stopping(attempt.id, StopCause.CANCEL, NOON + MINUTE)

    run = books.reload(run)
    (stopped,) = run.attempts
    assert (run.state, stopped.state) == (RunState.STOPPING, RunState.STOPPING)
    assert (stopped.stop_cause, stopped.stop_requested_at) == (
        StopCause.TIMEOUT,
        NOON + SECOND,
    )


def test_a_launch_that_is_to_be_stopped_is_stopping_once_known(books: Books) -> None:
    run, attempt = books.begin(trigger())
    assert books.store.attempts.stopping(attempt.id, StopCause.CANCEL, NOON)
    assert books.reload(run).state is RunState.LAUNCHING

    assert books.store.attempts.launched([books.answer(attempt)], NOON) == set()

    run = books.reload(run)
    assert (run.state, run.attempts[0].state) == (RunState.STOPPING,) * 2


def test_a_launch_that_is_to_be_stopped_and_was_not_created_is_cancelled(
    books: Books,
) -> None:
    run, attempt = books.begin(trigger())
    books.store.attempts.stopping(attempt.id, StopCause.CANCEL, NOON)

    _requeue(books, attempt)

    assert books.reload(run).outcome is Outcome.CANCELLED


def test_what_has_ended_is_not_stopped(books: Books) -> None:
    _, attempt = books.run(trigger())
    books.end(attempt, NOON)

    assert not books.store.attempts.stopping(attempt.id, StopCause.TIMEOUT, NOON)
    assert not books.store.attempts.stopping(4711, StopCause.TIMEOUT, NOON)


# -- ends ----------------------------------------------------------------------


def test_the_end_of_an_attempt_is_the_end_of_its_run(books: Books) -> None:
    run, attempt = books.run(trigger())

    ended = books.end(attempt, NOON + MINUTE, Outcome.FAILED, 3)

    assert ended == books.reload(run)
    assert (ended.state, ended.outcome) == (RunState.FINISHED, Outcome.FAILED)
    assert (ended.exit_status, ended.reason) == (3, "it ended")
    assert (ended.finished_at, ended.hold) == (NOON + MINUTE, None)
    (last,) = ended.attempts
    assert (last.state, last.outcome) == (RunState.FINISHED, Outcome.FAILED)
    assert (last.exit_status, last.reason, last.finished_at) == (
        3,
        "it ended",
        NOON + MINUTE,
    )


def test_an_end_is_written_once(books: Books) -> None:
    run, attempt = books.run(trigger())
    books.end(attempt, NOON, Outcome.SUCCEEDED, 0)

    assert books.end(attempt, NOON + MINUTE, Outcome.LOST, None) is None

    assert books.reload(run).outcome is Outcome.SUCCEEDED


def test_of_two_who_see_the_end_one_writes_it(books: Books) -> None:
    run, attempt = books.run(trigger(retries=5))
    barrier = threading.Barrier(2)
    seen: list[Run | None] = []

    def end() -> None:
        barrier.wait()
        seen.append(books.end(attempt, NOON, Outcome.FAILED, 1))

    threads = [threading.Thread(target=end) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(run is None for run in seen) == 1
    assert books.reload(run).attempt == 1


def test_a_failed_attempt_is_followed_by_another(books: Books) -> None:
    run, attempt = books.run(trigger(retries=2))

    between = books.end(attempt, NOON, Outcome.FAILED, 1)

    assert between is not None
    assert (between.state, between.hold) == (RunState.WAITING, Hold.RETRY)
    assert (between.not_before, between.outcome) == (NOON + MINUTE, None)
    assert (between.attempt, between.active) == (1, True)
    assert books.take(NOON + 59 * SECOND).started == []
    ((run, second),) = books.take(NOON + MINUTE).started
    assert (second.number, run.attempt) == (2, 2)
    ended = books.end(second, NOON + 2 * MINUTE)
    assert ended is not None
    assert (ended.outcome, len(ended.attempts)) == (Outcome.SUCCEEDED, 2)


def test_retries_come_to_an_end(books: Books) -> None:
    run, attempt = books.run(trigger(retries=1))
    books.end(attempt, NOON, Outcome.FAILED, 1)
    ((_, second),) = books.take(NOON + MINUTE).started

    ended = books.end(second, NOON + MINUTE, Outcome.TIMED_OUT, None)

    assert ended is not None
    assert (ended.state, ended.outcome) == (RunState.FINISHED, Outcome.TIMED_OUT)
    assert books.reload(run) == ended


def test_a_retry_never_reaches_the_next_fire_time(books: Books) -> None:
    report = trigger(retries=2)
    books.load(report)
    _, attempt = books.run(report)

    ended = books.end(attempt, NOON + 30 * SECOND, Outcome.FAILED, 1)

    assert ended is not None
    assert ended.state is RunState.FINISHED


def test_a_run_somebody_wants_cancelled_is_not_tried_again(books: Books) -> None:
    run, attempt = books.run(trigger(retries=2))
    books.store.runs.cancel(run.id, by="ann", now=NOON)

    ended = books.end(attempt, NOON, Outcome.FAILED, 1)

    assert ended is not None
    assert ended.state is RunState.FINISHED


def test_a_refused_launch_ends_without_a_dyno(books: Books) -> None:
    _, attempt = books.begin(trigger())

    ended = books.end(attempt, NOON, Outcome.LAUNCH_FAILED, None)

    assert ended is not None
    assert (ended.outcome, ended.exit_status) == (Outcome.LAUNCH_FAILED, None)
    assert ended.launched_at is None


def test_an_end_wakes_who_waited_for_it_and_nobody_else(books: Books) -> None:
    queued = trigger("queued", overlap=Overlap.QUEUE)
    other = trigger("other", overlap=Overlap.QUEUE)
    _, attempt = books.run(queued)
    books.run(other)
    second, third = books.ask(queued), books.ask(other)
    books.take(NOON)

    books.end(attempt, NOON + SECOND)

    assert books.reload(second).not_before == NOON + SECOND
    assert books.reload(third).not_before == NOON + 30 * SECOND


def test_an_attempt_that_is_not_there_has_no_end(books: Books) -> None:
    ended = books.store.attempts.finish(
        4711, outcome=Outcome.LOST, exit_status=None, reason=None, now=NOON
    )
    assert ended is None


# -- looking -------------------------------------------------------------------


def test_active_attempts_are_the_clocks_or_an_owners(books: Books) -> None:
    run, attempt = books.run(trigger("one"))
    begun, launching = books.begin(trigger("two"))
    _, ended = books.run(trigger("three"))
    books.end(ended, NOON)
    owned = books.ask(trigger("four"), owner="laptop:9")
    books.store.runs.take(now=NOON, limit=1, plan=plan, owner="laptop:9")

    active = books.store.attempts.active()

    assert [(r.id, a) for r, a in active] == [(run.id, attempt), (begun.id, launching)]
    assert active[0][0] == run
    ((theirs, _),) = books.store.attempts.active(owner="laptop:9")
    assert theirs.id == owned.id
    assert books.store.attempts.active(owner="laptop:8") == []


def test_dynos_since_are_those_that_were_there(books: Books) -> None:
    _, running = books.run(trigger("one"))
    _, ended = books.run(trigger("two"))
    books.end(ended, NOON + MINUTE)
    books.begin(trigger("three"))
    books.run(trigger("four", app="elsewhere"))
    dynos = [OwnedDyno(a.dyno_id or "", a.dyno or "") for a in (running, ended)]

    since = books.store.attempts.dynos_since
    assert sorted(since("sharp-mountain", NOON + MINUTE)) == sorted(dynos)
    assert since("sharp-mountain", NOON + HOUR) == dynos[:1]
