"""The fake Heroku's faults: what goes wrong on request, and whether work was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.fakes.client import Client
from tests.fakes.faults import AFTER, BEFORE, Fault
from tests.fakes.heroku import FakeHeroku

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What the client sees of each fault: a status, or what it raises.
BROKEN = requests.exceptions.ConnectionError
SEEN: dict[str, object] = {
    "status": 503,
    "close_before": BROKEN,
    "reset_before": BROKEN,
    "hang": requests.exceptions.ReadTimeout,
    "status_after": 503,
    "close_after": BROKEN,
    "reset_after": BROKEN,
    "hang_after": requests.exceptions.ReadTimeout,
    "garbage": requests.exceptions.JSONDecodeError,
    "truncate": requests.exceptions.ChunkedEncodingError,
}


@pytest.fixture
def fake() -> Iterator[FakeHeroku]:
    with FakeHeroku() as heroku:
        yield heroku


@pytest.fixture
def client(fake: FakeHeroku) -> Iterator[Client]:
    with Client(fake) as asking:
        yield asking


def start(client: Client, **options: Any) -> object:
    """Try to start a dyno; return the status, or the kind of exception."""
    try:
        answer = client.ask("POST", "/dynos", {"command": "true"}, **options)
        answer.json()
    except requests.exceptions.RequestException as caught:
        return type(caught)
    return answer.status_code


@pytest.mark.parametrize("kind", [kind for kind in BEFORE if kind != "delay"])
def test_a_fault_before_the_work_starts_nothing(
    kind: str, fake: FakeHeroku, client: Client
) -> None:
    fake.fault(kind)

    assert start(client, timeout=0.5) == SEEN[kind]
    assert fake.journal == []
    assert len(fake.launches()) == 1


@pytest.mark.parametrize("kind", AFTER)
def test_a_fault_after_the_work_starts_a_dyno(
    kind: str, fake: FakeHeroku, client: Client
) -> None:
    fake.fault(kind)

    assert start(client, timeout=0.5) == SEEN[kind]
    assert len(fake.journal) == 1
    assert fake.launches()[0]["status"] == 201


@pytest.mark.parametrize("kind", [*BEFORE, *AFTER])
def test_a_fault_strikes_once_unless_more_is_asked_for(
    kind: str, fake: FakeHeroku, client: Client
) -> None:
    fake.fault(kind)
    start(client, timeout=0.5)

    assert start(client) == 201


def test_a_delayed_answer_comes(fake: FakeHeroku, client: Client) -> None:
    fake.fault("delay", delay_s=0.3)

    answer = client.ask("GET", "/dynos")

    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.3


@pytest.mark.parametrize(
    ("status", "id_"),
    [
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (409, "conflict"),
        (429, "rate_limit"),
        (500, "fault"),
    ],
)
def test_a_status_comes_with_what_the_platform_says_then(
    status: int, id_: str, fake: FakeHeroku, client: Client
) -> None:
    fake.fault("status", status=status)

    assert client.refusal()[:2] == (status, id_)


def test_a_status_comes_with_the_body_and_headers_of_the_fault(
    fake: FakeHeroku, client: Client
) -> None:
    fake.fault("status", status=429, body={"a": 1}, headers={"Retry-After": "9"})

    answer = client.ask("GET", "/dynos")

    assert answer.json() == {"a": 1}
    assert answer.headers["Retry-After"] == "9"


def test_a_fault_strikes_what_it_is_about(fake: FakeHeroku, client: Client) -> None:
    fault = fake.fault("status", method="GET", path=r"/dynos$", times=None)

    assert start(client) == 201
    assert client.ask("GET", "").status_code == 200
    for _ in range(3):
        assert client.ask("GET", "/dynos").status_code == 503
    fake.faults.remove(fault)
    assert client.ask("GET", "/dynos").status_code == 200


def test_a_fault_may_strike_now_and_then_and_always_alike() -> None:
    def strikes(seed: int) -> list[bool]:
        fault = Fault("status", times=None, probability=0.5, seed=seed)
        return [fault.strikes("GET", "/apps") for _ in range(50)]

    assert 10 < sum(strikes(1)) < 40
    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)


def test_a_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no such fault: crash"):
        Fault("crash")


def test_the_platform_can_go_away_and_come_back(
    fake: FakeHeroku, client: Client
) -> None:
    fake.pause()
    with pytest.raises(BROKEN):
        client.names()
    fake.resume()

    assert client.names() == []


def test_open_streams_end_when_the_platform_goes_away(
    fake: FakeHeroku, client: Client
) -> None:
    with client.open_log(client.log_url(tail=True)) as stream:
        fake.wait_for(lambda: fake.streams)
        fake.pause()

        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            list(stream.iter_lines())


def test_dynos_run_on_while_the_platform_is_away(
    fake: FakeHeroku, client: Client
) -> None:
    client.start("sleep 0.2; exit 4")
    fake.pause()

    fake.wait_for(lambda: fake.journal[0].exit_status == 4)
