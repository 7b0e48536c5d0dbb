"""The platform is away for half an hour in the middle of a day of triggers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from clockd import clock, events
from clockd.model import (
    CatchUp,
    Hold,
    Outcome,
    Overlap,
    RunState,
    ScheduleKind,
    Trigger,
)
from clockd.pace import Allowance
from clockd.runner import Unavailable
from tests.support.outages import MORNING, Day, FakeTime, Refusing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from clockd.model import Run

HALF_AN_HOUR_S = 1800
#: Between two fire times of every minute, and over a whole hour.
STEPS_S = {"*": 60, "*/2": 120, "*/5": 300, "*/10": 600, "0": 3600}
DOWN = MORNING + timedelta(minutes=10, seconds=30)
UP = DOWN + timedelta(seconds=HALF_AN_HOUR_S)
HOUR = MORNING + timedelta(minutes=25)

TOLD = (events.PLATFORM_UNAVAILABLE, events.PLATFORM_RECOVERED)
WAYS = {
    "refused": Refusing(Unavailable.CONNECTION),
    "unauthorized": Refusing(Unavailable.UNAUTHORIZED),
    "503": Refusing(),
    "503 to launches alone": Refusing(lists=True),
    "503 after the work": Refusing(works=True),
}


def trigger(slug: str, expression: str, **more: Any) -> Trigger:
    given: dict[str, Any] = {
        "command": f"bin/{slug}",
        "schedule_kind": ScheduleKind.CRON,
        "app": "app",
    }
    return Trigger(slug=slug, expression=expression, **given | more)


def one_off(slug: str, at: datetime) -> Trigger:
    text = f"{at:%Y-%m-%d %H:%M:%S}"
    return trigger(slug, text, schedule_kind=ScheduleKind.AT)


MINUTELY = [
    trigger("skip", "* * * * *"),
    trigger("queue", "* * * * *", overlap=Overlap.QUEUE),
    trigger("replace", "*/2 * * * *", overlap=Overlap.REPLACE),
    trigger("allow", "*/5 * * * *", overlap=Overlap.ALLOW),
]
TENTHS = [
    trigger("none", "*/10 * * * *", catch_up=CatchUp(within_s=0)),
    trigger("newest", "*/10 * * * *"),
    trigger("all", "*/10 * * * *", catch_up=CatchUp(within_s=3600, run_all=True)),
]
HOURLY = [
    trigger("hourly", "0 * * * *"),
    trigger("retried", "0 * * * *", retries=2, retry_delay_s=60),
]


@pytest.fixture
def day(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    day = Day(sqlite_url, FakeTime(monkeypatch))
    yield day
    day.close()


def during(runs: list[Run]) -> list[Run]:
    return [run for run in runs if run.fire_time and DOWN < run.fire_time <= UP]


def is_accounted_for(run: Run) -> bool:
    """Return whether a run that did not start says why."""
    given = (run.outcome, (run.reason or "").split(" ")[0])
    allowed = {(Outcome.SKIPPED, "superseded")}
    if run.trigger.catch_up.within_s == 0:
        allowed.add((Outcome.MISSED, "could"))
    if run.trigger.overlap is Overlap.REPLACE:
        allowed |= {(Outcome.CANCELLED, it) for it in ("cancelled", "replaced")}
    return given in allowed


def is_loud(line: Any) -> bool:
    return line["log_level"] not in ("debug", "info")


def in_order(day: Day, slug: str) -> bool:
    fire_times = [it.fire_time for it in day.runner.started if it.trigger == slug]
    return fire_times == sorted(fire_times)


def live_through(day: Day, away: Refusing) -> tuple[list[Any], dict[str, int]]:
    """Let a morning pass, with the outage in it.

    Returns the log, and how often the platform was asked while it was away.
    """
    day.runner.status = lambda request: int(
        request.env["CLOCKD_TRIGGER"] == "retried"
        and request.env["CLOCKD_ATTEMPT"] == "1"
    )
    day.load(*MINUTELY, *TENTHS, *HOURLY, one_off("once", HOUR))
    with capture_logs() as logs:
        day.pass_time((DOWN - MORNING).total_seconds(), step_s=30)
        day.runner.away = away
        before = asked(day)
        day.pass_time(HALF_AN_HOUR_S, step_s=15)
        after = asked(day)
        day.runner.away = None
        day.pass_time(1100, step_s=10)
    return logs, {name: after[name] - before[name] for name in after}


def asked(day: Day) -> dict[str, int]:
    it = day.runner
    return {
        "launches": len(it.requests),
        "lists": it.lists,
        "histories": it.histories,
    }


@pytest.mark.parametrize("way", list(WAYS))
def test_half_an_hour_without_the_platform_loses_and_doubles_nothing(
    day: Day, way: str
) -> None:
    away = WAYS[way]
    logs, requests = live_through(day, away)
    books = day.books()

    # Every fire time has one run on record, and every run has an end.
    for it in (*MINUTELY, *TENTHS, *HOURLY):
        fire_times = Counter(run.fire_time for run in books.runs(it.slug))
        assert set(fire_times.values()) == {1}
        step_s = STEPS_S[it.expression.split()[0]]
        first, last = (int(at.timestamp()) // step_s for at in (MORNING, clock.now()))
        assert len(fire_times) == last - first, it.slug
    assert books.unfinished() == []
    assert day.doubled() == []
    assert all(run.outcome is not Outcome.LOST for run in books.all)
    # Of those that waited the newest ran, and the others say why they did not.
    for slug in ("skip", "allow", "replace", "newest", "none"):
        ran = during(books.launched(slug))
        others = [run for run in during(books.runs(slug)) if run not in ran]
        assert len(ran) <= (2 if away.works else 1), slug
        assert all(is_accounted_for(run) for run in others), slug
    for slug in ("hourly", "retried", "once"):
        (run,) = during(books.launched(slug))
        assert (run.fire_time, run.outcome) == (HOUR, Outcome.SUCCEEDED)
    # Who wants each has each, in order.
    for slug in ("queue", "all"):
        assert during(books.launched(slug)) == during(books.runs(slug))
        assert in_order(day, slug)
    # It was told once, and not for each run.
    unavailable, recovered = (line for line in logs if line["event"] in TOLD)
    assert (unavailable["event"], unavailable["log_level"]) == (
        events.PLATFORM_UNAVAILABLE,
        "error",
    )
    assert DOWN < unavailable["since"] < DOWN + timedelta(seconds=60)
    assert recovered["event"] == events.PLATFORM_RECOVERED
    assert HALF_AN_HOUR_S - 60 < recovered["lasted_s"] < HALF_AN_HOUR_S + 120
    # Others waited for a launch of their own trigger that was not answered.
    assert 5 <= recovered["runs_waited"] <= len(during(books.all))
    assert not [x for x in logs if x["event"] == events.RUN_HELD and is_loud(x)]
    assert sum(x["event"] == events.PLATFORM_FAILED and is_loud(x) for x in logs) <= 1
    # The platform is left in peace: launches twice a minute, and little else.
    # (Each launch that may have worked is looked for with four lists.)
    most = 400 if away.lists else 200
    assert 30 <= requests["launches"] + requests["lists"] <= most
    assert requests["histories"] <= 100


def test_a_platform_that_answers_nothing_is_asked_something_harmless_first(
    day: Day,
) -> None:
    minutes = range(2, 32)
    day.load(
        *(one_off(f"t-{n}", MORNING + timedelta(minutes=n)) for n in minutes),
    )
    day.runner.away = WAYS["503"]
    day.pass_time(HALF_AN_HOUR_S + 120, step_s=10)

    # Each launch that is not answered has to be looked for, and may be lost.
    assert len(day.runner.requests) <= 3
    assert 50 < day.runner.lists < 150

    day.runner.away = None
    day.pass_time(180, step_s=10)
    assert len(day.runner.started) == len(minutes)
    assert day.doubled() == []


def test_what_waited_is_let_through_a_few_at_a_time(day: Day) -> None:
    at = MORNING + timedelta(minutes=5)
    day.load(*(one_off(f"t-{n}", at) for n in range(100)), *MINUTELY[:1])
    day.pass_time(270, step_s=30)
    day.runner.away = WAYS["refused"]
    day.pass_time(HALF_AN_HOUR_S, step_s=30)
    day.runner.away = None
    day.pass_time(120, step_s=1)

    late = [it.at for it in day.runner.started if it.trigger.startswith("t-")]
    assert len(late) == 100
    assert max(Counter(late).values()) <= 10
    assert timedelta(seconds=15) < max(late) - min(late) < timedelta(seconds=40)
    # Who is on time is not held up behind them.
    on_time = [
        run.lag_s
        for run in day.books().launched("skip")
        if run.fire_time and min(late) < run.fire_time
    ]
    assert on_time
    assert max(lag_s or 0.0 for lag_s in on_time) <= 2


def test_when_little_is_left_launches_are_spread_to_what_is_refilled(day: Day) -> None:
    at = MORNING + timedelta(minutes=1)
    day.load(*(one_off(f"t-{n}", at) for n in range(60)))
    day.pass_time(50, step_s=10)
    for _ in range(50):
        day.runner.allowance = Allowance(300, clock.boottime())
        day.pass_time(1, step_s=1)

    assert 38 <= len(day.runner.started) <= 46
    day.runner.allowance = Allowance(2000, clock.boottime())
    day.pass_time(20, step_s=1)
    assert len(day.runner.started) == 60


def test_a_full_app_is_tried_seldom_and_filled_in_order_once_there_is_room(
    day: Day,
) -> None:
    times = [MORNING + timedelta(minutes=1, seconds=n) for n in range(8)]
    patient = [one_off(f"t-{n}", at) for n, at in enumerate(times)]
    hasty = replace(one_off("hasty", times[0]), catch_up=CatchUp(within_s=120))
    day.load(*patient, hasty)
    day.runner.limit = 0
    day.pass_time(600, step_s=10)

    # One probe every half minute, once all were refused.
    assert len(day.runner.requests) <= 9 + 2 * 10
    (gone,) = day.books().runs("hasty")
    assert gone.outcome is Outcome.MISSED

    day.runner.limit = 100
    day.pass_time(40, step_s=10)

    assert [it.trigger for it in day.runner.started] == [it.slug for it in patient]
    assert day.doubled() == []


def test_runs_in_line_are_missed_only_when_their_window_closes(day: Day) -> None:
    day.load(one_off("patient", MORNING + timedelta(minutes=1)))
    day.runner.limit = 0
    day.pass_time(3600, step_s=60)
    (run,) = day.books().runs("patient")
    assert (run.state, run.hold) == (RunState.WAITING, Hold.LINE)

    day.pass_time(180, step_s=60)

    (run,) = day.books().runs("patient")
    assert (run.outcome, run.fire_time) == (
        Outcome.MISSED,
        MORNING + timedelta(minutes=1),
    )
