"""Logs: readable lines on a terminal, JSON lines otherwise, never with a secret.

Modules log through `structlog.get_logger()` with names from `events.py`; this module
decides how a line looks and where it goes. Whatever a line holds (event, fields, the
text of an exception, messages of other libraries) is redacted first.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import threading
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TextIO

from clockd import clock
from clockd.errors import SettingsError
from clockd.redaction import (
    MASK,
    names_secret,
    redact,
    register_environment,
    register_secret,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping

    Line = MutableMapping[str, Any]
    Renderer = Callable[[object, str, Line], str]

__all__ = ["FORMATS", "LEVELS", "configure", "redact", "register_secret"]

FORMATS: Final = ("auto", "console", "json")
LEVELS: Final = ("debug", "info", "warning", "error")

_FIRST = ("trigger", "run_id", "fire_time", "dyno", "lag_s", "outcome")
_DEEPEST = 6
_COLOURS = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31m",
}
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def configure(
    *,
    log_format: str = "auto",
    level: str = "info",
    stream: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Send all logs of the process, those of other libraries included, to one stream.

    May be called again, which replaces what was before.

    Args:
        log_format: `console`, `json`, or `auto`: console on a terminal, else JSON.
        level: The lowest level that is written, one of `LEVELS`. Other libraries are
            heard from `warning` on.
        stream: Where lines go; None for standard output.
        environ: Where known secrets are read from; None for the process's own.

    Raises:
        SettingsError: There is no such format or level.
    """
    _require("log format", log_format, FORMATS)
    _require("log level", level, LEVELS)
    # Slow to import, and not needed by commands that only redact.
    import structlog

    register_environment(os.environ if environ is None else environ)
    lowest = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _assemble,
            _choose_renderer(log_format, stream or sys.stdout),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )
    _hear_other_libraries(max(lowest, logging.WARNING), structlog.get_logger())


def _require(what: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise SettingsError(f"unknown {what} {value!r}", hint=f"use {', '.join(known)}")


class _Lines:
    """Writes whole lines. A stream that cannot be written never stops the clock."""

    _lock = threading.Lock()

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def msg(self, text: str) -> None:
        stream = self._stream or sys.stdout
        encoding = getattr(stream, "encoding", None) or "utf-8"
        text = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            with self._lock:
                stream.write(f"{text}\n")
                stream.flush()
        except (OSError, ValueError):
            # The pipe or file is closed, or the disk is full: there is nobody to tell.
            return

    debug = info = warning = error = critical = msg


class _Bridge(logging.Handler):
    """Brings what other libraries log into our lines."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            # A library's placeholders do not fit its arguments: better half than none.
            message = str(record.msg)
        told = record.exc_info if record.exc_info and record.exc_info[0] else None
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        self._log.log(level, message, logger=record.name, exc_info=told)


def _hear_other_libraries(lowest: int, log: Any) -> None:
    root = logging.getLogger()
    for handler in [old for old in root.handlers if isinstance(old, _Bridge)]:
        root.removeHandler(handler)
    root.addHandler(_Bridge(log))
    root.setLevel(lowest)


def _assemble(_logger: object, _method: str, event: Line) -> Line:
    """Put a line together: time, level, event, what matters first, then the rest."""
    line: Line = {
        "timestamp": _instant(clock.now()),
        "level": event.pop("level", "info"),
        "event": redact(str(event.pop("event", ""))),
    }
    for key in _FIRST:
        if key in event:
            line[key] = _presentable(key, event.pop(key))
    for key, value in event.items():
        line.setdefault(key, _presentable(key, value))
    return line


def _presentable(key: str, value: object, depth: int = 0) -> object:
    """Return `value` as something JSON knows, without secrets."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return _instant(value)
    if names_secret(key):
        return MASK
    if isinstance(value, str):
        return redact(value)
    return _presentable_parts(key, value, depth)


def _presentable_parts(key: str, value: object, depth: int) -> object:
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {
            redact(str(name)): _presentable(str(name), part, depth + 1)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_presentable(key, part, depth + 1) for part in value]
    try:
        return redact(str(value))
    except Exception:  # noqa: BLE001 – a broken __str__ must not stop who logs it
        return f"<{type(value).__name__}>"


def _instant(instant: datetime) -> str:
    """Return an instant as ISO 8601, in UTC, with milliseconds."""
    if instant.tzinfo is None:
        return instant.isoformat(timespec="milliseconds")
    utc = instant.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


def _choose_renderer(log_format: str, stream: TextIO) -> Renderer:
    on_terminal = stream.isatty()
    if log_format == "json" or (log_format == "auto" and not on_terminal):
        takes_all = (stream.encoding or "utf-8").lower().startswith("utf")
        return _render_json if takes_all else _render_ascii_json
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return _render_coloured if on_terminal and not plain else _render_plain


def _render_json(_logger: object, _method: str, line: Line) -> str:
    return json.dumps(line, ensure_ascii=False)


def _render_ascii_json(_logger: object, _method: str, line: Line) -> str:
    return json.dumps(line)


def _render_plain(_logger: object, _method: str, line: Line) -> str:
    return _render(line, lambda _, text: text)


def _render_coloured(_logger: object, _method: str, line: Line) -> str:
    return _render(line, lambda style, text: f"{style}{text}{_PLAIN}")


def _render(line: Line, paint: Callable[[str, str], str]) -> str:
    exception = line.pop("exception", None)
    level = line.pop("level")
    text = " ".join(
        [
            paint(_DIM, line.pop("timestamp")),
            paint(_COLOURS.get(level, ""), f"{level:<7}"),
            paint(_BOLD, f"{_printable(line.pop('event')):<16}"),
            *(
                paint(_DIM, f"{_printable(key)}=") + _shown(value)
                for key, value in line.items()
            ),
        ]
    ).rstrip()
    if exception is None:
        return text
    return "\n".join([text, *map(_printable, str(exception).split("\n"))])


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, str) and value and not any(c in value for c in ' "='):
        return _printable(value)
    return _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    """Return `text` without line ends and without what would steer the terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
