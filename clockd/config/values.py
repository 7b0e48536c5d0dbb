"""Readers of single values: a node → what it stands for, or Invalid saying why not.

Each comes with the piece of JSON Schema that says the same to editors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clockd.config.problems import Invalid, guess, nearest, shown
from clockd.config.yaml12 import Kind, Mapping, Scalar, to_integer
from clockd.config.zones import zone_names
from clockd.settings import APP_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping as Table
    from enum import StrEnum

    from clockd.config.problems import Report
    from clockd.config.yaml12 import Node

DAY_S: Final = 86_400
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": DAY_S}
_DURATION = re.compile("([0-9]{1,9})([smhd]?)")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
#: Control characters a text of several lines may hold.
_LAYOUT = str.maketrans("\t\n\r", "   ")

Schema = dict[str, Any]

_SPACE_SIZES = ("s", "m", "l", "l-ram", "xl", "2xl")
#: The sizes of one-off dynos, lower case.
SIZES: Final = (
    *("eco", "basic", "standard-1x", "standard-2x"),
    *(f"performance-{size}" for size in _SPACE_SIZES[1:]),
    *(f"private-{size}" for size in _SPACE_SIZES),
    *(f"shield-{size}" for size in _SPACE_SIZES),
)
#: What sizes were called, or are called for short.
_OLD_SIZES: Final = {
    "free": "eco",
    "hobby": "basic",
    "1x": "standard-1x",
    "2x": "standard-2x",
    "px": "performance-l",
    "pm": "performance-m",
    "pl": "performance-l",
}


def scalar(node: Node, *kinds: Kind) -> Scalar:
    """Return a node that is of one of some kinds."""
    if isinstance(node, Scalar) and node.kind in kinds:
        return node
    wanted = " or ".join(kind.value for kind in kinds)
    if node.kind is Kind.NULL:
        raise Invalid("there is no value", code="type", hint=f"write {wanted}")
    hint = ""
    if isinstance(node, Scalar) and Kind.TEXT in kinds:
        hint = f"put it in quotes: {shown(node.text)}"
    elif isinstance(node, Scalar) and kinds == (Kind.BOOLEAN,):
        hint = "YAML 1.2 knows only these two: yes, no, on and off are text"
    value = f"{shown(node.text)} is" if isinstance(node, Scalar) else "this is"
    raise Invalid(f"{value} {node.kind.value}, not {wanted}", code="type", hint=hint)


def mapping(node: Node, what: str) -> Mapping:
    """Return a node that is a map; nothing at all counts as an empty one."""
    if isinstance(node, Mapping):
        return node
    if node.kind is Kind.NULL:
        return Mapping(node.line, node.column)
    raise Invalid(
        f"this is {node.kind.value}, not a map",
        code="type",
        hint=f"write {what}, one `key: value` a line",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text of a bounded length, without control characters."""

    longest: int
    lines: bool = False  #: whether it may have several lines

    def __call__(self, node: Node, _: Report) -> str:
        """Return the text."""
        text = scalar(node, Kind.TEXT).text
        if not text.strip():
            raise Invalid("the text is empty", hint="write one, or delete the key")
        if len(text) > self.longest:
            raise Invalid(
                f"the text has {len(text)} characters, at most {self.longest} are "
                "possible",
                code="length",
                hint="put a longer command into a script" if self.lines else "",
            )
        bad = _CONTROL.search(text.translate(_LAYOUT) if self.lines else text)
        if bad is not None:
            raise Invalid(
                f"the text holds a control character, U+{ord(bad.group()):04X}",
                hint="delete it",
            )
        return text

    @property
    def schema(self) -> Schema:
        """The JSON Schema."""
        wanted = r"^[\s\S]*\S[\s\S]*$" if self.lines else r"^.*\S.*$"
        return {"type": "string", "maxLength": self.longest, "pattern": wanted}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A number of seconds, or a number with a unit; becomes seconds."""

    least: int
    most: int

    def __call__(self, node: Node, _: Report) -> int:
        """Return the seconds."""
        text = scalar(node, Kind.INTEGER, Kind.TEXT).text
        found = _DURATION.fullmatch(text)
        if found is None:
            raise Invalid(
                f"{shown(text)} is no duration",
                hint="write a number of seconds, or 90s, 30m, 2h, 1d",
            )
        seconds = int(found[1]) * _UNITS.get(found[2], 1)
        if not self.least <= seconds <= self.most:
            least, most = duration_text(self.least), duration_text(self.most)
            raise Invalid(
                f"{text} is not between {least} and {most}",
                code="range",
            )
        return seconds

    @property
    def schema(self) -> Schema:
        """The JSON Schema."""
        number = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return {"anyOf": [number, {"type": "string", "pattern": "^[0-9]+[smhd]?$"}]}


def duration_text(seconds: int) -> str:
    """Return a duration as people write it: `90s`, `30m`, `24h`."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A whole number within bounds."""

    least: int
    most: int

    def __call__(self, node: Node, _: Report) -> int:
        """Return the number."""
        text = scalar(node, Kind.INTEGER).text
        number = to_integer(text)
        if not self.least <= number <= self.most:
            raise Invalid(
                f"{shown(text)[1:-1]} is not between {self.least} and {self.most}",
                code="range",
            )
        return number

    @property
    def schema(self) -> Schema:
        """The JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One of the members of an enumeration, or of some words."""

    words: Table[str, Any]

    @classmethod
    def of(cls, members: type[StrEnum]) -> Word:
        """Return a reader of an enumeration's members."""
        return cls(words={member.value: member for member in members})

    def __call__(self, node: Node, _: Report) -> Any:
        """Return what the word stands for."""
        text = scalar(node, Kind.TEXT).text
        if text not in self.words:
            raise Invalid(
                f"{shown(text)} is none of {', '.join(self.words)}",
                hint=guess(text, self.words),
            )
        return self.words[text]

    @property
    def schema(self) -> Schema:
        """The JSON Schema."""
        return {"enum": list(self.words)}


