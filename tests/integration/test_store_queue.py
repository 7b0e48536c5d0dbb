"""Taking runs from the line: what starts, what is dropped, what waits for whom."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from clockd.errors import UsageError
from clockd.model import CatchUp, Hold, Outcome, Overlap, RunState
from clockd.store import NotNow, Store
from tests.support.stores import (
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    Books,
    plan,
    trigger,
    twin_plan,
)

if TYPE_CHECKING:
    from clockd.model import Run
    from clockd.store import AttemptPlan


def test_a_due_run_starts_with_an_attempt_on_record(books: Books) -> None:
    report = trigger()
    asked = books.ask(report)

    ((run, attempt),) = books.take(NOON).started

    assert (run.id, run.state, run.attempt) == (asked.id, RunState.LAUNCHING, 1)
    assert (attempt.run_id, attempt.number) == (asked.id, 1)
    assert (attempt.state, attempt.requested_at) == (RunState.LAUNCHING, NOON)
    planned = plan(asked)
    assert attempt.runner is planned.runner
    assert (attempt.app, attempt.command) == (planned.app, planned.command)
    assert (attempt.process_type, attempt.size) == ("clockd", "basic")
    assert (attempt.time_to_live_s, attempt.host) == (1860, "")
    assert books.reload(run) == replace(run, attempts=(attempt,))


def test_a_run_is_taken_once(books: Books) -> None:
    books.ask(trigger())

    assert len(books.take(NOON).started) == 1
    assert books.take(NOON).started == []


def test_a_run_is_not_taken_before_its_time(books: Books) -> None:
    books.ask(trigger(), NOON + SECOND)

    assert books.take(NOON).started == []
    assert len(books.take(NOON + SECOND).started) == 1


def test_the_oldest_start_first_and_no_more_than_may(books: Books) -> None:
    triggers = [trigger(f"t{n}") for n in range(100)]
    for n, each in enumerate(triggers):
        books.ask(each, NOON - n * SECOND)

    first = books.take(NOON, limit=3).started
    second = books.take(NOON, limit=90).started

    assert [run.trigger.slug for run, _ in first] == ["t99", "t98", "t97"]
    assert [run.trigger.slug for run, _ in second][:1] == ["t96"]
    assert (len(second), len(books.take(NOON).started)) == (90, 7)


def test_a_scheduled_run_takes_its_turn_by_its_fire_time(books: Books) -> None:
    books.load(trigger("scheduled"))
    books.ask(trigger("by-hand"), NOON + MINUTE + SECOND)
    books.claim(NOON + MINUTE + 2 * SECOND)

    started = books.take(NOON + MINUTE + 2 * SECOND, limit=1).started

    assert [run.trigger.slug for run, _ in started] == ["scheduled"]


def test_an_overlapping_run_is_skipped(books: Books) -> None:
    report = trigger()
    first, _ = books.run(report)
    second = books.ask(report, NOON + MINUTE)

    taken = books.take(NOON + MINUTE)

    (dropped,) = taken.dropped
    assert (dropped.id, dropped.outcome) == (second.id, Outcome.SKIPPED)
    assert dropped.reason == f"overlap: run {first.id} is still active"
    assert books.reload(second) == dropped
    assert dropped.finished_at == NOON + MINUTE


def test_two_runs_of_one_take_see_each_other(books: Books) -> None:
    report = trigger()
    books.ask(report)
    books.ask(report)

    taken = books.take(NOON)

    ((_, attempt),) = taken.started
    ((held, _),) = taken.waiting
    # Whether the first has a dyno is not known yet, and it may never get one.
    assert (held.hold, taken.dropped) == (Hold.START, [])
    books.store.attempts.launched([books.answer(attempt)], NOON)
    ((dropped),) = books.take(NOON).dropped
    assert (dropped.id, dropped.outcome) == (held.id, Outcome.SKIPPED)


def test_allowed_overlap_starts_both(books: Books) -> None:
    report = trigger(overlap=Overlap.ALLOW)
    books.ask(report)
    books.ask(report)

    assert len(books.take(NOON).started) == 2


def test_queued_runs_start_one_after_the_other(books: Books) -> None:
    report = trigger(overlap=Overlap.QUEUE)
    first, attempt = books.run(report)
    second, third = books.ask(report, NOON + SECOND), books.ask(report, NOON + MINUTE)

    ((held, reason), (behind, _)) = books.take(NOON + MINUTE).waiting
    assert (held.id, reason) == (second.id, f"queued behind run {first.id}")
    assert (held.hold, held.not_before) == (Hold.OVERLAP, NOON + 1.5 * MINUTE)
    assert behind.id == third.id
    assert books.reload(second) == held
    assert books.take(NOON + MINUTE + SECOND).waiting == []

    books.end(attempt, NOON + MINUTE + SECOND)

    ((started, _),) = books.take(NOON + MINUTE + SECOND).started
    assert started.id == second.id
    assert books.reload(third).state is RunState.WAITING


def test_a_queued_run_outlives_its_window(books: Books) -> None:
    report = trigger(overlap=Overlap.QUEUE, catch_up=CatchUp(within_s=0))
    _, attempt = books.run(report)
    second = books.ask(report, NOON)
    books.take(NOON)

    books.end(attempt, NOON + 2 * HOUR)

    ((run, _),) = books.take(NOON + 2 * HOUR).started
    assert run.id == second.id


def test_the_window_of_a_queued_run_begins_when_it_leaves_the_queue(
    books: Books,
) -> None:
    report = trigger(overlap=Overlap.QUEUE, catch_up=CatchUp(within_s=600))
    _, attempt = books.run(report)
    second = books.ask(report, NOON)
    books.take(NOON)
    books.end(attempt, NOON + 2 * HOUR)

    def away(_: Run) -> NotNow:
        return NotNow(not_before=NOON, hold=Hold.BACKOFF, reason="away")

    books.take(NOON + 2 * HOUR, admit=away)
    books.take(NOON + 2 * HOUR + 9 * MINUTE, admit=away)
    assert books.reload(second).state is RunState.WAITING

    ((dropped),) = books.take(NOON + 2 * HOUR + 11 * MINUTE).dropped
    assert (dropped.id, dropped.outcome) == (second.id, Outcome.MISSED)


def test_a_replacing_run_stops_the_old_one_and_waits_for_its_end(
    books: Books,
) -> None:
    report = trigger(overlap=Overlap.REPLACE)
    old, attempt = books.run(report)
    new = books.ask(report, NOON + MINUTE)

    ((held, reason),) = books.take(NOON + MINUTE).waiting

    assert (held.id, reason) == (new.id, f"replaces run {old.id}")
    old = books.reload(old)
    assert old.cancel_requested_at == NOON + MINUTE
    assert old.cancel_requested_by == f"clockd: replaced by run {new.id}"
    assert books.store.runs.poll(NOON + MINUTE).cancels == [old.id]
    books.end(attempt, NOON + 65 * SECOND, Outcome.CANCELLED, 143)
    ((run, _),) = books.take(NOON + 65 * SECOND).started
    assert run.id == new.id


def test_who_asked_for_a_cancel_first_stays_on_record(books: Books) -> None:
    report = trigger(overlap=Overlap.REPLACE)
    old, _ = books.run(report)
    books.store.runs.cancel(old.id, by="ann", now=NOON)
    books.ask(report, NOON + MINUTE)

    books.take(NOON + MINUTE)

    assert books.reload(old).cancel_requested_by == "ann"


def test_a_run_between_attempts_is_replaced_at_once(books: Books) -> None:
    report = trigger(overlap=Overlap.REPLACE, retries=1)
    old, attempt = books.run(report)
    books.end(attempt, NOON, Outcome.FAILED, 1)
    new = books.ask(report, NOON + SECOND)

    ((run, _),) = books.take(NOON + SECOND).started

    assert run.id == new.id
    old = books.reload(old)
    assert (old.state, old.outcome) == (RunState.FINISHED, Outcome.CANCELLED)
    assert old.reason == f"replaced by run {new.id}"


def test_a_run_that_was_replaced_is_not_started_in_the_same_take(
    books: Books,
) -> None:
    report = trigger(overlap=Overlap.REPLACE, retries=1, retry_delay_s=1)
    old, attempt = books.run(report, NOON + 2 * MINUTE)
    books.end(attempt, NOON + 2 * MINUTE, Outcome.FAILED, 1)
    # Its fire time is older, so its turn comes first, though it is claimed later.
    books.load(report, now=NOON)
    (entry,) = books.claim(NOON + MINUTE).runs

    taken = books.take(NOON + 3 * MINUTE)

    assert [run.id for run, _ in taken.started] == [entry.run_id]
    old = books.reload(old)
    assert (old.outcome, len(old.attempts)) == (Outcome.CANCELLED, 1)


def test_a_queue_keeps_its_order_when_its_first_must_wait(books: Books) -> None:
    report = trigger(overlap=Overlap.QUEUE)
    first, second = books.ask(report), books.ask(report)
    later = NotNow(not_before=NOON + MINUTE, hold=Hold.LINE, reason="no room")

    taken = books.take(NOON, admit=lambda run: later if run.id == first.id else None)

    assert taken.started == []
    assert books.reload(second).hold is Hold.OVERLAP


def test_a_run_between_attempts_counts_as_active(books: Books) -> None:
    report = trigger(retries=1)
    _, attempt = books.run(report)
    books.end(attempt, NOON, Outcome.FAILED, 1)
    books.ask(report, NOON + SECOND)

    assert len(books.take(NOON + SECOND).dropped) == 1


def test_a_run_that_never_started_is_superseded(books: Books) -> None:
    books.load(trigger())
    books.claim(NOON + MINUTE)
    books.claim(NOON + 2 * MINUTE)

    taken = books.take(NOON + 2 * MINUTE)

    ((started, _),) = taken.started
    (dropped,) = taken.dropped
    assert started.fire_time == NOON + 2 * MINUTE
    assert dropped.fire_time == NOON + MINUTE
    assert dropped.outcome is Outcome.SKIPPED
    assert "superseded" in (dropped.reason or "")


def test_a_run_that_waited_too_long_is_missed(books: Books) -> None:
    books.load(trigger(expression="0 13 * * *", catch_up=CatchUp(within_s=600)))
    books.claim(NOON + HOUR)

    (dropped,) = books.take(NOON + HOUR + 601 * SECOND).dropped

    assert dropped.outcome is Outcome.MISSED


def test_runs_of_a_paused_trigger_are_skipped_but_those_by_hand(books: Books) -> None:
    report = trigger(overlap=Overlap.ALLOW)
    books.load(report)
    books.claim(NOON + MINUTE)
    by_hand = books.ask(report)
    books.store.triggers.pause(report.uuid, by="ann", now=NOON + MINUTE)

    taken = books.take(NOON + MINUTE)

    assert [run.reason for run in taken.dropped] == ["paused"]
    assert [run.id for run, _ in taken.started] == [by_hand.id]


def test_a_run_asked_for_after_its_trigger_was_removed_is_skipped(
    books: Books,
) -> None:
    report = trigger()
    books.load(report)
    books.load()
    books.ask(report)

    assert [run.reason for run in books.take(NOON).dropped] == ["removed"]


def test_a_trigger_that_no_clock_has_loaded_is_not_removed(books: Books) -> None:
    books.ask(trigger("only-in-the-file"))

    assert len(books.take(NOON).started) == 1


def test_a_run_that_must_wait_for_the_platform_is_put_off(books: Books) -> None:
    run = books.ask(trigger())
    later = NotNow(not_before=NOON + MINUTE, hold=Hold.LINE, reason="no room")

    taken = books.take(NOON, admit=lambda _: later)

    ((held, reason),) = taken.waiting
    assert (held.id, reason, held.hold) == (run.id, "no room", Hold.LINE)
    assert books.reload(run) == held
    assert held.not_before == NOON + MINUTE
    ((started, _),) = books.take(NOON + MINUTE).started
    assert (started.hold, started.reason) == (None, None)


def test_only_runs_that_may_start_are_planned(books: Books) -> None:
    report, planned = trigger(), []
    books.run(report)
    books.ask(report)
    other = books.ask(trigger("other"))
    more = books.ask(trigger("more"))

    def note(run: Run) -> AttemptPlan:
        planned.append(run.id)
        return plan(run)

    books.take(NOON, limit=1, plan=note)

    assert planned == [other.id]
    assert books.reload(more).state is RunState.WAITING


def test_runs_are_dropped_though_no_more_may_start(books: Books) -> None:
    report = trigger()
    books.run(report)
    books.ask(trigger("other"))
    books.ask(report)

    taken = books.take(NOON, limit=1)

    assert (len(taken.started), len(taken.dropped)) == (1, 1)


def test_of_twins_one_is_open_at_a_time(books: Books) -> None:
    one, two = trigger("one", command="same"), trigger("two", command="same")
    books.ask(one)
    second = books.ask(two)

    taken = books.take(NOON, plan=twin_plan)
    ((_, attempt),) = taken.started
    assert [run.id for run in taken.blocked] == [second.id]
    assert books.reload(second) == second

    books.store.attempts.unknown(attempt.id, attempt.requested_at, "no answer")
    assert books.take(NOON, plan=twin_plan).started == []

    books.store.attempts.launched([books.answer(attempt)], NOON)
    ((run, _),) = books.take(NOON, plan=twin_plan).started
    assert run.id == second.id


def test_hundreds_of_twins_hide_nobody_behind_them(books: Books) -> None:
    for n in range(200):
        books.ask(trigger(f"t{n}", command="same"))
    last = books.ask(trigger("last"), NOON + SECOND)

    taken = books.take(NOON + SECOND, plan=twin_plan)

    assert last.id in [run.id for run, _ in taken.started]
    blocked = [run.id for run in taken.blocked]
    assert len(blocked) == len(set(blocked)) == 199


def test_twins_of_other_apps_are_none(books: Books) -> None:
    books.ask(trigger("one", command="same", app="here"))
    books.ask(trigger("two", command="same", app="there"))

    assert len(books.take(NOON, plan=twin_plan).started) == 2


def test_a_failing_plan_changes_nothing(books: Books) -> None:
    report = trigger()
    books.run(report)
    first, second = books.ask(report), books.ask(trigger("other"))

    def fail(_: Run) -> AttemptPlan:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        books.take(NOON, plan=fail)

    assert books.reload(first) == first
    assert books.reload(second) == second


def test_an_owned_run_is_taken_by_its_owner_alone(books: Books) -> None:
    run = books.ask(trigger(), owner="laptop:9")

    assert books.take(NOON).started == []
    take = books.store.runs.take
    assert take(now=NOON, limit=5, plan=plan, owner="laptop:8").started == []
    ((started, _),) = take(now=NOON, limit=5, plan=plan, owner="laptop:9").started
    assert (started.id, started.owner) == (run.id, "laptop:9")


def test_an_owner_takes_nothing_but_its_own(books: Books) -> None:
    books.ask(trigger())

    taken = books.store.runs.take(now=NOON, limit=5, plan=plan, owner="laptop:9")

    assert taken.started == []


def test_a_take_needs_a_fence_or_an_owner(books: Books) -> None:
    books.ask(trigger())
    take = books.store.runs.take

    with pytest.raises(UsageError):
        take(now=NOON, limit=5, plan=plan)
    with pytest.raises(UsageError):
        take(now=NOON, limit=5, plan=plan, fence=books.fence, owner="laptop:9")


def test_an_owned_run_minds_the_clocks_runs(books: Books) -> None:
    report = trigger()
    books.run(report)
    books.ask(report, owner="laptop:9")

    taken = books.store.runs.take(now=NOON, limit=5, plan=plan, owner="laptop:9")

    assert (len(taken.started), len(taken.dropped)) == (0, 1)


def test_thousands_in_line_are_all_taken_or_dropped(books: Books) -> None:
    books.load(*(trigger(f"t{n}") for n in range(1500)))
    books.claim(NOON + MINUTE)
    books.claim(NOON + 2 * MINUTE)

    taken = books.take(NOON + 2 * MINUTE, limit=2000)

    assert (len(taken.started), len(taken.dropped)) == (1500, 1500)
    assert {run.fire_time for run, _ in taken.started} == {NOON + 2 * MINUTE}
    assert {attempt.run_id for _, attempt in taken.started} == {
        run.id for run, _ in taken.started
    }
    assert all(attempt.run_id == run.id for run, attempt in taken.started)


def test_a_clock_and_an_owner_never_both_start_a_trigger(books: Books) -> None:
    report, other = trigger(), Store.open(books.url)
    started: list[int] = []
    barrier = threading.Barrier(2)

    def take(store: Store, *, owner: str | None) -> None:
        fence = None if owner else books.fence
        for _ in range(10):
            barrier.wait()
            taken = store.runs.take(
                now=NOON, limit=5, plan=plan, fence=fence, owner=owner
            )
            started.append(len(taken.started))
            barrier.wait()
            if owner:
                for _, attempt in books.store.attempts.active(owner=owner):
                    books.end(attempt, NOON)
                for _, attempt in books.store.attempts.active():
                    books.end(attempt, NOON)
                books.ask(report)
                books.ask(report, owner=owner)

    books.ask(report)
    books.ask(report, owner="laptop:9")
    threads = [
        threading.Thread(target=take, args=(books.store,), kwargs={"owner": None}),
        threading.Thread(target=take, args=(other,), kwargs={"owner": "laptop:9"}),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()

    assert len(started) == 20
    assert sum(started) == 10
