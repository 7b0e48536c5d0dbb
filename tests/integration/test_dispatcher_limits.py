"""The file's limits, from the line to the launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from clockd import clock
from clockd.errors import LaunchRejected
from clockd.model import NO_LIMITS, Cause, Hold, Limits, Outcome, RunState
from tests.support.dispatching import Clockwork, trigger
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clockd.model import Run

ONE = Limits(concurrent_runs=1)


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """Give what is logged."""
    with capture_logs() as logs:
        yield logs


def events(told: list[Any], event: str) -> list[dict[str, Any]]:
    """Return the log lines of an event."""
    return [line for line in list(told) if line["event"] == event]


def request(work: Clockwork, *slugs: str) -> list[Run]:
    """Ask for runs at once, the first first."""
    now = clock.now()
    asked = [
        work.store.runs.request(trigger(slug), cause=Cause.MANUAL, by="t", now=now)
        for slug in slugs
    ]
    work.dispatcher.wake()
    return asked


def wait_for_hold(work: Clockwork, run: Run) -> Run:
    """Wait until a run is held for want of a place."""
    wait_until(lambda: work.get(run).hold is Hold.LIMIT, message=str(run))
    return work.get(run)


class TestPlaces:
    def test_runs_have_dynos_one_after_the_other(self, work: Clockwork) -> None:
        work.dispatcher.limits = ONE
        runs = request(work, "a", "b", "c")

        for number, run in enumerate(runs):
            work.wait_for(run, RunState.RUNNING)
            assert len(work.runner.requests) == number + 1
            for later in runs[number + 1 :]:
                assert work.get(later).state is RunState.WAITING
            work.exit(run, 0)

        assert [sent.command for sent in work.runner.requests] == [
            *("bin/a", "bin/b", "bin/c")
        ]

    def test_what_waits_is_told_of(self, work: Clockwork, told: list[Any]) -> None:
        work.dispatcher.limits = ONE
        first, second = request(work, "a", "b")
        work.wait_for(first, RunState.RUNNING)

        held = wait_for_hold(work, second)

        assert held.reason == "the limit of 1 concurrent runs is reached"
        wait_until(lambda: events(told, "run.held"))
        (line,) = events(told, "run.held")
        assert (line["trigger"], line["reason"]) == ("b", held.reason)

    def test_a_place_that_somebody_else_made_is_noticed(self, work: Clockwork) -> None:
        work.dispatcher.limits = ONE
        now = clock.now()
        other = work.store.runs.request(
            trigger("a"), cause=Cause.MANUAL, by="t", now=now, owner="laptop:9"
        )
        taken = work.store.runs.take(
            now=now, limit=1, plan=work.launcher.plan, owner="laptop:9"
        )
        ((_, attempt),) = taken.started
        (mine,) = request(work, "b")
        wait_for_hold(work, mine)

        work.store.attempts.finish(
            attempt.id, outcome=Outcome.LOST, exit_status=None, reason="?", now=now
        )

        # Long before it would be looked at by itself.
        work.wait_for(mine, RunState.RUNNING)
        assert work.get(other).outcome is Outcome.LOST

    def test_a_refused_launch_gives_its_place_back(self, work: Clockwork) -> None:
        work.dispatcher.limits = ONE
        work.runner.failures = [LaunchRejected("no such app")]
        first, second = request(work, "a", "b")

        work.wait_for(first, RunState.FINISHED)
        work.wait_for(second, RunState.RUNNING)

    def test_a_higher_limit_holds_at_once(self, work: Clockwork) -> None:
        work.dispatcher.limits = ONE
        first, second = request(work, "a", "b")
        work.wait_for(first, RunState.RUNNING)
        wait_for_hold(work, second)

        work.dispatcher.limits = Limits(concurrent_runs=2)
        work.dispatcher.wake()

        work.wait_for(second, RunState.RUNNING)

    def test_no_limit_is_no_limit(self, work: Clockwork) -> None:
        assert work.dispatcher.limits == NO_LIMITS
        for run in request(work, *(f"t{number}" for number in range(8))):
            work.wait_for(run, RunState.RUNNING)


class TestMonths:
    def test_what_is_too_many_is_skipped_and_told_of_once(
        self, work: Clockwork, told: list[Any]
    ) -> None:
        work.dispatcher.limits = Limits(runs_per_month=1, timezone="UTC")
        first, second = request(work, "a", "b")
        (third,) = request(work, "c")

        skipped = [work.wait_for(run, RunState.FINISHED) for run in (second, third)]

        work.wait_for(first, RunState.RUNNING)
        assert [run.outcome for run in skipped] == [Outcome.SKIPPED] * 2
        assert len(work.runner.requests) == 1
        wait_until(lambda: len(events(told, "run.skipped")) == 2)
        (line,) = events(told, "limit.reached")
        month = f"{second.claimed_at:%Y-%m}"
        assert (line["limit"], line["runs"]) == ("runs_per_month", 1)
        assert (line["month"], line["timezone"]) == (month, "UTC")
        assert line["log_level"] == "error"
        assert "`runs_per_month` under `limits`" in line["hint"]
        reason = f"limit: 1 runs have started in {month}, and no more may"
        assert [run.reason for run in skipped] == [reason] * 2
