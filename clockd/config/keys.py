"""The keys of triggers.yaml: one table that reading and the JSON Schema come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from clockd.config.maps import CatchUpReader, Env, Later, Table
from clockd.config.names import AppName, Size, Zone
from clockd.config.values import (
    DAY_S,
    Duration,
    Flag,
    Number,
    Schema,
    Text,
    Version,
    Word,
    scalar,
)
from clockd.config.yaml12 import Kind
from clockd.model import Output, Overlap, RunnerKind, ScheduleKind

if TYPE_CHECKING:
    from clockd.config.problems import Report
    from clockd.config.yaml12 import Node

#: The least timeouts, in seconds: of local runs, of dynos, of dynos in a space.
LEAST_TIMEOUTS_S: Final = {"local": 1, "heroku": 60, "space": 240}


class Reader(Protocol):
    """Makes a value of a node."""

    def __call__(self, node: Node, report: Report, /) -> Any:
        """Return the value.

        Raises:
            Invalid: It cannot be used. What is wrong within a map goes to `report`.
        """

    @property
    def schema(self) -> Schema:
        """The same rule as JSON Schema, as far as that can say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a map in triggers.yaml.

    Args:
        name: As it is written.
        read: Makes its value.
        description: What it means; editors show it.
        field: The field of `Trigger` it fills; empty where it fills none.
        later: Accepted, but without effect in this version.
    """

    name: str
    read: Reader
    description: str
    field: str = ""
    later: bool = False

    @property
    def schema(self) -> Schema:
        """The JSON Schema of its value."""
        return {"description": self.description, **self.read.schema}


class Expression:
    """A schedule's expression, as text; what it means is for `schedule` to say."""

    _text = Text(longest=500)
    schema: ClassVar[Schema] = _text.schema

    def __call__(self, node: Node, report: Report) -> str:
        """Return the expression as written."""
        if node.kind is Kind.TEXT:
            return self._text(node, report)
        # A number means nothing here, which `schedule` says best.
        return scalar(node, Kind.INTEGER, Kind.NUMBER, wanted="a schedule").text


class Interval(Expression):
    """An expression in which a number alone is one of seconds."""

    schema: ClassVar[Schema] = {
        "anyOf": [Expression.schema, {"type": "integer", "minimum": 1}]
    }

    def __call__(self, node: Node, report: Report) -> str:
        """Return the expression, with its unit."""
        text = super().__call__(node, report)
        return f"{text}s" if text.isascii() and text.isdigit() else text


def _table(*keys: Key) -> dict[str, Key]:
    return {key.name: key for key in keys}


COMMAND: Final = Key(
    name="command",
    field="command",
    # People who try clockd write `command: true`, and mean the program.
    read=Text(longest=1000, lines=True, flags=True),
    description="What is run: a shell command, or a process type of the Procfile with "
    "arguments. At most 1000 characters.",
)

SCHEDULES: Final = _table(
    Key(
        name=ScheduleKind.CRON,
        read=Expression(),
        description="When, as five fields that mean what Debian's cron means: minute, "
        "hour, day of month, month, day of week. Or a macro, such as @daily.",
    ),
    Key(
        name=ScheduleKind.EVERY,
        read=Interval(),
        description="When, aligned to the clock: 10m, 2h or another divisor of the "
        "hour or the day, also as a number of seconds; or `day at 02:30`, `hour at "
        ":15`, `monday at 09:00`. Below a minute for local runs only.",
    ),
    Key(
        name=ScheduleKind.AT,
        read=Expression(),
        description="When, once: a date and time in the trigger's zone, such as "
        "2026-12-25 09:00:00.",
    ),
)

_ALERTS_OF_TRIGGER = ("events", "to")

