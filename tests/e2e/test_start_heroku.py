"""`clockd start` with dynos, against a fake platform over real HTTP."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.clockd import Home
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.dynos import FakeDyno
    from tests.fakes.heroku import FakeHeroku

pytestmark = pytest.mark.timeout(150)
APP = "sharp-mountain-4005"


def task(command: str, more: str = "", slug: str = "task") -> str:
    """Return a trigger that fires only by hand."""
    return f"\n  {slug}:\n    command: {command}\n    cron: 0 0 1 1 *\n{more}"


def write(home: Home, triggers: str) -> None:
    """Write the triggers.yaml of dynos."""
    home.write(triggers, top=f"app: {APP}")


def only_dyno(fake: FakeHeroku) -> FakeDyno:
    """Return the one dyno that was ever started."""
    (dyno,) = fake.journal
    return dyno


def bodies(fake: FakeHeroku) -> list[dict[str, Any]]:
    """Return what the launch requests asked for."""
    return [request["body"] for request in fake.launches()]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, heroku: Home) -> Home:
    """Give a folder with each kind of database in turn."""
    if request.param == "postgresql":
        heroku.environ["DATABASE_URL"] = request.getfixturevalue("postgres_url")
    return heroku


def test_a_run_is_a_dyno_with_its_exit_status_and_output_on_record(
    database: Home, fake: FakeHeroku
) -> None:
    home = database
    write(
        home,
        task(
            'echo "run $CLOCKD_RUN_ID by $CLOCKD_TRIGGER"; echo bad >&2; exit 3',
            "    timeout: 2m\n    dyno: standard-2x\n    env: {LEVEL: 7}\n",
        ),
    )
    with home.clock() as clock:
        run_id = home.ask()
        finished = clock.wait_for("run.finished", run_id=run_id)

    (body,) = bodies(fake)
    assert (body["type"], body["time_to_live"], body["size"], body["attach"]) == (
        *("clockd", 180, "standard-2x"),
        False,
    )
    assert body["env"]["LEVEL"] == "7"
    assert body["env"]["CLOCKD_TRIGGER"] == "task"
    assert (finished["outcome"], finished["exit_status"]) == ("failed", 3)
    run = home.json("runs", "show", str(run_id))
    assert run["attempts"][0]["dyno"] == only_dyno(fake).name
    assert run["attempts"][0]["dyno_id"] == only_dyno(fake).id
    assert run["attempts"][0]["size"] == "Standard-2X"
    logs = home.run("runs", "logs", str(run_id)).stdout
    assert f"run {run_id} by task\nbad\n" in logs


def test_a_fire_time_is_launched_once(database: Home, fake: FakeHeroku) -> None:
    home = database
    at = datetime.now(UTC) + timedelta(seconds=6)
    write(home, f"\n  once:\n    command: exit 0\n    at: {at:%Y-%m-%d %H:%M:%S}\n")
    with home.clock() as clock:
        clock.wait_for("run.finished")

    (run,) = home.runs("once")
    assert (run["outcome"], run["cause"]) == ("succeeded", "scheduled")
    assert run["fire_time"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"
    assert len(fake.launches()) == 1
    assert run["lag_s"] < 2


def test_a_cancelled_run_is_a_dyno_stopped_by_its_name(
    heroku: Home, fake: FakeHeroku
) -> None:
    fake.app.stop_grace_s = 1
    write(heroku, task("trap 'exit 0' TERM; echo up; sleep 300 & wait"))
    with heroku.clock() as clock:
        run_id = heroku.ask()
        wait_until(lambda: fake.journal)
        assert heroku.run("runs", "cancel", str(run_id)).returncode == 0
        finished = clock.wait_for("run.finished", run_id=run_id)

    assert only_dyno(fake).stopped_by == "api"
    assert (finished["outcome"], finished["reason"]) == ("cancelled", "cancelled")


def test_a_size_the_app_may_not_have_is_left_out_with_a_warning(
    heroku: Home, fake: FakeHeroku
) -> None:
    fake.app.sizes = ("Basic",)
    fake.app.default_size = "Basic"
    write(heroku, task("exit 0", "    dyno: performance-m\n"))
    with heroku.clock() as clock:
        run_id = heroku.ask()
        clock.wait_for("run.finished", run_id=run_id, outcome="succeeded")

    assert [body.get("size") for body in bodies(fake)] == ["performance-m", None]
    (attempt,) = heroku.json("runs", "show", str(run_id))["attempts"]
    assert "performance-m is not available" in attempt["warning"]
    assert attempt["size"] == "Basic"


def test_a_refused_command_is_a_failed_launch(heroku: Home, fake: FakeHeroku) -> None:
    fake.fault(
        "status",
        path="/dynos$",
        method="POST",
        status=422,
        body={"id": "unprocessable", "message": "Command is not allowed."},
    )
    write(heroku, task("exit 0"))
    with heroku.clock() as clock:
        finished = clock.wait_for("run.finished", run_id=heroku.ask())

    assert finished["outcome"] == "launch_failed"
    assert "Command is not allowed." in finished["reason"]
    assert fake.journal == []


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("close_after", {}),
        ("garbage", {}),
        ("truncate", {}),
        ("status_after", {"status": 503}),
    ],
    ids=["closed", "garbage", "cut off", "503"],
)
def test_a_lost_answer_is_found_again_and_nothing_sent_twice(
    heroku: Home, fake: FakeHeroku, kind: str, options: dict[str, Any]
) -> None:
    fake.fault(kind, method="POST", path="/dynos$", **options)
    write(heroku, task("sleep 2; exit 5"))
    with heroku.clock() as clock:
        run_id = heroku.ask()
        clock.wait_for("run.adopted", run_id=run_id)
        finished = clock.wait_for("run.finished", run_id=run_id)

    assert finished["exit_status"] == 5
    assert len(fake.launches()) == 1


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("status", {"status": 429, "headers": {"Retry-After": "1"}}),
        ("status", {"status": 409}),
    ],
    ids=["429", "409"],
)
def test_what_was_certainly_not_created_is_sent_again(
    heroku: Home, fake: FakeHeroku, kind: str, options: dict[str, Any]
) -> None:
    fake.fault(kind, method="POST", path="/dynos$", **options)
    write(heroku, task("exit 0"))
    with heroku.clock() as clock:
        run_id = heroku.ask()
        clock.wait_for("run.held", run_id=run_id)
        clock.wait_for("run.finished", run_id=run_id, outcome="succeeded")

    assert len(fake.journal) == 1
    (attempt,) = heroku.json("runs", "show", str(run_id))["attempts"]
    assert attempt["number"] == 1


def test_a_platform_that_is_away_is_waited_for(heroku: Home, fake: FakeHeroku) -> None:
    write(heroku, task("exit 0"))
    with heroku.clock() as clock:
        fake.pause()
        run_id = heroku.ask()
        held = clock.wait_for("run.held", run_id=run_id)
        fake.resume()
        clock.wait_for("run.finished", run_id=run_id, outcome="succeeded")

    assert "no dyno" in held["reason"]
    assert len(fake.journal) == 1


def test_a_full_app_makes_runs_wait_in_line(heroku: Home, fake: FakeHeroku) -> None:
    fake.app.limit = 1
    write(heroku, task(heroku.until_told, slug="one") + task("exit 0", slug="two"))
    with heroku.clock() as clock:
        first = heroku.ask("one")
        clock.wait_for("run.launched", run_id=first)
        second = heroku.ask("two")
        clock.wait_for("run.held", run_id=second)
        heroku.tell()
        clock.wait_for("run.finished", run_id=first)
        # Well within the half minute after which it would be tried anyway.
        clock.wait_for("run.finished", timeout_s=15, run_id=second)

    assert len(fake.journal) == 2


def test_a_lost_log_stream_is_opened_again_and_no_line_doubled(
    heroku: Home, fake: FakeHeroku
) -> None:
    write(heroku, task("for n in 1 1 2 3 4; do echo line $n; sleep 0.5; done"))
    with heroku.clock() as clock:
        run_id = heroku.ask()
        wait_until(lambda: any("line 2" in str(line) for line in fake.app.log))
        fake.cut_streams()
        clock.wait_for("run.finished", run_id=run_id, outcome="succeeded")

    logs = heroku.run("runs", "logs", str(run_id)).stdout.splitlines()
    lines = [line for line in logs if line.startswith("line")]
    assert lines == ["line 1", "line 1", "line 2", "line 3", "line 4"]


def test_dynos_outlive_the_clock_and_are_adopted(
    heroku: Home, fake: FakeHeroku
) -> None:
    write(heroku, task(f"echo begun; {heroku.until_told}; echo over; exit 6"))
    clock = heroku.start()
    run_id = heroku.ask()
    clock.wait_for("run.launched", run_id=run_id)
    assert clock.stop() < 5
    assert only_dyno(fake).stopped_by is None

    with heroku.clock() as successor:
        successor.wait_for("run.adopted", run_id=run_id)
        heroku.tell()
        finished = successor.wait_for("run.finished", run_id=run_id)

    assert finished["exit_status"] == 6
    logs = heroku.run("runs", "logs", str(run_id)).stdout.splitlines()
    assert [line for line in logs if line in ("begun", "over")] == ["begun", "over"]
    assert len(fake.launches()) == 1


def test_a_clock_killed_before_the_answer_leaves_a_dyno_that_is_found(
    heroku: Home, fake: FakeHeroku
) -> None:
    write(heroku, task("sleep 5; exit 8"))
    clock = heroku.start()
    fake.fault("delay", method="POST", path="/dynos$", delay_s=1.5)
    run_id = heroku.ask()
    wait_until(lambda: fake.launches())
    clock.kill()
    wait_until(lambda: fake.journal)

    with heroku.clock() as successor:
        finished = successor.wait_for("run.finished", timeout_s=60, run_id=run_id)

    assert finished["exit_status"] == 8
    assert len(fake.launches()) == 1


def test_a_stop_does_not_wait_for_a_platform_that_hangs(
    heroku: Home, fake: FakeHeroku
) -> None:
    write(heroku, task("exit 0"))
    clock = heroku.start()
    fake.fault("hang", method="POST", path="/dynos$")
    run_id = heroku.ask()
    wait_until(lambda: fake.launches())

    assert clock.stop(signal.SIGTERM) < 5
    assert heroku.json("runs", "show", str(run_id))["state"] == "launching"


def test_a_dyno_the_platform_stops_is_not_called_failed(
    heroku: Home, fake: FakeHeroku
) -> None:
    write(heroku, task("sleep 60"))
    with heroku.clock() as clock:
        run_id = heroku.ask()
        clock.wait_for("run.launched", run_id=run_id)
        fake.app.stop(only_dyno(fake), "platform")
        finished = clock.wait_for("run.finished", run_id=run_id)

    assert finished["outcome"] == "stopped_by_platform"
    assert finished["exit_status"] == 143


def test_retries_are_dynos_of_their_own(heroku: Home, fake: FakeHeroku) -> None:
    write(
        heroku,
        task(
            "exit $((3 - CLOCKD_ATTEMPT))",
            "    retries: 2\n    retry_delay: 1s\n",
        ),
    )
    with heroku.clock() as clock:
        run_id = heroku.ask()
        clock.wait_for("run.finished", run_id=run_id)

    run = heroku.json("runs", "show", str(run_id))
    assert [attempt["exit_status"] for attempt in run["attempts"]] == [2, 1, 0]
    assert (run["outcome"], len(fake.journal)) == ("succeeded", 3)


def test_the_key_is_never_shown(heroku: Home, fake: FakeHeroku, tmp_path: Path) -> None:
    fake.key = "HRKU-planted-0123456789"
    heroku.environ |= {**fake.environ(), "CLOCKD_LOG_LEVEL": "debug"}
    fake.fault("status", path="/dynos$", status=401, times=None)
    write(heroku, task("exit 0"))
    with heroku.clock() as clock:
        run_id = heroku.ask()
        clock.wait_for("run.held", run_id=run_id)
        shown = heroku.run("runs", "show", str(run_id)).stdout
        checked = heroku.run("doctor")

    texts = [clock.text, shown, checked.stdout, checked.stderr]
    assert not any("planted" in text for text in texts)
    assert b"planted" not in (tmp_path / "clockd.db").read_bytes()


def test_without_a_key_it_says_so_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path, {"CLOCKD_RUNNER": "heroku"})
    write(home, task("exit 0"))

    done = home.run("start")

    assert done.returncode == 2
    assert "there is no HEROKU_API_KEY" in done.stderr
    assert "heroku authorizations:create" in done.stderr
