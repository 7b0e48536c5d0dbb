"""What clockd asks of a place where tasks run.

Two places exist: Heroku one-off dynos (`dyno.py`) and local processes (`process.py`).
Both speak the same small language, so that claiming, launching, watching and adopting
are written once. A local process is called a dyno here too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from clockd.model import Attempt, RunnerKind
    from clockd.pace import Allowance

_EXITED = re.compile(r"Process exited with status (\d{1,3})\b")


class Unavailable(StrEnum):
    """Why a request was certainly not carried out, but may be later."""

    CONNECTION = "connection"  #: connect, DNS or TLS failed: no byte went out
    RATE_LIMITED = "rate_limited"  #: 429
    CONFLICT = "conflict"  #: 409, the app's release is not ready
    OVER_LIMIT = "over_limit"  #: 422 cannot_run_above_limit: wait in line
    UNAUTHORIZED = "unauthorized"  #: 401: wrong for every trigger
    FORBIDDEN = "forbidden"  #: 403: this app only


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """What is asked for when a dyno is started.

    `key` names the attempt and is unique over all time (`<run>.<attempt>-<when>`); a
    local runner stores the process under it, Heroku has no place for it.
    """

    key: str
    app: str
    command: str
    process_type: str
    size: str | None
    env: Mapping[str, str]
    time_to_live_s: int


def attempt_key(attempt: Attempt) -> str:
    """Return the name of an attempt that is unique over all time."""
    sent_us = int(attempt.requested_at.timestamp() * 1_000_000)
    return f"{attempt.run_id}.{attempt.number}-{sent_us}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dyno:
    """A dyno as its platform shows it."""

    app: str
    name: str  #: `clockd.1234`; names recycle
    id: str
    command: str
    process_type: str
    state: str  #: `starting`, `up`, `crashed`, `complete` … an open set
    size: str | None
    created_at: datetime  #: the platform's clock
    key: str | None = None  #: the attempt's key, where the platform keeps it
    warning: str | None = None  #: told of the launch that gave this dyno


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a log stream."""

    at: datetime  #: the platform's clock
    source: str  #: `app`: the task; `heroku` (or `clockd`, local): about the dyno
    dyno: str  #: the dyno's name
    text: str

    @property
    def from_platform(self) -> bool:
        """Whether the platform says it about the dyno, and not the task itself."""
        return self.source in ("heroku", "clockd")

    @property
    def exit_status(self) -> int | None:
        """The exit status this line reports; None where it reports none."""
        if not self.from_platform:
            return None
        match = _EXITED.match(self.text)
        return int(match[1]) if match else None


class LogStream(Protocol):
    """An open log stream. Iterating blocks; `close` from another thread ends it."""

    def __iter__(self) -> Iterator[LogLine | None]:
        """Yield lines as they arrive, and None about once a second of silence.

        Ends when the platform ends the stream or it was closed; raises
        `RunnerUnavailable` when it breaks.
        """
        ...

    def resume(self, dyno_id: str, lines_seen: int) -> None:
        """Leave out the first lines of a dyno that are on record already.

        Called before iterating. Streams whose lines carry the platform's own time are
        told apart by it and do nothing here.
        """
        ...

    def close(self) -> None:
        """End the stream; may be called from any thread, more than once."""
        ...


class Runner(Protocol):
    """A place where tasks run. Every method may be called from any thread."""

    @property
    def kind(self) -> RunnerKind:
        """Which place this is."""
        ...

    @property
    def authoritative(self) -> bool:
        """Whether `dynos` shows every dyno there is, at once, also ended ones.

        Then a launch that is not listed certainly did not happen, and is known by
        its key; otherwise it has to be looked for.
        """
        ...

    @property
    def skew_s(self) -> float | None:
        """How many seconds our wall clock is ahead of the platform's.

        As far as it is known from answers; None while nobody knows.
        """
        ...

    @property
    def allowance(self) -> Allowance | None:
        """What is left of the platform's rate limit; None where nobody knows."""
        ...

    def launch(self, request: LaunchRequest, *, guard: Callable[[], None]) -> Dyno:
        """Start one dyno.

        `guard` is called last thing before the request's bytes go out (before the
        fork, for local runs); what it raises comes out unchanged, and nothing was
        sent.

        Raises:
            LaunchRejected: Certainly not created; asking again is no use.
            RunnerUnavailable: Certainly not created; may work later.
            LaunchUnknown: The request went out and no readable answer came back.
        """
        ...

    def dynos(self, app: str, process_type: str | None = None) -> Sequence[Dyno]:
        """List the dynos that can be seen, of one process type or of all.

        Raises:
            RunnerUnavailable: The platform could not be asked.
        """
        ...

    def stop(self, dyno: Dyno) -> None:
        """Ask for a dyno to be stopped; its success proves nothing.

        Raises:
            RunnerUnavailable: The platform could not be asked.
        """
        ...

    def follow(self, app: str, process_type: str, *, lines: int) -> LogStream:
        """Open the log stream of a process type, with up to `lines` older lines first.

        Raises:
            RunnerUnavailable: It could not be opened.
        """
        ...

    def forget(self, dyno: Dyno) -> None:
        """Drop what is kept of an ended dyno whose outcome is on record."""
        ...

    def history(self, app: str, *, lines: int) -> Sequence[LogLine]:
        """Return the app's last lines, of every source and dyno, oldest first.

        Raises:
            RunnerUnavailable: The platform could not be asked.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding of `clockd doctor` about a place where tasks run."""

    name: str
    ok: bool
    message: str
    hint: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)