class Flag:
    """True or false."""

    schema: Final[Schema] = {"type": "boolean"}

    def __call__(self, node: Node, _: Report) -> bool:
        """Return the value."""
        return scalar(node, Kind.BOOLEAN).text.lower() == "true"


class Version:
    """The version of the file's language."""

    schema: Final[Schema] = {"const": 1}

    def __call__(self, node: Node, _: Report) -> int:
        """Return the version."""
        text = scalar(node, Kind.INTEGER).text
        if to_integer(text) != 1:
            raise Invalid(
                f"version {shown(text)[1:-1]} is not known to this clockd",
                hint="write version: 1",
            )
        return 1


class AppName:
    """The name of a Heroku app."""

    schema: Final[Schema] = {"type": "string", "pattern": f"^{APP_NAME.pattern}$"}

    def __call__(self, node: Node, _: Report) -> str:
        """Return the name."""
        text = scalar(node, Kind.TEXT).text
        if not APP_NAME.fullmatch(text):
            raise Invalid(
                f"{shown(text)} cannot be the name of a Heroku app",
                hint="3 to 30 small letters, digits and dashes, a letter first",
            )
        return text


class Zone:
    """The name of a time zone."""

    schema: Final[Schema] = {"type": "string", "minLength": 1}

    def __call__(self, node: Node, _: Report) -> str:
        """Return the name."""
        text = scalar(node, Kind.TEXT).text
        names = zone_names()
        if text in names:
            return text
        cities = {name.rpartition("/")[2]: name for name in names}
        near = nearest(text, tuple(names)) or cities.get(
            nearest(text.replace(" ", "_"), tuple(cities)), ""
        )
        hint = f"did you mean {near}?" if near else "write a name as Europe/Amsterdam"
        raise Invalid(
            f"there is no time zone {shown(text)}", code="timezone", hint=hint
        )


class Size:
    """A dyno size, in any case; becomes lower case."""

    def __call__(self, node: Node, _: Report) -> str:
        """Return the size."""
        text = scalar(node, Kind.TEXT).text
        size = text.lower()
        if size not in SIZES:
            near = _OLD_SIZES.get(size) or nearest(size, SIZES)
            hint = f"did you mean {near}?" if near else f"one of {', '.join(SIZES)}"
            raise Invalid(
                f"there is no dyno size {shown(text)}", code="size", hint=hint
            )
        return size

    @property
    def schema(self) -> Schema:
        """The JSON Schema; editors complete from the first list."""
        pattern = f"^({'|'.join(map(_any_case, SIZES))})$"
        return {
            "anyOf": [{"enum": list(SIZES)}, {"type": "string", "pattern": pattern}]
        }


def _any_case(word: str) -> str:
    return "".join(
        f"[{char.upper()}{char}]" if char.isalpha() else char for char in word
    )
