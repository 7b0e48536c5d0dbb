"""What the answers of Heroku's Platform API mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from clockd.errors import LaunchRejected, LaunchUnknown, RunnerUnavailable
from clockd.heroku.answers import (
    Answer,
    Silence,
    is_over_limit,
    is_size_refused,
    launch_failure,
    next_range,
    to_dyno,
    to_dynos,
    to_instant,
    unavailable,
)
from clockd.runner import LaunchRequest, Unavailable

REQUEST = LaunchRequest(
    key="1.1-1",
    app="sharp-mountain-4005",
    command="bin/task",
    process_type="clockd",
    size=None,
    env=MappingProxyType(
        {"TOKEN_OF_APP": "planted-value", "CLOCKD_RUN_ID": "12345678"}
    ),
    time_to_live_s=1860,
)
SIZE_MESSAGES = [
    "No such size as 1. Available dyno sizes are Free, Hobby, Standard-1X.",
    "Requested type hobby is not available in this dyno type.",
    "Cannot use the following dyno types in the same app: Free and Hobby",
    "Heroku Enterprise accounts only support professional and private dynos.",
]


def said(status: int, body: object = None, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=content)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unavailable.UNAUTHORIZED),
        (403, Unavailable.FORBIDDEN),
        (409, Unavailable.CONFLICT),
        (429, Unavailable.RATE_LIMITED),
    ],
)
@pytest.mark.parametrize("body", [{"id": "x", "message": "Wait."}, b"<html>", b""])
def test_a_launch_may_work_later_after(
    status: int, kind: Unavailable, body: object
) -> None:
    error = launch_failure(said(status, body), REQUEST)

    assert isinstance(error, RunnerUnavailable)
    assert error.kind is kind
    assert error.hint


@pytest.mark.parametrize(
    "body",
    [
        {"id": "cannot_run_above_limit", "message": "Whatever it says."},
        {"id": "new_id", "message": "Cannot run more than 2 Free size dynos."},
    ],
)
def test_a_launch_over_the_limit_waits_in_line(body: dict[str, str]) -> None:
    answer = said(422, {"limit": 2, "size": 11, **body})
    error = launch_failure(answer, REQUEST)

    assert is_over_limit(answer)
    assert not is_size_refused(answer)
    assert isinstance(error, RunnerUnavailable)
    assert error.kind is Unavailable.OVER_LIMIT


@pytest.mark.parametrize("message", SIZE_MESSAGES)
def test_a_refused_size_is_known_by_its_text(message: str) -> None:
    assert is_size_refused(said(422, {"id": "unknown_id", "message": message}))


@pytest.mark.parametrize(
    "answer",
    [
        said(422, {"id": "suspended", "message": "The app is suspended."}),
        said(404, {"id": "not_found", "message": "No such size."}),
        Silence(sent=True, reason="cut"),
    ],
)
def test_it_does_not_take_other_refusals_for_the_size(answer: Answer) -> None:
    assert not is_size_refused(answer)


@pytest.mark.parametrize("status", [400, 402, 404, 406, 410, 422, 451])
def test_a_launch_is_rejected_by_any_other_4xx(status: int) -> None:
    error = launch_failure(
        said(status, {"id": "some_id", "message": "Not like this."}), REQUEST
    )

    assert isinstance(error, LaunchRejected)
    assert "Not like this." in error.message
    assert "some_id" in error.message
    assert str(status) in error.message
    assert error.data == {"id": "some_id", "status": status}


def test_a_refusal_whose_reason_was_cut_off_is_tried_again() -> None:
    error = launch_failure(Answer(status=422, headers={}, body=None), REQUEST)

    assert isinstance(error, RunnerUnavailable)


@pytest.mark.parametrize(
    "reply",
    [
        said(500, {"id": "internal", "message": "Oops."}),
        said(503, b"<html>unavailable</html>"),
        said(302, b""),
        said(201, b'{"id": "0123"'),
        said(201, [1, 2]),
        said(201, {"id": "0123"}),
        said(201, {"id": None, "name": "clockd.1"}),
        said(204, b""),
        Answer(status=201, headers={}, body=None),
        Silence(sent=True, reason="the connection was closed without an answer"),
    ],
)
def test_a_launch_is_unknown_after(reply: Answer | Silence) -> None:
    assert isinstance(launch_failure(reply, REQUEST), LaunchUnknown)


def test_a_launch_of_which_no_byte_went_out_may_work_later() -> None:
    error = launch_failure(Silence(sent=False, reason="connection refused"), REQUEST)

    assert isinstance(error, RunnerUnavailable)
    assert error.kind is Unavailable.CONNECTION
    assert "connection refused" in error.message


@pytest.mark.parametrize("status", [400, 409, 422, 500])
def test_an_error_does_not_quote_the_environment(status: int) -> None:
    message = "env TOKEN_OF_APP='planted-value' of run 12345678 is no good"
    error = launch_failure(said(status, {"id": "x", "message": message}), REQUEST)

    assert "planted-value" not in f"{error} {error!r} {error.hint} {error.data}"


def test_an_error_keeps_a_long_message_short_and_on_one_line() -> None:
    answer = said(400, {"id": "y" * 1000, "message": "too\nlong " * 1000})

    text = answer.explain()

    assert "\n" not in text
    assert len(text) < 500


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("99999999999999", 3600.0),
        ("Sat, 01 Aug 2026 12:00:30 GMT", 30.0),
        ("Sat, 01 Aug 2026 11:59:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("1e3", None),
        ("٣", None),
        ("", None),
    ],
)
def test_it_reads_how_long_to_wait(value: str, expected: float | None) -> None:
    answer = said(429, Retry_After=value, Date="Sat, 01 Aug 2026 12:00:00 GMT")

    assert answer.retry_after_s == expected


def test_it_does_not_say_how_long_to_wait_where_the_platform_does_not() -> None:
    assert unavailable(said(429), "nothing was done").retry_after_s is None


def test_an_app_that_is_not_found_is_about_that_app_alone() -> None:
    error = unavailable(said(404, {"id": "not_found", "message": "No app."}), "x")

    assert error.kind is Unavailable.CONFLICT


def dyno_item(**changes: object) -> dict[str, Any]:
    return {
        "attach_url": None,
        "command": "bin/task",
        "created_at": "2026-08-01T12:00:00Z",
        "id": "01234567-89ab-cdef-0123-456789abcdef",
        "name": "clockd.4711",
        "size": "Standard-1X",
        "state": "starting",
        "type": "clockd",
        **changes,
    }


def test_it_reads_a_dyno() -> None:
    dyno = to_dyno(dyno_item(), app="sharp-mountain-4005")

    assert dyno is not None
    assert dyno.app == "sharp-mountain-4005"
    assert dyno.name == "clockd.4711"
    assert dyno.id == "01234567-89ab-cdef-0123-456789abcdef"
    assert dyno.command == "bin/task"
    assert dyno.process_type == "clockd"
    assert dyno.state == "starting"
    assert dyno.size == "Standard-1X"
    assert dyno.created_at == datetime(2026, 8, 1, 12, tzinfo=UTC)
    assert dyno.created_at.tzinfo is UTC


def test_it_reads_a_dyno_of_which_little_is_told() -> None:
    fallback = datetime(2026, 1, 1, tzinfo=UTC)

    dyno = to_dyno({"id": "x", "name": "clockd.1"}, app="a", created_at=fallback)

    assert dyno is not None
    assert (dyno.process_type, dyno.size, dyno.command) == ("clockd", None, "")
    assert dyno.created_at == fallback


def test_half_a_list_is_no_list() -> None:
    with pytest.raises(RunnerUnavailable):
        to_dynos(said(200, [dyno_item(), {"name": "clockd.2"}]), app="a")


@pytest.mark.parametrize("body", [{"id": "x"}, b"[", b"", "text", None])
def test_what_is_no_list_is_no_empty_list(body: object) -> None:
    with pytest.raises(RunnerUnavailable):
        to_dynos(said(200, body), app="a")


def test_only_a_partial_answer_has_a_next_page() -> None:
    assert next_range(said(206, [], Next_Range="id ]x..; max=2")) == "id ]x..; max=2"
    assert next_range(said(206, [])) is None
    assert next_range(said(200, [], Next_Range="id ]x..; max=2")) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-01T12:00:00Z", datetime(2026, 8, 1, 12, tzinfo=UTC)),
        ("2026-08-01T14:00:00+02:00", datetime(2026, 8, 1, 12, tzinfo=UTC)),
        ("2026-08-01T12:00:00", datetime(2026, 8, 1, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00+10:00", None),
        ("yesterday", None),
        (1_700_000_000, None),
        (None, None),
    ],
)
def test_it_reads_instants(text: object, expected: datetime | None) -> None:
    assert to_instant(text) == expected
