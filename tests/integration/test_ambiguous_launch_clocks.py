"""Lost answers and what came before: dead clocks, wrong clocks, absent databases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from clockd import clock
from clockd.errors import StoreUnavailable
from clockd.model import Outcome, RunState
from tests.support.bench import HOUR, broken
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.bench import Bench

pytestmark = pytest.mark.timeout(60)
DAY_S = 86_400.0
JUMPS = {"a day ahead": DAY_S, "a day back": -DAY_S, "a step": -30.0}


# -- another clock was here before ----------------------------------------------


def test_a_predecessors_launch_that_happened_is_adopted(bench: Bench) -> None:
    run, _ = bench.leave("sleep 0.3; exit 4", sent=True)
    bench.start()

    assert bench.finished(run).exit_status == 4
    assert len(bench.fake.journal) == 1


def test_a_predecessors_launch_is_sent_again_only_after_a_minute(bench: Bench) -> None:
    bench.tell_past()
    run, _ = bench.leave("exit 0", sent=False)
    bench.start()
    bench.after(120, lambda: bench.fake.launches(), step_s=2)

    assert bench.time.passed_s >= 60
    assert bench.finished(run).outcome is Outcome.SUCCEEDED
    assert len(bench.fake.journal) == 1


def test_a_predecessors_request_that_arrives_within_its_minute_is_adopted(
    bench: Bench,
) -> None:
    bench.tell_past()
    run, attempt = bench.leave("exit 5", sent=False)
    bench.start()
    bench.after(60, lambda: bench.sessions() == 1, step_s=2)
    request = bench.launcher._request(run, attempt)
    bench.runner.launch(request, guard=lambda: None)

    assert bench.finished(run).exit_status == 5
    assert len(bench.fake.journal) == 1


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "not sent"])
def test_a_launch_of_a_clock_that_was_dead_for_long_is_looked_for(
    bench: Bench, sent: bool
) -> None:
    bench.tell_past()
    run, _ = bench.leave("exit 0", sent=sent, timeout_s=60)
    bench.time.advance(50 * 60)
    bench.start()

    assert bench.finished(run).outcome is Outcome.SUCCEEDED
    assert len(bench.fake.journal) == 1


# -- wall clocks ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "by"),
    [("a day ahead", "list"), ("a day back", "list"), ("a day back", "log")],
)
def test_a_dyno_is_found_though_our_clock_has_jumped_since_its_request(
    bench: Bench, name: str, by: str
) -> None:
    bench.tell_past()
    bench.deafen()
    bench.lose("hang_after")
    bench.start()
    run = bench.ask("sleep 20" if by == "list" else "exit 0")
    wait_until(bench.fake.launches)
    bench.time.wrong_s = JUMPS[name]
    bench.wait_for(run, RunState.UNKNOWN)
    bench.after(90, lambda: [a for a in bench.get(run).attempts if a.dyno])

    assert bench.get(run).attempts[0].dyno == bench.fake.journal[0].name
    assert len(bench.fake.journal) == len(bench.fake.launches()) == 1


@pytest.mark.parametrize("name", ["a day ahead", "a day back"])
def test_what_was_not_done_is_sent_again_though_our_clock_has_jumped(
    bench: Bench, name: str
) -> None:
    bench.tell_past()
    bench.lose("hang")
    bench.start()
    run = bench.ask("exit 0")
    wait_until(bench.fake.launches)
    bench.time.wrong_s = JUMPS[name]

    bench.after(300, lambda: bench.state(run) is RunState.WAITING)
    assert bench.get(run).attempts == ()
    assert bench.fake.journal == []


@pytest.mark.parametrize("ahead_s", [30.0, 600.0, DAY_S], ids=["30 s", "10 min", "day"])
def test_a_dyno_that_a_clock_ahead_has_started_is_found(
    bench: Bench, ahead_s: float
) -> None:
    bench.tell_past()
    bench.time.wrong_s = ahead_s
    run, _ = bench.leave("exit 4", sent=True)
    bench.time.wrong_s = 0.0
    bench.time.advance(70)
    bench.start()

    assert bench.finished(run).exit_status == 4
    assert len(bench.fake.journal) == 1


@pytest.mark.parametrize("name", ["a day ahead", "a day back"])
def test_a_predecessors_dyno_is_found_though_our_clock_is_wrong(
    bench: Bench, name: str
) -> None:
    bench.tell_past()
    run, _ = bench.leave("exit 4", sent=True)
    bench.time.wrong_s = JUMPS[name]
    bench.start()

    assert bench.finished(run).exit_status == 4
    assert len(bench.fake.journal) == 1


def test_a_predecessors_launch_is_sent_again_though_our_clock_is_a_day_back(
    bench: Bench,
) -> None:
    bench.tell_past()
    run, _ = bench.leave("exit 4", sent=False)
    bench.time.wrong_s = -DAY_S
    bench.start()

    assert bench.finished(run).exit_status == 4
    assert len(bench.fake.journal) == len(bench.fake.launches()) == 1
    assert bench.time.passed_s >= 60


def test_what_a_clock_ahead_may_have_started_is_never_sent_again(bench: Bench) -> None:
    app = bench.fake.app
    app.say("app", "web.1", "GET /", at=app.now() - 30 * HOUR)
    bench.time.wrong_s = 600.0
    run, _ = bench.leave("exit 4", sent=False)
    bench.time.wrong_s = 0.0
    bench.start()
    lost = bench.finished(run)

    assert lost.outcome is Outcome.LOST
    assert "clock of the host that requested it" in (lost.reason or "")
    assert bench.fake.launches() == []


def test_no_clock_of_a_host_shortens_a_predecessors_minute(bench: Bench) -> None:
    bench.tell_past()
    run, _ = bench.leave("exit 0", sent=False)
    bench.time.wrong_s = 1800.0
    bench.start()
    bench.after(
        120, lambda: bench.get(run).reason == "its launch certainly did not happen"
    )

    assert bench.time.passed_s >= 60
    assert bench.fake.journal == []


@pytest.mark.parametrize("name", JUMPS)
def test_an_adopted_dyno_is_stopped_at_its_timeout_by_the_platforms_time(
    bench: Bench, name: str
) -> None:
    bench.start()
    run = bench.ask("sleep 50", timeout_s=600)
    bench.wait_for(run, RunState.RUNNING)
    bench.time.wrong_s = JUMPS[name]
    bench.pass_time(300)
    clockwork = bench.again().start()
    wait_until(lambda: clockwork.watcher.active)
    clockwork.after(240, lambda: bench.time.passed_s >= 540, step_s=40)
    (dyno,) = bench.fake.journal
    assert dyno.stopped_by is None

    ended = clockwork.finished(run, within_s=120)

    assert dyno.stopped_by == "api"
    assert ended.outcome is Outcome.TIMED_OUT
    assert bench.time.passed_s <= 630


def test_a_dyno_is_not_stopped_before_the_platforms_time_is_known(bench: Bench) -> None:
    bench.start()
    run = bench.ask("sleep 50", timeout_s=600)
    bench.wait_for(run, RunState.RUNNING)
    bench.time.wrong_s = DAY_S
    clockwork = bench.again()
    bench.fake.pause()
    clockwork.start()
    wait_until(lambda: clockwork.watcher.active)
    clockwork.after(30, lambda: bench.time.passed_s >= 25)
    assert clockwork.state(run) is RunState.RUNNING
    bench.fake.resume()
    clockwork.after(60, lambda: clockwork.runner.skew_s is not None)

    assert clockwork.state(run) is RunState.RUNNING
    assert bench.fake.journal[0].stopped_by is None


def test_an_exit_just_before_a_stop_counts_though_our_clock_is_behind(
    bench: Bench,
) -> None:
    bench.fake.app.delays = re.compile("exited")
    bench.start()
    run = bench.ask("exit 3", timeout_s=60)
    wait_until(lambda: bench.fake.journal and bench.fake.journal[0].ended_at)
    bench.time.wrong_s = -DAY_S
    bench.after(90, lambda: bench.state(run) is RunState.STOPPING)
    bench.fake.app.delays = None
    bench.fake.app.say("app", "web.1", "GET /")

    ended = bench.finished(run)
    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 3)


# -- answers that come too late ---------------------------------------------------


def test_the_dyno_of_an_answer_that_is_no_longer_ours_is_stopped(bench: Bench) -> None:
    bench.lose("delay", delay_s=0.6)
    bench.start()
    run = bench.ask("sleep 1.5; exit 0")
    wait_until(bench.fake.launches)
    attempt = bench.get(run).attempts[0]
    assert bench.store.attempts.requeue(
        attempt.id,
        attempt.requested_at,
        not_before=clock.now(),
        hold=None,
        reason="another clock has gone on with it",
    )
    bench.dispatcher.wake()
    wait_until(lambda: len(bench.fake.journal) == 2)
    ours, late = bench.fake.journal
    wait_until(lambda: late.stopped_by == "api")

    assert bench.finished(run).outcome is Outcome.SUCCEEDED
    assert bench.get(run).attempts[0].dyno_id == ours.id
    assert ours.stopped_by is None


def test_a_dyno_is_followed_from_memory_while_the_database_is_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.start()
    with monkeypatch.context() as patch:
        gone = broken(StoreUnavailable("gone"))
        patch.setattr(bench.store.attempts, "launched", gone)
        run = bench.ask("echo seen; exit 3")
        wait_until(lambda: bench.fake.journal and bench.fake.journal[0].ended_at)
        bench.after(20, lambda: bench.time.passed_s >= 15)
        assert bench.state(run) is RunState.LAUNCHING

    ended = bench.finished(run)

    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 3)
    assert ended.attempts[0].dyno_id == bench.fake.journal[0].id
    assert len(bench.fake.launches()) == 1


def test_a_dyno_is_found_again_where_the_clock_ends_while_the_database_is_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.start()
    with monkeypatch.context() as patch:
        gone = broken(StoreUnavailable("gone"))
        patch.setattr(bench.store.attempts, "launched", gone)
        run = bench.ask("sleep 0.5; exit 3")
        wait_until(lambda: bench.watcher.active)
        clockwork = bench.again()
    clockwork.start()

    ended = clockwork.finished(run)

    assert (ended.outcome, ended.exit_status) == (Outcome.FAILED, 3)
    assert len(bench.fake.journal) == len(bench.fake.launches()) == 1


def test_a_dyno_that_is_found_after_its_timeout_is_stopped_at_once(
    bench: Bench,
) -> None:
    bench.deafen()
    bench.lose("close_after")
    bench.fake.app.list_lag_s = 1000
    bench.fake.fault("status", path="/log-sessions$", status=503, times=None)
    bench.start()
    run = bench.ask("sleep 40", timeout_s=60)
    bench.after(120, lambda: bench.time.passed_s >= 70)
    bench.fake.app.list_lag_s = 0
    bench.fake.faults.clear()

    ended = bench.finished(run)

    assert ended.outcome is Outcome.TIMED_OUT
    assert bench.fake.journal[0].stopped_by == "api"
