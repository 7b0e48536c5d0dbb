"""What truly happened, as the fake platform's own books tell it.

Instants here are seconds since 1970, of the machine's clock: the platform's own too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clockd.model import FROM_LOG
from tests.fakes.logs import KEPT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clockd.model import Attempt

#: How far from each other instants of one event may be that two threads noted.
SLACK_S = 0.05
#: A log has to reach back beyond a launch by so much to tell that there was none.
_MARGIN_S = 70.0
_EXITED = "Process exited with status"
_STARTING = "Starting process with command"


@dataclass(frozen=True, kw_only=True)
class Dyno:
    """A dyno that was started; see `FakeDyno.to_journal`."""

    id: str
    app: str
    name: str
    command: str
    env: Mapping[str, str]
    started_at: float
    ended_at: float | None
    exit_status: int | None
    stopped_by: str | None
    stopped_at: float | None
    unheard: bool
    time_to_live: int | None

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Dyno:
        """Return the dyno of an entry of the journal."""
        return cls(**{name: told[name] for name in cls.__dataclass_fields__})

    @property
    def run_id(self) -> int:
        """The run it was started for; 0 for none of clockd's."""
        return int(self.env.get("CLOCKD_RUN_ID", 0))

    @property
    def number(self) -> int:
        """Its attempt's number."""
        return int(self.env.get("CLOCKD_ATTEMPT", 0))

    def overlaps(self, later: Dyno) -> bool:
        """Return whether a dyno that was not started before this one met it."""
        return self.ended_at is None or later.started_at < self.ended_at


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of an app's log, and when it came there."""

    arrived: float
    at: float
    source: str
    process: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """A reading of the whole log, with what went wrong with it."""

    time: float
    fault: str | None = None


@dataclass(kw_only=True)
class AppBooks:
    """An app's log: all that came, what never did, and who read all of it when."""

    lines: Sequence[Line] = ()
    dropped: Sequence[tuple[float, str, str]] = ()
    looks: Sequence[Look] = ()
    _index: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, line in enumerate(self.lines):
            for word in (_EXITED, _STARTING):
                if line.source == "heroku" and line.text.startswith(word):
                    self._index.setdefault((line.process, word), []).append(number)

    def last_look(self, until: float) -> Look | None:
        """Return the last reading of the whole log before an instant."""
        return max(
            (look for look in self.looks if look.time <= until),
            key=lambda look: look.time,
            default=None,
        )

    def kept_since(self, when: float) -> float:
        """Return the time of the oldest line that was kept at an instant."""
        arrived = sum(line.arrived <= when for line in self.lines)
        if not arrived:
            return when
        return self.lines[max(arrived - KEPT, 0)].at

    def told_end(self, dyno: Dyno) -> bool:
        """Return whether a dyno's exit line ever came."""
        return self._find(dyno, _EXITED) is not None

    def told_start(self, dyno: Dyno) -> bool:
        """Return whether the line of a dyno's start ever came."""
        return self._find(dyno, _STARTING) is not None

    def end_was_kept(self, dyno: Dyno, when: float) -> bool:
        """Return whether a dyno's exit line could be read at an instant."""
        number = self._find(dyno, _EXITED)
        if number is None:
            return False
        arrived = sum(line.arrived <= when for line in self.lines)
        return arrived - KEPT <= number < arrived

    def _find(self, dyno: Dyno, word: str) -> int | None:
        since = dyno.started_at - SLACK_S
        until = (dyno.ended_at or float("inf")) + SLACK_S
        found = (
            number
            for number in self._index.get((dyno.name, word), [])
            if since <= self.lines[number].at <= until
        )
        return next(found, None)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Everything the platform knows.

    Args:
        dynos: Every dyno that was started.
        apps: The logs.
        launches: Every request to start a dyno.
        until: When these books were closed.
    """

    dynos: Sequence[Dyno]
    apps: Mapping[str, AppBooks]
    launches: Sequence[Mapping[str, Any]]
    until: float

    @classmethod
    def read(
        cls,
        *,
        journal: Sequence[Mapping[str, Any]],
        records: Mapping[str, Any],
        streams: Sequence[Mapping[str, Any]],
        launches: Sequence[Mapping[str, Any]],
        until: float,
    ) -> Truth:
        """Return what the fake, asked for each of these, has told."""
        apps = {
            name: AppBooks(
                lines=[
                    Line(arrived=a, at=at, source=source, process=process, text=text)
                    for a, at, source, process, text in told["log"]
                ],
                dropped=[tuple(entry) for entry in told["dropped"]],
                looks=[
                    Look(time=note["time"], fault=note["fault"])
                    for note in streams
                    if note.get("app") == name and not note["tail"]
                ],
            )
            for name, told in records.items()
        }
        dynos = [Dyno.from_json(told) for told in journal]
        return cls(dynos=dynos, apps=apps, launches=launches, until=until)

    def of_run(self, run_id: int) -> list[Dyno]:
        """Return the dynos of a run, in the order of their start."""
        found = [dyno for dyno in self.dynos if dyno.run_id == run_id]
        return sorted(found, key=lambda dyno: dyno.started_at)

    def requests_of(self, run_id: int) -> list[dict[str, Any]]:
        """Return when launches of a run were asked for, and what was answered."""
        return [
            {
                "at": request["time"],
                "attempt": request["body"]["env"].get("CLOCKD_ATTEMPT"),
                "status": request["status"],
                "fault": request["fault"],
            }
            for request in self.launches
            if (request["body"] or {}).get("env", {}).get("CLOCKD_RUN_ID")
            == str(run_id)
        ]

    def why_unseen(self, attempt: Attempt, dyno: Dyno | None) -> str | None:
        """Return which lost log lines hid how an attempt ended; None for no reason."""
        books = self.apps[attempt.app]
        until = attempt.finished_at.timestamp() if attempt.finished_at else self.until
        look = books.last_look(until)
        if dyno is not None and dyno.unheard:
            return "its dyno vanished without a word"
        if dyno is not None and dyno.ended_at and not books.told_end(dyno):
            return "its exit line was dropped"
        if look is not None and look.fault == "mute":
            return "the log that was read was mute"
        if look is None:
            return None
        if attempt.dyno is None or (attempt.dyno_id or "").startswith(FROM_LOG):
            if dyno is not None and not books.told_start(dyno):
                return "the line of its start was dropped"
            needed = attempt.requested_at.timestamp() - _MARGIN_S
            if books.kept_since(look.time) >= needed:
                return "the log did not reach back to its launch"
        ended = dyno is not None and (dyno.ended_at or look.time) < look.time
        if dyno is not None and ended and not books.end_was_kept(dyno, look.time):
            return "the log did not reach back to its end"
        return None
