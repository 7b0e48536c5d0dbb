"""The runner on Heroku against a platform with real dynos: what was really started."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from clockd.dyno import HerokuRunner
from clockd.errors import LaunchRejected, LaunchUnknown, LeaseLost, RunnerUnavailable
from clockd.runner import LaunchRequest, Unavailable
from tests.fakes.heroku import FakeHeroku
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clockd.runner import Dyno, LogLine

APP = "sharp-mountain-4005"
SLEEP = "exec sleep 60"
REQUEST = LaunchRequest(
    key="7.1-1785585600000000",
    app=APP,
    command="echo done",
    process_type="clockd",
    size=None,
    env={"CLOCKD_RUN_ID": "7"},
    time_to_live_s=1860,
)


@pytest.fixture
def fake() -> Iterator[FakeHeroku]:
    with FakeHeroku() as heroku:
        yield heroku


@pytest.fixture
def runner(fake: FakeHeroku) -> Iterator[HerokuRunner]:
    made = HerokuRunner(fake.key, api_url=fake.url, connect_s=10, read_s=10)
    yield made
    made.close()


def pass_through() -> None:
    """Guard nothing."""


def launch(runner: HerokuRunner, command: str = "echo done", **changes: Any) -> Dyno:
    request = replace(REQUEST, command=command, **changes)
    return runner.launch(request, guard=pass_through)


def refusal(runner: HerokuRunner, **changes: Any) -> RunnerUnavailable:
    with pytest.raises(RunnerUnavailable) as caught:
        launch(runner, **changes)
    return caught.value


# -- launch --------------------------------------------------------------------


def test_a_launch_starts_one_dyno_as_asked(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    dyno = launch(runner, 'echo "run $CLOCKD_RUN_ID"; exit 3', size="Standard-2x")

    (started,) = fake.journal
    assert (dyno.id, dyno.name) == (started.id, started.name)
    assert (dyno.process_type, dyno.size) == ("clockd", "Standard-2X")
    assert dyno.warning is None
    assert started.time_to_live == 1860
    assert started.env == {"CLOCKD_RUN_ID": "7"}
    fake.wait_for(lambda: started.exit_status == 3)
    assert "run 7" in [entry.text for entry in fake.app.log]


def test_a_size_the_app_may_not_have_is_left_out(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.app.become("eco")
    dyno = launch(runner, size="performance-m")

    assert dyno.size == "Eco"
    assert "performance-m is not available" in (dyno.warning or "")
    assert [request["status"] for request in fake.launches()] == [422, 201]
    assert len(fake.journal) == 1


def test_a_size_refused_and_then_no_room_waits_in_line(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.app.become("eco")
    launch(runner, SLEEP)

    assert refusal(runner, size="performance-m").kind is Unavailable.OVER_LIMIT
    assert len(fake.journal) == 1


def test_a_lease_lost_between_two_requests_starts_nothing(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    def guard() -> None:
        if fake.launches():
            raise LeaseLost("another clock holds the lease")

    with pytest.raises(LeaseLost):
        runner.launch(replace(REQUEST, size="huge"), guard=guard)

    assert len(fake.launches()) == 1
    assert fake.journal == []


def test_an_app_at_its_limit_waits_in_line(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.app.limit = 1
    launch(runner, SLEEP)
    error = refusal(runner)

    assert error.kind is Unavailable.OVER_LIMIT
    assert "Cannot run more than 1 Standard-1X size dynos" in error.message
    assert len(fake.journal) == 1


def test_a_wrong_key_is_wrong_for_every_app(fake: FakeHeroku) -> None:
    runner = HerokuRunner("another-key", api_url=fake.url)
    error = refusal(runner)
    runner.close()

    assert error.kind is Unavailable.UNAUTHORIZED
    assert "heroku authorizations:create" in (error.hint or "")
    assert fake.journal == []


def test_an_app_that_is_forbidden_is_about_that_app_alone(
    runner: HerokuRunner, fake: FakeHeroku
) -> None:
    fake.forbidden.add(APP)
    error = refusal(runner)

    assert error.kind is Unavailable.FORBIDDEN
    assert "the API key is valid" in (error.hint or "")
    assert fake.journal == []


def test_an_app_that_does_not_exist_is_rejected(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    with pytest.raises(LaunchRejected, match="Couldn't find that app"):
        launch(runner, app="other-app")

    assert fake.journal == []


def test_a_request_against_the_schema_is_rejected(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    with pytest.raises(LaunchRejected, match="Invalid env") as caught:
        launch(runner, env={"A-B": "1"})

    assert caught.value.data == {"id": "invalid_params", "status": 422}
    assert fake.journal == []


@pytest.mark.parametrize("retry_after_s", [None, 17.0])
def test_an_account_without_tokens_waits(
    retry_after_s: float | None, fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.tokens, fake.retry_after_s = 0, retry_after_s
    error = refusal(runner)

    assert error.kind is Unavailable.RATE_LIMITED
    assert error.retry_after_s == retry_after_s
    assert fake.journal == []


def test_an_app_without_a_release_waits(fake: FakeHeroku, runner: HerokuRunner) -> None:
    fake.fault("status", status=409)

    assert refusal(runner).kind is Unavailable.CONFLICT
    assert fake.journal == []


def test_a_platform_that_is_away_gets_no_byte(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    launch(runner)
    fake.pause()

    assert refusal(runner).kind is Unavailable.CONNECTION
    fake.resume()
    launch(runner)
    assert len(fake.journal) == 2


@pytest.mark.parametrize(
    ("fault", "started"),
    [
        ("close_before", 0),
        ("reset_before", 0),
        ("hang", 0),
        ("close_after", 1),
        ("reset_after", 1),
        ("hang_after", 1),
        ("garbage", 1),
        ("truncate", 1),
    ],
)
def test_a_launch_without_a_readable_answer_is_unknown_and_sent_once(
    fault: str, started: int, fake: FakeHeroku
) -> None:
    fake.fault(fault)
    runner = HerokuRunner(fake.key, api_url=fake.url, read_s=0.5)
    with pytest.raises(LaunchUnknown) as caught:
        launch(runner)
    runner.close()

    assert caught.value.hint
    assert len(fake.journal) == started
    assert len(fake.launches()) == 1


@pytest.mark.parametrize(("kind", "started"), [("status", 0), ("status_after", 1)])
@pytest.mark.parametrize("status", [500, 502, 503, 504, 302])
def test_a_launch_is_unknown_after_a_status_that_proves_nothing(
    kind: str, started: int, status: int, fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.fault(kind, status=status)
    with pytest.raises(LaunchUnknown):
        launch(runner, size="standard-2x")

    assert len(fake.journal) == started
    assert len(fake.launches()) == 1


def test_a_lost_answer_can_be_found_in_the_list(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.fault("close_after")
    with pytest.raises(LaunchUnknown):
        launch(runner, SLEEP)

    (dyno,) = runner.dynos(APP, "clockd")
    assert dyno.id == fake.journal[0].id
    assert dyno.command == SLEEP


def test_a_lost_answer_of_a_short_task_can_be_found_in_the_log(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.fault("close_after")
    with pytest.raises(LaunchUnknown):
        launch(runner, "exit 4")
    fake.wait_for(lambda: fake.journal[0].ended_at)

    assert list(runner.dynos(APP)) == []
    name = fake.journal[0].name
    found = [x for x in runner.history(APP, lines=1500) if x.dyno == name]
    assert found[0].text == "Starting process with command `exit 4`"
    assert [x.exit_status for x in found if x.exit_status is not None] == [4]


# -- list and stop -------------------------------------------------------------


def test_a_new_dyno_is_listed_late(fake: FakeHeroku, runner: HerokuRunner) -> None:
    fake.app.list_lag_s = 0.3
    dyno = launch(runner, SLEEP)

    assert list(runner.dynos(APP)) == []
    wait_until(lambda: [x.id for x in runner.dynos(APP)] == [dyno.id])


def test_every_page_of_the_list_is_read(fake: FakeHeroku, runner: HerokuRunner) -> None:
    fake.page_size = 2
    ids = {launch(runner, SLEEP).id for _ in range(5)}

    assert {dyno.id for dyno in runner.dynos(APP)} == ids
    assert runner.requests_made["dyno-list", 206] == 2


def test_a_stop_ends_a_dyno_of_our_process_type(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    dyno = launch(runner, SLEEP)
    runner.stop(dyno)

    fake.wait_for(lambda: fake.journal[0].exit_status == 143)
    assert fake.journal[0].stopped_by == "api"
    runner.stop(dyno)


@pytest.mark.parametrize(
    ("fault", "stopped_by"), [("close_before", None), ("close_after", "api")]
)
def test_a_stop_without_an_answer_may_have_worked(
    fault: str, stopped_by: str | None, fake: FakeHeroku, runner: HerokuRunner
) -> None:
    dyno = launch(runner, SLEEP)
    fake.fault(fault)
    with pytest.raises(RunnerUnavailable, match="was not stopped"):
        runner.stop(dyno)

    assert fake.journal[0].stopped_by == stopped_by


# -- logs ----------------------------------------------------------------------


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


def read_until(runner: HerokuRunner, last: str) -> list[LogLine]:
    """Follow the log until a line says `last`."""
    stream, found = runner.follow(APP, "clockd", lines=1500), []
    try:
        for line in stream:
            if line is not None:
                found.append(line)
                if line.text == last:
                    break
    finally:
        stream.close()
    return found


def test_it_follows_a_run_to_its_end(fake: FakeHeroku, runner: HerokuRunner) -> None:
    dyno = launch(runner, "sleep 0.1; echo out; exit 2")
    lines = read_until(runner, "Process exited with status 2")

    assert {line.dyno for line in lines} == {dyno.name}
    assert "out" in texts(lines)
    assert lines[-1].exit_status == 2
    assert lines[0].at >= dyno.created_at
    fake.wait_for(lambda: not fake.streams[0]["open"])


def test_a_stream_shows_our_process_type_alone(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.app.say("app", "web.1", "not ours")
    fake.app.say("app", "clockd-x.1", "not ours")
    fake.app.say("app", "clockd.1", "ours")
    fake.app.say("app", "clockd.1", "last")

    assert texts(read_until(runner, "last")) == ["ours", "last"]


def test_a_stopped_dyno_tells_its_end_last(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    dyno = launch(runner, "trap 'exit 0' TERM; echo on; while :; do sleep 0.02; done")
    read_until(runner, "on")
    runner.stop(dyno)

    lines = read_until(runner, "Process exited with status 0")
    assert [line.text for line in lines if line.from_platform][-3:] == [
        "State changed from up to complete",
        "Stopping all processes with SIGTERM",
        "Process exited with status 0",
    ]
    assert fake.streams[0]["authorization"] is None


def test_a_stream_that_the_platform_ends_ends(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.app.say("app", "clockd.1", "line")
    stream = runner.follow(APP, "clockd", lines=10)
    lines = iter(stream)
    first = next(lines)
    fake.cut_streams()

    assert first is not None
    assert [line for line in lines if line is not None] == []


def test_a_stream_that_breaks_says_so(fake: FakeHeroku, runner: HerokuRunner) -> None:
    fake.app.say("app", "clockd.1", "line")
    fake.fault("cut", lines=1)
    lines = iter(runner.follow(APP, "clockd", lines=10))
    first = next(lines)

    assert first is not None
    with pytest.raises(RunnerUnavailable, match="the log stream broke"):
        list(lines)


def test_a_session_that_expired_is_unavailable(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.session_s = 0.0
    with pytest.raises(RunnerUnavailable, match="answered 404"):
        runner.follow(APP, "clockd", lines=10)


def test_history_comes_in_order_of_time_whatever_the_delivery(
    fake: FakeHeroku, runner: HerokuRunner
) -> None:
    fake.app.delays = re.compile("^first$")
    launch(runner, "echo first; echo second")
    fake.wait_for(lambda: fake.journal[0].ended_at)
    fake.wait_for(lambda: "exited" in fake.app.log[-1].text)

    told = texts(list(runner.history(APP, lines=1500)))
    assert [text for text in told if text in ("first", "second")] == ["first", "second"]
    assert told.index("Process exited with status 0") < told.index(
        "State changed from up to complete"
    )


@pytest.mark.parametrize("fault", ["cut", "never_closed"])
def test_half_a_history_is_no_history(fault: str, fake: FakeHeroku) -> None:
    for number in range(10):
        fake.app.say("app", "web.1", str(number))
    fake.fault(fault, lines=5)
    runner = HerokuRunner(fake.key, api_url=fake.url, read_s=0.3)
    with pytest.raises(RunnerUnavailable, match="could not be read"):
        runner.history(APP, lines=1500)

    assert len(runner.history(APP, lines=1500)) == 10
    runner.close()


# -- checks --------------------------------------------------------------------


def test_the_account_is_asked_about_once_and_each_app_by_itself() -> None:
    with FakeHeroku(apps=[APP, "other-app"]) as fake:
        runner = HerokuRunner(fake.key, api_url=fake.url)
        account = runner.account_checks()
        apps = [check for app in fake.apps for check in runner.app_checks(app)]
        runner.close()

    assert [check.name for check in account] == [
        "heroku-key",
        "clock-skew",
        "heroku-rate-limit",
    ]
    assert [check.data["app"] for check in apps] == 5 * [APP] + 5 * ["other-app"]
    assert all(check.ok for check in account + apps)
    assert sum(request["path"] == "/account" for request in fake.requests) == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_check_sees_strangers(
    known: bool, fake: FakeHeroku, runner: HerokuRunner
) -> None:
    dyno = launch(runner, SLEEP)

    check = runner.app_checks(APP, known=[dyno.id] if known else [])[-1]

    assert check.name == "heroku-strangers"
    assert check.data["level"] == ("ok" if known else "warning")
    assert fake.journal[0].stopped_by is None


def test_checks_ask_and_change_nothing(fake: FakeHeroku, runner: HerokuRunner) -> None:
    runner.account_checks()
    runner.app_checks(APP)

    assert {request["method"] for request in fake.requests} == {"GET"}


def test_a_skewed_clock_is_found(fake: FakeHeroku, runner: HerokuRunner) -> None:
    fake.skew_s = 60

    check = next(c for c in runner.account_checks() if c.name == "clock-skew")

    assert check.data["level"] == "warning"
    assert "behind Heroku's" in check.message
