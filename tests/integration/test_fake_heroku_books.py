"""What the fake platform remembers, for those who compare books with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.client import Client
from tests.fakes.heroku import FakeHeroku
from tests.fakes.remote import RemoteHeroku
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake() -> Iterator[FakeHeroku]:
    with FakeHeroku() as fake:
        yield fake


@pytest.fixture
def remote(fake: FakeHeroku) -> RemoteHeroku:
    return RemoteHeroku(fake.url)


def test_a_line_that_never_came_is_remembered(
    fake: FakeHeroku, remote: RemoteHeroku
) -> None:
    remote.set_app(drops="exited")
    with Client(fake) as client:
        name = client.start("true")["name"]
    wait_until(lambda: not remote.running())

    told = wait_until(lambda: remote.records()[fake.app.name]["dropped"])

    assert [entry[1:] for entry in told] == [[name, "Process exited with status 0"]]


def test_faults_are_counted_where_they_strike(
    fake: FakeHeroku, remote: RemoteHeroku
) -> None:
    remote.fault("status", method="GET", path=r"/dynos$", times=2)
    with Client(fake) as client:
        for _ in range(3):
            client.ask("GET", "/dynos")

    assert remote.struck() == {"status at list": 2}
    assert [r["fault"] for r in remote.requests()] == ["status", "status", None]


def test_the_journal_tells_who_stopped_a_dyno_and_when(
    fake: FakeHeroku, remote: RemoteHeroku
) -> None:
    with Client(fake) as client:
        name = client.start("sleep 30")["name"]
        client.ask("POST", f"/dynos/{name}/actions/stop")
    wait_until(lambda: not remote.running())

    (dyno,) = remote.journal()

    assert (dyno["app"], dyno["stopped_by"]) == (fake.app.name, "api")
    assert dyno["started_at"] <= dyno["stopped_at"] <= dyno["ended_at"]


def test_a_history_that_is_not_whole_tells_so(fake: FakeHeroku) -> None:
    for number in range(3):
        fake.app.say("app", "web.1", f"line {number}")
    fake.fault("end", lines=1)

    with Client(fake) as client:
        assert len(client.log()) == 3
