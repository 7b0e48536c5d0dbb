"""Readers of maps: their keys, an `env`, a `catch_up`, and what comes later."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from clockd.config import variables
from clockd.config.problems import Invalid, guess, shown
from clockd.config.values import DAY_S, Duration, Schema, Word, mapping
from clockd.config.yaml12 import Kind, Mapping, Scalar
from clockd.model import CatchUp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from collections.abc import Mapping as Named

    from clockd.config.problems import Report
    from clockd.config.yaml12 import Node

ENV_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")
LONGEST_VALUE: Final = 32_768
#: What every task is given; a trigger cannot set it.
RESERVED: Final = (
    *("CLOCKD_TRIGGER", "CLOCKD_RUN_ID", "CLOCKD_FIRE_TIME", "CLOCKD_ATTEMPT"),
)
#: Other names people give a key.
_SYNONYMS: Final = {
    "schedule": "cron",
    "crontab": "cron",
    "interval": "every",
    "date": "at",
    "cmd": "command",
    "run": "command",
    "script": "command",
    "job": "command",
    "tz": "timezone",
    "zone": "timezone",
    "size": "dyno",
    "dyno_size": "dyno",
    "enabled": "active",
    "disabled": "active: false",
    "paused": "active: false",
    "state": "active",
    "description": "name",
    "title": "name",
    "environment": "env",
    "concurrency": "overlap",
    "retry": "retries",
    "jobs": "triggers",
    "tasks": "triggers",
    "misfire_grace_time": "catch_up",
}


def entries(
    node: Mapping, report: Report, *, what: str = "key"
) -> Iterator[tuple[Scalar, Node]]:
    """Give the keys of a map with their values; a second one of a name is an error."""
    seen: dict[str, Scalar] = {}
    for key, value in node.pairs():
        if not isinstance(key, Scalar):
            report.error(key, f"a {what} cannot be {key.kind.value}", code="type")
            continue
        first = seen.setdefault(key.text, key)
        if first is not key:
            report.error(
                key,
                f"{what} {shown(key.text)} is there twice, first at line {first.line}",
                code=f"duplicate-{what}",
                hint="keep one of them",
            )
            continue
        yield key, value


def known_entries(
    node: Mapping, known: Iterable[str], report: Report
) -> Iterator[tuple[Scalar, Node]]:
    """Give the keys of a map that may be there, with their values."""
    names = tuple(known)
    for key, value in entries(node, report):
        if key.text in names:
            yield key, value
        else:
            report.invalid(key, unknown_key(key.text, names))


def unknown_key(name: str, known: tuple[str, ...]) -> Invalid:
    """Return what is said about a key that may not be there."""
    if name == "<<":
        return Invalid(
            "YAML 1.2 has no merge key `<<`",
            code="unknown-key",
            hint="put what triggers have in common under `defaults`",
        )
    meant = _SYNONYMS.get(name.lower(), "")
    if meant.partition(":")[0] in known:
        hint = f"did you mean {meant}?"
    else:
        hint = guess(name, known) or f"possible are {', '.join(known)}"
    return Invalid(f"unknown key {shown(name)}", code="unknown-key", hint=hint)


class Env:
    """Names and values of environment variables; values become text as written."""

    schema: Final[Schema] = {
        "type": ["object", "null"],
        "propertyNames": {
            "pattern": f"^{ENV_NAME.pattern}$",
            "not": {"enum": list(RESERVED)},
        },
        "additionalProperties": {
            "type": ["string", "number", "boolean"],
            "maxLength": LONGEST_VALUE,
        },
    }

    def __call__(self, node: Node, report: Report) -> dict[str, str]:
        """Return the variables."""
        env = {}
        found = mapping(node, "write `NAME: value`, one a line")
        for key, value in entries(found, report):
            try:
                self._check_name(key.text)
            except Invalid as error:
                report.invalid(key, error)
            try:
                env[key.text] = self._read_value(value)
            except Invalid as error:
                report.invalid(value, error)
        return env

    @staticmethod
    def _check_name(name: str) -> None:
        if "=" in name:
            # What stands behind it may be a password.
            raise Invalid(
                f"{shown(name.partition('=')[0] + '=…')} cannot be the name of a "
                "variable",
                code="env",
                hint="write `NAME: value`, with a colon and a blank",
            )
        if not ENV_NAME.fullmatch(name):
            raise Invalid(
                f"{shown(name)} cannot be the name of a variable",
                code="env",
                hint="letters, digits and underscores, no digit first",
            )
        if name in RESERVED:
            raise Invalid(
                f"clockd itself gives every task its {name}",
                code="env",
                hint="take another name",
            )

    def _read_value(self, node: Node) -> str:
        if node.kind is Kind.NULL:
            raise Invalid("there is no value", code="type", hint='write "" for none')
        if not isinstance(node, Scalar):
            raise Invalid(
                f"the value of a variable cannot be {node.kind.value}",
                code="type",
                hint="write it as one text, in quotes",
            )
        text = node.text
        if "\0" in text:
            raise Invalid("no variable can hold U+0000", code="env", hint="delete it")
        if len(text) > LONGEST_VALUE:
            raise Invalid(
                f"the value has {len(text)} characters, at most {LONGEST_VALUE} are "
                "possible",
                code="length",
            )
        variables.check(text)
        return text


class CatchUpReader:
    """How late a missed fire time may still run."""

    _WITHIN = Duration(least=0, most=30 * DAY_S)
    _RUN = Word(words={"newest": False, "all": True})

    def __init__(self) -> None:
        self._shared: dict[CatchUp, CatchUp] = {}

    def __call__(self, node: Node, report: Report) -> CatchUp:
        """Return the rule; equal ones are one object."""
        if isinstance(node, Mapping):
            rule = self._read_map(node, report)
        elif isinstance(node, Scalar) and node.text == "none":
            rule = CatchUp(within_s=0)
        else:
            try:
                rule = CatchUp(within_s=self._WITHIN(node, report))
            except Invalid as error:
                if error.code != "range":
                    error.hint = "write none, or 6h, or {within: 6h, run: all}"
                raise
        return self._shared.setdefault(rule, rule)

    def _read_map(self, node: Mapping, report: Report) -> CatchUp:
        readers: dict[str, Any] = {"within": self._WITHIN, "run": self._RUN}
        found = {}
        for key, value in known_entries(node, readers, report):
            try:
                found[key.text] = readers[key.text](value, report)
            except Invalid as error:
                report.invalid(value, error)
        default = CatchUp()
        return CatchUp(
            within_s=found.get("within", default.within_s),
            run_all=found.get("run", default.run_all),
        )

    @property
    def schema(self) -> Schema:
        """The JSON Schema."""
        rule = {
            "type": "object",
            "properties": {"within": self._WITHIN.schema, "run": self._RUN.schema},
            "additionalProperties": False,
        }
        return {"anyOf": [{"const": "none"}, *self._WITHIN.schema["anyOf"], rule]}


class _Key(Protocol):
    """As much of `keys.Key` as is needed to read its value."""

    @property
    def read(self) -> Callable[[Node, Report], Any]: ...
    @property
    def schema(self) -> Schema: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A map of known keys, each of which may be left out."""

    keys: Named[str, _Key]

    def __call__(self, node: Node, report: Report) -> dict[str, Any]:
        """Return the values that are there and can be used, by key."""
        found = mapping(node, f"its keys are {', '.join(self.keys)}")
        values = {}
        for key, value in known_entries(found, self.keys, report):
            try:
                values[key.text] = self.keys[key.text].read(value, report)
            except Invalid as error:
                report.invalid(value, error)
        return values

    @property
    def schema(self) -> Schema:
        """The JSON Schema."""
        return {
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": {name: key.schema for name, key in self.keys.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """What this version does not support yet: only the names in it are checked."""

    names: tuple[str, ...] = ()

    def __call__(self, node: Node, report: Report) -> None:
        """Put down unknown names, if it is a map of known ones."""
        if self.names:
            hint = f"its keys are {', '.join(self.names)}"
            for _ in known_entries(mapping(node, hint), self.names, report):
                pass

    @property
    def schema(self) -> Schema:
        """The JSON Schema."""
        if not self.names:
            return {}
        return {
            "type": ["object", "null"],
            "propertyNames": {"enum": list(self.names)},
        }
