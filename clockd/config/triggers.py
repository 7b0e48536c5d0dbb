"""One entry of triggers.yaml → one trigger, with all that has to fit together in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clockd import schedule
from clockd.config import variables
from clockd.config.keys import (
    LEAST_TIMEOUTS_S,
    OPTIONS,
    SCHEDULES,
    TOP_NAMES,
    TRIGGER,
)
from clockd.config.maps import entries, unknown_key
from clockd.config.problems import Invalid, shown
from clockd.config.values import duration_text, mapping
from clockd.config.yaml12 import Kind, Mapping, Scalar
from clockd.errors import ScheduleError
from clockd.model import DEFAULT_TIMEOUT_S, ScheduleKind, Trigger

if TYPE_CHECKING:
    from collections.abc import Mapping as Table

    from clockd.config.keys import Key
    from clockd.config.problems import Report
    from clockd.config.yaml12 import Node
    from clockd.schedule import Schedule

SLUG: Final = re.compile("[a-z0-9][a-z0-9-]{0,63}")
#: From here a schedule's intervals are measured: a Monday.
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
_FIRES_COMPARED = 5
#: No schedule but an `every` of seconds fires again within it.
_MINUTE_S = 60


class TriggerReader:
    """Reads the entries of one file.

    Args:
        report: Where problems go.
        local: Whether tasks are local processes, which changes what is allowed.
        app: The app of triggers that name none; None where it could not be read.
        timezone: The zone of triggers that name none.
        environ: The variables that `env` may refer to.
    """

    def __init__(
        self,
        report: Report,
        *,
        local: bool,
        app: str | None,
        timezone: str,
        environ: Table[str, str],
    ) -> None:
        self._report = report
        self._local = local
        self._app = app
        self._timezone = timezone
        self._environ = environ
        self._defaults: dict[str, Any] = {}
        self._default_nodes: dict[str, Node] = {}
        self._envs: dict[tuple[tuple[str, str], ...], Table[str, str]] = {}

    def read_defaults(self, node: Node) -> None:
        """Read `defaults`; what is wrong there is told once, there."""
        try:
            entry = mapping(
                node, "write what triggers have in common as `key: value`, one a line"
            )
        except Invalid as error:
            self._report.invalid(node, error)
            return
        self._defaults, self._default_nodes = self._values(entry, OPTIONS)

    def read(self, slug: Scalar, node: Node) -> Trigger | None:
        """Return a trigger, None where there is an error in its entry."""
        errors = self._report.errors
        self._check_slug(slug)
        if not isinstance(node, Mapping):
            empty = node.kind is Kind.NULL
            found = "empty" if empty else f"{node.kind.value}, not a map"
            self._report.error(
                slug,
                f"trigger {shown(slug.text)} is {found}",
                code="type",
                hint="give it a command and one of cron, every and at",
            )
            return None
        own, nodes = self._values(node, TRIGGER)
        if "command" not in nodes:
            self._report.error(
                slug,
                f"trigger {shown(slug.text)} has no command",
                code="missing-key",
                hint="add command: and what is to be run",
            )
        fields = self._defaults | own
        fields.setdefault("timezone", self._timezone)
        fields.setdefault("app", self._app or "")
        fields["env"] = self._env(own)
        kind = self._schedule_kind(slug, nodes)
        if kind is not None:
            self._check_schedule(kind, nodes, fields)
        self._check_place(slug, fields, nodes)
        if self._report.errors > errors or kind is None:
            return None
        expression = fields.pop(kind)
        return Trigger(
            slug=slug.text, schedule_kind=kind, expression=expression, **fields
        )

    def _values(
        self, node: Mapping, table: Table[str, Key]
    ) -> tuple[dict[str, Any], dict[str, Node]]:
        """Return what the keys stand for, by field, and all values, by key."""
        report = self._report
        values: dict[str, Any] = {}
        nodes: dict[str, Node] = {}
        for name, value in entries(node, report):
            key = table.get(name.text)
            if key is None:
                report.invalid(name, _unknown(name.text, table))
                continue
            nodes[key.name] = value
            if key.later:
                report.warning(
                    name,
                    f"`{key.name}` is not supported yet, and has no effect",
                    code="not-supported",
                )
            try:
                found = key.read(value, report)
            except Invalid as error:
                report.invalid(value, error)
            else:
                if not key.later:
                    values[key.field or key.name] = found
        if "env" in values:
            self._warn_of_unset(nodes["env"])
        return values, nodes

    def _warn_of_unset(self, env: Node) -> None:
        if not isinstance(env, Mapping):
            return
        for _, value in env.pairs():
            if not isinstance(value, Scalar):
                continue
            for name in variables.references(value.text):
                if name not in self._environ:
                    self._report.warning(
                        value,
                        f"${{{name}}} is not set here",
                        code="unset-variable",
                        hint="where clockd runs it has to be, or no run can start",
                    )

    def _env(self, own: Table[str, Any]) -> Table[str, str]:
        """Return the variables of `defaults` and the trigger; equal ones are one."""
        env = {**self._defaults.get("env", {}), **own.get("env", {})}
        return self._envs.setdefault(tuple(env.items()), MappingProxyType(env))

    def _check_slug(self, slug: Scalar) -> None:
        if SLUG.fullmatch(slug.text):
            return
        better = re.sub("[^a-z0-9]+", "-", slug.text.lower())[:64].strip("-")
        self._report.error(
            slug,
            f"{shown(slug.text)} cannot be the slug of a trigger",
            code="slug",
            hint="1 to 64 small letters, digits and dashes, no dash first"
            + (f", such as {better}" if better else ""),
        )

    def _schedule_kind(
        self, slug: Scalar, nodes: Table[str, Node]
    ) -> ScheduleKind | None:
        kinds = [ScheduleKind(name) for name in nodes if name in SCHEDULES]
        if not kinds:
            self._report.error(
                slug,
                f"trigger {shown(slug.text)} has no schedule",
                code="missing-key",
                hint="add one of cron, every and at",
            )
            return None
        for kind in kinds[1:]:
            self._report.error(
                nodes[kind],
                f"a trigger cannot have both {kinds[0]} and {kind}",
                code="schedule",
                hint="keep one, or write two triggers",
            )
        return kinds[0]

    def _check_schedule(
        self, kind: ScheduleKind, nodes: Table[str, Node], fields: Table[str, Any]
    ) -> None:
        expression, node = fields.get(kind), nodes[kind]
        if expression is None:
            return
        try:
            parsed = schedule.parse(kind, expression, fields["timezone"])
        except ScheduleError as error:
            self._report.error(
                node, error.message, code="schedule", hint=error.hint or ""
            )
            return
        if parsed.sub_minute and not self._local:
            self._report.error(
                node,
                f"{shown(expression)} is less than a minute, which only local runs can",
                code="schedule",
                hint="write 1m or more: a dyno takes seconds to start",
            )
        jitter_s = fields.get("jitter_s", 0)
        if jitter_s >= (parsed.step_s or _MINUTE_S):
            self._warn_of_jitter(parsed, jitter_s, nodes.get("jitter") or nodes[kind])

    def _warn_of_jitter(self, parsed: Schedule, jitter_s: int, place: Node) -> None:
        interval_s = _shortest_interval_s(parsed)
        if interval_s is not None and jitter_s >= interval_s:
            self._report.warning(
                place,
                f"a jitter of {duration_text(jitter_s)} is not shorter than the "
                f"{duration_text(interval_s)} between two fire times",
                code="jitter",
                hint="a run that still waits is skipped when the next is due",
            )

    def _check_place(
        self, slug: Scalar, fields: Table[str, Any], nodes: Table[str, Node]
    ) -> None:
        """Check what dynos need and local runs do not."""
        if self._local:
            return
        if not fields["app"] and self._app is not None and "app" not in nodes:
            self._report.error(
                slug,
                f"trigger {shown(slug.text)} has no app to run on",
                code="app",
                hint="write app: at the top of the file, or set HEROKU_APP_NAME",
            )
        self._check_timeout(
            fields.get("timeout_s", DEFAULT_TIMEOUT_S),
            fields.get("dyno") or "",
            nodes,
        )

    def _check_timeout(
        self,
        timeout_s: int,
        dyno: str,
        nodes: Table[str, Node],
    ) -> None:
        space = dyno.startswith(("private-", "shield-"))
        least_s = LEAST_TIMEOUTS_S["space" if space else "heroku"]
        if timeout_s >= least_s:
            return
        place = nodes.get("timeout") or nodes.get("dyno")
        place = place or self._default_nodes["timeout"]
        kind = f"a dyno of size {dyno}" if space else "a dyno"
        self._report.error(
            place,
            f"a timeout of {duration_text(timeout_s)} is too short for {kind}",
            code="range",
            hint=f"write {duration_text(least_s)} or more",
        )


def _unknown(name: str, table: Table[str, Key]) -> Invalid:
    if name in TRIGGER:
        return Invalid(
            f"`{name}` has no default, every trigger has its own",
            code="unknown-key",
            hint="move it to the triggers",
        )
    if name in TOP_NAMES:
        return Invalid(
            f"`{name}` belongs to the top of the file",
            code="unknown-key",
            hint="move it there, without indentation",
        )
    return unknown_key(name, tuple(table))


def _shortest_interval_s(parsed: Schedule) -> int | None:
    """Return the shortest of the first intervals between fire times."""
    fires: list[datetime] = []
    after = _MONDAY
    while len(fires) < _FIRES_COMPARED:
        fire_time = parsed.next(after)
        if fire_time is None:
            break
        fires.append(fire_time)
        after = fire_time
    gaps = [later - sooner for sooner, later in pairwise(fires)]
    return int(min(gaps).total_seconds()) if gaps else None
