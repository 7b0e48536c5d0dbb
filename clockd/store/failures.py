"""What the drivers' errors mean: which are the database's, and how people are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exc

from clockd.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Also a server that is read-only for now or closes idle transactions (class 25).
_CLASSES = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.InternalError,
    exc.TimeoutError,
)
#: SQLSTATEs of the database's errors whose class says that they are ours: what may not
#: be used, and a table that is gone while a backup is being restored.
_NOT_OURS = ("42501", "42P01")
#: What a server says while it is read-only; its successor has another address.
_READ_ONLY = "25006"
_CROWDED = "others use up the server's connections, clockd has five at most"
_HINTS = {
    "does not support SSL": "write sslmode=disable at the end of the URL if it is "
    "right that this server has none",
    "unsupported startup parameter": "leave that out of the URL, or let the pooler "
    "ignore it (ignore_startup_parameters)",
    "read-only": "it is a follower, or about to be replaced; clockd tries again by "
    "itself",
    "too many": _CROWDED,
    "connection slots": _CROWDED,
}


def is_unavailable(error: exc.SQLAlchemyError) -> bool:
    """Return whether an error is the database's, not ours."""
    if isinstance(error, _CLASSES):
        return True
    return isinstance(error, exc.DBAPIError) and (
        error.connection_invalidated
        # Its bare class: "file is not a database", "disk image is malformed".
        or type(error) is exc.DatabaseError
        or _sqlstate(error) in _NOT_OURS
    )


def is_read_only(error: BaseException) -> bool:
    """Return whether a server refused since it may only be read just now."""
    return _sqlstate(error) == _READ_ONLY


def unavailable(
    error: exc.SQLAlchemyError,
    *,
    path: Path | None,
    secrets: Sequence[str],
    in_doubt: bool = False,
) -> StoreUnavailable:
    """Return what the store raises for an error of the database.

    Args:
        error: As SQLAlchemy raised it.
        path: SQLite's file; None for a server.
        secrets: What must not be seen, the longest first.
        in_doubt: Whether the answer to a commit was lost.
    """
    text = _told_by(error)
    for secret in secrets:
        text = text.replace(secret, "***")
    look = (
        f"look at the file {path} and the space on its disk"
        if path
        else "look at the server, and at CLOCKD_DATABASE_URL or DATABASE_URL"
    )
    what = (
        "the database did not say whether it has written that"
        if in_doubt
        else "the database cannot be used just now"
    )
    known = (hint for part, hint in _HINTS.items() if part in text)
    return StoreUnavailable(
        f"{what}: {text}",
        hint=next(known, f"clockd tries again by itself; {look}"),
        **({"in_doubt": True} if in_doubt else {}),
    )


def _sqlstate(error: BaseException) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def _told_by(error: exc.SQLAlchemyError) -> str:
    """Return what a driver says, in one line; of several hosts, what each said."""
    if isinstance(error, exc.TimeoutError):
        return "all of its connections are in use"
    cause = getattr(error, "orig", None) or error
    lines = [line.strip(" -\t") for line in str(cause).strip().splitlines()]
    several = [line for line in lines if line.startswith("host:")]
    return "; ".join(several) or (lines or [type(cause).__name__])[0]
