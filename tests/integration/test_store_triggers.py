"""Triggers on record: found, listed with their history, paused and resumed."""

from __future__ import annotations

import pytest

from clockd.errors import ConflictError, NotFoundError
from clockd.model import Outcome
from tests.support.stores import (
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    Books,
    trigger,
)


def test_triggers_are_listed_by_slug_with_their_last_end(books: Books) -> None:
    report, other = trigger("report"), trigger("other")
    books.load(report, other)
    _, first = books.run(report)
    books.end(first, NOON + SECOND)
    failed, second = books.run(report, NOON + MINUTE)
    books.end(second, NOON + 2 * MINUTE, Outcome.FAILED, 3)
    books.run(report, NOON + 3 * MINUTE)

    never, ran = books.store.triggers.list()

    assert (never.trigger, ran.trigger) == (other, report)
    assert (ran.last_outcome, ran.last_run_id) == (Outcome.FAILED, failed.id)
    assert ran.last_finished_at == NOON + 2 * MINUTE
    assert (never.last_outcome, never.last_run_id) == (None, None)
    assert never.next_fire_time == NOON + MINUTE


def test_triggers_of_two_apps_with_one_slug_keep_their_histories_apart(
    books: Books,
) -> None:
    here, there = trigger(app="here"), trigger(app="there")
    books.load(here, there)
    _, attempt = books.run(there)
    books.end(attempt, NOON)

    rows = {row.trigger.app: row for row in books.store.triggers.list()}

    assert rows["here"].last_outcome is None
    assert rows["there"].last_outcome is Outcome.SUCCEEDED


def test_a_trigger_is_found_by_slug_and_by_uuid(books: Books) -> None:
    report = trigger()
    books.load(report)

    assert books.store.triggers.find("report").trigger == report
    assert books.store.triggers.find(report.uuid).uuid == report.uuid
    assert books.store.triggers.find("report", "sharp-mountain").trigger == report


def test_a_misspelt_slug_names_the_nearest(books: Books) -> None:
    books.load(trigger("nightly-report"), trigger("cleanup"))

    with pytest.raises(NotFoundError, match="'nightly-raport'") as caught:
        books.store.triggers.find("nightly-raport")

    assert caught.value.hint == "did you mean nightly-report?"
    with pytest.raises(NotFoundError) as caught:
        books.store.triggers.find("xyzzy")
    assert "clockd triggers" in (caught.value.hint or "")
    with pytest.raises(NotFoundError, match="of app other"):
        books.store.triggers.find("cleanup", "other")


def test_a_slug_of_several_apps_needs_the_app(books: Books) -> None:
    books.load(trigger(app="here"), trigger(app="there"))

    with pytest.raises(ConflictError, match="here, there"):
        books.store.triggers.find("report")

    assert books.store.triggers.find("report", "there").trigger.app == "there"


def test_a_removed_trigger_is_not_found_but_remembered(books: Books) -> None:
    books.load(trigger())
    books.load(now=NOON + HOUR)

    with pytest.raises(NotFoundError, match="removed on 2026-11-24 at 13:00 UTC"):
        books.store.triggers.find("report")


def test_a_pause_says_who_and_why(books: Books) -> None:
    report = trigger()
    books.load(report)

    assert books.store.triggers.pause(
        report.uuid, by="ann", reason="the mail server is down", now=NOON
    )

    row = books.store.triggers.find("report")
    assert (row.paused_at, row.paused_by) == (NOON, "ann")
    assert row.paused_reason == "the mail server is down"


def test_the_first_pause_stays(books: Books) -> None:
    report = trigger()
    books.load(report)
    books.store.triggers.pause(report.uuid, by="ann", now=NOON)

    assert not books.store.triggers.pause(report.uuid, by="bob", now=NOON + MINUTE)

    assert books.store.triggers.find("report").paused_by == "ann"


def test_a_resumed_trigger_is_no_longer_paused(books: Books) -> None:
    report = trigger()
    books.load(report)
    books.store.triggers.pause(report.uuid, by="ann", reason="why", now=NOON)

    assert books.store.triggers.resume(report.uuid, now=NOON + MINUTE)

    row = books.store.triggers.find("report")
    assert (row.paused_at, row.paused_by, row.paused_reason) == (None, None, None)
    assert not books.store.triggers.resume(report.uuid, now=NOON + MINUTE)
    assert books.store.triggers.pause(report.uuid, by="bob", now=NOON + HOUR)


def test_only_known_triggers_are_paused_and_resumed(books: Books) -> None:
    report = trigger()

    with pytest.raises(NotFoundError, match=report.uuid):
        books.store.triggers.pause(report.uuid, by="ann", now=NOON)
    with pytest.raises(NotFoundError, match=report.uuid):
        books.store.triggers.resume(report.uuid, now=NOON)


def test_definitions_are_the_last_good_set(books: Books) -> None:
    kept = trigger("kept", env={"LEVEL": "${LEVEL}"}, retries=2, name="Käse ☃")
    books.load(kept, trigger("gone"))
    books.load(kept, now=NOON + SECOND)

    assert books.store.triggers.definitions() == [kept]
