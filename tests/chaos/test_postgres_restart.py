"""PostgreSQL is stopped and started under load: nothing is lost, nothing is doubled."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.remote import APP, RemoteHeroku, running_heroku
from tests.support.clockd import Home
from tests.support.connections import Connections
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.clockd import Clock
    from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.timeout(150)
#: One-off triggers, due while the server goes and comes, and runs asked for by hand.
DUE, BY_HAND = 30, 24
LINES = 5
#: How the server is stopped, and for how many seconds it is away.
STOPS = (("fast", 1.5), ("immediate", 2.5), ("fast", 0.0), ("immediate", 0.0))
#: A run under way when the server stops has to end while it is away, or after.
LENGTHS_S = (0, 1, 2, 4)


@pytest.fixture
def platform() -> Iterator[RemoteHeroku]:
    with running_heroku() as platform:
        yield platform


@pytest.fixture
def home(
    tmp_path: Path, platform: RemoteHeroku, private_postgres: PostgresServer
) -> Iterator[Home]:
    # What was confirmed stays, as on a server that is not made for tests.
    private_postgres.execute("ALTER ROLE postgres SET synchronous_commit = on")
    home = Home(tmp_path, platform.environ())
    use_database(home, private_postgres, "test")
    yield home
    home.close()


def use_database(home: Home, server: PostgresServer, name: str) -> None:
    """Let what starts from now on show itself to the server by a name."""
    url = f"{server.url()}?application_name={name}"
    home.environ["CLOCKD_DATABASE_URL"] = url


def command(number: int) -> str:
    """Return a command of some length, with output and a status to check."""
    lines = " ".join(str(line) for line in range(LINES))
    pause_s = LENGTHS_S[number % len(LENGTHS_S)] / LINES
    return (
        f"for n in {lines}; do echo task {number} line $n; sleep {pause_s}; done; "
        f"exit {number % 3}"
    )


def triggers(first: datetime) -> str:
    """Return one-off triggers, three in a second, and others for runs by hand."""
    due = [
        f"  due-{n}:\n    command: {command(n)!r}\n"
        f"    at: {first + timedelta(seconds=n // 3):%Y-%m-%d %H:%M:%S}\n"
        for n in range(DUE)
    ]
    by_hand = [
        f"  hand-{n}:\n    command: {command(DUE + n)!r}\n    cron: 0 0 29 2 *\n"
        for n in range(BY_HAND)
    ]
    return "".join(due + by_hand)


def trouble(server: PostgresServer, home: Home) -> None:
    """Stop and start the server, and ask for runs in between."""
    for turn, (mode, away_s) in enumerate(STOPS):
        server.stop(mode)
        time.sleep(away_s)
        server.start()
        for n in range(turn, BY_HAND, len(STOPS)):
            home.ask(f"hand-{n}")
        time.sleep(1.5)


def test_postgresql_is_stopped_and_started_under_load(
    home: Home, platform: RemoteHeroku, private_postgres: PostgresServer
) -> None:
    first = datetime.now(UTC) + timedelta(seconds=8)
    home.write(triggers(first), top=f"app: {APP}")
    use_database(home, private_postgres, "active")
    active = home.start()
    use_database(home, private_postgres, "standby")
    standby = home.start(ready=False)
    standby.wait_for("clock.standby")
    use_database(home, private_postgres, "test")
    connections = Connections(private_postgres)
    with connections.watched():
        wait_until(lambda: datetime.now(UTC) > first, message="the first fire time")
        trouble(private_postgres, home)
        wait_until(
            lambda: len(finished(home)) == DUE + BY_HAND,
            60,
            message=lambda: unfinished(home, active),
        )
    runs = {run["trigger"]: run for run in finished(home)}
    outputs = output_of(home, runs)
    clocks = (active, standby)
    assert [clock.process.poll() for clock in clocks] == [None, None]
    for clock in clocks:
        clock.stop()

    # Nothing lost: each trigger has its run. Nothing doubled: each run its one dyno.
    assert len(runs) == DUE + BY_HAND
    started = sorted(dyno["env"]["CLOCKD_RUN_ID"] for dyno in platform.journal())
    assert started == sorted(str(run["run_id"]) for run in runs.values())
    for n in range(DUE + BY_HAND):
        name = f"due-{n}" if n < DUE else f"hand-{n - DUE}"
        run = runs[name]
        ended = (run["outcome"], run["exit_status"])
        assert ended == ("failed" if n % 3 else "succeeded", n % 3), run
        assert outputs[name] == [f"task {n} line {line}" for line in range(LINES)]
        if n < DUE:
            assert run["fire_time"] == fire_time(first, n)
    # The server was away, and that was told once for each part, not once for each run.
    assert active.events("store.failed")
    assert active.events("store.recovered")
    assert not active.events("thread.failed")
    assert not standby.events("thread.failed")
    assert connections.most["active"] <= 5
    assert connections.most["standby"] == 1


def finished(home: Home) -> list[dict[str, Any]]:
    """Return the runs that have ended."""
    return home.runs(state="finished")


def unfinished(home: Home, clock: Clock) -> str:
    """Tell how far it came."""
    left = [run for run in home.runs() if run["state"] != "finished"]
    return f"{len(home.runs())} runs, of which {left}\n{clock.text[-3000:]}"


def output_of(home: Home, runs: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Return what each run's task printed."""
    with home.store() as store:
        return {
            name: [
                line.text
                for line in store.output.lines(run["run_id"])
                if line.source == "app"
            ]
            for name, run in runs.items()
        }


def fire_time(first: datetime, number: int) -> str:
    """Return when a trigger was due, as it is shown."""
    return f"{first + timedelta(seconds=number // 3):%Y-%m-%dT%H:%M:%SZ}"
