"""Pauses as a clock that was set meanwhile leaves them."""

from __future__ import annotations

from datetime import timedelta

from clockd import schedule
from clockd.policy import Pause, plan_fires
from tests.support.stores import MINUTE, NOON, trigger


def test_a_pause_that_ends_before_it_begins_books_no_fire_time_twice() -> None:
    minutely = trigger()
    parsed = schedule.parse(
        minutely.schedule_kind, minutely.expression, minutely.timezone
    )
    until = NOON + timedelta(hours=2)
    pause = Pause(since=until - MINUTE, until=NOON + MINUTE)

    planned = plan_fires(minutely, parsed, after=NOON, now=until, pause=pause)

    assert sum(entry.fire_count for entry in planned) == 120
