"""The fake Heroku's dynos: real processes, their end, and what the log says of it."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.fakes.client import Client
from tests.fakes.heroku import FakeHeroku

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.dynos import FakeDyno

SLEEP = "exec sleep 60"
#: Says when it is ready, and does not end on SIGTERM.
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
#: Ends well on SIGTERM.
GRACEFUL = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"
SIGTERM_LINE = "Stopping all processes with SIGTERM"


@pytest.fixture
def fake() -> Iterator[FakeHeroku]:
    with FakeHeroku() as heroku:
        yield heroku


@pytest.fixture
def client(fake: FakeHeroku) -> Iterator[Client]:
    with Client(fake) as asking:
        yield asking


def ended(fake: FakeHeroku) -> FakeDyno:
    """Wait for the one dyno's end, and for the last word about it."""
    (dyno,) = fake.journal
    fake.wait_for(lambda: "Process exited" in " ".join(said_of(fake)))
    return dyno


def said_of(fake: FakeHeroku, source: str = "heroku") -> list[str]:
    """Return what the log says of the one dyno, in the order of delivery."""
    (dyno,) = fake.journal
    return [
        entry.text
        for entry in list(fake.app.log)
        if (entry.source, entry.process) == (source, dyno.name)
    ]


def is_ready(fake: FakeHeroku) -> bool:
    return "ready" in said_of(fake, "app")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# -- from start to end ---------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 2, 77, 255])
def test_a_task_runs_and_its_exit_status_is_in_the_log(
    status: int, fake: FakeHeroku, client: Client
) -> None:
    client.start(f"echo out; echo err >&2; exit {status}")

    assert ended(fake).exit_status == status
    assert said_of(fake, "app") == ["out", "err"]
    assert said_of(fake)[-1] == f"Process exited with status {status}"


def test_the_log_tells_the_life_of_a_dyno(fake: FakeHeroku, client: Client) -> None:
    client.start("exit 2")
    ended(fake)

    assert said_of(fake) == [
        "Starting process with command `exit 2`",
        "State changed from starting to up",
        "State changed from up to complete",
        "Process exited with status 2",
    ]


def test_the_state_comes_before_the_exit_though_it_was_later(
    fake: FakeHeroku, client: Client
) -> None:
    client.start("true")
    ended(fake)

    state, exited = list(fake.app.log)[-2:]
    assert "complete" in state.text
    assert "exited" in exited.text
    assert state.number < exited.number
    assert state.at > exited.at


def test_a_fast_dyno_may_never_be_up(fake: FakeHeroku, client: Client) -> None:
    fake.app.skips_up = True
    client.start("true")
    ended(fake)

    assert "State changed from starting to complete" in said_of(fake)
    assert "State changed from starting to up" not in said_of(fake)


def test_the_api_says_who_asked_for_the_command(
    fake: FakeHeroku, client: Client
) -> None:
    client.start("true")

    assert client.log(dyno="api") == [
        "app[api]: Starting process with command `true` by user me@example.com"
    ]


def test_a_dyno_boots_before_it_runs(fake: FakeHeroku, client: Client) -> None:
    fake.app.boot_s = 0.3
    name = client.start(SLEEP)["name"]

    assert client.ask("GET", f"/dynos/{name}").json()["state"] == "starting"
    assert said_of(fake) == []
    fake.wait_for(lambda: client.ask("GET", f"/dynos/{name}").json()["state"] == "up")


def test_a_dyno_that_is_stopped_while_it_boots_never_runs(
    fake: FakeHeroku, client: Client
) -> None:
    fake.app.boot_s = 0.2
    name = client.start("echo ran")["name"]
    client.ask("POST", f"/dynos/{name}/actions/stop")

    assert ended(fake).exit_status == 143
    assert said_of(fake, "app") == []


