"""`clockd start` with local processes, as a newcomer runs it."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from clockd.store import Store
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.clockd import Home

pytestmark = pytest.mark.timeout(120)

TICK = """
  tick:
    command: echo "due at $CLOCKD_FIRE_TIME, run $CLOCKD_RUN_ID.$CLOCKD_ATTEMPT"
    every: 1s
"""


def by_hand(command: str, more: str = "") -> str:
    """Return a trigger that fires only by hand."""
    return f"\n  task:\n    command: {command}\n    cron: 0 0 1 1 *\n{more}"


def test_triggers_fire_on_time_and_their_output_is_seen(home: Home) -> None:
    home.write(TICK)
    with home.clock() as clock:
        printed = clock.wait_for("run.printed", trigger="tick")
        finished = clock.wait_for("run.finished", trigger="tick")

    run = home.runs("tick", outcome="succeeded")[0]
    assert f"run {printed['run_id']}.1" in printed["text"]
    assert finished["exit_status"] == 0
    assert (run["cause"], run["exit_status"], run["state"]) == (
        "scheduled",
        0,
        "finished",
    )
    assert run["fire_time"] in home.run("runs", "logs", str(run["run_id"])).stdout
    assert 0 <= run["lag_s"] < 2


def test_every_second_ends_as_exactly_one_run(home: Home) -> None:
    home.write(TICK)
    with home.clock() as clock:
        wait_until(lambda: len(clock.events("run.finished")) >= 5, 30)

    times = [run["fire_time"] for run in home.runs("tick")]
    assert len(times) == len(set(times)) >= 5


def test_a_signal_stops_it_at_once_and_leaves_tasks_alone(home: Home) -> None:
    home.write(by_hand(f"{home.until_told}; exit 7"))
    clock = home.start()
    run = home.ask()
    clock.wait_for("run.launched", run_id=run)

    assert clock.stop(signal.SIGINT) < 5
    assert clock.events("clock.stopped")
    assert home.runs("task")[0]["state"] == "running"

    with home.clock() as successor:
        successor.wait_for("run.adopted", run_id=run)
        home.tell()
        finished = successor.wait_for("run.finished", run_id=run)
    assert (finished["outcome"], finished["exit_status"]) == ("failed", 7)


def test_more_signals_while_it_stops_change_nothing(home: Home) -> None:
    home.write(by_hand("exit 0"))
    clock = home.start()

    clock.send(signal.SIGTERM)
    clock.send(signal.SIGTERM)
    clock.send(signal.SIGINT)

    assert clock.process.wait(10) == 0
    assert clock.events("clock.stopped")
    with home.clock() as successor:
        ready = successor.wait_for("clock.activated")
    assert ready["fence"] == 2


def test_an_exit_status_is_known_though_clockd_was_killed_meanwhile(
    home: Home,
) -> None:
    home.write(by_hand("echo begun; sleep 2; echo over; exit 7"))
    clock = home.start()
    run = home.ask()
    clock.wait_for("run.printed", run_id=run, text="begun")
    clock.kill()
    wait_until(lambda: list(home.folder.glob("clockd.db.runs/*/status")))

    with home.clock() as successor:
        finished = successor.wait_for("run.finished", timeout_s=30, run_id=run)

    assert (finished["outcome"], finished["exit_status"]) == ("failed", 7)
    assert len(home.runs("task")) == 1
    logs = home.run("runs", "logs", str(run)).stdout.splitlines()
    assert [line for line in logs if line in ("begun", "over")] == ["begun", "over"]


def test_output_of_more_than_is_kept_is_not_repeated_after_a_restart(
    home: Home,
) -> None:
    lines = 15_000  # of a hundred bytes: more than a MiB
    count = f"seq -f '%0.0f of {lines} {'x' * 90}' {lines}"
    home.write(by_hand(f"{count}; {home.until_told}; echo over"))
    clock = home.start()
    run = home.ask()
    with home.store() as store:
        wait_until(
            lambda: store.output.state(run).next_sequence > lines, 30, message="lines"
        )
    clock.kill()
    home.tell()

    with home.clock() as successor:
        successor.wait_for("run.finished", timeout_s=30, run_id=run)

    with home.store() as store:
        kept = store.output.lines(run)
    assert kept[-1].sequence == lines + 2  # `over`, and how it ended
    assert [line.text for line in kept[-2:-1]] == ["over"]


def test_it_stops_in_time_though_it_waits_for_a_locked_database(home: Home) -> None:
    home.write(by_hand("exit 0"))
    clock = home.start()
    with closing(sqlite3.connect(home.folder / "clockd.db")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        home.write(TICK)  # the main thread will write this down
        changed_at = time.monotonic()
        wait_until(lambda: time.monotonic() > changed_at + 4)
        assert clock.stop() < 5.5


def test_a_predecessors_task_is_stopped_at_its_timeout(home: Home) -> None:
    home.write(by_hand("echo begun; sleep 60", "    timeout: 5s\n"))
    clock = home.start()
    run = home.ask()
    clock.wait_for("run.printed", run_id=run)
    clock.kill()

    with home.clock() as successor:
        finished = successor.wait_for("run.finished", timeout_s=40, run_id=run)

    assert finished["outcome"] == "timed_out"
    assert finished["reason"] == "stopped at its timeout"


def test_a_task_that_ignores_signals_is_killed_after_its_timeout(home: Home) -> None:
    home.write(by_hand('trap "" TERM; while :; do sleep 1; done', "    timeout: 1s\n"))
    with home.clock() as clock:
        run = home.ask()
        finished = clock.wait_for("run.finished", timeout_s=40, run_id=run)

    assert (finished["outcome"], finished["exit_status"]) == ("timed_out", 137)


def test_a_changed_file_is_taken_over_without_a_restart(home: Home) -> None:
    home.write(by_hand("exit 0"))
    with home.clock() as clock:
        home.write(TICK)
        clock.wait_for("trigger.added", trigger="tick")
        clock.wait_for("trigger.removed", trigger="task")
        clock.wait_for("run.finished", trigger="tick")


def test_a_hangup_reads_the_file_again(home: Home) -> None:
    home.write(by_hand("exit 0"))
    with home.clock() as clock:
        clock.send(signal.SIGHUP)
        wait_until(lambda: len(clock.events("config.loaded")) == 2)


def test_a_bad_file_keeps_the_running_set_also_over_a_restart(home: Home) -> None:
    home.write(TICK)
    # Exported, as people have it: it must not turn local tasks into dynos.
    home.environ["HEROKU_API_KEY"] = "not-a-key"
    home.environ["HEROKU_API_URL"] = "http://127.0.0.1:9"
    home.environ["HEROKU_APP_NAME"] = "sharp-mountain-4005"
    with home.clock() as clock:
        home.file.write_text("version: 1\ntriggers:\n  tick:\n    cron: 99 * * * *\n")
        problems = [
            clock.wait_for("config.rejected"),
            clock.wait_for("config.rejected", problems=2),
        ]
        clock.wait_for("run.finished", trigger="tick")
    assert "triggers.yaml:3:3: error[missing-key]" in problems[0]["problem"]

    with home.clock() as successor:
        successor.wait_for("config.rejected", problems=2)
        finished = successor.wait_for("run.finished", trigger="tick")
    assert finished["outcome"] == "succeeded"


def test_without_a_good_file_or_set_it_says_why_and_ends(home: Home) -> None:
    done = home.run("start")
    assert done.returncode == 1
    assert "triggers.yaml" in done.stderr
    assert "clockd init" in done.stderr

    home.write("\n  Tick:\n    command: exit 0\n")
    done = home.run("start")
    assert done.returncode == 1
    assert "triggers.yaml:5:3: error[slug]" in done.stderr


def test_a_second_clock_stands_by_and_takes_over_at_once(home: Home) -> None:
    home.write(TICK)
    first = home.start()
    second = home.start(ready=False)
    standby = second.wait_for("clock.standby")
    assert standby["holder"].endswith(f":{first.process.pid}")
    assert not second.events("clock.ready")

    first.stop()
    second.wait_for("clock.ready", timeout_s=5)
    second.wait_for("run.finished", trigger="tick")
    second.stop()
    times = [run["fire_time"] for run in home.runs("tick")]
    assert len(times) == len(set(times))


def test_what_was_missed_is_made_up_for_once(home: Home) -> None:
    home.write(TICK)
    with home.clock() as clock:
        clock.wait_for("run.finished")
    last = home.runs("tick")[-1]["fire_time"]
    down_until = time.time() + 4
    wait_until(lambda: time.time() > down_until, message="four fire times unseen")

    with home.clock() as successor:
        missed = successor.wait_for("run.missed")
        successor.wait_for("run.finished")

    entry = next(run for run in home.runs("tick") if run["outcome"] == "missed")
    assert entry["fire_time"] > last
    assert entry["fire_count"] == missed["fire_times"] >= 3
    assert "superseded" in entry["reason"]


def test_local_tasks_are_followed_though_the_set_runs_on_heroku_now(
    home: Home,
) -> None:
    home.write(by_hand(f"{home.until_told}; exit 4"))
    with home.clock() as clock:
        run = home.ask()
        clock.wait_for("run.launched", run_id=run)
    home.environ |= {"HEROKU_API_KEY": "a-key", "HEROKU_APP_NAME": "sharp-mountain"}
    home.environ["HEROKU_API_URL"] = "http://127.0.0.1:9"
    home.write(
        "\n  other:\n    command: exit 0\n    cron: 0 0 1 1 *\n", top="runner: heroku"
    )

    with home.clock() as successor:
        successor.wait_for("run.adopted", run_id=run)
        home.tell()
        finished = successor.wait_for("run.finished", run_id=run)
    assert finished["exit_status"] == 4


def test_it_stops_in_time_though_the_database_hangs(
    home: Home, postgres_url: str
) -> None:
    home.write(TICK)
    home.environ["CLOCKD_DATABASE_URL"] = postgres_url
    clock = home.start()
    clock.wait_for("run.finished")
    store = Store.open(postgres_url)
    try:
        with store.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN; LOCK TABLE clockd_lease, clockd_runs")
            assert clock.stop() < 5.5
    finally:
        store.close()
