"""YAML 1.2 (core schema) on PyYAML's parsers: text → nodes that know their place.

PyYAML resolves values as YAML 1.1 has it (`on`, `1:30` and dates are no text there), so
only its parser's events are used: libyaml's where it is there, else the one in Python.
Nothing here recurses, and what aliases could multiply is counted.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import yaml

from clockd.config.problems import START, Invalid, Position, Report
from clockd.config.yaml_errors import check_quoted, explain, forbidden

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The most nodes a file may have, aliased ones counted each time.
MAX_NODES: Final = 2_000_000
#: How deep maps and lists may be nested.
MAX_DEPTH: Final = 32
#: Up to this length an error of libyaml's is told in the words of the other parser.
_RETOLD: Final = 200_000

_CORE = "tag:yaml.org,2002:"
_SURROGATE = re.compile("[\ud800-\udfff]")


class Kind(StrEnum):
    """What a node is; scalars by YAML 1.2's core schema."""

    TEXT = "text"
    INTEGER = "a whole number"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    NULL = "nothing"
    LIST = "a list"
    MAP = "a map"


_PLAIN: Final = (
    (Kind.NULL, re.compile("null|Null|NULL|~|")),
    (Kind.BOOLEAN, re.compile("true|True|TRUE|false|False|FALSE")),
    (Kind.INTEGER, re.compile("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    (
        Kind.NUMBER,
        re.compile(
            r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
    ),
)
#: Plain scalars that begin otherwise are text.
_NOT_TEXT: Final = frozenset("0123456789+-.~ntfNTF")
_TAGS: Final = {
    f"{_CORE}str": Kind.TEXT,
    f"{_CORE}int": Kind.INTEGER,
    f"{_CORE}float": Kind.NUMBER,
    f"{_CORE}bool": Kind.BOOLEAN,
    f"{_CORE}null": Kind.NULL,
    f"{_CORE}seq": Kind.LIST,
    f"{_CORE}map": Kind.MAP,
    "!": Kind.TEXT,
}


class Scalar:
    """A single value: its text as written, what kind it is, and where."""

    __slots__ = ("column", "kind", "line", "text")
    size = 1

    def __init__(self, text: str, kind: Kind, line: int, column: int) -> None:
        self.text = text
        self.kind = kind
        self.line = line
        self.column = column


class Sequence:
    """A list."""

    __slots__ = ("column", "items", "line", "size")
    kind = Kind.LIST

    def __init__(self, line: int, column: int) -> None:
        self.items: list[Node] = []
        self.line = line
        self.column = column
        self.size = 1


class Mapping:
    """A map, its keys and values in turn; a key may be there twice."""

    __slots__ = ("column", "items", "line", "size")
    kind = Kind.MAP

    def __init__(self, line: int, column: int) -> None:
        self.items: list[Node] = []
        self.line = line
        self.column = column
        self.size = 1

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Give keys with their values, in the file's order."""
        return zip(self.items[::2], self.items[1::2], strict=True)


Node = Scalar | Sequence | Mapping


def parse(text: str, report: Report, *, pure: bool = False) -> Node | None:
    """Return the root of a YAML text, None where it cannot be read or is empty.

    Args:
        text: The text, without a byte order mark.
        report: Where problems go.
        pure: Use the parser in Python even where libyaml is there.
    """
    bad = forbidden(text)
    if bad is not None:
        report.invalid(START, bad)
        return None
    native = yaml.__with_libyaml__ and not pure
    try:
        return _compose(text, report, native=native)
    except yaml.YAMLError as error:
        invalid = explain(text, error)
    except Invalid as error:
        invalid = error
    report.invalid(START, (native and _retell(text)) or invalid)
    return None


def to_integer(text: str) -> int:
    """Return the number an integer of the core schema stands for."""
    bases = {"0o": 8, "0x": 16}
    # Longer ones fit nowhere, and Python refuses to read them.
    return int(text, bases.get(text[:2], 10)) if len(text) <= 30 else 10**30


def _retell(text: str) -> Invalid | None:
    """Return what the parser in Python says, so that one mistake has one message."""
    if len(text) <= _RETOLD:
        try:
            _compose(text, Report(""), native=False)
        except yaml.YAMLError as error:
            return explain(text, error)
        except Invalid as error:
            return error
    return None


def _compose(text: str, report: Report, *, native: bool) -> Node | None:
    if not text.endswith("\n"):
        # libyaml says wrongly where a block of text ends that the file ends in.
        text += "\n"
    loader: Any = (yaml.CSafeLoader if native else yaml.SafeLoader)(text)
    composer = _Composer(report)
    try:
        while (event := loader.get_event()) is not None:
            if composer.take(event):
                break
    finally:
        loader.dispose()
    if native:
        check_quoted(text, composer.quoted)
    return composer.root


class _Composer:
    """Builds the tree from events, without recursion."""

    def __init__(self, report: Report) -> None:
        self.root: Node | None = None
        #: Where scalars in quotes and blocks of text begin and end.
        self.quoted: list[tuple[int, int]] = []
        self._report = report
        self._documents = 0
        self._open: list[Sequence | Mapping] = []
        self._anchors: dict[str, Node] = {}
        self._texts: dict[str, str] = {}
        self._handlers = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
        }

    def take(self, event: Any) -> bool:
        """Take the next event; return whether the rest does not matter."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        elif type(event) is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                self._report.error(
                    _place(event),
                    "a second document begins here",
                    code="yaml",
                    hint="put everything under one `triggers:` and delete the `---`",
                )
                return True
        return False

    def _scalar(self, event: Any) -> None:
        mark, value = event.start_mark, event.value
        if event.style:
            self.quoted.append((mark.index, event.end_mark.index))
        if value.isascii():
            value = self._texts.setdefault(value, value)
        elif _SURROGATE.search(value):
            raise Invalid(
                "an escape stands for half a character",
                code="yaml",
                hint="write the character itself",
                place=_place(event),
            )
        if event.tag is not None:
            kind = _tagged(event, resolve(value))
        else:
            kind = resolve(value) if event.implicit[0] else Kind.TEXT
        self._add(Scalar(value, kind, mark.line + 1, mark.column + 1), event.anchor)

    def _mapping(self, event: Any) -> None:
        mark = event.start_mark
        self._begin(event, Mapping(mark.line + 1, mark.column + 1))

    def _sequence(self, event: Any) -> None:
        mark = event.start_mark
        self._begin(event, Sequence(mark.line + 1, mark.column + 1))

    def _begin(self, event: Any, node: Sequence | Mapping) -> None:
        if event.tag is not None:
            _tagged(event, node.kind)
        if len(self._open) >= MAX_DEPTH:
            raise Invalid(
                f"maps and lists are nested more than {MAX_DEPTH} deep",
                code="yaml",
                place=node,
            )
        self._add(node, event.anchor)
        self._open.append(node)

    def _end(self, _event: Any) -> None:
        node = self._open.pop()
        if self._open:
            self._grow(node, node.size - 1)

    def _alias(self, event: Any) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise Invalid(
                "this alias stands for nothing: no value before it has its name",
                code="yaml",
                hint="put a value that begins with * in quotes",
                place=_place(event),
            )
        if node in self._open:
            raise Invalid(
                "this alias stands for what it is a part of itself",
                code="yaml",
                hint="write out what is meant",
                place=_place(event),
            )
        self._open[-1].items.append(node)
        self._grow(event, node.size)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].items.append(node)
            self._grow(node, 1)
        else:
            self.root = node

    def _grow(self, cause: Any, by: int) -> None:
        parent = self._open[-1]
        parent.size += by
        if parent.size > MAX_NODES:
            place = _place(cause) if hasattr(cause, "start_mark") else cause
            raise Invalid(
                f"the file has more than {MAX_NODES:,} values, aliases counted",
                code="yaml",
                place=place,
            )


def resolve(text: str) -> Kind:
    """Return what a plain scalar is by YAML 1.2's core schema."""
    if text and text[0] not in _NOT_TEXT:
        return Kind.TEXT
    for kind, pattern in _PLAIN:
        if pattern.fullmatch(text):
            return kind
    return Kind.TEXT


def _tagged(event: Any, found: Kind) -> Kind:
    """Return the kind an explicit tag asks for, if the value is of that kind."""
    scalar = found not in (Kind.LIST, Kind.MAP)
    wanted = (Kind.TEXT if scalar else found) if event.tag == "!" else None
    wanted = wanted or _TAGS.get(event.tag)
    if wanted is None:
        message = "this tag is not known here"
    elif wanted is found or (scalar and wanted is Kind.TEXT):
        return wanted
    else:
        message = f"the tag says {wanted.value}, but this is {found.value}"
    hint = "leave the tag out, or put a value that begins with ! in quotes"
    raise Invalid(message, code="yaml", hint=hint, place=_place(event))


def _place(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)