def test_a_task_has_the_config_vars_its_own_environment_and_no_other(
    fake: FakeHeroku, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_TESTS", "1")
    fake.app.config_vars = {"A": "config", "B": "config"}
    name = client.start('echo "$A $B $DYNO ${OF_THE_TESTS-unset}"', env={"B": "own"})
    ended(fake)

    assert said_of(fake, "app") == [f"config own {name['name']} unset"]


def test_what_the_task_left_behind_ends_with_it(
    fake: FakeHeroku, client: Client
) -> None:
    client.start("sleep 60 & echo $!; exit 3")

    assert ended(fake).exit_status == 3
    fake.wait_for(lambda: not alive(int(said_of(fake, "app")[0])))


def test_a_process_type_stands_for_its_command(
    fake: FakeHeroku, client: Client
) -> None:
    fake.app.procfile = {"worker": "echo of the Procfile:"}
    dyno = client.start("worker 42")
    ended(fake)

    assert dyno["command"] == "echo of the Procfile: 42"
    assert said_of(fake, "app") == ["of the Procfile: 42"]
    assert fake.journal[0].command == "worker 42"


def test_the_list_may_show_a_process_type_as_it_was_sent(
    fake: FakeHeroku, client: Client
) -> None:
    fake.app.procfile = {"worker": "true"}
    fake.app.shows_expanded = False

    assert client.start("worker 42")["command"] == "worker 42"


def test_the_log_shows_the_values_of_config_vars(
    fake: FakeHeroku, client: Client
) -> None:
    fake.app.config_vars = {"TOKEN": "planted"}
    dyno = client.start("true $TOKEN ${TOKEN} '$TOKEN' $OTHER")
    ended(fake)

    shown = "true planted planted 'planted' $OTHER"
    assert said_of(fake)[0] == f"Starting process with command `{shown}`"
    assert dyno["command"] == "true $TOKEN ${TOKEN} '$TOKEN' $OTHER"


def test_names_recycle_on_request_but_not_while_they_are_used(
    fake: FakeHeroku, client: Client
) -> None:
    fake.app.recycles = 2
    first = client.start(SLEEP)["name"]
    names = []
    for _ in range(3):
        names.append(client.start("true")["name"])
        fake.wait_for(lambda: fake.journal[-1].ended_at)

    assert first not in names
    assert len(set(names)) == 1


# -- stops ---------------------------------------------------------------------


def test_a_stop_is_told_state_first_and_exit_last(
    fake: FakeHeroku, client: Client
) -> None:
    name = client.start(GRACEFUL)["name"]
    fake.wait_for(lambda: is_ready(fake))
    answer = client.ask("POST", f"/dynos/{name}/actions/stop")

    assert (answer.status_code, answer.json()) == (202, {})
    assert ended(fake).exit_status == 0
    assert said_of(fake)[2:] == [
        "State changed from up to complete",
        SIGTERM_LINE,
        "Process exited with status 0",
    ]
    assert fake.journal[0].stopped_by == "api"


def test_a_task_that_minds_nothing_ends_with_143(
    fake: FakeHeroku, client: Client
) -> None:
    name = client.start(SLEEP)["name"]
    fake.wait_for(lambda: client.names() == [name])
    client.ask("POST", f"/dynos/{name}/actions/stop")

    assert ended(fake).exit_status == 143


def test_a_task_that_ignores_sigterm_is_killed_after_the_grace(
    fake: FakeHeroku, client: Client
) -> None:
    fake.app.stop_grace_s = 0.3
    name = client.start(STUBBORN)["name"]
    fake.wait_for(lambda: is_ready(fake))
    client.ask("POST", f"/dynos/{name}/actions/stop")

    assert ended(fake).exit_status == 137
    assert said_of(fake)[2:] == [
        "State changed from up to complete",
        SIGTERM_LINE,
        "Error R12 (Exit timeout) -> At least one process failed to exit within "
        "30 seconds of SIGTERM",
        "Stopping remaining processes with SIGKILL",
        "Process exited with status 137",
    ]


@pytest.mark.parametrize(("gone", "listed"), [(True, 0), (False, 1)])
def test_a_stopped_dyno_may_leave_the_list_before_it_ends(
    gone: bool, listed: int, fake: FakeHeroku, client: Client
) -> None:
    fake.app.gone_at_stop = gone
    name = client.start(STUBBORN)["name"]
    fake.wait_for(lambda: is_ready(fake))
    client.ask("POST", f"/dynos/{name}/actions/stop")

    assert len(client.names()) == listed
    assert fake.journal[0].ended_at is None


def test_a_second_stop_changes_nothing(fake: FakeHeroku, client: Client) -> None:
    name = client.start(STUBBORN)["name"]
    fake.wait_for(lambda: is_ready(fake))
    for _ in range(3):
        assert client.ask("POST", f"/dynos/{name}/actions/stop").status_code == 202

    assert said_of(fake).count(SIGTERM_LINE) == 1


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/dynos/run.1/actions/stop"), ("DELETE", "/dynos/x")]
)
def test_stopping_what_does_not_exist_is_answered_well(
    method: str, path: str, client: Client
) -> None:
    assert client.ask(method, path).status_code == 202


def test_delete_ends_dynos_of_the_type_run(fake: FakeHeroku, client: Client) -> None:
    name = client.start(SLEEP)["name"]
    client.ask("DELETE", f"/dynos/{name}")

    assert ended(fake).stopped_by == "api"


