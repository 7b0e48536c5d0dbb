"""The errors of clockd, one tree.

ClockdError
├── UsageError               the call does not make sense as given
├── SettingsError            the environment asks for something impossible
├── ConfigError              triggers.yaml has problems (all of them are inside)
├── ScheduleError            a cron, every or at expression that cannot be used
├── NotFoundError            no such trigger, run, file …
├── ConflictError            the thing exists but is not in a state that allows it
├── StoreError
│   ├── StoreUnavailable     the database cannot be reached or written just now
│   ├── StoreTooNew          the database was written by a newer clockd
│   ├── StoreTooOld          the database has not been brought up to date yet
│   └── LeaseLost            another process is the clock now
└── RunnerError
    ├── LaunchRejected       certainly not created, and asking again is no use
    ├── RunnerUnavailable    certainly not done; try again later
    └── LaunchUnknown        the request went out, its answer is not known

`code` is for machines and never changes; the message says what happened, the hint
what to do about it. Neither ever holds a secret.
"""

from __future__ import annotations

from typing import ClassVar


class ClockdError(Exception):
    """Something went wrong that clockd understands.

    Args:
        message: What happened, with the value it happened to.
        hint: What to do about it, a sentence; None where there is nothing to add.
        data: Further facts for machines, by name.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(
        self, message: str, *, hint: str | None = None, **data: object
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data


class UsageError(ClockdError):
    """The call does not make sense as given."""

    code = "usage"
    exit_code = 2
    http_status = 400


class SettingsError(ClockdError):
    """The environment asks for something impossible."""

    code = "settings"
    exit_code = 2


class ConfigError(ClockdError):
    """triggers.yaml has problems; `data["problems"]` lists every one of them."""

    code = "config"


class ScheduleError(ClockdError):
    """An expression that cannot be used as a schedule."""

    code = "schedule"
    http_status = 400


class NotFoundError(ClockdError):
    """There is no such trigger, run or file."""

    code = "not-found"
    http_status = 404


class ConflictError(ClockdError):
    """It exists, but not in a state that allows what was asked."""

    code = "conflict"
    http_status = 409


class StoreError(ClockdError):
    """The database refused."""

    code = "store"
    exit_code = 3
    http_status = 503


class StoreUnavailable(StoreError):
    """The database cannot be reached, or not written, just now."""

    code = "store-unavailable"


class StoreTooNew(StoreError):
    """The database was written by a newer clockd than this one."""

    code = "store-too-new"
    exit_code = 1


class StoreTooOld(StoreError):
    """The database has not been brought up to date for this clockd yet."""

    code = "store-too-old"
    exit_code = 1


class LeaseLost(StoreError):
    """Another process is the clock now; nothing was changed."""

    code = "lease-lost"
    exit_code = 1


class RunnerError(ClockdError):
    """The place where tasks run refused, or could not be asked."""

    code = "runner"
    exit_code = 3
    http_status = 502


class LaunchRejected(RunnerError):
    """Certainly not created, and the same request would be refused again."""

    code = "launch-rejected"
    exit_code = 1


class RunnerUnavailable(RunnerError):
    """Certainly not done; the same request may succeed later.

    Args:
        kind: Why, as one of `runner.Unavailable`.
        retry_after_s: Seconds the platform asked to wait; None if it did not say.
    """

    code = "runner-unavailable"

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        retry_after_s: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.retry_after_s = retry_after_s


class LaunchUnknown(RunnerError):
    """The request went out and no readable answer came back: it may have worked."""

    code = "launch-unknown"
