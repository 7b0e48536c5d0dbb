"""Log sessions and their streams, over real HTTP, with all that can go wrong."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from clockd.dyno import HerokuRunner
from clockd.errors import RunnerUnavailable
from clockd.heroku.logstream import HerokuLogStream
from clockd.runner import Unavailable
from tests.support.scripted_server import (
    Act,
    Request,
    ScriptedServer,
    answer,
    hang_up,
    in_turn,
    raw,
    reset,
    until,
    until_closed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clockd.runner import LogLine

KEY = "planted-key-0123456789"
APP = "sharp-mountain-4005"
SECRET = "/stream?channel=1&token=planted-token-of-the-log"
TIME = "2026-08-01T12:00:00.123456+00:00"


def text(n: int) -> bytes:
    return f"{TIME} app[clockd.1]: line {n}\n".encode()


def chunk(data: bytes) -> Act:
    return raw(b"%x\r\n%b\r\n" % (len(data), data), keep=True)


def begin(content_type: str = "text/plain") -> Act:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
    return raw(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), keep=True)


END = raw(b"0\r\n\r\n", keep=True)


class Heroku:
    """A server that opens log sessions; what the log's URL does is up to the test."""

    def __init__(self, log: Act) -> None:
        self.log = log
        self.session: Act | None = None
        self.server = ScriptedServer(script=self._choose)
        self.runner = HerokuRunner("unused")

    def __enter__(self) -> Heroku:
        self.server.__enter__()
        self.runner = HerokuRunner(
            KEY, api_url=self.server.url, connect_s=10, read_s=10
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.close()
        self.server.__exit__(None, None, None)

    def _choose(self, request: Request) -> Act:
        if request.method == "GET":
            return self.log
        url = f"{self.server.url}{SECRET}"
        return self.session or answer(201, {"id": "0123", "logplex_url": url})

    def follow(self) -> HerokuLogStream:
        stream = self.runner.follow(APP, "clockd", lines=1500)
        assert isinstance(stream, HerokuLogStream)
        return stream


def texts(lines: Iterator[LogLine | None] | Sequence[LogLine]) -> list[str]:
    return [line.text for line in lines if line is not None]


def test_it_follows_one_process_type_with_history() -> None:
    with Heroku(in_turn(begin(), chunk(text(1)), END)) as heroku:
        assert texts(iter(heroku.follow())) == ["line 1"]

    create, read = heroku.server.requests
    assert (create.method, create.path) == ("POST", f"/apps/{APP}/log-sessions")
    assert create.json() == {"dyno": "clockd", "lines": 1500, "tail": True}
    assert (read.method, read.path) == ("GET", SECRET)
    assert read.headers["accept"].startswith("text/plain")
    assert "authorization" not in read.headers
    assert KEY not in str(read)


def test_lines_come_as_they_are_written_whatever_the_chunks() -> None:
    go_on = threading.Event()
    whole = text(1) + text(2) + "2026-08-01T12:00:00Z app[x.1]: ✓\n".encode()
    cut = len(whole) - 3
    log = in_turn(
        begin(),
        chunk(whole[:70]),
        until(go_on),
        chunk(whole[70:cut]),
        chunk(whole[cut:]),
    )
    with Heroku(in_turn(log, END)) as heroku:
        lines = iter(heroku.follow())
        first = next(lines)
        go_on.set()
        rest = texts(lines)

    assert first is not None
    assert [first.text, *rest] == ["line 1", "line 2", "✓"]


def test_half_a_chunk_does_not_hold_lines_back() -> None:
    go_on = threading.Event()
    data = text(1) + text(2)
    log = in_turn(
        begin(),
        raw(b"%x\r\n%b" % (len(data), text(1)), keep=True),
        until(go_on),
        raw(text(2) + b"\r\n", keep=True),
        END,
    )
    with Heroku(log) as heroku:
        lines = iter(heroku.follow())
        first = next(lines)
        go_on.set()
        rest = texts(lines)

    assert first is not None
    assert [first.text, *rest] == ["line 1", "line 2"]


def test_it_reads_server_sent_events_where_the_server_insists() -> None:
    event = b"id: 1\ndata: " + text(1) + b"\n"
    with Heroku(in_turn(begin("text/event-stream"), chunk(event), END)) as heroku:
        assert texts(iter(heroku.follow())) == ["line 1"]


def test_a_stream_without_chunks_ends_with_its_connection() -> None:
    log = raw(b"HTTP/1.1 200 OK\r\n\r\n" + text(1) + text(2)[:-2])
    with Heroku(log) as heroku:
        assert texts(iter(heroku.follow())) == ["line 1"]


def test_silence_longer_than_the_time_limit_breaks_nothing() -> None:
    go_on = threading.Event()
    log = in_turn(begin(), chunk(text(1)[:-5]), until(go_on), chunk(text(1)[-5:]), END)
    with Heroku(log) as heroku:
        runner = HerokuRunner(KEY, api_url=heroku.server.url, read_s=0.5)
        lines = iter(runner.follow(APP, "clockd", lines=1))
        assert next(lines) is None
        assert next(lines) is None
        go_on.set()
        assert texts(lines) == ["line 1"]
        runner.close()


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(reset, id="reset"),
        pytest.param(hang_up, id="closed between chunks"),
        pytest.param(raw(b"40\r\nhalf a chu"), id="closed in a chunk"),
        pytest.param(raw(b"not a chunk\r\n"), id="garbage"),
    ],
)
def test_a_stream_that_breaks_says_so_after_its_lines(cut: Act) -> None:
    go_on = threading.Event()
    with Heroku(in_turn(begin(), chunk(text(1)), until(go_on), cut)) as heroku:
        lines = iter(heroku.follow())
        first = next(lines)
        go_on.set()
        with pytest.raises(RunnerUnavailable, match="log stream broke") as caught:
            texts(lines)

    assert first is not None
    assert caught.value.kind == Unavailable.CONNECTION
    assert "planted" not in _told(caught.value)