def test_delete_leaves_dynos_of_other_types_alone(
    fake: FakeHeroku, client: Client
) -> None:
    name = client.start(SLEEP, type="clockd")["name"]
    answer = client.ask("DELETE", f"/dynos/{name}")

    assert answer.status_code == 202
    assert client.names() == [name]
    assert SIGTERM_LINE not in said_of(fake)
    assert fake.journal[0].stopped_by is None


def test_stops_can_be_answered_and_not_carried_out(
    fake: FakeHeroku, client: Client
) -> None:
    fake.app.ignores_stops = True
    name = client.start(SLEEP)["name"]

    assert client.ask("POST", f"/dynos/{name}/actions/stop").status_code == 202
    assert fake.journal[0].stopped_by is None


# -- what the platform does of itself ------------------------------------------


def test_the_time_to_live_ends_in_cycling(fake: FakeHeroku, client: Client) -> None:
    client.start(SLEEP, time_to_live=1)

    assert ended(fake).stopped_by == "time_to_live"
    assert said_of(fake)[2:] == [
        "Cycling",
        "State changed from up to complete",
        SIGTERM_LINE,
        "Process exited with status 143",
    ]


def test_a_dyno_that_ended_in_time_is_not_cycled(
    fake: FakeHeroku, client: Client
) -> None:
    client.start("true", time_to_live=1)
    dyno = ended(fake)
    (timer,) = dyno.timers
    timer.join(10)

    assert "Cycling" not in said_of(fake)


def test_the_platform_can_cycle_a_dyno(fake: FakeHeroku, client: Client) -> None:
    client.start(SLEEP)
    fake.app.cycle(fake.journal[0])

    assert ended(fake).stopped_by == "platform"
    assert "Cycling" in said_of(fake)


def test_too_much_memory_is_killed_without_sigterm(
    fake: FakeHeroku, client: Client
) -> None:
    client.start(SLEEP)
    fake.app.exceed_memory(fake.journal[0])

    assert ended(fake).exit_status == 137
    assert "Error R15 (Memory quota vastly exceeded)" in said_of(fake)
    assert SIGTERM_LINE not in said_of(fake)


def test_a_dyno_can_vanish_without_a_word(fake: FakeHeroku, client: Client) -> None:
    client.start(SLEEP)
    fake.wait_for(lambda: len(said_of(fake)) == 2)
    before = said_of(fake)
    fake.app.vanish(fake.journal[0])
    fake.wait_for(lambda: fake.journal[0].ended_at)

    assert client.names() == []
    assert said_of(fake) == before


def test_a_task_that_kills_itself_has_the_signals_status(
    fake: FakeHeroku, client: Client
) -> None:
    client.start("kill -9 $$")

    assert ended(fake).exit_status == 128 + signal.SIGKILL


def test_no_process_outlives_the_platform() -> None:
    with FakeHeroku() as fake, Client(fake) as client:
        for _ in range(3):
            client.start(STUBBORN)
        pids = [dyno.process.pid for dyno in fake.journal if dyno.process]

    assert len(pids) == 3
    assert not any(alive(pid) for pid in pids)


# -- the log -------------------------------------------------------------------


def test_lines_have_the_platforms_form(fake: FakeHeroku, client: Client) -> None:
    name = client.start("echo hello")["name"]
    ended(fake)

    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"
    line = next(str(entry) for entry in fake.app.log if entry.text == "hello")
    assert re.fullmatch(rf"{time} app\[{name}\]: hello", line)


def test_long_lines_are_split_by_their_bytes(fake: FakeHeroku, client: Client) -> None:
    client.start("head -c 25000 /dev/zero | tr '\\0' x; echo")
    ended(fake)

    assert [len(text) for text in said_of(fake, "app")] == [10_000, 10_000, 5_000]


def test_lines_can_be_dropped(fake: FakeHeroku, client: Client) -> None:
    fake.app.drops = re.compile("Process exited")
    client.start("true")
    fake.wait_for(lambda: fake.journal[0].ended_at)
    fake.wait_for(lambda: len(said_of(fake)) == 3)

    assert said_of(fake)[-1] == "State changed from up to complete"


def test_lines_can_come_after_the_next_one(fake: FakeHeroku, client: Client) -> None:
    fake.app.delays = re.compile("one")
    client.start("echo one; echo two; echo three")
    ended(fake)

    assert said_of(fake, "app") == ["two", "one", "three"]
    one, two = (
        next(e for e in fake.app.log if e.text == text) for text in ("one", "two")
    )
    assert one.at < two.at
