"""The sockets that launches share, and the secrets that stay inside."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from clockd.dyno import HerokuRunner
from clockd.errors import (
    LaunchUnknown,
    SettingsError,
)
from clockd.heroku import sockets
from clockd.model import RunnerKind
from tests.support.launches import CREATED, DYNO, KEY, REQUEST
from tests.support.scripted_server import (
    ScriptedServer,
    answer,
    hang_up,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def make_runner() -> Iterator[Callable[[str], HerokuRunner]]:
    made: list[HerokuRunner] = []

    def make(url: str) -> HerokuRunner:
        made.append(HerokuRunner(KEY, api_url=url, connect_s=10, read_s=10))
        return made[-1]

    yield make
    for runner in made:
        runner.close()


def pass_through() -> None:
    """Guard nothing."""


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_threads_share_sockets_that_stay_open(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer(script=[CREATED]) as server:
        runner = make_runner(server.url)
        for _ in range(5):
            thread = threading.Thread(
                target=runner.launch, args=(REQUEST,), kwargs={"guard": pass_through}
            )
            thread.start()
            thread.join()

    assert len(server.requests) == 5
    assert server.connections == 1


def test_many_threads_launch_at_once(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer(script=[CREATED]) as server:
        runner = make_runner(server.url)
        with ThreadPoolExecutor(16) as pool:
            dynos = list(
                pool.map(
                    lambda _: runner.launch(REQUEST, guard=pass_through), range(100)
                )
            )
        assert server.connections <= 16

    assert len(dynos) == len(server.requests) == 100
    assert runner.requests_made == {("dyno-create", 201): 100}


def test_a_socket_that_the_server_closed_is_replaced_before_anything_is_sent(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer(script=[answer(201, DYNO, keep=False), CREATED]) as server:
        runner = make_runner(server.url)
        runner.launch(REQUEST, guard=pass_through)
        assert server.closed.acquire(timeout=10)
        runner.launch(REQUEST, guard=pass_through)

    assert len(server.requests) == server.connections == 2


def test_a_socket_that_closes_under_a_request_leaves_it_unknown(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer(script=[CREATED, hang_up, CREATED]) as server:
        runner = make_runner(server.url)
        runner.launch(REQUEST, guard=pass_through)
        with pytest.raises(LaunchUnknown):
            runner.launch(REQUEST, guard=pass_through)

    assert len(server.requests) == 2


def test_a_socket_that_rested_for_long_is_not_used(
    make_runner: Callable[[str], HerokuRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_IDLE_S", -1.0)
    with ScriptedServer(script=[CREATED]) as server:
        runner = make_runner(server.url)
        runner.launch(REQUEST, guard=pass_through)
        runner.launch(REQUEST, guard=pass_through)
        wait_until(lambda: server.connections == 2)


# -- secrets and settings ------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 409, 422, 429, 500, 201])
def test_no_error_quotes_the_key_or_the_environment(
    status: int, make_runner: Callable[[str], HerokuRunner]
) -> None:
    leak = f"token {KEY} and {_encoded(':' + KEY)} with planted-value"
    with ScriptedServer(script=[answer(status, {"id": leak, "message": leak})]) as fake:
        runner = make_runner(fake.url)
        with pytest.raises(Exception) as caught:  # noqa: PT011 – each kind of them
            runner.launch(REQUEST, guard=pass_through)

    error = caught.value
    told = f"{error} {error!r} {vars(error)} {error.__cause__} {error.__context__}"
    for secret in (KEY, _encoded(":" + KEY), "planted-value"):
        assert secret not in told
        assert secret not in repr(runner)


@pytest.mark.parametrize("key", ["", "a key", "key\n", "kéy", '"\x00"'])
def test_a_key_that_can_be_none_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        HerokuRunner(key)

    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "api.heroku.com", "ftp://x", "https://", "http://x:port", "http://[x"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        HerokuRunner(KEY, api_url=url)


def test_it_says_what_it_is(make_runner: Callable[[str], HerokuRunner]) -> None:
    runner = make_runner("https://user:planted-password@api.heroku.test:8443/base/")

    assert runner.kind is RunnerKind.HEROKU
    assert runner.authoritative is False
    assert repr(runner) == "<HerokuRunner on api.heroku.test:8443>"
