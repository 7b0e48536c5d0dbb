"""Heroku's log streams: bytes to lines, whatever comes."""

from __future__ import annotations

import queue
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from clockd.errors import RunnerUnavailable
from clockd.heroku import logstream
from clockd.heroku.logstream import HerokuLogStream, LineDecoder, parse_line
from clockd.runner import LogLine
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

PLAIN = "text/plain; charset=utf-8"
EVENTS = "text/event-stream"
TIME = "2026-08-01T12:00:00.123456+00:00"
EXIT = f"{TIME} heroku[clockd.1234]: Process exited with status 137"


def decode(content_type: str, blocks: Iterable[bytes]) -> tuple[list[LogLine], int]:
    decoder = LineDecoder(content_type)
    return [x for block in blocks for x in decoder.feed(block)], decoder.malformed


def test_it_reads_a_line() -> None:
    assert parse_line(EXIT) == LogLine(
        at=datetime(2026, 8, 1, 12, 0, 0, 123456, tzinfo=UTC),
        source="heroku",
        dyno="clockd.1234",
        text="Process exited with status 137",
    )


@pytest.mark.parametrize(
    ("text", "source", "dyno", "said"),
    [
        (f"{TIME} app[api]: Deploy abc: done", "app", "api", "Deploy abc: done"),
        (f"{TIME} app: without a dyno", "app", "", "without a dyno"),
        (f"{TIME} app[clockd.1]:", "app", "clockd.1", ""),
        (f"{TIME} app[clockd.1]:   indented ", "app", "clockd.1", "  indented "),
        (f"{TIME} logplex[1]: Error L11 (Tail)", "logplex", "1", "Error L11 (Tail)"),
    ],
)
def test_it_reads_a_line_of(text: str, source: str, dyno: str, said: str) -> None:
    line = parse_line(text)

    assert line is not None
    assert (line.source, line.dyno, line.text) == (source, dyno, said)


def test_a_lines_time_becomes_utc() -> None:
    line = parse_line("2026-08-01T14:00:00+02:00 app[x.1]: hello")

    assert line is not None
    assert line.at == datetime(2026, 8, 1, 12, tzinfo=UTC)
    assert line.at.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "2026-08-01T12:00:00 app[x.1]: no offset",
        "2026-13-01T12:00:00+00:00 app[x.1]: no such month",
        "0001-01-01T00:00:00+14:00 app[x.1]: before all time",
        f"{TIME} app[x.1 no end",
    ],
)
def test_what_is_no_line_is_left_out(text: str) -> None:
    assert parse_line(text) is None


@pytest.mark.parametrize("content_type", [PLAIN, EVENTS, ""])
@pytest.mark.parametrize("size", [1, 2, 7, 100_000])
def test_lines_come_out_whole_however_the_bytes_are_cut(
    content_type: str, size: int
) -> None:
    texts = [f"{TIME} app[clockd.1]: naïve ✓ {n}" for n in range(5)]
    if content_type == EVENTS:
        whole = "".join(f"id: {n}\ndata: {t}\n\n" for n, t in enumerate(texts))
    else:
        whole = "".join(f"{text}\n" for text in texts)
    data = whole.encode()
    blocks = [data[i : i + size] for i in range(0, len(data), size)]

    lines, malformed = decode(content_type, blocks)

    assert [line.text for line in lines] == [f"naïve ✓ {n}" for n in range(5)]
    assert malformed == 0


@pytest.mark.parametrize("content_type", [PLAIN, EVENTS])
def test_a_line_without_its_end_is_left_out(content_type: str) -> None:
    prefix = "data: " if content_type == EVENTS else ""

    lines, _ = decode(content_type, [f"{prefix}{EXIT[:-1]}".encode()])

    assert lines == []


def test_bad_lines_are_left_out_and_counted() -> None:
    data = f"{EXIT}\ngarbage\n\n{EXIT}\n\xff\xfe\n".encode("latin-1")

    lines, malformed = decode(PLAIN, [data])

    assert len(lines) == 2
    assert malformed == 2


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    lines, malformed = decode(PLAIN, [f"{TIME} app[x.1]: ".encode() + b"a\xffb\0c\n"])

    assert [line.text for line in lines] == ["a\ufffdb\ufffdc"]
    assert malformed == 0


def test_a_carriage_return_ends_no_line_but_at_its_end() -> None:
    lines, _ = decode(PLAIN, [f"{TIME} app[x.1]: 10%\r20% \r\n".encode()])

    assert [line.text for line in lines] == ["10%\r20% "]


