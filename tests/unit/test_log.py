"""How log lines look, where they go, and that other libraries are heard."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import structlog
import time_machine

from clockd import log, redaction
from clockd.errors import SettingsError
from clockd.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRE_TIME = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    """A stream whose reader has gone away."""

    def write(self, _: str, /) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redaction, "_known", ())
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def json_log(level: str = "info") -> tuple[Any, io.StringIO]:
    stream = io.StringIO()
    log.configure(log_format="json", level=level, stream=stream)
    return structlog.get_logger(), stream


def console_log() -> tuple[Any, io.StringIO]:
    stream = io.StringIO()
    log.configure(log_format="console", stream=stream)
    return structlog.get_logger(), stream


@time_machine.travel(datetime(2026, 11, 23, 9, 0, 0, 12345, tzinfo=UTC), tick=False)
def test_a_json_line_holds_time_level_event_and_fields_in_this_order() -> None:
    logger, stream = json_log()

    logger.info("run.launched", size="eco", outcome=None, run_id=7, fire_time=FIRE_TIME)

    assert stream.getvalue() == (
        '{"timestamp": "2026-11-23T09:00:00.012Z", "level": "info", '
        '"event": "run.launched", "run_id": 7, '
        '"fire_time": "2026-11-23T09:00:00.000Z", "outcome": null, "size": "eco"}\n'
    )


@time_machine.travel(FIRE_TIME, tick=False)
def test_a_console_line_starts_with_what_matters() -> None:
    logger, stream = console_log()

    logger.warning(
        "run.finished",
        reason="exit status 1",
        outcome=Outcome.FAILED,
        lag_s=0.0123456,
        dyno="clockd.12",
        trigger="nightly",
        run_id=7,
    )

    assert stream.getvalue() == (
        "2026-11-23T09:00:00.000Z warning run.finished     trigger=nightly run_id=7 "
        'dyno=clockd.12 lag_s=0.012 outcome=failed reason="exit status 1"\n'
    )


def test_it_is_pretty_on_a_terminal_and_json_otherwise() -> None:
    terminal, file = Terminal(), io.StringIO()

    log.configure(stream=terminal)
    structlog.get_logger().info("clock.started")
    log.configure(stream=file)
    structlog.get_logger().info("clock.started")

    assert "\x1b[1mclock.started" in terminal.getvalue()
    assert lines_of(file)[0]["event"] == "clock.started"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours_gets_none(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    terminal = Terminal()
    log.configure(stream=terminal)

    structlog.get_logger().info("clock.started")

    assert "\x1b" not in terminal.getvalue()
    assert "info    clock.started" in terminal.getvalue()


def test_it_writes_to_standard_output_as_it_is_at_that_moment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure(log_format="console")

    structlog.get_logger().info("clock.started")

    assert "clock.started" in capsys.readouterr().out


def test_lines_below_the_level_are_left_out() -> None:
    logger, stream = json_log(level="warning")

    logger.debug("a")
    logger.info("b")
    logger.warning("c")
    logger.error("d")

    assert [line["event"] for line in lines_of(stream)] == ["c", "d"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_format": "xml"}, "unknown log format 'xml'"),
        ({"level": "loud"}, "unknown log level 'loud'"),
    ],
)
def test_an_unknown_word_is_refused_with_the_known_ones(
    arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        log.configure(**arguments)  # type: ignore[arg-type]

    assert caught.value.hint is not None
    assert caught.value.hint.startswith("use ")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (datetime(2026, 7, 1, 9, tzinfo=ZoneInfo("Europe/Riga")), "2026-07-01T06:00"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Outcome.LOST, "lost"),
        ({"a": [1, (2,)]}, {"a": [1, [2]]}),
        (b"raw", "b'raw'"),
    ],
    ids=str,
)
def test_any_value_becomes_json(value: object, shown: object) -> None:
    logger, stream = json_log()

    logger.info("x", value=value)

    logged = lines_of(stream)[0]["value"]
    if isinstance(logged, str):
        assert isinstance(shown, str)
        assert logged.startswith(shown)
    else:
        assert logged == shown


def test_a_value_that_cannot_be_shown_does_not_stop_the_line() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    endless: list[object] = []
    endless.append(endless)
    logger, stream = json_log()

    logger.info("x", odd=Odd(), endless=endless)

    assert lines_of(stream)[0]["odd"] == "<Odd>"


def test_a_text_cannot_fake_a_line_or_steer_the_terminal() -> None:
    logger, stream = console_log()

    logger.info("run.exited\nfake", text='one\ntwo \x1b[2J"\x9b\u202e', **{"a\nb": 1})

    line = stream.getvalue()
    assert line.count("\n") == 1
    assert not set("\x1b\x9b\u202e") & set(line)
    assert r'text="one\ntwo \u001b[2J\"\x9b\u202e"' in line


def test_an_exception_comes_with_its_traceback() -> None:
    for make in (json_log, console_log):
        logger, stream = make()
        try:
            int("nightly")
        except ValueError:
            logger.exception("thread.failed")

        text = stream.getvalue()
        assert "Traceback (most recent call last)" in text
        assert "ValueError: invalid literal" in text


def test_other_libraries_are_heard_from_warning_on() -> None:
    _, stream = json_log(level="debug")

    library = logging.getLogger("some.library")
    library.info("not this")
    library.warning("Connection pool is full, %s", "discarding")

    (line,) = lines_of(stream)
    assert line["event"] == "Connection pool is full, discarding"
    assert line["logger"] == "some.library"
    assert line["level"] == "warning"


def test_other_libraries_keep_their_tracebacks_odd_levels_and_bad_messages() -> None:
    _, stream = json_log()

    library = logging.getLogger("apscheduler")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        library.exception("job raised")
    library.log(logging.WARNING + 5, "between the levels")
    # pytest's own handlers fail the test on a bad message.
    root = logging.getLogger()
    root.handlers[:] = [h for h in root.handlers if type(h).__module__ == log.__name__]
    library.warning("%d in %d", "one")

    told, between, bad = lines_of(stream)
    assert "ZeroDivisionError" in told["exception"]
    assert between["level"] == "warning"
    assert bad["event"] == "%d in %d"


def test_configuring_twice_does_not_double_the_lines() -> None:
    json_log()
    _, stream = json_log()

    logging.getLogger("alembic").warning("once")

    assert len(lines_of(stream)) == 1


def test_a_stream_that_cannot_be_written_stops_nobody() -> None:
    closed = io.StringIO()
    log.configure(log_format="json", stream=closed)
    closed.close()
    structlog.get_logger().info("clock.started")

    log.configure(log_format="json", stream=Broken())
    structlog.get_logger().info("clock.started")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_stream_that_knows_only_ascii_gets_ascii(log_format: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    log.configure(log_format=log_format, stream=stream)

    structlog.get_logger().info("x", text="Zoë \U0001f600 \udc80")

    written = raw.getvalue().decode("ascii")
    assert "Zo" in written
    if log_format == "json":
        assert json.loads(written)["text"] == "Zoë \U0001f600 \udc80"


def test_lines_of_many_threads_stay_whole() -> None:
    logger, stream = json_log()

    def write() -> None:
        for number in range(50):
            logger.info("x", number=number, text="y" * 500)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(line["number"] for line in lines_of(stream)) == sorted(
        list(range(50)) * 8
    )


def test_importing_it_does_not_import_structlog() -> None:
    code = "import sys, clockd.log; sys.exit('structlog' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
