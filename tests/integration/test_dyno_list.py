"""Listing and stopping dynos, counting requests, and what doctor asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from clockd import clock
from clockd.dyno import HerokuRunner
from clockd.errors import RunnerUnavailable
from clockd.runner import Check, Dyno, Unavailable
from tests.support.scripted_server import (
    Act,
    Request,
    ScriptedServer,
    answer,
    hang_up,
    raw,
    reset,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "planted-key-0123456789"
APP = "sharp-mountain-4005"


def item(n: int, process_type: str = "clockd") -> dict[str, object]:
    return {
        "id": f"id-{n}",
        "name": f"{process_type}.{n}",
        "type": process_type,
        "command": "bin/task",
        "state": "up",
        "size": "Eco",
        "created_at": "2026-08-01T12:00:00Z",
    }


DYNO = Dyno(
    app=APP,
    name="clockd.7",
    id="id-7",
    command="bin/task",
    process_type="clockd",
    state="up",
    size=None,
    created_at=datetime(2026, 8, 1, 12, tzinfo=UTC),
)


@pytest.fixture
def make_runner() -> Iterator[Callable[[str], HerokuRunner]]:
    made: list[HerokuRunner] = []

    def make(url: str) -> HerokuRunner:
        made.append(HerokuRunner(KEY, api_url=url, connect_s=10, read_s=10))
        return made[-1]

    yield make
    for runner in made:
        runner.close()


# -- the list ------------------------------------------------------------------


def test_it_lists_dynos_of_all_types_or_of_one(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer(script=[answer(200, [item(1), item(2, "web")])]) as server:
        runner = make_runner(server.url)

        assert [dyno.name for dyno in runner.dynos(APP)] == ["clockd.1", "web.2"]
        assert [dyno.name for dyno in runner.dynos(APP, "web")] == ["web.2"]
        assert list(runner.dynos(APP, "clock")) == []

    first = server.requests[0]
    assert (first.method, first.path) == ("GET", f"/apps/{APP}/dynos")


def test_it_follows_the_pages_of_a_list_and_prints_nothing(
    make_runner: Callable[[str], HerokuRunner], capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [
        answer(206, [item(1)], headers={"Next-Range": "id ]id-1..; max=1000"}),
        answer(206, [item(2)], headers={"Next-Range": "id ]id-2..; max=1000"}),
        answer(200, [item(3)]),
    ]
    with ScriptedServer(script=pages) as server:
        dynos = make_runner(server.url).dynos(APP)

    assert [dyno.id for dyno in dynos] == ["id-1", "id-2", "id-3"]
    assert [request.headers["range"] for request in server.requests] == [
        "id ..; max=1000",
        "id ]id-1..; max=1000",
        "id ]id-2..; max=1000",
    ]
    assert capsys.readouterr() == ("", "")


def test_pages_without_end_are_given_up(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    page = answer(206, [item(1)], headers={"Next-Range": "id ]id-1..; max=1000"})
    with ScriptedServer(script=[page]) as server:
        runner = make_runner(server.url)
        with pytest.raises(RunnerUnavailable, match="no end"):
            runner.dynos(APP)

    assert len(server.requests) == 100


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (answer(404, {"id": "not_found", "message": "No app."}), Unavailable.CONFLICT),
        (answer(401, {"id": "unauthorized"}), Unavailable.UNAUTHORIZED),
        (answer(403, {"id": "forbidden"}), Unavailable.FORBIDDEN),
        (answer(429, {"id": "rate_limit"}), Unavailable.RATE_LIMITED),
        (answer(503, b"<html>"), Unavailable.CONNECTION),
        (answer(200, b"<html>"), Unavailable.CONNECTION),
        (answer(200, {"id": "no list"}), Unavailable.CONNECTION),
        (answer(200, [item(1), {"id": "no name"}]), Unavailable.CONNECTION),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[]"), "connection"),
        (hang_up, Unavailable.CONNECTION),
        (reset, Unavailable.CONNECTION),
    ],
)
def test_a_list_that_cannot_be_read_is_never_empty(
    act: Act, kind: str, make_runner: Callable[[str], HerokuRunner]
) -> None:
    with ScriptedServer(script=[act]) as server:
        runner = make_runner(server.url)
        with pytest.raises(RunnerUnavailable) as caught:
            runner.dynos(APP)

    assert caught.value.kind == kind
    assert caught.value.__context__ is None
    assert len(server.requests) == 1


def test_a_list_whose_second_page_fails_is_no_list(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    first = answer(206, [item(1)], headers={"Next-Range": "id ]id-1..; max=1000"})
    with ScriptedServer(script=[first, answer(500)]) as server:
        runner = make_runner(server.url)
        with pytest.raises(RunnerUnavailable):
            runner.dynos(APP)


# -- stop ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202, 204, 404])
def test_it_stops_a_dyno_by_its_name(
    status: int, make_runner: Callable[[str], HerokuRunner]
) -> None:
    act = raw(b"HTTP/1.1 %d Said\r\nContent-Length: 0\r\n\r\n" % status)
    with ScriptedServer(script=[act]) as server:
        make_runner(server.url).stop(DYNO)

    (sent,) = server.requests
    assert sent.method == "POST"
    assert sent.path == f"/apps/{APP}/dynos/clockd.7/actions/stop"
    assert sent.body == b""


@pytest.mark.parametrize("status", [401, 403, 409, 422, 429, 500])
def test_a_stop_that_was_not_carried_out_says_so(
    status: int, make_runner: Callable[[str], HerokuRunner]
) -> None:
    with ScriptedServer(script=[answer(status, {"message": "No."})]) as server:
        runner = make_runner(server.url)
        with pytest.raises(RunnerUnavailable, match=r"clockd\.7 was not stopped: No"):
            runner.stop(DYNO)


def test_it_forgets_a_dyno_without_asking(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    with ScriptedServer() as server:
        make_runner(server.url).forget(DYNO)

    assert server.requests == []


def test_it_counts_requests_by_call_and_status(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    acts = [answer(200, []), answer(200, []), answer(200, {}), answer(503), hang_up]
    with ScriptedServer(script=acts) as server:
        runner = make_runner(server.url)
        runner.dynos(APP)
        runner.dynos(APP)
        runner.stop(DYNO)
        for _ in range(2):
            with pytest.raises(RunnerUnavailable):
                runner.dynos(APP)

    assert runner.requests_made == {
        ("dyno-list", 200): 2,
        ("dyno-stop", 200): 1,
        ("dyno-list", 503): 1,
        ("dyno-list", 0): 1,
    }


# -- doctor --------------------------------------------------------------------


def http_date(offset_s: float = 0.0) -> str:
    return format_datetime(
        (clock.now() + timedelta(seconds=offset_s)).replace(microsecond=0), usegmt=True
    )


class Account:
    """What a healthy account and app answer; a test changes what it is about."""

    def __init__(self) -> None:
        self.offset_s = 0.0
        self.answers: dict[str, Any] = {
            "/account": {"email": "someone@example.com"},
            "/account/rate-limits": {"remaining": 4321},
            f"/apps/{APP}": {
                "name": APP,
                "process_tier": "production",
                "generation": {"name": "cedar"},
                "space": None,
            },
            f"/apps/{APP}/formation": [
                {"type": "web", "size": "Standard-1X"},
                {"type": "worker", "dyno_size": {"name": "Performance-M"}},
            ],
            f"/apps/{APP}/dynos": [item(1), item(2, "web")],
        }

    def choose(self, request: Request) -> Act:
        found = self.answers[request.path]
        if callable(found):
            act: Act = found
            return act
        return answer(200, found, headers={"Date": http_date(self.offset_s)})

    def check(
        self, make_runner: Callable[[str], HerokuRunner], **options: Any
    ) -> dict[str, Check]:
        with ScriptedServer(script=self.choose) as server:
            runner = make_runner(server.url)
            found = runner.account_checks()
            if all(check.ok for check in found):
                found += runner.app_checks(APP, **options)
        return {check.name: check for check in found}


def test_all_is_well_with_a_healthy_app(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    found = Account().check(make_runner, known=["id-1"])

    assert list(found) == [
        "heroku-key",
        "clock-skew",
        "heroku-rate-limit",
        "heroku-app",
        "heroku-generation",
        "heroku-tier",
        "heroku-logs",
        "heroku-strangers",
    ]
    assert {check.data["level"] for check in found.values()} == {"ok"}
    assert all(check.ok and check.hint is None for check in found.values())
    assert "someone@example.com" in found["heroku-key"].message
    assert found["heroku-rate-limit"].data["remaining"] == 4321
    assert found["heroku-tier"].data["default_size"] == "Standard-1X"
    assert found["heroku-tier"].data["formation"] == ["Performance-M", "Standard-1X"]


def test_a_key_that_is_refused_is_all_there_is_to_say(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    account = Account()
    account.answers["/account"] = answer(401, {"id": "unauthorized", "message": "No."})

    found = account.check(make_runner)

    assert list(found) == ["heroku-key"]
    assert not found["heroku-key"].ok
    assert "heroku authorizations:create" in (found["heroku-key"].hint or "")


def test_a_key_whose_scope_hides_the_account_is_accepted(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    account = Account()
    account.answers["/account"] = answer(403, {"id": "forbidden"})

    assert account.check(make_runner)["heroku-key"].ok


@pytest.mark.parametrize("status", [403, 404])
def test_an_app_that_cannot_be_seen_fails(
    status: int, make_runner: Callable[[str], HerokuRunner]
) -> None:
    account = Account()
    account.answers[f"/apps/{APP}"] = answer(status, {"message": "Not for you."})

    check = account.check(make_runner)["heroku-app"]

    assert not check.ok
    assert "Not for you." in check.message
    assert check.hint


def test_an_app_on_fir_is_refused(make_runner: Callable[[str], HerokuRunner]) -> None:
    account = Account()
    account.answers[f"/apps/{APP}"]["generation"] = {"name": "fir"}

    check = account.check(make_runner)["heroku-generation"]

    assert not check.ok
    assert check.data["level"] == "error"
    assert "Cedar" in (check.hint or "")


def test_a_shield_space_is_warned_of(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    account = Account()
    account.answers[f"/apps/{APP}"]["space"] = {"name": "vault", "shield": True}

    check = account.check(make_runner)["heroku-logs"]

    assert check.ok
    assert check.data["level"] == "warning"
    assert "lost" in (check.hint or "")


def test_an_eco_app_is_warned_of_its_one_dyno(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    account = Account()
    account.answers[f"/apps/{APP}"]["process_tier"] = "eco"

    assert account.check(make_runner)["heroku-tier"].data["level"] == "warning"


@pytest.mark.parametrize(
    ("size", "tier"),
    [("Eco", "eco"), ("Basic", "basic"), ("Private-M", "private"), (None, "")],
)
def test_a_tier_that_is_not_told_is_known_by_the_sizes(
    size: str | None, tier: str, make_runner: Callable[[str], HerokuRunner]
) -> None:
    account = Account()
    del account.answers[f"/apps/{APP}"]["process_tier"]
    account.answers[f"/apps/{APP}/formation"] = [{"size": size}] if size else []

    assert account.check(make_runner)["heroku-tier"].data["tier"] == tier


@pytest.mark.parametrize(
    ("offset_s", "level"),
    [(0, "ok"), (-1.0, "ok"), (60, "warning"), (-60, "warning")],
)
def test_a_clock_that_is_off_is_warned_of(
    offset_s: float, level: str, make_runner: Callable[[str], HerokuRunner]
) -> None:
    account = Account()
    account.offset_s = offset_s

    check = account.check(make_runner)["clock-skew"]

    assert check.data["level"] == level
    if level == "warning":
        assert ("behind" if offset_s > 0 else "ahead of") in check.message


def test_few_requests_left_are_warned_of(
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    account = Account()
    account.answers["/account/rate-limits"] = {"remaining": 12}

    check = account.check(make_runner)["heroku-rate-limit"]

    assert check.data["level"] == "warning"
    assert "12 API requests left" in check.message


@pytest.mark.parametrize(
    ("process_type", "known", "strangers"),
    [
        ("clockd", [], ["clockd.1"]),
        ("clockd", ["id-1"], None),
        ("clock", [], None),
        ("clockd-{trigger}", [], ["clockd-nightly.3"]),
    ],
)
def test_strangers_of_our_process_type_are_warned_of(
    process_type: str,
    known: list[str],
    strangers: list[str] | None,
    make_runner: Callable[[str], HerokuRunner],
) -> None:
    account = Account()
    account.answers[f"/apps/{APP}/dynos"].append(item(3, "clockd-nightly"))

    found = account.check(make_runner, process_type=process_type, known=known)

    assert found["heroku-strangers"].data.get("dynos") == strangers


@pytest.mark.parametrize("act", [hang_up, answer(200, b"{"), answer(200, [1]), reset])
@pytest.mark.parametrize(
    "path", ["/account/rate-limits", f"/apps/{APP}", f"/apps/{APP}/formation"]
)
def test_a_check_survives_any_answer(
    path: str, act: Act, make_runner: Callable[[str], HerokuRunner]
) -> None:
    account = Account()
    account.answers[path] = act

    found = account.check(make_runner)

    assert path != f"/apps/{APP}" or not found["heroku-app"].ok
    assert all(check.message for check in found.values())
    assert all(check.hint for check in found.values() if not check.ok)
