"""Launches whose answer does not come, or says too little: what became of them.

Each test ends with the platform's own books: as many dynos as attempts that happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from clockd.model import Outcome, RunState
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.bench import Bench

pytestmark = pytest.mark.timeout(60)
TASK = "sleep 0.3; exit 5"

DONE: dict[str, tuple[str, dict[str, Any]]] = {
    "no answer": ("hang_after", {}),
    "reset": ("reset_after", {}),
    "closed": ("close_after", {}),
    "500": ("status_after", {"status": 500}),
    "503": ("status_after", {"status": 503}),
    "garbage": ("garbage", {}),
    "cut off": ("truncate", {}),
    "empty": ("status_after", {"status": 201, "body": ""}),
    "empty object": ("status_after", {"status": 201, "body": {}}),
    "a list": ("status_after", {"status": 200, "body": []}),
    "no name": ("status_after", {"status": 201, "body": {"id": "x", "name": None}}),
}
NOT_DONE: dict[str, tuple[str, dict[str, Any]]] = {
    "no answer": ("hang", {}),
    "reset": ("reset_before", {}),
    "closed": ("close_before", {}),
    "500": ("status", {"status": 500}),
    "503": ("status", {"status": 503}),
    "unreadable": ("status", {"status": 200, "body": {"dyno": 1}}),
}


@pytest.mark.parametrize("name", DONE)
def test_a_dyno_whose_answer_was_lost_is_adopted(bench: Bench, name: str) -> None:
    kind, options = DONE[name]
    bench.tell_past()
    bench.lose(kind, **options)
    bench.start()
    run = bench.finished(bench.ask(TASK))

    assert (run.outcome, run.exit_status) == (Outcome.FAILED, 5)
    assert len(bench.fake.journal) == len(bench.fake.launches()) == 1
    assert run.attempts[0].dyno == bench.fake.journal[0].name


@pytest.mark.parametrize("name", NOT_DONE)
def test_what_was_not_done_is_sent_again_after_a_look(bench: Bench, name: str) -> None:
    kind, options = NOT_DONE[name]
    bench.tell_past()
    bench.lose(kind, **options)
    bench.start()
    run = bench.finished(bench.ask("exit 0"))

    assert (run.outcome, len(run.attempts)) == (Outcome.SUCCEEDED, 1)
    assert len(bench.fake.journal) == 1
    assert len(bench.fake.launches()) == 2
    first, second = (request["time"] for request in bench.fake.launches())
    looks = [r for r in bench.fake.requests if first < r["time"] < second]
    assert sum(r["path"].endswith("/dynos") for r in looks) >= 4
    assert bench.sessions() == 1
    assert bench.time.passed_s >= 40


def test_it_is_lost_where_the_log_does_not_reach_back(bench: Bench) -> None:
    bench.lose("status", status=503)
    bench.start()
    with capture_logs() as logs:
        run = bench.finished(bench.ask("exit 0"))

    assert run.outcome is Outcome.LOST
    assert "does not reach back" in (run.reason or "")
    assert bench.fake.journal == []
    (told,) = (line for line in logs if line["event"] == "run.finished")
    assert (told["outcome"], told["log_level"]) == ("lost", "warning")


def test_it_is_lost_where_the_log_may_not_be_read(bench: Bench) -> None:
    bench.lose("status", status=503)
    bench.fake.fault("status", path="/log-sessions$", status=403, times=None)
    bench.start()
    run = bench.finished(bench.ask("exit 0"))

    assert run.outcome is Outcome.LOST
    assert "may not be read" in (run.reason or "")
    assert bench.fake.journal == []
    assert bench.sessions() == 3


def test_a_log_that_cannot_be_read_just_now_is_waited_for(bench: Bench) -> None:
    bench.tell_past()
    bench.lose("status", status=503)
    bench.fake.fault("status", path="/log-sessions$", status=503, times=6)
    bench.start()
    run = bench.finished(bench.ask("exit 0"), within_s=600, step_s=10)

    assert run.outcome is Outcome.SUCCEEDED
    assert len(bench.fake.journal) == 1


@pytest.mark.parametrize("kind", ["status", "reset_before", "garbage"])
def test_a_look_that_fails_decides_nothing(bench: Bench, kind: str) -> None:
    bench.tell_past()
    bench.deafen()
    bench.lose("status_after", status=502)
    bench.fake.fault(kind, method="GET", path="/dynos$", times=4)
    bench.start()
    run = bench.ask("sleep 30")
    bench.after(60, lambda: bench.lists() >= 3)
    assert bench.state(run) is RunState.UNKNOWN

    bench.after(120, lambda: bench.state(run) is RunState.RUNNING)

    assert len(bench.fake.journal) == len(bench.fake.launches()) == 1


def test_looks_that_fail_for_long_become_rare(bench: Bench) -> None:
    bench.lose("status", status=503)
    bench.fake.fault("status", method="GET", path="/dynos$", times=None)
    bench.start()
    run = bench.ask("exit 0")
    bench.wait_for(run, RunState.UNKNOWN)
    bench.after(400, lambda: bench.time.passed_s >= 395, step_s=10)

    assert bench.lists() <= 15
    assert bench.state(run) is RunState.UNKNOWN


def test_a_dyno_that_is_listed_late_is_found_at_a_later_look(bench: Bench) -> None:
    bench.deafen()
    bench.lose("status_after", status=500)
    bench.fake.app.list_lag_s = 1000
    bench.start()
    run = bench.ask("sleep 30")
    bench.after(60, lambda: bench.lists() >= 2)
    assert bench.state(run) is RunState.UNKNOWN
    bench.fake.app.list_lag_s = 0

    bench.after(60, lambda: bench.state(run) is RunState.RUNNING)

    assert bench.get(run).attempts[0].dyno_id == bench.fake.journal[0].id
    assert len(bench.fake.journal) == 1


def test_a_task_that_ended_before_we_look_has_its_exit_status_from_the_log(
    bench: Bench,
) -> None:
    bench.tell_past()
    bench.deafen()
    bench.lose("close_after")
    bench.start()
    run = bench.ask("echo quick; exit 7")
    wait_until(lambda: bench.fake.journal and bench.fake.journal[0].ended_at)
    finished = bench.finished(run)

    assert (finished.outcome, finished.exit_status) == (Outcome.FAILED, 7)
    assert len(bench.fake.journal) == len(bench.fake.launches()) == 1
    lines = [line.text for line in bench.store.output.lines(run.id)]
    assert "quick" in lines


def test_one_look_serves_all_lost_answers_of_an_app(bench: Bench) -> None:
    bench.tell_past()
    left = [
        bench.leave(f"echo {n}", slug=f"task-{n}", sent=n == 3)[0] for n in range(6)
    ]
    bench.start()
    for run in left:
        assert bench.finished(run).outcome is Outcome.SUCCEEDED

    # Each of six on its own would ask for six lists, and twice for the log.
    assert bench.lists() <= 12
    assert bench.sessions() <= 3
    assert len(bench.fake.journal) == 6


# -- certainly not created -----------------------------------------------------

REFUSED: dict[str, dict[str, Any]] = {
    "429": {"status": 429},
    "409": {"status": 409},
    "401": {"status": 401},
    "403": {"status": 403},
}
REJECTED: dict[str, dict[str, Any]] = {
    "400": {"status": 400},
    "402": {"status": 402},
    "404": {"status": 404},
    "422": {"status": 422, "body": {"id": "unprocessable", "message": "No."}},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_for_now_is_sent_again_without_a_look(
    bench: Bench, name: str
) -> None:
    bench.lose("status", **REFUSED[name])
    bench.start()
    run = bench.ask("exit 0")
    wait_until(lambda: bench.get(run).hold)

    assert bench.finished(run).outcome is Outcome.SUCCEEDED
    assert len(bench.fake.journal) == 1
    assert len(bench.fake.launches()) == 2
    assert bench.sessions() == 0


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_refused_for_good_is_a_failed_launch(bench: Bench, name: str) -> None:
    bench.lose("status", **REJECTED[name])
    bench.start()
    run = bench.finished(bench.ask("exit 0"))

    assert (run.outcome, run.exit_status) == (Outcome.LAUNCH_FAILED, None)
    assert bench.fake.journal == []
    assert len(bench.fake.launches()) == 1
    assert bench.lists() == 0


def test_a_refused_connection_is_sent_again_without_a_look(bench: Bench) -> None:
    bench.fake.pause()
    bench.start()
    run = bench.ask("exit 0")
    wait_until(lambda: bench.get(run).hold)
    bench.fake.resume()

    assert bench.finished(run).outcome is Outcome.SUCCEEDED
    assert len(bench.fake.journal) == len(bench.fake.launches()) == 1
    assert bench.sessions() == 0


def test_a_refused_size_is_left_out_with_a_warning_on_the_run(bench: Bench) -> None:
    bench.fake.app.sizes = ("Standard-1X",)
    bench.start()
    run = bench.finished(bench.ask("exit 0", dyno="performance-m"))

    assert run.outcome is Outcome.SUCCEEDED
    assert "performance-m is not available" in (run.attempts[0].warning or "")
    sizes = [request["body"].get("size") for request in bench.fake.launches()]
    assert sizes == ["performance-m", None]
    assert len(bench.fake.journal) == 1


def test_a_dyno_of_another_size_has_its_warning_though_its_answer_was_lost(
    bench: Bench,
) -> None:
    app = bench.fake.app
    app.sizes = ("Standard-1X",)
    bench.deafen()
    refusal = {"id": "invalid_params", "message": "No such size as performance-m."}
    bench.lose("status", status=422, body=refusal)
    bench.lose("close_after")
    bench.start()
    run = bench.ask("sleep 30", dyno="performance-m")
    bench.after(60, lambda: bench.state(run) is RunState.RUNNING)

    warning = bench.get(run).attempts[0].warning or ""
    assert "performance-m was asked for; it was started on Standard-1X" in warning
    assert [dyno.requested_size for dyno in bench.fake.journal] == [None]
