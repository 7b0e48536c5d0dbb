"""Masks secrets in text, before it reaches a log line, an error, a page or an answer.

Pure, but for the values it was told of: those are masked wherever they appear.
"""

from __future__ import annotations

import base64
import re
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What stands where a secret stood.
MASK: Final = "***"

#: Shorter values than this are not taken for secrets: they stand in every second word.
_SHORTEST = 6
_VARIABLES = ("HEROKU_API_KEY",)
_URL_VARIABLES = ("CLOCKD_DATABASE_URL", "DATABASE_URL")
_WORDS = (
    "(?:token|password|passwd|secret|authorization|api_?key|access_?key|private_?key|"
    "database_?url|logplex_?url|dsn|cookie|credential)s?"
)
_SECRET_NAME = re.compile(f"{_WORDS}$", re.IGNORECASE)
#: (what a text must hold to be worth a look, what is looked for, what is put there).
#: Lengths are bounded where a hostile text could otherwise make a search quadratic.
_PATTERNS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    # `host:5432/` is a port, not a password.
    (
        "://",
        re.compile(r"://([^\s/:@\"']{0,99}):(?!\d+(?:[/?#]|$))[^\s\"'<>]{0,299}@"),
        rf"://\1:{MASK}@",
    ),
    ("://", re.compile(r"://[^\s/:@\"']{1,299}@"), f"://{MASK}@"),
    (" ", re.compile(r"\b(bearer)\s+[^\s\"',;]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    (" ", re.compile(r"\b(basic)\s+[a-z0-9+/]{16,}=*", re.IGNORECASE), rf"\1 {MASK}"),
    ("HRKU-", re.compile(r"\bHRKU-[\w-]{8,}"), MASK),
    (
        "=",
        re.compile(rf"({_WORDS})=[^\s&\"',;]+", re.IGNORECASE),
        rf"\1={MASK}",
    ),
    (
        ":",
        re.compile(rf"({_WORDS}[\"']\s*:\s*)(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE),
        rf'\1"{MASK}"',
    ),
)

_known: tuple[str, ...] = ()
_known_lock = threading.Lock()


def register_secret(value: str | None) -> None:
    """Mask `value`, and its usual encodings, wherever it appears from now on.

    Thread-safe. Values shorter than six characters are ignored.
    """
    global _known
    if not value or len(value) < _SHORTEST:
        return
    basic = base64.b64encode(f":{value}".encode()).decode()
    forms = {value, quote(value, safe=""), unquote(value), basic}
    with _known_lock:
        # Longest first: a secret may be part of another one.
        _known = tuple(sorted({*_known, *forms}, key=len, reverse=True))


def register_environment(environ: Mapping[str, str]) -> None:
    """Register the secrets that clockd's own variables hold."""
    for name in _VARIABLES:
        register_secret(environ.get(name))
    for name in _URL_VARIABLES:
        try:
            register_secret(urlsplit(environ.get(name, "")).password)
        except ValueError:
            # Not a URL, so nobody can say which part of it is the password.
            register_secret(environ.get(name))


def redact(text: str) -> str:
    """Return `text` with every secret in it replaced by `***`.

    That is: registered values, user and password in URLs, authorization headers, and
    the values of what is called password, token, secret and the like.
    """
    for secret in _known:
        if secret in text:
            text = text.replace(secret, MASK)
    for hint, pattern, replacement in _PATTERNS:
        if hint in text:
            text = pattern.sub(replacement, text)
    return text


def names_secret(name: str) -> bool:
    """Return whether what is called `name` is a secret by its name alone."""
    return _SECRET_NAME.search(name) is not None
