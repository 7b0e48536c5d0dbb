"""Standard output and error, whatever they can take."""

from __future__ import annotations

import codecs
import io
import os
import sys

_ERRORS = "clockd.plain"
#: What stands for the signs we use where a terminal has none of them.
_PLAIN = {"✓": "ok", "✗": "x", "…": "...", "×": "x", "–": "-"}


def prepare() -> None:
    """Let no character end a command: what a stream cannot show is written around."""
    codecs.register_error(_ERRORS, _write_around)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def takes_all() -> bool:
    """Return whether standard output can show any character."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return encoding.lower().startswith("utf")


def abandon() -> None:
    """Write to nowhere from now on: whoever read standard output has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_around(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wanted = error.object[error.start : error.end]
    shown = (_PLAIN.get(c) or c.encode("ascii", "backslashreplace") for c in wanted)
    text = "".join(c if isinstance(c, str) else c.decode() for c in shown)
    return text, error.end