#: The keys that `defaults` may hold.
OPTIONS: Final = _table(
    Key(
        name="name",
        field="name",
        read=Text(longest=150),
        description="What people read; by default the trigger's slug.",
    ),
    Key(
        name="timezone",
        field="timezone",
        read=Zone(),
        description="The zone its schedule is in, such as Europe/Amsterdam; by default "
        "the file's, else UTC.",
    ),
    Key(
        name="app",
        field="app",
        read=AppName(),
        description="The Heroku app it runs on; by default the file's, else "
        "$HEROKU_APP_NAME.",
    ),
    Key(
        name="dyno",
        field="dyno",
        read=Size(),
        description="The dyno size, such as standard-1x; by default the app's own.",
    ),
    Key(
        name="timeout",
        field="timeout_s",
        read=Duration(least=1, most=DAY_S),
        description="When it is stopped: seconds, or 90s, 30m, 2h; default 30m. From "
        "60s (from 240s in Private and Shield sizes, from 1s for local runs) to 24h.",
    ),
    Key(
        name="active",
        field="active",
        read=Flag(),
        description="false switches it off; default true.",
    ),
    Key(
        name="overlap",
        field="overlap",
        read=Word.of(Overlap),
        description="What happens to a run that is due while an earlier one is active: "
        "skip (default), queue, allow, or replace the earlier one.",
    ),
    Key(
        name="catch_up",
        field="catch_up",
        read=CatchUpReader(),
        description="How late a missed fire time may still run: a duration (default "
        "1h), none, or {within: 6h, run: all} to run each and not only the newest.",
    ),
    Key(
        name="retries",
        field="retries",
        read=Number(least=0, most=10),
        description="Further attempts after a failed one, 0 to 10; default 0.",
    ),
    Key(
        name="retry_delay",
        field="retry_delay_s",
        read=Duration(least=1, most=DAY_S),
        description="The pause before the first further attempt; it doubles each time. "
        "Default 1m.",
    ),
    Key(
        name="jitter",
        field="jitter_s",
        read=Duration(least=0, most=DAY_S),
        description="Starts each run by up to this much later, by an amount that is "
        "always the same for a trigger and a fire time; default none.",
    ),
    Key(
        name="env",
        field="env",
        read=Env(),
        description="More environment, beside that of `defaults`. ${NAME} is replaced "
        "by clockd's own variable, $${ stands for ${.",
    ),
    Key(
        name="output",
        field="output",
        read=Word.of(Output),
        description="keep (default) what it prints, or none of it.",
    ),
    Key(
        name="alerts",
        read=Later(names=_ALERTS_OF_TRIGGER),
        description="Whom to tell of which events. Not supported yet.",
        later=True,
    ),
    Key(
        name="healthcheck",
        read=Later(),
        description="A URL that is pinged at start, success and failure. Not supported "
        "yet.",
        later=True,
    ),
)

#: The keys of a trigger.
TRIGGER: Final = {**_table(OPTIONS["name"], COMMAND), **SCHEDULES, **OPTIONS}

#: The keys of `limits`.
LIMITS: Final = _table(
    Key(
        name="concurrent_runs",
        read=Number(least=1, most=100_000),
        description="How many runs, of all apps, have a dyno at a time. More wait in "
        "line, the oldest fire time first, until their catch-up window closes.",
    ),
    Key(
        name="runs_per_month",
        read=Number(least=1, most=1_000_000_000),
        description="How many runs get a dyno in a calendar month of the file's time "
        "zone, those by hand included. Beyond: recorded as skipped.",
    ),
    Key(
        name="triggers",
        read=Number(least=1, most=1_000_000),
        description="How many triggers the file may have. One with more is refused.",
    ),
)

_RUNNERS = {"auto": "auto", **{kind.value: kind.value for kind in RunnerKind}}

#: The keys at the top of the file, but `defaults` and `triggers`.
TOP: Final = _table(
    Key(
        name="version",
        read=Version(),
        description="The version of this file's language: 1.",
    ),
    Key(
        name="app",
        read=AppName(),
        description="The Heroku app of triggers that name none; by default "
        "$HEROKU_APP_NAME.",
    ),
    Key(
        name="runner",
        read=Word(words=_RUNNERS),
        description="Where tasks run: heroku, local, or auto (default), which is "
        "heroku with a HEROKU_API_KEY or on a dyno, else local. CLOCKD_RUNNER wins.",
    ),
    Key(
        name="timezone",
        read=Zone(),
        description="The zone of triggers that name none; default UTC.",
    ),
    Key(
        name="limits",
        read=Table(keys=LIMITS),
        description="How much may run at a time and in a month, and how many triggers "
        "the file may have; default: no limits.",
    ),
    Key(
        name="alerts",
        read=Later(names=("to", "collaborators", "mail")),
        description="Whom to tell of trouble, and how. Not supported yet.",
        later=True,
    ),
)

#: Every key at the top of the file.
TOP_NAMES: Final = (
    *("version", "app", "runner", "timezone", "defaults"),
    *("limits", "alerts", "triggers"),
)