def test_a_line_without_end_takes_bounded_memory_and_is_cut() -> None:
    head = f"{TIME} app[x.1]: ".encode()
    blocks = [head, *[b"x" * 10_000] * 100, b"\n", f"{EXIT}\n".encode()]

    lines, malformed = decode(PLAIN, blocks)

    assert len(lines) == 2
    assert len(lines[0].text) <= logstream.LONGEST_LINE
    assert lines[0].text.endswith("x…")
    assert lines[1].exit_status == 137
    assert malformed == 0


def test_the_rest_of_an_event_stream_is_no_line() -> None:
    data = f"\ufeff: comment\nevent: log\nid: 7\nretry: 10\ndata: {EXIT}\r\n\r\n:\n"

    lines, malformed = decode("Text/Event-Stream; charset=utf-8", [data.encode()])

    assert [line.exit_status for line in lines] == [137]
    assert malformed == 0


class FakeSource:
    """Bytes that a test pours."""

    content_type = PLAIN

    def __init__(self) -> None:
        self.blocks: queue.Queue[bytes | OSError] = queue.Queue()
        self.reading = threading.Semaphore(0)
        self.reads = 0
        self.closed = threading.Event()

    def read(self) -> bytes:
        self.reads += 1
        self.reading.release()
        block = self.blocks.get()
        if isinstance(block, OSError):
            raise block
        return block

    def interrupt(self) -> None:
        self.blocks.put(b"")

    def close(self) -> None:
        self.closed.set()


def line(text: str) -> bytes:
    return f"{TIME} app[clockd.1]: {text}\n".encode()


def test_a_silent_stream_ticks_and_keeps_half_a_line() -> None:
    source = FakeSource()
    stream = HerokuLogStream(source, tick_s=0.01)
    lines = iter(stream)
    source.blocks.put(line("whole") + line("half")[:-3])

    first = next(lines)
    tick = next(lines)
    source.blocks.put(line("half")[-3:])
    third = next(found for found in lines if found is not None)
    stream.close()

    assert first is not None
    assert first.text == "whole"
    assert tick is None
    assert third.text == "half"


def test_bytes_that_make_no_line_do_not_hide_silence() -> None:
    source = FakeSource()
    source.content_type = EVENTS
    for _ in range(50):
        source.blocks.put(b": still here\n")
    stream = HerokuLogStream(source, tick_s=0.0)

    assert next(iter(stream)) is None
    stream.close()


def test_it_ends_when_the_platform_ends_the_stream() -> None:
    source = FakeSource()
    source.blocks.put(line("last"))
    source.blocks.put(b"")

    lines = [x for x in HerokuLogStream(source) if x is not None]

    assert [x.text for x in lines] == ["last"]
    assert source.closed.wait(10)


def test_lines_before_a_break_are_delivered_then_it_raises() -> None:
    source = FakeSource()
    source.blocks.put(line("last"))
    source.blocks.put(OSError("connection reset by peer"))
    lines = iter(HerokuLogStream(source))
    last = next(found for found in lines if found is not None)

    assert last.text == "last"
    with pytest.raises(RunnerUnavailable, match="connection reset by peer"):
        list(lines)
    assert source.closed.wait(10)


def test_close_from_another_thread_ends_it_at_once() -> None:
    source = FakeSource()
    stream = HerokuLogStream(source, tick_s=1000.0)
    ended = threading.Event()

    def follow() -> None:
        list(stream)
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    assert source.reading.acquire(timeout=10)
    stream.close()
    stream.close()

    assert ended.wait(10)
    assert source.closed.wait(10)


def test_close_before_reading_releases_the_source_and_ends_it() -> None:
    source = FakeSource()
    stream = HerokuLogStream(source)
    stream.close()

    assert source.closed.is_set()
    assert list(stream) == []
    assert source.reads == 0


def test_no_line_comes_after_close() -> None:
    source = FakeSource()
    stream = HerokuLogStream(source)
    source.blocks.put(line("one") + line("two"))
    lines = iter(stream)
    next(lines)
    stream.close()

    assert list(lines) == []


def test_a_slow_listener_stops_the_reading() -> None:
    source = FakeSource()
    stream = HerokuLogStream(source)
    for n in range(1000):
        source.blocks.put(line(str(n)))
    lines = iter(stream)
    next(lines)
    wait_until(lambda: source.reads >= logstream._QUEUED_BLOCKS)
    most = logstream._QUEUED_BLOCKS + 3

    assert source.reads <= most
    assert [x.text for _, x in zip(range(999), lines, strict=False) if x][-1] == "999"
    stream.close()


def test_a_stream_that_is_silent_for_long_is_taken_for_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logstream, "SILENCE_S", 0.05)
    source = FakeSource()
    stream = HerokuLogStream(source, tick_s=0.01)

    assert set(stream) == {None}
    stream.close()
