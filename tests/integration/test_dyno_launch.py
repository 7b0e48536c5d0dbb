"""Starting a dyno: what goes over the wire, and what each answer means."""

from __future__ import annotations

import base64
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

import pytest

from clockd import clock
from clockd.dyno import HerokuRunner
from clockd.errors import (
    LaunchRejected,
    LaunchUnknown,
    LeaseLost,
    RunnerUnavailable,
)
from clockd.runner import Unavailable
from tests.support.launches import CREATED, DYNO, KEY, REQUEST
from tests.support.scripted_server import (
    Act,
    ScriptedServer,
    answer,
    hang_up,
    in_turn,
    raw,
    reset,
    until_closed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_SIZE = answer(422, {"id": "invalid_params", "message": "No such size as huge."})


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


def forbidden() -> NoReturn:
    raise AssertionError("the guard was called, though no byte could go out")


def test_it_asks_for_what_the_request_says(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer(script=[CREATED]) as server:
        dyno = make_runner(server.url).launch(REQUEST, guard=pass_through)

    (sent,) = server.requests
    assert (sent.method, sent.path) == ("POST", "/apps/sharp-mountain-4005/dynos")
    assert sent.json() == {
        "attach": False,
        "command": "bin/heartbeat --once",
        "env": {"CLOCKD_RUN_ID": "7", "SECRET": "planted-value"},
        "time_to_live": 1860,
        "type": "clockd",
    }
    assert sent.headers["authorization"] == "Basic " + _encoded(f":{KEY}")
    assert sent.headers["accept"].startswith("application/vnd.heroku+json; version=3")
    assert sent.headers["user-agent"].startswith("clockd/")
    assert (dyno.name, dyno.id) == ("clockd.4711", DYNO["id"])
    assert dyno.created_at == datetime(2026, 8, 1, 12, tzinfo=UTC)
    assert dyno.warning is None


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_it_asks_for_a_size_where_one_is_given(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer(script=[CREATED]) as server:
        request = replace(REQUEST, size="performance-m")
        make_runner(server.url).launch(request, guard=pass_through)

    assert server.requests[0].json()["size"] == "performance-m"


def test_a_refused_size_is_sent_once_more_without_it(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    guarded = []
    with ScriptedServer(script=[NO_SIZE, CREATED]) as server:
        request = replace(REQUEST, size="performance-m")
        dyno = make_runner(server.url).launch(
            request, guard=lambda: guarded.append(len(server.requests))
        )

    assert [r.json().get("size", "none") for r in server.requests] == [
        "performance-m",
        "none",
    ]
    assert guarded == [0, 1]
    assert dyno.warning == (
        "size performance-m is not available for this app; started on its default size"
    )


def test_a_guard_can_stop_the_second_request_too(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    lost = LeaseLost("another clock holds the lease")

    with ScriptedServer(script=[NO_SIZE, CREATED]) as server:

        def guard() -> None:
            if server.requests:
                raise lost

        request = replace(REQUEST, size="performance-m")
        with pytest.raises(LeaseLost) as caught:
            make_runner(server.url).launch(request, guard=guard)

    assert caught.value is lost
    assert len(server.requests) == 1


def test_a_refused_size_is_no_excuse_without_a_size(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with (
        ScriptedServer(script=[NO_SIZE, CREATED]) as server,
        pytest.raises(LaunchRejected, match="No such size as huge"),
    ):
        make_runner(server.url).launch(REQUEST, guard=pass_through)

    assert len(server.requests) == 1


def test_the_second_request_is_judged_like_the_first(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with (
        ScriptedServer(script=[NO_SIZE, hang_up]) as server,
        pytest.raises(LaunchUnknown),
    ):
        make_runner(server.url).launch(
            replace(REQUEST, size="performance-m"), guard=pass_through
        )

    assert len(server.requests) == 2


# -- the guard -----------------------------------------------------------------


def test_the_guard_is_asked_when_connected_and_before_the_first_byte(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    seen: list[int] = []

    with ScriptedServer(script=[CREATED]) as server:

        def guard() -> None:
            assert server.connected.acquire(timeout=10)
            seen.append(server.received)

        make_runner(server.url).launch(REQUEST, guard=guard)

    assert seen == [0]


@pytest.mark.parametrize(
    "refusal",
    [
        LeaseLost("another clock holds the lease"),
        BrokenPipeError("looks like a socket's"),
        ConnectionResetError("looks like a socket's"),
        TimeoutError("looks like a socket's"),
        ValueError("looks like a header's"),
        KeyboardInterrupt(),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_what_the_guard_raises_comes_out_and_nothing_is_sent(
    refusal: BaseException, make_runner: Callable[[str], HerokuRunner]
) -> None:
    def guard() -> NoReturn:
        raise refusal

    with ScriptedServer(script=[CREATED]) as server:
        with pytest.raises(type(refusal)) as caught:
            make_runner(server.url).launch(REQUEST, guard=guard)
        assert server.closed.acquire(timeout=10)

    assert caught.value is refusal
    assert server.received == 0


def test_a_launch_works_after_the_guard_refused_one(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    lost = LeaseLost("for a moment")

    def guard() -> NoReturn:
        raise lost

    with ScriptedServer(script=[CREATED]) as server:
        runner = make_runner(server.url)
        with pytest.raises(LeaseLost):
            runner.launch(REQUEST, guard=guard)
        runner.launch(REQUEST, guard=pass_through)

    assert len(server.requests) == 1


# -- certainly not created -----------------------------------------------------


def test_a_refused_connection_is_unavailable_and_the_guard_is_not_asked(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer() as server:
        url = server.url

    with pytest.raises(RunnerUnavailable, match="connection refused") as caught:
        make_runner(url).launch(REQUEST, guard=forbidden)

    assert caught.value.kind == Unavailable.CONNECTION
    assert caught.value.hint


def test_a_host_that_is_not_found_is_unavailable(
    make_runner: Callable[[str], HerokuRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(RunnerUnavailable, match="cannot be resolved") as caught:
        make_runner("https://api.heroku.test").launch(REQUEST, guard=forbidden)

    assert caught.value.kind == Unavailable.CONNECTION


def test_a_connection_that_does_not_come_about_in_time_is_unavailable(
    make_runner: Callable[[str], HerokuRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> NoReturn:
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib3.util.connection.create_connection", never)

    with pytest.raises(RunnerUnavailable, match="connecting took too long") as caught:
        make_runner("http://127.0.0.1:1").launch(REQUEST, guard=forbidden)

    assert caught.value.kind == Unavailable.CONNECTION


def test_a_server_that_speaks_no_tls_is_unavailable(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer(script=[CREATED]) as server:
        url = server.url.replace("http:", "https:")
        # What a plain server makes of a TLS greeting.
        server._read = lambda _connection: None  # type: ignore[assignment,method-assign]
        with pytest.raises(RunnerUnavailable) as caught:
            make_runner(url).launch(REQUEST, guard=forbidden)

    assert caught.value.kind == Unavailable.CONNECTION


@pytest.mark.parametrize(
    ("status", "headers", "kind", "retry_after_s"),
    [
        (429, {"Retry-After": "17"}, Unavailable.RATE_LIMITED, 17.0),
        (429, {}, Unavailable.RATE_LIMITED, None),
        (409, {}, Unavailable.CONFLICT, None),
        (401, {}, Unavailable.UNAUTHORIZED, None),
        (403, {}, Unavailable.FORBIDDEN, None),
    ],
)
def test_a_launch_may_work_later_after(
    status: int,
    headers: dict[str, str],
    kind: Unavailable,
    retry_after_s: float | None,
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    act = answer(status, {"id": "x", "message": "Not now."}, headers=headers)
    with (
        ScriptedServer(script=[act]) as server,
        pytest.raises(RunnerUnavailable, match="Not now") as caught,
    ):
        make_runner(server.url).launch(REQUEST, guard=pass_through)

    assert caught.value.kind is kind
    assert caught.value.retry_after_s == retry_after_s
    assert len(server.requests) == 1


def test_a_launch_over_the_limit_waits_in_line_and_keeps_its_size(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    body = {
        "limit": 2,
        "size": 11,
        "id": "cannot_run_above_limit",
        "message": "Cannot run more than 2 Free size dynos.",
    }
    with (
        ScriptedServer(script=[answer(422, body)]) as server,
        pytest.raises(RunnerUnavailable) as caught,
    ):
        make_runner(server.url).launch(
            replace(REQUEST, size="performance-m"), guard=pass_through
        )

    assert caught.value.kind is Unavailable.OVER_LIMIT
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"\xff\xfe garbage", b"", b"[]", b"null"])
@pytest.mark.parametrize("status", [404, 422, 429])
def test_a_4xx_that_cannot_be_read_still_created_nothing(
    status: int, body: bytes, make_runner: Callable[[str], HerokuRunner]
) -> None:
    with (
        ScriptedServer(script=[answer(status, body)]) as server,
        pytest.raises((LaunchRejected, RunnerUnavailable)),
    ):
        make_runner(server.url).launch(REQUEST, guard=pass_through)


def test_a_4xx_that_was_cut_off_still_created_nothing(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    act = raw(b"HTTP/1.1 422 No\r\nContent-Length: 500\r\n\r\n{")
    with ScriptedServer(script=[act]) as server, pytest.raises(RunnerUnavailable):
        make_runner(server.url).launch(REQUEST, guard=pass_through)


@pytest.mark.parametrize("app", ["", "a b", "../x", "app/dynos", "-x", "ä"])
def test_an_app_that_can_be_none_is_rejected_before_anything_is_sent(
    app: str, make_runner: Callable[[str], HerokuRunner]
) -> None:
    with ScriptedServer() as server, pytest.raises(LaunchRejected):
        make_runner(server.url).launch(replace(REQUEST, app=app), guard=forbidden)

    assert server.requests == []


# -- unknown -------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(hang_up, id="closed without an answer"),
        pytest.param(reset, id="reset"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9.2\r\n"), id="not HTTP"),
        pytest.param(raw(b"HTTP/1.1 two\r\n\r\n"), id="garbage status"),
        pytest.param(raw(b"HTTP/1.1 201 Created\r\nContent-"), id="half a head"),
        pytest.param(
            raw(b'HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{"id": "1"'),
            id="half a body",
        ),
        pytest.param(
            in_turn(raw(b"HTTP/1.1 201 Created\r\nContent-Le", keep=True), reset),
            id="reset in the head",
        ),
        pytest.param(
            raw(
                b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            ),
            id="garbage chunks",
        ),
        pytest.param(
            answer(201, b"not gzip", headers={"Content-Encoding": "gzip"}, keep=False),
            id="garbage encoding",
        ),
        pytest.param(answer(201, b"{"), id="not JSON"),
        pytest.param(answer(201, b"\xff\xfe"), id="not text"),
        pytest.param(answer(201, b"[" * 100_000), id="too deep"),
        pytest.param(answer(201, {"id": DYNO["id"]}), id="no name"),
        pytest.param(answer(201, {"name": "clockd.1"}), id="no id"),
        pytest.param(answer(500, {"id": "internal"}), id="500"),
        pytest.param(answer(502, b"<html>bad gateway</html>"), id="502"),
        pytest.param(answer(503, headers={"Retry-After": "1"}), id="503"),
        pytest.param(answer(307, headers={"Location": "/elsewhere"}), id="307"),
        pytest.param(answer(302, headers={"Location": "/elsewhere"}), id="302"),
    ],
)
def test_a_launch_is_unknown_and_not_repeated_after(
    act: Act, make_runner: Callable[[str], HerokuRunner]
) -> None:
    with (
        ScriptedServer(script=[act, CREATED]) as server,
        pytest.raises(LaunchUnknown) as caught,
    ):
        make_runner(server.url).launch(REQUEST, guard=pass_through)

    assert len(server.requests) == 1
    assert caught.value.hint


def test_a_launch_is_unknown_when_no_answer_comes_in_time() -> None:
    with ScriptedServer(script=[until_closed]) as server:
        runner = HerokuRunner(KEY, api_url=server.url, connect_s=10, read_s=0.1)
        with pytest.raises(LaunchUnknown, match="no answer came in time"):
            runner.launch(REQUEST, guard=pass_through)

    assert len(server.requests) == 1


def test_a_dyno_without_a_time_of_creation_was_created_about_now(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer(script=[answer(201, {**DYNO, "created_at": None})]) as server:
        dyno = make_runner(server.url).launch(REQUEST, guard=pass_through)

    assert timedelta() < clock.now() - dyno.created_at < timedelta(minutes=1)
