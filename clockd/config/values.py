"""Readers of single values: a node → what it stands for, or Invalid saying why not.

Each comes with the piece of JSON Schema that says the same to editors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clockd.config.problems import Invalid, guess, shown
from clockd.config.yaml12 import Kind, Mapping, Scalar, resolve, to_integer

if TYPE_CHECKING:
    from collections.abc import Mapping as Table
    from enum import StrEnum

    from clockd.config.problems import Report
    from clockd.config.yaml12 import Node

DAY_S: Final = 86_400
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": DAY_S}
_DURATION = re.compile("([0-9]+)([smhd]?)")
_DURATION_HINT = "write a number of seconds, or 90s, 30m, 2h, 1d"
#: What YAML 1.1 takes for true or false, and 1.2 for text.
_OLD_FLAGS: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
#: Control characters a text of several lines may hold.
_LAYOUT = str.maketrans("\t\n\r", "   ")

Schema = dict[str, Any]


def scalar(node: Node, *kinds: Kind, wanted: str = "", hint: str = "") -> Scalar:
    """Return a node that is of one of some kinds.

    Args:
        node: The node.
        kinds: The kinds it may be of.
        wanted: What is asked for, in words; else the kinds.
        hint: What to do about another one, where there is more to say than that.

    Raises:
        Invalid: It is of another kind.
    """
    if isinstance(node, Scalar) and node.kind in kinds:
        return node
    wanted = wanted or " or ".join(kind.value for kind in kinds)
    if node.kind is Kind.NULL:
        hint = hint or f"write {wanted}, or delete the key"
        raise Invalid("there is no value", code="type", hint=hint)
    value = "this"
    if isinstance(node, Scalar):
        value = shown(node.text)
        hint = hint or _about_quotes(node, kinds)
    raise Invalid(f"{value} is {node.kind.value}, not {wanted}", code="type", hint=hint)


def _about_quotes(node: Scalar, kinds: tuple[Kind, ...]) -> str:
    if Kind.TEXT in kinds:
        return f"put it in quotes: {shown(node.text)}"
    quoted = node.kind is Kind.TEXT and resolve(node.text) in kinds
    return "leave the quotes out" if quoted else ""


def mapping(node: Node, hint: str) -> Mapping:
    """Return a node that is a map; nothing at all counts as an empty one.

    Raises:
        Invalid: It is something else; the hint says what to write.
    """
    if isinstance(node, Mapping):
        return node
    if node.kind is Kind.NULL:
        return Mapping(node.line, node.column)
    raise Invalid(f"this is {node.kind.value}, not a map", code="type", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text of a bounded length, without control characters."""

    longest: int
    lines: bool = False  #: whether it may have several lines
    flags: bool = False  #: whether `true` and `false` are texts, too, as written

    def __call__(self, node: Node, _: Report) -> str:
        """Return the text."""
        also = (Kind.BOOLEAN,) if self.flags else ()
        text = scalar(node, Kind.TEXT, *also, wanted=Kind.TEXT.value).text
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
        control = r"\x00-\x08\x0b\x0c\x0e-\x1f" if self.lines else r"\x00-\x1f"
        pattern = rf"^(?=[\s\S]*\S)[^{control}\x7f-\x9f]*$"
        types = ["string", "boolean"] if self.flags else "string"
        return {"type": types, "maxLength": self.longest, "pattern": pattern}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A number of seconds, or a number with a unit; becomes seconds."""

    least: int
    most: int

    def __call__(self, node: Node, _: Report) -> int:
        """Return the seconds."""
        found = scalar(
            *(node, Kind.INTEGER, Kind.TEXT), wanted="a duration", hint=_DURATION_HINT
        )
        seconds = _seconds(found)
        if seconds is None:
            raise Invalid(f"{shown(found.text)} is no duration", hint=_DURATION_HINT)
        wrong = ""
        if seconds < self.least:
            wrong, hint = "short", f"write {duration_text(self.least)} or more"
        elif seconds > self.most:
            wrong, hint = "long", f"write {duration_text(self.most)} or less"
        if wrong:
            value = shown(found.text)[1:-1]
            raise Invalid(f"{value} is too {wrong}", code="range", hint=hint)
        return seconds

    @property
    def schema(self) -> Schema:
        """The JSON Schema."""
        number = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return {"anyOf": [number, {"type": "string", "pattern": "^[0-9]+[smhd]?$"}]}


def _seconds(duration: Scalar) -> int | None:
    if duration.kind is Kind.INTEGER:
        return to_integer(duration.text)
    found = _DURATION.fullmatch(duration.text)
    return to_integer(found[1]) * _UNITS.get(found[2], 1) if found else None


def duration_text(seconds: int) -> str:
    """Return a duration as people write it: `90s`, `30m`, `24h`, `30d`."""
    if seconds > DAY_S and seconds % DAY_S == 0:
        return f"{seconds // DAY_S}d"
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
        choice = f"one of {', '.join(self.words)}"
        kinds = (Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN)
        text = scalar(node, *kinds, wanted=choice).text
        if text not in self.words:
            raise Invalid(
                f"{shown(text)} is not {choice}", hint=guess(text, self.words)
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
        hint = ""
        if node.kind is Kind.TEXT and isinstance(node, Scalar):
            meant = _OLD_FLAGS.get(node.text.lower())
            hint = f"write {meant}: YAML 1.2 takes this for text" if meant else ""
        return scalar(node, Kind.BOOLEAN, hint=hint).text.lower() == "true"


class Version:
    """The version of the file's language."""

    schema: Final[Schema] = {"const": 1}

    def __call__(self, node: Node, _: Report) -> int:
        """Return the version."""
        text = scalar(node, Kind.INTEGER, hint="write version: 1").text
        if to_integer(text) != 1:
            raise Invalid(
                f"version {shown(text)[1:-1]} is not known to this clockd",
                hint="write version: 1",
            )
        return 1
