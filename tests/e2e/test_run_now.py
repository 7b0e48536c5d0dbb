"""`clockd run-now`, with and without a running clock."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from clockd import clock
from clockd.lease import STALE_S
from clockd.model import RunnerKind
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.clockd import Home

pytestmark = pytest.mark.timeout(120)


def task(command: str, more: str = "") -> str:
    """Return a trigger that fires only by hand."""
    return f"\n  task:\n    command: {command}\n    cron: 0 0 1 1 *\n{more}"


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read what a process prints up to a line."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"no {text!r}")


@pytest.fixture(params=["alone", "with a clock"])
def place(request: pytest.FixtureRequest, home: Home) -> Home:
    """Give a folder, without a clock and with one."""
    if request.param == "with a clock":
        home.write(task("exit 0"))
        home.start()
    return home


def write(home: Home, text: str) -> None:
    """Write the file, and let the clock take it over if there is one."""
    home.write(text)
    for started in home.clocks:
        started.wait_for("trigger.changed", trigger="task")


def test_it_streams_the_output_and_exits_with_the_status(place: Home) -> None:
    write(place, task("echo one; echo two >&2; exit 7"))

    done = place.run("run-now", "task")

    assert done.returncode == 7
    assert done.stdout.splitlines() == ["one", "two"]
    assert "failed: exit status 7" in done.stderr
    run = place.runs("task")[-1]
    assert (run["cause"], run["outcome"], run["exit_status"]) == ("manual", "failed", 7)
    assert (run["fire_time"], run["lag_s"]) == (None, None)


def test_success_is_0(place: Home) -> None:
    write(place, task("echo fine"))

    done = place.run("run-now", "task")

    assert (done.returncode, done.stdout) == (0, "fine\n")


def test_a_timeout_is_124(place: Home) -> None:
    write(place, task("sleep 60", "    timeout: 1s\n"))

    done = place.run("run-now", "task")

    assert done.returncode == 124
    assert "timed_out: stopped at its timeout" in done.stderr


def test_not_started_is_125(place: Home) -> None:
    write(place, task("sleep 30"))
    first = place.begin("run-now", "task")
    wait_until(lambda: place.runs("task", state="running"))

    done = place.run("run-now", "task")
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=20)

    assert done.returncode == 125
    assert "skipped: overlap" in done.stderr


def test_interrupted_is_130_and_the_run_goes_on(place: Home) -> None:
    write(place, task(f"echo begun; {place.until_told}; exit 7"))
    process = place.begin("run-now", "task")
    read_until(process, "begun")

    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "goes on" in told
    if not place.clocks:
        assert place.runs("task")[0]["state"] == "running"
        place.start()
    place.tell()
    run = place.wait_for_run("task", state="finished")
    assert (run["outcome"], run["exit_status"]) == ("failed", 7)


def test_retries_are_made_and_the_last_status_counts(place: Home) -> None:
    write(
        place,
        task(
            'echo "attempt $CLOCKD_ATTEMPT"; exit $((4 - CLOCKD_ATTEMPT))',
            "    retries: 2\n    retry_delay: 1s\n",
        ),
    )

    done = place.run("run-now", "task")

    assert done.stdout.splitlines() == ["attempt 1", "attempt 2", "attempt 3"]
    assert done.returncode == 1
    run = place.runs("task")[-1]
    assert [attempt["exit_status"] for attempt in run["attempts"]] == [3, 2, 1]


def test_it_can_be_cancelled_from_elsewhere(place: Home) -> None:
    write(place, task("echo begun; sleep 60"))
    process = place.begin("run-now", "task")
    read_until(process, "begun")
    run = place.runs("task")[-1]["run_id"]

    assert place.run("runs", "cancel", str(run)).returncode == 0
    _, told = process.communicate(timeout=30)

    assert process.returncode == 143
    assert "cancelled" in told
    assert place.runs("task")[-1]["outcome"] == "cancelled"


def test_detached_it_returns_at_once_and_the_run_goes_on(place: Home) -> None:
    write(place, task(f"{place.until_told}; exit 7"))

    done = place.run("run-now", "task", "--detach")

    assert done.returncode == 0
    assert place.runs("task")[-1]["outcome"] is None
    if not place.clocks:
        place.start()
    place.tell()
    run = place.wait_for_run("task", state="finished")
    assert (run["exit_status"], len(run["attempts"])) == (7, 1)


def test_an_owner_that_was_killed_leaves_its_run_to_the_clock(home: Home) -> None:
    home.write(task(f"echo begun; {home.until_told}; exit 7"))
    process = home.begin("run-now", "task")
    read_until(process, "begun")
    process.kill()
    process.communicate()
    home.tell()

    with home.clock():
        run = home.wait_for_run("task", 40, state="finished")

    assert (run["exit_status"], len(run["attempts"])) == (7, 1)


@pytest.mark.parametrize("options", [[], ["--detach"]], ids=["followed", "detached"])
def test_a_clock_that_was_killed_is_not_waited_for(
    home: Home, options: list[str]
) -> None:
    home.write(task("echo done"))
    home.start().kill()

    done = home.run("run-now", "task", *options)

    assert done.returncode == 0, done.stderr
    run = home.wait_for_run("task", launched_at=home.runs("task")[0]["launched_at"])
    assert run["launched_at"] is not None
    if not options:
        assert (done.stdout, run["outcome"]) == ("done\n", "succeeded")


def test_an_unknown_trigger_is_told_with_the_nearest(place: Home) -> None:
    write(place, task("echo done"))

    done = place.run("run-now", "tsak")

    assert done.returncode == 1
    assert "there is no trigger 'tsak'" in done.stderr
    assert "did you mean task?" in done.stderr


def test_a_bad_file_is_told_where_no_clock_knows_better(home: Home) -> None:
    home.write("\n  task:\n    cron: 0 0 1 1 *\n")

    done = home.run("run-now", "task")

    assert done.returncode == 1
    assert "triggers.yaml:5:3: error[missing-key]" in done.stderr


# -- where the tasks of a database run -----------------------------------------


def be_production(home: Home, kind: RunnerKind = RunnerKind.HEROKU) -> None:
    """Let the books say where their clock runs tasks; it is not running now."""
    with home.store() as store:
        fence = store.lease.take(store.lease.read(), "worker.1:4", clock.now())
        assert fence is not None
        store.triggers.sync([], fence=fence, now=clock.now(), runner=kind)
        store.lease.release(fence)


def test_what_runs_on_heroku_is_not_run_on_a_laptop(home: Home) -> None:
    home.write(task("echo done"), top="runner: auto")
    be_production(home)

    done = home.run("run-now", "task")

    assert done.returncode == 1
    assert "this database's clock runs tasks on Heroku" in done.stderr
    assert "CLOCKD_RUNNER=local" in done.stderr
    assert home.runs("task") == []


@pytest.mark.parametrize("said", ["file", "environment"])
def test_who_says_that_tasks_run_here_is_believed(home: Home, said: str) -> None:
    in_file = said == "file"
    home.write(task("echo done"), top="runner: local" if in_file else "runner: auto")
    if not in_file:
        home.environ["CLOCKD_RUNNER"] = "local"
    be_production(home)

    done = home.run("run-now", "task")

    assert (done.returncode, done.stdout) == (0, "done\n")


def test_a_run_of_a_dead_production_clock_is_not_taken_over_on_a_laptop(
    home: Home,
) -> None:
    home.write(task("echo done"), top="runner: auto")
    home.start().kill()
    with home.store() as store:
        fence = store.lease.read().fence
        known = store.triggers.find("task").trigger
        now, kind = clock.now(), RunnerKind.HEROKU
        store.triggers.sync([known], fence=fence, now=now, runner=kind)
    began = time.monotonic()
    process = home.begin("run-now", "task")

    wait_until(lambda: time.monotonic() > began + STALE_S + 3, STALE_S + 10)
    assert home.runs("task")[-1]["state"] == "waiting"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)

    assert process.returncode == 130