def _told(error: BaseException) -> str:
    return f"{error} {error!r} {vars(error)} {error.__cause__} {error.__context__}"


def test_close_ends_a_silent_stream_and_its_connection() -> None:
    with Heroku(in_turn(begin(), until_closed)) as heroku:
        stream = heroku.follow()
        ended = threading.Event()

        def read() -> None:
            texts(iter(stream))
            ended.set()

        threading.Thread(target=read, daemon=True).start()
        stream.close()

        assert ended.wait(10)
        assert heroku.server.closed.acquire(timeout=10)


def test_a_stream_that_nobody_reads_can_be_closed() -> None:
    with Heroku(in_turn(begin(), until_closed)) as heroku:
        heroku.follow().close()

        assert heroku.server.closed.acquire(timeout=10)


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(answer(404, b"Not found"), id="404"),
        pytest.param(answer(403, b"No"), id="403"),
        pytest.param(answer(500, b"Oops"), id="500"),
        pytest.param(answer(302, headers={"Location": "/elsewhere"}), id="302"),
        pytest.param(answer(204), id="204"),
        pytest.param(hang_up, id="closed"),
        pytest.param(raw(b"garbage\r\n\r\n"), id="garbage"),
    ],
)
def test_a_log_that_does_not_open_is_unavailable_and_its_url_stays_secret(
    log: Act,
) -> None:
    with Heroku(log) as heroku:
        with pytest.raises(RunnerUnavailable) as caught:
            heroku.follow()
        with pytest.raises(RunnerUnavailable):
            heroku.runner.history(APP, lines=10)

    assert len(heroku.server.requests) == 4
    assert "planted" not in _told(caught.value)


@pytest.mark.parametrize(
    "session",
    [
        answer(201, {"id": "0123"}),
        answer(201, {"logplex_url": None}),
        answer(201, {"logplex_url": "file:///etc/passwd"}),
        answer(201, {"logplex_url": "http://[planted"}),
        answer(201, {"logplex_url": "http://"}),
        answer(201, [1]),
        answer(201, b"{"),
        answer(503),
        hang_up,
    ],
)
def test_a_log_session_without_a_url_is_unavailable(session: Act) -> None:
    with Heroku(answer()) as heroku:
        heroku.session = session
        with pytest.raises(RunnerUnavailable) as caught:
            heroku.follow()

    assert len(heroku.server.requests) == 1
    assert "planted" not in _told(caught.value)


def test_a_log_session_beyond_the_rate_limit_says_how_long_to_wait() -> None:
    with Heroku(answer()) as heroku:
        heroku.session = answer(429, headers={"Retry-After": "9"})
        with pytest.raises(RunnerUnavailable) as caught:
            heroku.follow()

    assert caught.value.kind is Unavailable.RATE_LIMITED
    assert caught.value.retry_after_s == 9.0


# -- history -------------------------------------------------------------------


def test_history_is_read_without_a_filter_and_in_order_of_time() -> None:
    late = text(2).replace(b"12:00:00", b"12:00:01")
    with Heroku(
        in_turn(begin(), chunk(late[:30]), chunk(late[30:] + text(1)), END)
    ) as heroku:
        assert texts(heroku.runner.history(APP, lines=1500)) == ["line 1", "line 2"]

    assert heroku.server.requests[0].json() == {"lines": 1500, "tail": False}


@pytest.mark.parametrize(
    "cut",
    [reset, hang_up, raw(b"40\r\nhalf a chu"), until_closed],
    ids=["reset", "hung up", "in a chunk", "silent end"],
)
def test_half_a_history_is_no_history(cut: Act) -> None:
    with Heroku(in_turn(begin(), chunk(text(1)), cut)) as heroku:
        runner = HerokuRunner(KEY, api_url=heroku.server.url, read_s=0.2)
        with pytest.raises(RunnerUnavailable, match="could not be read") as caught:
            runner.history(APP, lines=1500)
        runner.close()

    assert "planted" not in _told(caught.value)


def test_a_history_whose_end_may_be_a_cut_is_no_history() -> None:
    # The newest lines would be the missing ones: a dyno would be started twice.
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    with (
        Heroku(raw(head + text(1))) as heroku,
        pytest.raises(RunnerUnavailable, match="could not be read"),
    ):
        heroku.runner.history(APP, lines=1500)


def test_a_history_of_a_told_length_is_whole() -> None:
    with Heroku(answer(200, text(1))) as heroku:
        assert texts(heroku.runner.history(APP, lines=1500)) == ["line 1"]


def test_a_history_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clockd.heroku.http._LONGEST_LOG", 1000)
    endless: Callable[..., bool] = in_turn(*[chunk(text(n)) for n in range(100)])
    log = in_turn(begin(), endless, END)
    with Heroku(log) as heroku, pytest.raises(RunnerUnavailable, match="no end"):
        heroku.runner.history(APP, lines=1500)
