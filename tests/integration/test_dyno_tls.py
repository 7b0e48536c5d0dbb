"""Certificates, proxies and netrc on the way to Heroku."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from clockd.dyno import HerokuRunner
from clockd.errors import RunnerUnavailable, SettingsError
from clockd.runner import LaunchRequest, Unavailable
from tests.support.loopback_tls import server_context, trust_file
from tests.support.scripted_server import ScriptedServer, answer, raw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "planted-key-0123456789"
REQUEST = LaunchRequest(
    key="7.1-1",
    app="sharp-mountain-4005",
    command="bin/task",
    process_type="clockd",
    size=None,
    env={},
    time_to_live_s=1860,
)
CREATED = answer(201, {"id": "0123", "name": "clockd.1"})


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def https(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer(script=[CREATED], tls=server_context(tmp_path)) as server:
        yield server


def launch(url: str) -> None:
    runner = HerokuRunner(KEY, api_url=url)
    try:
        runner.launch(REQUEST, guard=lambda: None)
    finally:
        runner.close()


def forbidden() -> NoReturn:
    raise AssertionError("the guard was called, though no byte could go out")


def test_a_certificate_that_nobody_trusts_is_unavailable(
    https: ScriptedServer,
) -> None:
    runner = HerokuRunner(KEY, api_url=https.url)

    with pytest.raises(RunnerUnavailable, match="certificate is not valid") as caught:
        runner.launch(REQUEST, guard=forbidden)

    assert caught.value.kind == Unavailable.CONNECTION
    assert https.requests == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_of_certificates_is_trusted(
    name: str, https: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, str(trust_file(tmp_path)))

    launch(https.url)

    assert len(https.requests) == 1


def test_the_guard_is_asked_after_the_tls_handshake(
    https: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trust_file(tmp_path)))
    seen = []

    def guard() -> None:
        assert https.connected.acquire(timeout=10)
        seen.append(https.received)

    runner = HerokuRunner(KEY, api_url=https.url)
    runner.launch(REQUEST, guard=guard)
    runner.close()

    assert seen == [0]


def test_a_bundle_that_is_not_there_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))

    with pytest.raises(SettingsError, match=r"REQUESTS_CA_BUNDLE .*missing"):
        HerokuRunner(KEY)


def test_a_log_is_not_read_without_tls_where_the_api_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trust_file(tmp_path)))
    with ScriptedServer() as plain:
        session = answer(201, {"logplex_url": f"{plain.url}/stream?token=planted"})
        with ScriptedServer(script=[session], tls=server_context(tmp_path)) as api:
            runner = HerokuRunner(KEY, api_url=api.url)
            with pytest.raises(RunnerUnavailable) as caught:
                runner.follow("sharp-mountain-4005", "clockd", lines=10)
            runner.close()

    assert plain.requests == []
    assert "planted" not in str(caught.value)


def test_a_log_over_tls_can_be_closed_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trust_file(tmp_path)))
    line = b"2026-08-01T12:00:00+00:00 app[clockd.1]: hello\n"
    log = raw(b"HTTP/1.1 200 OK\r\n\r\n" + line, keep=True)
    with ScriptedServer(script=[log], tls=server_context(tmp_path)) as logs:
        session = answer(201, {"logplex_url": f"{logs.url}/stream"})
        with ScriptedServer(script=[session], tls=server_context(tmp_path)) as api:
            runner = HerokuRunner(KEY, api_url=api.url)
            stream = runner.follow("sharp-mountain-4005", "clockd", lines=10)
            lines = iter(stream)
            first = next(lines)
            assert next(lines) is None
            stream.close()
            assert list(lines) == []
            assert logs.closed.acquire(timeout=10)
            runner.close()

    assert first is not None
    assert first.text == "hello"


# -- proxies -------------------------------------------------------------------


def test_a_proxy_is_used_and_the_guard_still_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    with ScriptedServer(script=[CREATED]) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        runner = HerokuRunner(KEY, api_url="http://api.heroku.test")
        runner.launch(REQUEST, guard=lambda: seen.append(proxy.received))
        runner.close()

    assert [request.path for request in proxy.requests] == [
        "http://api.heroku.test/apps/sharp-mountain-4005/dynos"
    ]
    assert seen == [0]


def test_a_proxy_tunnels_to_https_and_the_guard_is_asked_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = raw(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    with ScriptedServer(script=[refused]) as proxy:
        monkeypatch.setenv(
            "HTTPS_PROXY", f"http://me:planted-word@127.0.0.1:{proxy.port}"
        )
        runner = HerokuRunner(KEY, api_url="https://api.heroku.test")
        with pytest.raises(RunnerUnavailable) as caught:
            runner.launch(REQUEST, guard=forbidden)
        runner.close()

    assert [request.method for request in proxy.requests] == ["CONNECT"]
    assert "planted-word" not in f"{caught.value} {caught.value.__context__}"
    assert "proxy" in caught.value.message


def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer() as proxy, ScriptedServer(script=[CREATED]) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        launch(server.url)

    assert proxy.requests == []
    assert len(server.requests) == 1


def test_netrc_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password someone-elses\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer(script=[answer(200, b"")]) as logs:
        session = answer(201, {"logplex_url": f"{logs.url}/stream"})
        with ScriptedServer(script=[CREATED, session]) as server:
            runner = HerokuRunner(KEY, api_url=server.url)
            runner.launch(REQUEST, guard=lambda: None)
            assert list(runner.history("sharp-mountain-4005", lines=1)) == []
            runner.close()

    for request in server.requests:
        assert "b3RoZXI6" not in request.headers["authorization"]
    assert "authorization" not in logs.requests[0].headers
