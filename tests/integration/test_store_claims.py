"""Claims: every fire time ends on record exactly once, whatever happens."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from clockd.model import CatchUp, Cause, Hold, Outcome, RunState
from clockd.store import Store
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
    from clockd.model import Run

DAY = timedelta(days=1)


def _runs(books: Books) -> list[Run]:
    return books.store.runs.list(limit=100_000)


def test_a_due_fire_time_becomes_a_run_that_waits(books: Books) -> None:
    report = trigger()
    books.load(report)

    claimed = books.claim(NOON + MINUTE)

    assert claimed.due == 1
    ((entry,), (run,)) = (claimed.runs, _runs(books))
    assert (entry.run_id, entry.trigger_id) == (run.id, report.uuid)
    assert (entry.slug, entry.fire_time) == ("report", NOON + MINUTE)
    assert (run.trigger, run.trigger_id) == (report, report.uuid)
    assert (run.state, run.cause) == (RunState.WAITING, Cause.SCHEDULED)
    assert run.fire_time == run.not_before == run.claimed_at == NOON + MINUTE
    assert (run.attempt, run.hold, run.outcome) == (0, None, None)


def test_nothing_is_claimed_before_its_time(books: Books) -> None:
    books.load(trigger())

    claimed = books.claim(NOON + MINUTE - SECOND / 1000)

    assert (claimed.due, list(claimed.runs)) == (0, [])
    assert books.store.claims.next_fire_time() == NOON + MINUTE


def test_a_claim_moves_the_next_fire_time(books: Books) -> None:
    books.load(trigger(), trigger("later", "30 12 * * *"))
    assert books.store.claims.next_fire_time() == NOON + MINUTE

    books.claim(NOON + MINUTE + SECOND / 2)

    assert books.store.claims.next_fire_time() == NOON + 2 * MINUTE
    assert books.claim(NOON + MINUTE + SECOND).due == 0


def test_without_triggers_there_is_no_next_fire_time(books: Books) -> None:
    assert books.store.claims.next_fire_time() is None
    assert books.claim(NOON).due == 0


def test_a_one_off_fires_once_and_is_done(books: Books) -> None:
    books.load(one_off("launch", NOON + HOUR))

    assert books.claim(NOON + HOUR).due == 1

    assert books.store.claims.next_fire_time() is None
    assert books.claim(NOON + DAY).due == 0
    assert [run.fire_time for run in _runs(books)] == [NOON + HOUR]


def test_the_oldest_fire_time_is_claimed_first(books: Books) -> None:
    books.load(
        one_off("c", NOON + 3 * SECOND),
        one_off("a", NOON + 1 * SECOND),
        one_off("b", NOON + 2 * SECOND),
    )

    claimed = books.claim(NOON + MINUTE)

    assert [entry.slug for entry in claimed.runs] == ["a", "b", "c"]
    ids = [entry.run_id or 0 for entry in claimed.runs]
    assert ids == sorted(ids)


def test_jitter_moves_the_start_and_never_the_fire_time(books: Books) -> None:
    books.load(trigger(jitter_s=3600))

    ((entry,), (run,)) = (books.claim(NOON + MINUTE).runs, _runs(books))

    assert run.fire_time == NOON + MINUTE
    assert run.not_before is not None
    assert NOON + MINUTE < run.not_before < NOON + MINUTE + HOUR
    assert (run.hold, entry.not_before) == (Hold.JITTER, run.not_before)


def test_after_an_outage_the_newest_runs_and_the_others_are_one_entry(
    books: Books,
) -> None:
    books.load(trigger())

    claimed = books.claim(NOON + 10 * MINUTE + 70 * SECOND)

    newest, missed = _runs(books)
    assert [entry.run_id for entry in claimed.runs] == [missed.id, newest.id]
    assert (missed.state, missed.outcome) == (RunState.FINISHED, Outcome.MISSED)
    assert (missed.fire_time, missed.last_fire_time) == (
        NOON + MINUTE,
        NOON + 10 * MINUTE,
    )
    assert (missed.fire_count, missed.finished_at) == (
        10,
        NOON + 10 * MINUTE + 70 * SECOND,
    )
    assert (newest.fire_time, newest.state) == (NOON + 11 * MINUTE, RunState.WAITING)
    assert newest.cause is Cause.SCHEDULED


def test_what_is_late_but_within_its_window_is_caught_up(books: Books) -> None:
    books.load(trigger("nightly", "0 13 * * *"))

    books.claim(NOON + HOUR + 10 * MINUTE)

    (run,) = _runs(books)
    assert (run.cause, run.state) == (Cause.CATCH_UP, RunState.WAITING)


def test_what_is_later_than_its_window_is_missed(books: Books) -> None:
    books.load(trigger("nightly", "0 13 * * *", catch_up=CatchUp(within_s=0)))

    books.claim(NOON + 2 * HOUR)

    (run,) = _runs(books)
    assert run.outcome is Outcome.MISSED
    assert "catch-up window" in (run.reason or "")


def test_run_all_makes_a_run_of_each(books: Books) -> None:
    all_ = CatchUp(within_s=600, run_all=True)
    books.load(trigger(catch_up=all_))

    books.claim(NOON + 20 * MINUTE)

    waiting = [run for run in _runs(books) if run.outcome is None]
    missed = [run for run in _runs(books) if run.outcome is Outcome.MISSED]
    assert len(waiting) + sum(run.fire_count for run in missed) == 20
    assert waiting[0].fire_time == NOON + 20 * MINUTE
    assert len(waiting) >= 10


def test_a_fire_time_on_record_is_not_claimed_again(books: Books) -> None:
    books.load(trigger())
    books.claim(NOON + MINUTE)
    # As after restoring an older copy of this table alone.
    execute(
        books.url,
        "UPDATE clockd_jobs SET next_run_time = :at, claimed_until = :until",
        at=(NOON + MINUTE).timestamp(),
        until=int(NOON.timestamp()) * 1_000_000,
    )

    claimed = books.claim(NOON + MINUTE)

    assert (claimed.due, list(claimed.runs)) == (1, [])
    assert len(_runs(books)) == 1


def test_a_schedule_that_cannot_be_used_stops_nobody_else(books: Books) -> None:
    books.load(trigger(), trigger("broken"))
    # As when a time zone has left the zone database.
    execute(
        books.url,
        "UPDATE clockd_triggers SET fingerprint = 'x', definition = "
        "replace(definition, '* * * * *', 'no cron') WHERE slug = 'broken'",
    )

    books.claim(NOON + MINUTE)

    broken, report = sorted(_runs(books), key=lambda run: run.trigger.slug)
    assert (report.outcome, report.state) == (None, RunState.WAITING)
    assert (broken.outcome, broken.fire_time) == (Outcome.SKIPPED, NOON + MINUTE)
    assert "cannot be used" in (broken.reason or "")
    assert books.claim(NOON + 2 * MINUTE).due == 1
    assert books.claim(NOON + MINUTE + HOUR).due == 2


def test_what_falls_into_a_pause_is_skipped(books: Books) -> None:
    report = trigger()
    books.load(report)
    books.store.triggers.pause(report.uuid, by="ann", now=NOON + 90 * SECOND)
    books.claim(NOON + 3 * MINUTE)
    books.store.triggers.resume(report.uuid, now=NOON + 4 * MINUTE + 30 * SECOND)

    books.claim(NOON + 5 * MINUTE)

    by_time = {run.fire_time: run for run in _runs(books)}
    during = [by_time[NOON + n * MINUTE] for n in (2, 4)]
    assert [(run.outcome, run.reason) for run in during] == [
        (Outcome.SKIPPED, "paused")
    ] * 2
    assert by_time[NOON + 2 * MINUTE].fire_count == 2
    assert by_time[NOON + 1 * MINUTE].outcome is None
    assert by_time[NOON + 5 * MINUTE].outcome is None


def test_a_pause_is_kept_in_mind_though_another_followed(books: Books) -> None:
    report = trigger()
    books.load(report)
    triggers = books.store.triggers
    triggers.pause(report.uuid, by="ann", now=NOON + 30 * SECOND)
    triggers.resume(report.uuid, now=NOON + 150 * SECOND)
    triggers.pause(report.uuid, by="ann", now=NOON + 270 * SECOND)
    triggers.resume(report.uuid, now=NOON + 330 * SECOND)

    books.claim(NOON + 6 * MINUTE)

    skipped = [run for run in _runs(books) if run.reason == "paused"]
    assert {(run.fire_time, run.fire_count) for run in skipped} == {
        (NOON + MINUTE, 2),
        (NOON + 5 * MINUTE, 1),
    }
    assert sum(run.fire_count for run in _runs(books)) == 6


def test_a_claim_that_is_killed_at_any_statement_has_changed_nothing(
    database_url: str,
) -> None:
    script = [sys.executable, "-m", "tests.support.killed_claims", database_url]
    done = subprocess.run(script, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    kills = int(done.stdout)
    assert kills >= 5
    store = Store.open(database_url)
    runs = store.runs.list()
    store.close()
    assert Counter(run.trigger.slug for run in runs) == {"a": 1, "b": 1, "once": 1}


def test_two_clocks_with_one_fence_claim_each_fire_time_once(books: Books) -> None:
    # Cannot happen while leases hold; the second belt is the unique constraint.
    books.load(*(trigger(f"t{n}") for n in range(50)))
    other = Store.open(books.url)
    barrier = threading.Barrier(2)
    claimed: list[int] = []

    def claim(store: Store) -> None:
        for minute in range(1, 6):
            barrier.wait()
            now = NOON + minute * MINUTE
            claimed.append(len(store.claims.claim(fence=books.fence, now=now).runs))

    threads = [threading.Thread(target=claim, args=(s,)) for s in (books.store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()

    runs = _runs(books)
    assert sum(claimed) == len(runs) == 250
    assert len({(run.trigger_id, run.fire_time) for run in runs}) == 250


def test_a_day_is_caught_up_for_two_thousand_triggers(books: Books) -> None:
    books.load(*(trigger(f"t{n}") for n in range(2000)))

    claimed = books.claim(NOON + DAY)

    assert (claimed.due, len(claimed.runs)) == (2000, 4000)
    assert sum(entry.fire_count for entry in claimed.runs) == 2000 * 24 * 60
