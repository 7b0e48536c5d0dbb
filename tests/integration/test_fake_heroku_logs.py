"""The fake Heroku's log sessions: filters, history, streams, and what goes wrong."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.fakes.client import Client, lines_of, texts
from tests.fakes.heroku import FakeHeroku

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = "text/event-stream"


@pytest.fixture
def fake() -> Iterator[FakeHeroku]:
    with FakeHeroku() as heroku:
        yield heroku


@pytest.fixture
def client(fake: FakeHeroku) -> Iterator[Client]:
    with Client(fake) as asking:
        yield asking


@pytest.fixture
def filled(fake: FakeHeroku) -> FakeHeroku:
    """Give a platform whose log has lines of all kinds."""
    fake.app.say("app", "api", "by api")
    fake.app.say("heroku", "clockd.7", "state")
    fake.app.say("app", "clockd.7", "output")
    fake.app.say("app", "clockd.70", "other dyno")
    fake.app.say("app", "clockd-x.7", "other type")
    fake.app.say("app", "web.1", "web")
    return fake


def is_open(fake: FakeHeroku) -> bool:
    return bool(fake.streams) and fake.streams[-1]["open"]


# -- history and filters -------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(
            {},
            ["by api", "state", "output", "other dyno", "other type", "web"],
            id="everything",
        ),
        pytest.param({"dyno": "clockd.7"}, ["state", "output"], id="a dyno"),
        pytest.param(
            {"dyno": "clockd"}, ["state", "output", "other dyno"], id="a type"
        ),
        pytest.param({"dyno_name": "clockd-x"}, ["other type"], id="its newer name"),
        pytest.param({"type": "web"}, ["web"], id="by type"),
        pytest.param({"source": "heroku"}, ["state"], id="a source"),
        pytest.param({"dyno": "clockd", "source": "heroku"}, ["state"], id="both"),
        pytest.param({"lines": 2}, ["other type", "web"], id="the last lines"),
        pytest.param({"lines": 0}, [], id="no lines"),
        pytest.param({"dyno": "clockd", "lines": 1}, ["other dyno"], id="after filter"),
    ],
)
@pytest.mark.usefixtures("filled")
def test_a_session_shows_what_it_was_opened_for(
    options: dict[str, Any], expected: list[str], client: Client
) -> None:
    found = client.log(**options)

    assert [line.partition(": ")[2] for line in found] == expected


def test_it_gives_a_hundred_lines_unless_more_are_asked_for(
    fake: FakeHeroku, client: Client
) -> None:
    for number in range(120):
        fake.app.say("app", "web.1", str(number))

    assert len(client.log()) == 100
    assert len(client.log(lines=1500)) == 120


def test_what_is_older_than_1500_lines_is_forgotten_whatever_the_filter(
    fake: FakeHeroku, client: Client
) -> None:
    fake.app.say("heroku", "clockd.7", "Process exited with status 0")
    for number in range(1500):
        fake.app.say("app", "web.1", str(number))

    assert client.log(dyno="clockd", lines=1500) == []
    assert len(client.log(lines=5000)) == 1500


def test_the_url_is_the_only_key(filled: FakeHeroku, client: Client) -> None:
    url = client.log_url()

    assert requests.get(url, timeout=10).status_code == 200
    assert "token" not in url.removeprefix(filled.url)
    assert filled.streams[0]["authorization"] is None


# -- streams -------------------------------------------------------------------


def test_a_tail_goes_on_with_what_is_written(fake: FakeHeroku, client: Client) -> None:
    fake.app.say("app", "web.1", "before")
    with client.open_log(client.log_url(tail=True)) as stream:
        lines = lines_of(stream)
        assert next(lines).endswith("before")
        fake.app.say("app", "web.1", "after")
        assert next(lines).endswith("after")

    assert stream.headers["Content-Type"] == "text/plain"
    fake.wait_for(lambda: not is_open(fake))


def test_a_tail_keeps_to_its_filter(fake: FakeHeroku, client: Client) -> None:
    with client.open_log(client.log_url(dyno="clockd", tail=True)) as stream:
        fake.wait_for(lambda: is_open(fake))
        fake.app.say("app", "web.1", "not this")
        fake.app.say("app", "clockd.7", "this")

        assert next(lines_of(stream)).endswith("this")


@pytest.mark.usefixtures("filled")
def test_who_accepts_events_gets_events(client: Client) -> None:
    with client.open_log(client.log_url(lines=2), accept=EVENTS) as stream:
        text = stream.text

    assert stream.headers["Content-Type"] == EVENTS
    event = r"id: \d+\ndata: \S+ app\[[\w.-]+\]: [\w ]+\n\n"
    assert re.fullmatch(f"({event}){{2}}", text)


@pytest.mark.usefixtures("filled")
def test_who_comes_back_with_an_id_goes_on_behind_it(
    fake: FakeHeroku, client: Client
) -> None:
    url = client.log_url(tail=True, lines=1500)
    with client.open_log(url, accept=EVENTS) as stream:
        ids = [line[4:] for line in islice(lines_of(stream), 9) if line[:3] == "id:"]
    fake.app.say("app", "web.1", "meanwhile")
    with client.open_log(url, accept=EVENTS, last_id=ids[-1]) as stream:
        found = [line for line in islice(lines_of(stream), 12) if line[:5] == "data:"]

    assert ids == ["0", "1", "2"]
    said = [line.rpartition(": ")[2] for line in found]
    assert said == ["other dyno", "other type", "web", "meanwhile"]


def test_who_comes_back_without_an_id_gets_old_lines_again(
    filled: FakeHeroku, client: Client
) -> None:
    url = client.log_url(tail=True, lines=1)
    for _ in range(2):
        with client.open_log(url) as stream:
            assert next(lines_of(stream)).endswith("web")

    assert [stream["last_event_id"] for stream in filled.streams] == [None, None]


def test_a_session_nobody_connects_to_expires(client: Client, fake: FakeHeroku) -> None:
    fake.session_s = 0.0
    with client.open_log(client.log_url()) as answer:
        assert (answer.status_code, answer.text) == (404, "Not found")


def test_a_url_that_was_never_given_is_not_found(
    client: Client, fake: FakeHeroku
) -> None:
    with client.open_log(f"{fake.url}/_logs/0123") as answer:
        assert answer.status_code == 404


def test_a_stream_ends_when_its_time_is_over(client: Client, fake: FakeHeroku) -> None:
    fake.stream_s = 0.2
    url = client.log_url(tail=True)
    with client.open_log(url) as stream:
        assert stream.text == ""
    with client.open_log(url) as again:
        assert again.status_code == 404


def test_a_tail_that_lies_behind_is_told_what_it_lost(
    client: Client, fake: FakeHeroku
) -> None:
    fake.tail_buffer = 2
    fake.app.say("app", "web.1", "before")
    with client.open_log(client.log_url(tail=True)) as stream:
        lines = lines_of(stream)
        next(lines)
        with fake.app.changed:
            for number in range(5):
                fake.app.say("app", "web.1", f"line {number}")
        notice, *rest = islice(lines, 3)

    assert datetime.fromisoformat(notice.split()[0]).tzinfo is not None
    assert re.fullmatch(
        r"\S+ logplex\[1\]: Error L11 \(Tail buffer overflow\) -> This tail session "
        r"dropped 3 messages since \S+\.",
        notice,
    )
    assert [line.rpartition(": ")[2] for line in rest] == ["line 3", "line 4"]


# -- faults --------------------------------------------------------------------


def test_open_streams_can_be_ended(filled: FakeHeroku, client: Client) -> None:
    with client.open_log(client.log_url(tail=True)) as stream:
        lines = lines_of(stream)
        next(lines)
        filled.cut_streams()

        assert len(list(lines)) == 5


def test_open_streams_can_be_broken_off(filled: FakeHeroku, client: Client) -> None:
    with client.open_log(client.log_url(tail=True)) as stream:
        lines = lines_of(stream)
        next(lines)
        filled.cut_streams(clean=False)

        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            list(lines)


@pytest.mark.parametrize("tail", [True, False])
def test_a_stream_can_break_after_some_lines(
    tail: bool, filled: FakeHeroku, client: Client
) -> None:
    filled.fault("cut", lines=2)
    with client.open_log(client.log_url(tail=tail)) as stream:
        lines = lines_of(stream)
        seen = list(islice(lines, 2))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            next(lines)

    assert [line.rpartition(" ")[2] for line in seen] == ["api", "state"]
    assert len(filled.streams) == 1
    assert len(client.log()) == 6


def test_a_stream_can_end_after_some_lines(filled: FakeHeroku, client: Client) -> None:
    filled.fault("end", lines=2)
    with client.open_log(client.log_url(tail=True)) as stream:
        assert [line.rpartition(" ")[2] for line in texts(stream)] == ["api", "state"]


@pytest.mark.usefixtures("filled")
def test_every_line_can_come_twice(fake: FakeHeroku, client: Client) -> None:
    fake.fault("duplicate")

    assert [line.rpartition(": ")[2] for line in client.log(lines=2)] == [
        "other type",
        "other type",
        "web",
        "web",
    ]


def test_a_stream_can_be_mute(filled: FakeHeroku, client: Client) -> None:
    filled.fault("mute")
    with client.open_log(client.log_url(tail=True), timeout=0.3) as stream:
        lines = lines_of(stream)
        with pytest.raises(requests.exceptions.ConnectionError):
            next(lines)

    assert stream.status_code == 200


def test_a_history_can_have_no_end(filled: FakeHeroku, client: Client) -> None:
    filled.fault("never_closed")
    with client.open_log(client.log_url(tail=False), timeout=0.3) as stream:
        lines = lines_of(stream)
        assert len(list(islice(lines, 5))) == 5
        with pytest.raises(requests.exceptions.ConnectionError):
            list(lines)


def test_a_log_can_be_refused(filled: FakeHeroku, client: Client) -> None:
    filled.fault("status", status=503, path="_logs")
    with client.open_log(client.log_url()) as answer:
        assert answer.status_code == 503
    assert len(client.log()) == 6


def test_faults_of_the_api_leave_logs_alone(filled: FakeHeroku, client: Client) -> None:
    url = client.log_url()
    filled.fault("status", times=None)
    with client.open_log(url) as answer:
        assert len(texts(answer)) == 6
