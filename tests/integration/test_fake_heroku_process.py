"""The fake Heroku as a process of its own, steered over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.fakes.remote import RemoteHeroku, running_heroku
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SLEEP = "echo $$; exec sleep 60"


@pytest.fixture
def heroku() -> Iterator[RemoteHeroku]:
    with running_heroku() as running:
        yield running


def ask(
    heroku: RemoteHeroku, method: str, path: str, body: object = None
) -> requests.Response:
    url = f"{heroku.url}/apps/{heroku.app}{path}"
    return requests.request(method, url, json=body, auth=("", heroku.key), timeout=10)


def start(heroku: RemoteHeroku, command: str = SLEEP) -> str:
    name: str = ask(heroku, "POST", "/dynos", {"command": command}).json()["name"]
    return name


def pid_in(heroku: RemoteHeroku) -> int:
    """Wait for the pid that a task prints."""
    found = wait_until(
        lambda: [m[1] for line in heroku.log() if (m := re.search(r": (\d+)$", line))]
    )
    return int(found[0])


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_says_where_it_is_and_what_a_clock_needs(heroku: RemoteHeroku) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", heroku.url)
    assert heroku.environ() == {
        "HEROKU_API_URL": heroku.url,
        "HEROKU_API_KEY": "test-key",
        "HEROKU_APP_NAME": "sharp-mountain-4005",
    }
    assert ask(heroku, "GET", "").json()["name"] == "sharp-mountain-4005"


def test_it_tells_what_happened(heroku: RemoteHeroku) -> None:
    name = start(heroku, "exit 3")
    wait_until(lambda: heroku.journal()[0]["exit_status"] == 3)

    assert heroku.journal()[0]["name"] == name
    assert heroku.launches()[0]["body"] == {"command": "exit 3"}
    assert [request["status"] for request in heroku.requests()] == [201]
    assert any("Process exited with status 3" in line for line in heroku.log())


def test_faults_can_be_added_and_ended(heroku: RemoteHeroku) -> None:
    heroku.fault("status", status=500, times=None)
    assert ask(heroku, "GET", "/dynos").status_code == 500
    heroku.heal()

    assert ask(heroku, "GET", "/dynos").status_code == 200


@pytest.mark.parametrize(
    ("what", "stopped_by", "status"),
    [
        ("stop", "platform", 143),
        ("cycle", "platform", 143),
        ("expire", "time_to_live", 143),
        ("exceed_memory", None, 137),
        ("vanish", None, 137),
    ],
)
def test_a_dyno_can_be_ended_as_the_platform_would(
    what: str, stopped_by: str | None, status: int, heroku: RemoteHeroku
) -> None:
    name = start(heroku)
    heroku.do(name, what)

    wait_until(lambda: heroku.journal()[0]["ended_at"])
    (dyno,) = heroku.journal()
    assert (dyno["stopped_by"], dyno["exit_status"]) == (stopped_by, status)


def test_streams_can_be_cut_and_are_told_of(heroku: RemoteHeroku) -> None:
    heroku.say("app", "web.1", "hello")
    session = ask(heroku, "POST", "/log-sessions", {"tail": True}).json()
    with requests.get(session["logplex_url"], stream=True, timeout=10) as stream:
        wait_until(heroku.streams)
        heroku.cut_streams()
        assert stream.text.endswith("app[web.1]: hello\n")

    wait_until(lambda: not heroku.streams()[0]["open"])
    assert heroku.streams()[0]["tail"] is True


def test_app_and_platform_can_be_changed(heroku: RemoteHeroku) -> None:
    heroku.set_app(tier="eco", procfile={"worker": "exit 5"}, drops="State changed")
    heroku.set_platform(tokens=3, retry_after_s=7)
    start(heroku, "worker")
    wait_until(lambda: any("exited" in line for line in heroku.log()))
    ask(heroku, "GET", "")
    ask(heroku, "GET", "")

    assert ask(heroku, "GET", "").headers["Retry-After"] == "7"
    assert heroku.journal()[0]["exit_status"] == 5
    assert heroku.journal()[0]["size"] == "Eco"
    assert not any("State changed" in line for line in heroku.log())


def test_an_app_can_be_forbidden(heroku: RemoteHeroku) -> None:
    heroku.set_platform(forbidden=[heroku.app])

    assert ask(heroku, "GET", "/dynos").status_code == 403


def test_dynos_of_strangers_can_be_started(heroku: RemoteHeroku) -> None:
    heroku.start("exec sleep 60", type_="clockd")

    (dyno,) = ask(heroku, "GET", "/dynos").json()
    assert dyno["type"] == "clockd"
    assert heroku.launches() == []


def test_it_can_go_away_for_a_while(heroku: RemoteHeroku) -> None:
    heroku.go_away(0.5)
    with pytest.raises(requests.exceptions.ConnectionError):
        ask(heroku, "GET", "")

    def is_back() -> bool:
        try:
            return ask(heroku, "GET", "").ok
        except requests.exceptions.ConnectionError:
            return False

    wait_until(is_back)


def test_what_it_does_not_understand_changes_nothing(heroku: RemoteHeroku) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        heroku.fault("crash")
    with pytest.raises(ValueError, match="no such setting: log"):
        heroku.set_app(log=[])
    with pytest.raises(ValueError, match="no such setting: faults"):
        heroku.set_platform(faults=[])
    with pytest.raises(ValueError, match=r"run\.1"):
        heroku.do("run.1", "stop")


def test_no_dyno_outlives_it() -> None:
    with running_heroku() as heroku:
        start(heroku, "trap '' TERM; echo $$; while :; do sleep 0.05; done")
        pid = pid_in(heroku)

    assert has_ended(pid)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "end of input"])
def test_it_ends_and_takes_its_dynos_along(how: str) -> None:
    module = [sys.executable, "-m", "tests.fakes.heroku", "--until-eof"]
    with subprocess.Popen(
        module, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        heroku = RemoteHeroku(process.stdout.readline().split()[-1])
        start(heroku)
        pid = pid_in(heroku)
        if how == "end of input":
            process.stdin.close()
        else:
            process.send_signal(signal.Signals[how])
        assert process.wait(10) == 0

    assert has_ended(pid)
