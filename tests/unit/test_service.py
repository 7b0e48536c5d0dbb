"""What command line, API and pages share: views of triggers and runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from clockd import service
from clockd.errors import NotFoundError
from clockd.model import (
    Attempt,
    Cause,
    Outcome,
    Run,
    RunnerKind,
    RunState,
    ScheduleKind,
    Source,
)
from clockd.store import TriggerRow
from tests.support.stores import HOUR, MINUTE, NOON, one_off, trigger

HOURLY = trigger("hourly", "0 * * * *")


def row(of: Any = HOURLY, **more: Any) -> TriggerRow:
    """Return what the books know of a trigger."""
    given = {"next_fire_time": NOON + 2 * HOUR, "first_seen": NOON}
    return TriggerRow(trigger=of, uuid=of.uuid, **given | more)


class Books:
    """Stands for a store that knows these rows."""

    def __init__(self, *rows: TriggerRow) -> None:
        self.triggers = self
        self._rows = list(rows)

    def list(self) -> list[TriggerRow]:
        return self._rows


def view(of: Any = HOURLY, *rows: TriggerRow) -> service.TriggerView:
    """Return the first view of a file with one trigger."""
    books: Any = Books(*rows) if rows else None
    return service.trigger_views([of], books, now=NOON)[0]


# -- instants and fire times ---------------------------------------------------


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, None),
        (datetime(2026, 11, 24, 12, tzinfo=UTC), "2026-11-24T12:00:00Z"),
        (datetime(2026, 11, 24, 12, 0, 0, 5999, UTC), "2026-11-24T12:00:00.005Z"),
    ],
    ids=["none", "whole", "fraction"],
)
def test_an_instant_is_iso_8601_in_utc(at: datetime | None, text: str | None) -> None:
    assert text == service.instant(at)


def test_fire_times_come_in_order_after_an_instant() -> None:
    assert service.fire_times(HOURLY, NOON, 2) == [NOON + HOUR, NOON + 2 * HOUR]
    assert service.fire_times(one_off("once", NOON + HOUR), NOON, 5) == [NOON + HOUR]
    assert service.fire_times(one_off("past", NOON - HOUR), NOON, 5) == []


def test_an_inactive_trigger_has_no_fire_times() -> None:
    assert service.fire_times(trigger("off", active=False), NOON, 5) == []


def test_fire_times_end_with_the_calendar() -> None:
    yearly = service.schedule_of(trigger("yearly", "@yearly"))
    start = datetime(9996, 1, 1, tzinfo=UTC)

    assert [at.year for at in islice(service.coming(yearly, start), 9)] == [
        *(9997, 9998)
    ]


def test_a_trigger_is_described_in_english() -> None:
    assert service.description_of(HOURLY) == "Every hour"
    assert service.description_of(trigger("x", "10m", schedule_kind=ScheduleKind.EVERY))


# -- views ---------------------------------------------------------------------


def test_without_books_a_view_follows_the_file() -> None:
    seen = view()

    assert (seen.state, seen.fires, seen.silence) == ("active", True, None)
    assert seen.next_fire_time == NOON + HOUR
    assert seen.last_outcome is None


def test_the_books_know_the_next_fire_time_and_the_last_outcome() -> None:
    seen = view(HOURLY, row(last_outcome=Outcome.FAILED))

    assert seen.next_fire_time == NOON + 2 * HOUR
    assert seen.last_outcome is Outcome.FAILED


def test_an_edit_that_the_books_do_not_know_yet_follows_the_file() -> None:
    edited = trigger("hourly", "30 * * * *")

    assert view(edited, row(HOURLY)).next_fire_time == NOON + 30 * MINUTE


def test_an_inactive_trigger_does_not_fire() -> None:
    off = trigger("off", active=False)
    seen = view(off, row(off))

    assert (seen.state, seen.fires, seen.next_fire_time) == ("inactive", False, None)
    assert seen.silence == "is inactive (`active: false`) and does not fire"


@pytest.mark.parametrize(
    ("reason", "told"), [("moving", ": moving"), (None, "")], ids=["why", "no-reason"]
)
def test_a_paused_trigger_tells_by_whom_and_why(reason: str | None, told: str) -> None:
    seen = view(HOURLY, row(paused_at=NOON, paused_by="ann", paused_reason=reason))

    assert (seen.state, seen.fires, seen.next_fire_time) == ("paused", False, None)
    assert seen.silence == f"is paused by ann since 2026-11-24 12:00 UTC{told}"
    assert seen.to_json()["paused"] == {
        "at": "2026-11-24T12:00:00Z",
        "by": "ann",
        "reason": reason,
    }


def test_a_one_off_that_is_past_is_completed() -> None:
    past = one_off("past", NOON - HOUR)
    seen = view(past, row(past, next_fire_time=None))

    assert (seen.state, seen.next_fire_time) == ("completed", None)
    assert seen.silence == "was to fire once, and that is past"


def test_triggers_made_elsewhere_follow_those_of_the_file() -> None:
    made = trigger("made", source=Source.API)
    books: Any = Books(row(made), row(HOURLY), row(trigger("left-the-file")))
    seen = service.trigger_views([HOURLY], books, now=NOON)

    assert [one.trigger.slug for one in seen] == ["hourly", "made"]


def test_a_view_as_json_tells_everything_in_plain_values() -> None:
    assert view().to_json() == {
        "trigger": "hourly",
        "uuid": HOURLY.uuid,
        "name": "hourly",
        "command": "bin/hourly",
        "schedule": {"cron": "0 * * * *"},
        "description": "Every hour",
        "timezone": "UTC",
        "timeout": 1800,
        "dyno": None,
        "app": "sharp-mountain",
        "active": True,
        "state": "active",
        "overlap": "skip",
        "catch_up": {"within": 3600, "run": "newest"},
        "retries": 0,
        "jitter": 0,
        "source": "file",
        "paused": None,
        "next_fire_time": "2026-11-24T13:00:00Z",
        "last_outcome": None,
    }


# -- looking for a trigger -----------------------------------------------------


def test_a_trigger_is_found_by_slug_and_by_uuid() -> None:
    twin = trigger("hourly", app="rough-sea")
    both = [HOURLY, twin]

    assert service.find_trigger(both, "hourly") is HOURLY
    assert service.find_trigger(both, twin.uuid) is twin


@pytest.mark.parametrize(
    ("name", "hint"),
    [("houlry", "did you mean hourly?"), ("zzz", "`clockd triggers` lists them")],
)
def test_a_trigger_that_is_not_there_comes_with_the_nearest(
    name: str, hint: str
) -> None:
    with pytest.raises(NotFoundError, match=f"there is no trigger '{name}'") as caught:
        service.find_trigger([HOURLY], name)

    assert caught.value.hint == hint


# -- runs ----------------------------------------------------------------------


def run(**more: Any) -> Run:
    """Return a run that has failed."""
    given: dict[str, Any] = {
        "id": 7,
        "trigger_id": HOURLY.uuid,
        "trigger": HOURLY,
        "cause": Cause.SCHEDULED,
        "state": RunState.FINISHED,
        "claimed_at": NOON,
        "fire_time": NOON,
        "outcome": Outcome.FAILED,
        "exit_status": 3,
    }
    return Run(**given | more)


def test_a_run_as_json_tells_states_by_their_names() -> None:
    told = service.run_to_json(run(finished_at=NOON + timedelta(seconds=1.5)))

    assert (told["run_id"], told["cause"], told["state"]) == (
        *(7, "scheduled"),
        "finished",
    )
    assert (told["outcome"], told["exit_status"]) == ("failed", 3)
    assert told["finished_at"] == "2026-11-24T12:00:01.500Z"
    assert (told["attempts"], told["lag_s"]) == ([], None)


def test_what_platforms_and_people_wrote_is_told_without_secrets() -> None:
    attempt = Attempt(
        id=1,
        run_id=7,
        number=1,
        state=RunState.FINISHED,
        runner=RunnerKind.HEROKU,
        app="sharp-mountain",
        command="bin/hourly",
        process_type="clockd",
        time_to_live_s=1860,
        requested_at=NOON,
        reason="refused: password=hunter22",
        warning="see https://me:hunter22@example.com/",
    )
    told = service.run_to_json(
        run(reason="refused: password=hunter22", attempts=(attempt,))
    )

    assert told["reason"] == "refused: password=***"
    assert "hunter22" not in str(told)
