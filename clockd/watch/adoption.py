"""Finds the dyno of a launch whose answer was lost.

Pure. Heroku has no idempotency key and shows no environment of a dyno: a dyno can only
be known by its process type, its command and the time of its creation. That is why at
most one launch of the same command is open at a time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from clockd.model import FROM_LOG
from clockd.runner import Dyno

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from clockd.model import Attempt
    from clockd.runner import LogLine

#: Seconds after the lost answer at which the dyno list is read.
LOOKS_S = (0.0, 5.0, 20.0, 40.0)
#: The log session of the last look: all that Logplex keeps.
HISTORY_LINES = 1500
#: A predecessor's request may still be on its way for this long.
RESEND_AFTER_S = 60.0
#: How far the platform's clock may be behind ours.
SKEW = timedelta(seconds=5)

_VARIABLE = re.compile(r"\$(?:\w+|\{[^}]*\})")
#: A command of several lines is cut after its first: a line of the log is one line.
_STARTING = re.compile(r"Starting process with command `(.*?)(`?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """The dynos that belong to attempts already: they are not looked at."""

    ids: Collection[str]
    names: Collection[str]


def shown_as(text: str, commands: Collection[str]) -> bool:
    """Return whether `text` may be how the platform shows one of `commands`.

    Heroku writes the values of config vars into the commands it shows.
    """
    return any(
        text == command or ("$" in command and _pattern(command).fullmatch(text))
        for command in commands
    )


@lru_cache(maxsize=512)
def _pattern(command: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, _VARIABLE.split(command))), re.DOTALL)


def find_in_list(
    attempt: Attempt, commands: Collection[str], dynos: Iterable[Dyno], owned: Owned
) -> Dyno | None:
    """Return the dyno of `attempt` among those the platform lists.

    Args:
        attempt: The attempt whose answer was lost.
        commands: The ways its command may be shown (as sent, Procfile expanded).
        dynos: The dynos of its app.
        owned: Dynos of other attempts.
    """
    since = attempt.requested_at.replace(microsecond=0) - SKEW
    found = [
        dyno
        for dyno in dynos
        if dyno.process_type == attempt.process_type
        and dyno.id not in owned.ids
        and dyno.name not in owned.names
        and dyno.created_at >= since
        and shown_as(dyno.command, commands)
    ]
    return min(found, key=lambda dyno: dyno.created_at, default=None)


def find_in_log(
    attempt: Attempt, commands: Collection[str], lines: Iterable[LogLine], owned: Owned
) -> Dyno | None:
    """Return the dyno of `attempt` as log lines show it, also when it has ended.

    Its id is not known from a log: it is made of name and time.
    """
    since = attempt.requested_at - SKEW
    prefix = f"{attempt.process_type}."
    for line in lines:
        if not line.dyno.startswith(prefix) or line.dyno in owned.names:
            continue
        match = _STARTING.fullmatch(line.text) if line.from_platform else None
        if match is None or line.at < since:
            continue
        whole = bool(match[2])
        if shown_as(match[1], commands if whole else _first_lines(commands)):
            return Dyno(
                app=attempt.app,
                name=line.dyno,
                id=f"{FROM_LOG}{line.dyno}:{line.at:%Y%m%dT%H%M%S.%f}",
                command=attempt.command,
                process_type=attempt.process_type,
                state="unknown",
                size=attempt.size,
                created_at=line.at.replace(microsecond=0),
            )
    return None


def first_line(command: str) -> str:
    """Return what a log shows of a command: its first line."""
    return command.partition("\n")[0]


def _first_lines(commands: Collection[str]) -> set[str]:
    return {first_line(command) for command in commands if "\n" in command}


def reaches_back(lines: Iterable[LogLine], instant: datetime) -> bool:
    """Return whether the log holds a line from well before `instant`."""
    return any(line.at < instant - SKEW for line in lines)
