"""What an edit of triggers.yaml does: to what was due, and to what comes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clockd.errors import ScheduleError
from clockd.model import Outcome, RunnerKind, RunState, Source
from tests.support.stores import (
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    Books,
    execute,
    one_off,
    trigger,
)

if TYPE_CHECKING:
    from datetime import datetime

    from clockd.model import Run, Trigger


def _next(books: Books, wanted: Trigger) -> datetime | None:
    return books.store.triggers.find(wanted.uuid).next_fire_time


def _runs(books: Books, wanted: Trigger) -> list[Run]:
    return books.store.runs.list(trigger=wanted.uuid)


def test_a_new_trigger_fires_after_now(books: Books) -> None:
    report = trigger()

    result = books.load(report, now=NOON)

    assert (result.added, result.changed, result.removed) == (["report"], [], [])
    assert (_next(books, report), _runs(books, report)) == (NOON + MINUTE, [])
    row = books.store.triggers.find("report")
    assert (row.trigger, row.first_seen, row.removed_at) == (report, NOON, None)


def test_an_unchanged_trigger_is_not_touched(books: Books) -> None:
    report = trigger()
    books.load(report)

    result = books.load(report, now=NOON + 10 * MINUTE)

    assert (result.unchanged, result.added, result.changed) == (1, [], [])
    assert list(result.planned) == []
    assert _next(books, report) == NOON + MINUTE
    assert len(books.claim(NOON + 10 * MINUTE).runs) == 2


def test_changing_one_trigger_does_not_touch_the_others(books: Books) -> None:
    report, other = trigger(), trigger("other")
    books.load(report, other)

    result = books.load(report, trigger("other", "30 * * * *"), now=NOON + 90 * SECOND)

    assert (result.changed, result.unchanged) == (["other"], 1)
    assert _next(books, report) == NOON + MINUTE
    assert _next(books, other) == NOON + 30 * MINUTE


def test_what_was_due_follows_the_old_definition(books: Books) -> None:
    old = trigger(command="old")
    new = trigger(command="new")
    books.load(old)

    result = books.load(new, now=NOON + 2 * MINUTE + SECOND)

    newest, missed = _runs(books, new)
    assert [entry.run_id for entry in result.planned] == [missed.id, newest.id]
    assert (newest.trigger, newest.fire_time) == (old, NOON + 2 * MINUTE)
    assert (missed.outcome, missed.fire_time) == (Outcome.MISSED, NOON + MINUTE)
    assert books.store.triggers.find("report").trigger == new
    books.claim(NOON + 3 * MINUTE)
    assert _runs(books, new)[0].trigger == new


def test_an_earlier_time_does_not_run_a_second_time_today(books: Books) -> None:
    books.load(trigger(expression="0 13 * * *"))
    books.claim(NOON + HOUR)

    moved = trigger(expression="55 12 * * *")
    books.load(moved, now=NOON + HOUR + MINUTE)

    assert [run.fire_time for run in _runs(books, moved)] == [NOON + HOUR]
    assert _next(books, moved) == NOON + timedelta(days=1, minutes=55)


def test_a_trigger_that_left_the_file_fires_no_more(books: Books) -> None:
    report = trigger()
    books.load(report)

    result = books.load(now=NOON + 30 * SECOND)

    assert result.removed == ["report"]
    assert books.claim(NOON + HOUR).due == 0
    assert books.store.triggers.definitions() == []
    (row,) = books.store.triggers.list(include_removed=True)
    assert row.removed_at == NOON + 30 * SECOND
    assert books.load(now=NOON + HOUR).removed == []


def test_runs_in_line_of_a_removed_trigger_are_skipped(books: Books) -> None:
    report = trigger()
    books.load(report)
    books.claim(NOON + MINUTE)
    by_hand = books.ask(report)

    result = books.load(now=NOON + 2 * MINUTE)

    runs = _runs(books, report)
    assert {run.fire_time for run in runs} == {
        None,
        NOON + MINUTE,
        NOON + 2 * MINUTE,
    }
    assert {(run.state, run.outcome, run.reason) for run in runs} == {
        (RunState.FINISHED, Outcome.SKIPPED, "removed")
    }
    assert books.reload(by_hand).finished_at == NOON + 2 * MINUTE
    assert [(e.outcome, e.reason) for e in result.planned] == [
        (Outcome.SKIPPED, "removed")
    ]


def test_a_run_under_way_outlives_its_trigger(books: Books) -> None:
    report = trigger(retries=1)
    books.load(report)
    run, attempt = books.run(report)

    books.load(now=NOON + MINUTE)

    assert books.reload(run).state is RunState.RUNNING
    between = books.end(attempt, NOON + MINUTE, Outcome.FAILED, 1)
    assert between is not None
    assert between.state is RunState.WAITING
    books.load(now=NOON + MINUTE)
    assert books.reload(run).state is RunState.WAITING


def test_a_trigger_that_comes_back_starts_after_now(books: Books) -> None:
    report = trigger()
    books.load(report)
    books.load(now=NOON + MINUTE)

    result = books.load(report, now=NOON + HOUR)

    assert (result.added, result.unchanged) == (["report"], 0)
    row = books.store.triggers.find("report")
    assert (row.first_seen, row.removed_at) == (NOON, None)
    assert row.next_fire_time == NOON + HOUR + MINUTE
    books.claim(NOON + HOUR + MINUTE)
    assert [run.fire_time for run in _runs(books, report)] == [
        NOON + HOUR + MINUTE,
        NOON + MINUTE,
    ]


def test_a_renamed_slug_is_a_removal_and_a_new_trigger(books: Books) -> None:
    books.load(trigger("old-name"))

    result = books.load(trigger("new-name"), now=NOON + SECOND)

    assert (result.added, result.removed) == (["new-name"], ["old-name"])


def test_an_inactive_trigger_is_known_and_does_not_fire(books: Books) -> None:
    idle = trigger(active=False)

    assert books.load(idle).added == ["report"]

    assert _next(books, idle) is None
    assert books.claim(NOON + HOUR).due == 0
    assert books.store.triggers.definitions() == [idle]


def test_switching_a_trigger_off_skips_what_waits(books: Books) -> None:
    report = trigger()
    books.load(report)
    books.claim(NOON + MINUTE)
    by_hand = books.ask(report)

    result = books.load(trigger(active=False), now=NOON + 2 * MINUTE)

    scheduled = [run for run in _runs(books, report) if run.fire_time]
    assert len(scheduled) == 2
    assert {(run.outcome, run.reason) for run in scheduled} == {
        (Outcome.SKIPPED, "inactive")
    }
    assert books.reload(by_hand).state is RunState.WAITING
    assert [(e.outcome, e.reason) for e in result.planned] == [
        (Outcome.SKIPPED, "inactive")
    ]


def test_switching_a_trigger_on_starts_after_now(books: Books) -> None:
    books.load(trigger(active=False))

    active = trigger()
    books.load(active, now=NOON + HOUR)

    assert _next(books, active) == NOON + HOUR + MINUTE
    assert _runs(books, active) == []


def test_a_one_off_in_the_past_is_on_record_as_missed(books: Books) -> None:
    past = one_off("launch", NOON - HOUR)

    result = books.load(past)

    (run,) = _runs(books, past)
    assert (run.outcome, run.fire_time) == (Outcome.MISSED, NOON - HOUR)
    assert run.reason == "in the past when first seen"
    assert [entry.run_id for entry in result.planned] == [run.id]
    assert _next(books, past) is None
    assert books.claim(NOON + HOUR).due == 0


def test_a_one_off_that_ran_is_not_missed_when_it_is_edited(books: Books) -> None:
    at = NOON + MINUTE
    books.load(one_off("launch", at))
    books.claim(at)

    renamed = one_off("launch", at, name="Launch")
    result = books.load(renamed, now=NOON + HOUR)

    assert (result.changed, list(result.planned)) == (["launch"], [])
    assert len(_runs(books, renamed)) == 1


def test_an_inactive_one_off_in_the_past_is_not_missed(books: Books) -> None:
    idle = one_off("launch", NOON - HOUR, active=False)

    assert list(books.load(idle).planned) == []


def test_an_edit_of_a_paused_trigger_skips_what_was_due(books: Books) -> None:
    report = trigger()
    books.load(report)
    books.store.triggers.pause(report.uuid, by="ann", now=NOON + SECOND)

    books.load(trigger(command="new"), now=NOON + 3 * MINUTE)

    (run,) = _runs(books, report)
    assert (run.reason, run.fire_count) == ("paused", 3)
    assert books.store.triggers.find("report").paused_by == "ann"


def test_triggers_made_through_the_api_stay_out_of_it(books: Books) -> None:
    made = trigger("made", source=Source.API)
    books.load(trigger(), made)

    result = books.load(trigger(), now=NOON + MINUTE)

    assert result.removed == []
    assert [t.slug for t in books.store.triggers.definitions()] == ["made", "report"]


def test_a_trigger_that_moves_from_the_api_into_the_file_is_the_files(
    books: Books,
) -> None:
    books.load(trigger(source=Source.API))

    assert books.load(trigger(), now=NOON + SECOND).changed == ["report"]

    assert books.load(now=NOON + MINUTE).removed == ["report"]


def test_a_failing_edit_changes_nothing(books: Books) -> None:
    report = trigger()
    books.load(report)

    with pytest.raises(ScheduleError):
        books.load(
            trigger(command="new"), trigger("bad", "no cron"), now=NOON + 2 * MINUTE
        )

    assert books.store.triggers.find("report").trigger == report
    assert _runs(books, report) == []
    assert _next(books, report) == NOON + MINUTE


def test_ten_thousand_triggers_are_taken_over_and_left_alone(books: Books) -> None:
    triggers = [trigger(f"t{n}", f"{n % 60} * * * *") for n in range(10_000)]

    assert len(books.load(*triggers).added) == 10_000

    assert books.load(*triggers, now=NOON + SECOND).unchanged == 10_000
    (count,) = execute(books.url, "SELECT count(*) FROM clockd_jobs")
    assert count == (10_000,)


def test_where_the_last_good_set_runs_is_on_record(books: Books) -> None:
    assert books.store.triggers.runner() is None

    for runner in (RunnerKind.LOCAL, RunnerKind.HEROKU, RunnerKind.LOCAL):
        books.store.triggers.sync([], fence=books.fence, now=NOON, runner=runner)
        assert books.store.triggers.runner() is runner
