"""Finds the dyno of a launch whose answer was lost.

Pure. Heroku has no idempotency key and shows no environment of a dyno: a dyno can only
be known by its process type, its command and the time of its creation. That is why at
most one launch of the same command is open at a time. What a command may look like is
said in `commands`. A stranger's dyno of our process type with the same command, created
after the request, cannot be told from ours and is taken for it: it is why two
installations on one app need two process types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from clockd.model import FROM_LOG
from clockd.runner import Dyno
from clockd.watch.commands import closeness, first_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from clockd.model import Attempt
    from clockd.runner import LogLine
    from clockd.store import DatedDyno

#: Seconds after the lost answer at which the dyno list is read.
LOOKS_S = (0.0, 5.0, 20.0, 40.0)
#: The log session of the last look: all that Logplex keeps.
HISTORY_LINES = 1500
#: A predecessor's request may still be on its way for this long.
RESEND_AFTER_S = 60.0
#: How far the platform's clock may be from what we take it for.
SKEW = timedelta(seconds=5)
#: How far ahead the clock of another process's host may have been, unnoticed.
AHEAD = timedelta(seconds=60)
#: Where it is not known when a launch was requested: longer than any dyno lives.
LIFETIME = timedelta(hours=25)
#: A dyno's first line comes within this time of its creation.
BOOT = timedelta(minutes=10)

_STARTING = re.compile(r"Starting process with command `(.*?)(`?)")
_OVER = re.compile(r"Process exited\b|State changed from \S+ to (?:complete|crashed)\b")
_STILLBORN = re.compile(r"State changed from starting to (?:complete|crashed)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the dyno of a launch looks like.

    Args:
        attempt: The attempt whose answer was lost.
        requested_at: When its request went out, by the platform's clock.
        since: It was not created before this, by the same clock.
        commands: The ways its command may be shown (as sent, Procfile expanded).
        rivals: The same of other launches that are open: a dyno that looks more like
            one of them is theirs.
    """

    attempt: Attempt
    requested_at: datetime
    since: datetime
    commands: Collection[str]
    rivals: Collection[Collection[str]] = ()

    def fits(self, text: str, *, cut: bool = False) -> bool:
        """Return whether a text may show the command; `cut`: its end is missing."""
        mine = closeness(text, self.commands, cut=cut)
        return mine is not None and all(
            (theirs := closeness(text, rival, cut=cut)) is None or theirs <= mine
            for rival in self.rivals
        )

    def nearest(self, found: Iterable[Dyno]) -> Dyno | None:
        """Return the first of the dynos created after the request, else the last."""
        by_time = sorted(found, key=lambda dyno: dyno.created_at)
        since = (self.requested_at - SKEW).replace(microsecond=0)
        after = (dyno for dyno in by_time if dyno.created_at >= since)
        return next(after, by_time[-1] if by_time else None)


def find_in_list(
    wanted: Wanted, dynos: Iterable[Dyno], owned: Collection[DatedDyno]
) -> Dyno | None:
    """Return the wanted dyno among those the platform lists.

    Args:
        wanted: What is looked for.
        dynos: The dynos of its app.
        owned: The dynos that belong to other attempts.
    """
    return wanted.nearest(
        dyno
        for dyno in dynos
        if dyno.process_type == wanted.attempt.process_type
        and dyno.created_at >= wanted.since.replace(microsecond=0)
        and wanted.fits(dyno.command)
        and not any(_is_same(dyno, other) for other in owned)
    )


def _is_same(dyno: Dyno, other: DatedDyno) -> bool:
    """Return whether a listed dyno is one on record; names recycle, ids do not."""
    if not other.dyno_id.startswith(FROM_LOG):
        return dyno.id == other.dyno_id
    # Known by its first line, which came after its creation.
    return dyno.name == other.name and dyno.created_at <= other.created_at


def find_in_log(
    wanted: Wanted, lines: Iterable[LogLine], owned: Collection[DatedDyno]
) -> Dyno | None:
    """Return the wanted dyno as log lines show it, also when it has ended.

    Its id is not known from a log: it is made of name and time.
    """
    prefix = f"{wanted.attempt.process_type}."
    return wanted.nearest(
        _dyno_of(line, wanted.attempt)
        for line in _starts_of_nobody(lines, prefix, owned)
        if line.at >= wanted.since and _shows(line, wanted)
    )


def find_stillborn(
    wanted: Wanted, lines: Iterable[LogLine], owned: Collection[DatedDyno]
) -> Dyno | None:
    """Return the dyno of nobody that ended while it was starting, as the log shows it.

    The platform never showed its command; that a launch did not happen cannot be said
    where there is one. For the last look, when every answer has long come.
    """
    prefix = f"{wanted.attempt.process_type}."
    owned_names = {dyno.name for dyno in owned}
    shown: set[str] = set()
    found = []
    for line in sorted(lines, key=lambda line: line.at):
        if not line.from_platform or not line.dyno.startswith(prefix):
            continue
        if _STARTING.fullmatch(line.text):
            shown.add(line.dyno)
        elif _STILLBORN.match(line.text) and line.at >= wanted.since:
            if line.dyno not in shown | owned_names:
                found.append(_dyno_of(line, wanted.attempt))
            shown.discard(line.dyno)
    return wanted.nearest(found)


def _dyno_of(line: LogLine, attempt: Attempt) -> Dyno:
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


def _shows(line: LogLine, wanted: Wanted) -> bool:
    match = _STARTING.fullmatch(line.text)
    if match is None:
        return False
    text, end = match[1], match[2]
    if not end:
        return wanted.fits(text, cut=True)
    # The backtick may be the command's own, at the end of its first line.
    own = any(first_line(it).endswith(end) for it in wanted.commands)
    return wanted.fits(text) or (own and wanted.fits(text + end, cut=True))


@dataclass(slots=True)
class _Name:
    """Whose a dyno name is, as far as the lines show."""

    owned: list[DatedDyno] = field(default_factory=list)

    def ends(self, at: datetime) -> None:
        """Note that whoever bears the name has ended."""
        self.owned = [dyno for dyno in self.owned if dyno.created_at > at]

    def starts(self, at: datetime) -> bool:
        """Note that somebody starts under the name; return whether it is owned."""
        begun = [dyno for dyno in self.owned if dyno.created_at <= at]
        self.ends(at)
        return bool(begun)


def _starts_of_nobody(
    lines: Iterable[LogLine], prefix: str, owned: Collection[DatedDyno]
) -> Iterator[LogLine]:
    """Yield the lines with which dynos begin that belong to no attempt.

    Of a name that recycles, the first beginning after an owned dyno's creation is that
    dyno's; what begins later, or after its end, is another one.
    """
    names: dict[str, _Name] = {}
    for dyno in owned:
        names.setdefault(dyno.name, _Name()).owned.append(dyno)
    # A line that is delivered twice is one beginning.
    ours = {x: None for x in lines if x.from_platform and x.dyno.startswith(prefix)}
    for line in sorted(ours, key=lambda line: line.at):
        name = names.get(line.dyno)
        if name is not None and _OVER.match(line.text):
            name.ends(line.at)
        elif _STARTING.fullmatch(line.text) and not (name and name.starts(line.at)):
            yield line


def reaches_back(lines: Iterable[LogLine], instant: datetime) -> bool:
    """Return whether the log holds a line from before `instant`."""
    return any(line.at < instant for line in lines)
