"""The fake Heroku's API: what it answers, its limits, sizes and pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.fakes.client import Client
from tests.fakes.heroku import FakeHeroku

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "sharp-mountain-4005"
SLEEP = "exec sleep 60"
NO_APP = "Couldn't find that app."
NO_DYNO = "Couldn't find that dyno."


@pytest.fixture
def fake() -> Iterator[FakeHeroku]:
    with FakeHeroku() as heroku:
        yield heroku


@pytest.fixture
def client(fake: FakeHeroku) -> Iterator[Client]:
    with Client(fake) as asking:
        yield asking


# -- who may ask ---------------------------------------------------------------


def test_a_wrong_key_is_unauthorized(fake: FakeHeroku) -> None:
    with Client(fake, key="wrong") as client:
        answer = client.ask("POST", "/dynos", {"command": "true"})

    assert answer.status_code == 401
    assert answer.json()["id"] == "unauthorized"
    assert fake.journal == []


def test_the_key_is_also_taken_as_a_password(fake: FakeHeroku) -> None:
    answer = requests.get(f"{fake.url}/account", auth=("", fake.key), timeout=10)

    assert answer.status_code == 200


def test_an_app_can_be_forbidden_while_the_key_is_good(
    fake: FakeHeroku, client: Client
) -> None:
    fake.forbidden.add(APP)

    assert client.refusal()[:2] == (403, "forbidden")
    assert client.ask_elsewhere("GET", "/account").status_code == 200


def test_an_app_that_does_not_exist_is_not_found(client: Client) -> None:
    answer = client.ask_elsewhere("GET", "/apps/other-app/dynos")

    assert answer.status_code == 404
    assert answer.json() == {"id": "not_found", "message": NO_APP, "resource": "app"}


def test_an_app_is_found_by_its_id_too(fake: FakeHeroku, client: Client) -> None:
    app = client.ask_elsewhere("GET", f"/apps/{fake.app.id}").json()

    assert app["name"] == APP
    assert app["process_tier"] == "production"
    assert app["generation"] == {"name": "cedar"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nonsense"), ("DELETE", ""), ("POST", "/formation")],
)
def test_what_the_api_does_not_have_is_not_found(
    method: str, path: str, client: Client
) -> None:
    assert client.ask(method, path).status_code == 404


def test_a_body_that_is_not_json_is_a_bad_request(fake: FakeHeroku) -> None:
    url = f"{fake.url}/apps/{APP}/dynos"
    answer = requests.post(url, data="{", auth=("", fake.key), timeout=10)

    assert (answer.status_code, answer.json()["id"]) == (400, "bad_request")


def test_every_answer_tells_time_and_requests_left(
    fake: FakeHeroku, client: Client
) -> None:
    fake.skew_s = 3600
    answer = client.ask("GET", "/dynos")

    ahead = parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < ahead < timedelta(minutes=61)
    assert answer.headers["RateLimit-Remaining"] == "4499"
    assert answer.headers["Request-Id"]


# -- starting dynos ------------------------------------------------------------


def test_a_new_dyno_is_described_as_the_platform_does(client: Client) -> None:
    dyno = client.start(SLEEP, type="clockd", size="standard-2x", env={"A": "1"})

    created_at = datetime.fromisoformat(dyno["created_at"])
    assert abs(datetime.now(UTC) - created_at) < timedelta(seconds=10)
    assert created_at.microsecond == 0
    assert re.fullmatch(r"clockd\.\d+", dyno["name"])
    assert dyno["command"] == SLEEP
    assert dyno["type"] == "clockd"
    assert dyno["size"] == "Standard-2X"
    assert dyno["state"] in ("starting", "up")
    assert dyno["app"]["name"] == APP
    assert "env" not in dyno
    assert "time_to_live" not in dyno


def test_a_dyno_is_of_the_type_run_unless_another_is_asked_for(client: Client) -> None:
    assert client.start(SLEEP)["type"] == "run"


@pytest.mark.parametrize("identity", ["name", "id"])
def test_a_dyno_is_known_by_name_and_id(identity: str, client: Client) -> None:
    dyno = client.start(SLEEP)

    found = client.ask("GET", f"/dynos/{dyno[identity]}").json()
    assert found["id"] == dyno["id"]


def test_a_dyno_that_does_not_exist_is_not_found(client: Client) -> None:
    answer = client.ask("GET", "/dynos/run.1")

    assert answer.status_code == 404
    assert answer.json() == {"id": "not_found", "message": NO_DYNO, "resource": "dyno"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"command": None}, id="no command"),
        pytest.param({"env": {"A-B": "1"}}, id="name in env"),
        pytest.param({"env": {"A": 1}}, id="number in env"),
        pytest.param({"env": ["A"]}, id="env is a list"),
        pytest.param({"size": 1}, id="size"),
        pytest.param({"type": 1}, id="type"),
        pytest.param({"time_to_live": "1860"}, id="time to live is a text"),
        pytest.param({"time_to_live": 86_401}, id="time to live is too long"),
        pytest.param({"time_to_live": 0}, id="no time to live"),
    ],
)
def test_a_request_against_the_schema_starts_nothing(
    body: dict[str, Any], fake: FakeHeroku, client: Client
) -> None:
    assert client.refusal(**body)[:2] == (422, "invalid_params")
    assert fake.journal == []


def test_no_size_and_null_mean_the_apps_default(client: Client) -> None:
    assert client.start(SLEEP)["size"] == "Standard-1X"
    assert client.start(SLEEP, size=None)["size"] == "Standard-1X"


def test_a_size_that_does_not_exist_is_refused_with_a_list(client: Client) -> None:
    status, id_, message = client.refusal(size="huge")

    assert (status, id_) == (422, "invalid_params")
    assert message.startswith("No such size as huge. Available dyno sizes are Standard")


@pytest.mark.parametrize("tier", ["eco", "basic"])
def test_small_apps_have_no_other_size(
    tier: str, fake: FakeHeroku, client: Client
) -> None:
    fake.app.become(tier)

    assert client.refusal(size="standard-1x") == (
        422,
        "invalid_params",
        "Requested type standard-1x is not available in this dyno type.",
    )
    assert client.start(SLEEP)["size"] == tier.capitalize()
    assert client.ask("GET", "").json()["process_tier"] == tier


def test_shield_dynos_are_shown_as_private(fake: FakeHeroku, client: Client) -> None:
    fake.app.become("shield")

    assert client.start(SLEEP, size="Shield-M")["size"] == "Private-M"


# -- limits --------------------------------------------------------------------


def test_an_eco_app_has_one_dyno_at_a_time(fake: FakeHeroku, client: Client) -> None:
    fake.app.become("eco")
    client.start(SLEEP)

    answer = client.ask("POST", "/dynos", {"command": SLEEP})

    assert answer.status_code == 422
    assert answer.json() == {
        "id": "cannot_run_above_limit",
        "message": "Cannot run more than 1 Eco size dynos.",
        "limit": 1,
        "url": "https://devcenter.heroku.com/articles/dyno-size#default-scaling-limits",
    }
    assert len(fake.journal) == 1


def test_room_is_made_by_a_dyno_that_ends(fake: FakeHeroku, client: Client) -> None:
    fake.app.limit = 1
    client.start("true")
    fake.wait_for(lambda: fake.journal[0].ended_at)

    assert client.start("true")


def test_performance_dynos_have_a_limit_of_their_own(client: Client) -> None:
    for _ in range(5):
        client.start(SLEEP, size="performance-m")

    assert client.refusal(size="performance-m")[1] == "cannot_run_above_limit"
    assert client.start(SLEEP)


def test_the_rate_limit_answers_429(fake: FakeHeroku, client: Client) -> None:
    fake.tokens = 2
    client.names()
    client.names()

    answer = client.ask("POST", "/dynos", {"command": "true"})

    assert answer.status_code == 429
    assert answer.json()["id"] == "rate_limit"
    assert "Retry-After" not in answer.headers
    assert fake.journal == []


def test_asking_for_the_rate_limit_costs_nothing(
    fake: FakeHeroku, client: Client
) -> None:
    fake.tokens = 0

    answer = client.ask_elsewhere("GET", "/account/rate-limits")

    assert answer.json() == {"remaining": 0}


def test_tokens_come_back_all_the_time() -> None:
    with FakeHeroku(rate_limit=360_000) as fake, Client(fake) as client:
        fake.tokens = 0

        fake.wait_for(lambda: client.ask("GET", "/dynos").status_code == 200)


def test_it_can_say_how_long_to_wait(fake: FakeHeroku, client: Client) -> None:
    fake.tokens, fake.retry_after_s = 0, 17

    assert client.ask("GET", "/dynos").headers["Retry-After"] == "17"


# -- lists ---------------------------------------------------------------------


@pytest.mark.parametrize("range_", ["id ..", "id ..; ;", "id ..; max=10, order=desc"])
def test_a_list_that_fits_is_told_at_once(range_: str, client: Client) -> None:
    names = sorted(client.start(SLEEP)["name"] for _ in range(3))

    answer = client.ask("GET", "/dynos", Range=range_)

    assert answer.status_code == 200
    assert sorted(dyno["name"] for dyno in answer.json()) == names
    assert "Next-Range" not in answer.headers


@pytest.mark.parametrize("by", ["platform", "client"])
def test_a_long_list_comes_in_pages(by: str, fake: FakeHeroku, client: Client) -> None:
    ids = {client.start(SLEEP)["id"] for _ in range(5)}
    fake.page_size = 2 if by == "platform" else None
    next_range, statuses, found = "id ..; max=2", [], []
    while next_range:
        answer = client.ask("GET", "/dynos", Range=next_range)
        statuses.append(answer.status_code)
        found += [dyno["id"] for dyno in answer.json()]
        next_range = answer.headers.get("Next-Range", "")

    assert statuses == [206, 206, 200]
    assert len(found) == 5
    assert set(found) == ids


def test_a_range_that_is_none_is_a_bad_request(client: Client) -> None:
    answer = client.ask("GET", "/dynos", Range="everything")

    assert (answer.status_code, answer.json()["id"]) == (400, "bad_request")
    assert answer.json()["message"].startswith("Invalid `Range` header.")


def test_a_new_dyno_is_not_there_at_first(fake: FakeHeroku, client: Client) -> None:
    fake.app.list_lag_s = 0.5
    name = client.start(SLEEP)["name"]

    assert client.names() == []
    assert client.ask("GET", f"/dynos/{name}").status_code == 404
    fake.wait_for(lambda: client.names() == [name])
    assert client.ask("GET", f"/dynos/{name}").status_code == 200


def test_an_ended_dyno_is_gone_at_once(fake: FakeHeroku, client: Client) -> None:
    name = client.start("true")["name"]
    fake.wait_for(lambda: fake.journal[0].ended_at)

    assert client.names() == []
    assert client.ask("GET", f"/dynos/{name}").status_code == 404


def test_an_ended_dyno_can_linger_as_complete(fake: FakeHeroku, client: Client) -> None:
    fake.app.lingers_s = 60
    name = client.start("true")["name"]
    fake.wait_for(lambda: fake.journal[0].ended_at)

    assert client.ask("GET", f"/dynos/{name}").json()["state"] == "complete"
