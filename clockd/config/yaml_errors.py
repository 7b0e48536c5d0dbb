"""Says in a person's words why a text is no YAML."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from clockd.config.problems import Invalid, Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    import yaml

#: Beside what no YAML may hold: NEL, LS and PS, which end a line in YAML 1.1 only.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd"
    "\U00010000-\U0010ffff]"
)
_WORDS = (
    (
        "mapping values are not allowed here",
        "a colon where no value can begin",
        "put a value that holds a colon and a blank in quotes, and look at the "
        "indentation",
    ),
    (
        "expected <block end>",
        "this does not continue what stands above it",
        "look at its indentation, and at quotes, dashes and brackets before it",
    ),
    (
        "could not find expected ':'",
        "a line without a colon among keys",
        "write `key: value`; indent the lines of a longer text further than its key",
    ),
    (
        "that cannot start any token",
        "a value cannot begin with this character",
        "put the value in quotes",
    ),
    (
        "expected alphabetic or numeric character",
        "a value cannot begin with * or &",
        'put it in quotes, as "* * * * *"',
    ),
    (
        "expected chomping or indentation indicators",
        "| or > is followed by something on its line",
        "begin the text on the next line",
    ),
    (
        "expected a comment or a line break",
        "| or > is followed by something on its line",
        "begin the text on the next line",
    ),
    (
        "found unexpected end of stream",
        "this quoted text does not end",
        "close the quote",
    ),
    (
        "unknown escape character",
        "a backslash in double quotes that begins no escape",
        "put the text in single quotes, or double the backslash",
    ),
    (
        "but got '<stream end>'",
        "this bracket is not closed",
        "close it, or put the text in quotes if it is none",
    ),
    (
        "expected ',' or",
        "here a comma or a closing bracket is missing",
        "look at commas, brackets and quotes of the list or map",
    ),
)
#: Of these the beginning is of interest, not the place where it was noticed.
_TOLD_AT_BEGIN = (
    "could not find expected ':'",
    "found unexpected end of stream",
    "but got '<stream end>'",
)
_BEGUN = {"mapping": "map", "sequence": "list", "collection": "list"}
_TAB_OR_END = re.compile("[\t\n\r]")
_COMMENT = re.compile(r"(?<=[ \n\r])#")
_BLOCK = re.compile(r"[|>][-+0-9]{0,2} *(?:(?<= )#|[\n\r]|$)")
_HINT = "look at indentation, colons and quotes of this line and the one above"


def position(text: str, index: int) -> Position:
    """Return the place of a character."""
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    return Position(before.count("\n") + 1, len(before) - before.rfind("\n"))


def forbidden(text: str) -> Invalid | None:
    """Return what is said about the first character that YAML does not allow."""
    bad = _FORBIDDEN.search(text)
    if bad is None:
        return None
    return Invalid(
        f"the character U+{ord(bad.group()):04X} may not stand in a YAML file",
        code="yaml",
        hint="delete it" if bad.group() != "\0" else "save the file as UTF-8",
        place=position(text, bad.start()),
    )


def check_quoted(text: str, quoted: Sequence[tuple[int, int]]) -> None:
    """Raise Invalid for what libyaml takes and the parser in Python does not.

    Args:
        text: The YAML text.
        quoted: Begin and end of every scalar that is not plain, in order.
    """
    for begin, _ in quoted:
        if text[begin] in "|>" and not _BLOCK.match(text, begin):
            raise Invalid(
                "| or > is followed by something on its line",
                code="yaml",
                hint="begin the text on the next line",
                place=position(text, begin),
            )
    if "\t" in text:
        _check_tabs(text, quoted)


def _check_tabs(text: str, quoted: Sequence[tuple[int, int]]) -> None:
    """Raise Invalid for the first tab outside quotes, blocks of text and comments."""
    line, in_comment = 0, False
    for found in _TAB_OR_END.finditer(text):
        at = found.start()
        if text[at] != "\t":
            line, in_comment = at + 1, False
            continue
        index = bisect_right(quoted, (at, len(text))) - 1
        begin, end = quoted[index] if index >= 0 else (0, 0)
        if in_comment or begin <= at < end:
            continue
        after = max(line, end)
        if text[after] != "#" and not _COMMENT.search(text, after, at):
            raise _tab(position(text, at))
        in_comment = True


def explain(text: str, error: yaml.YAMLError) -> Invalid:
    """Return a parser's error in words that help."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return Invalid(f"this is no YAML: {error}", code="yaml", hint=_HINT)
    place = Position(mark.line + 1, mark.column + 1)
    if mark.index > len(text):
        # Behind the line end that was added for the parser.
        place = position(text, len(text))
    if _at_tab(text, place):
        return _tab(place)
    problem = str(getattr(error, "problem", None) or error)
    message, hint = _in_words(problem)
    begun = getattr(error, "context_mark", None)
    if begun is not None and any(part in problem for part in _TOLD_AT_BEGIN):
        place = Position(begun.line + 1, begun.column + 1)
    elif begun is not None and begun.line != mark.line:
        what = _BEGUN.get(str(getattr(error, "context", "")).rpartition(" ")[2])
        message += f"; the {what} begins at line {begun.line + 1}" if what else ""
    return Invalid(message, code="yaml", hint=hint, place=place)


def _tab(place: Position) -> Invalid:
    return Invalid(
        "a tab where YAML wants blanks",
        code="yaml",
        hint="indent and separate with blanks, or put the value in quotes",
        place=place,
    )


def _at_tab(text: str, place: Position) -> bool:
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    return line[place.column - 1 : place.column] == "\t" or (
        line[: place.column].lstrip(" ").startswith("\t")
    )


def _in_words(problem: str) -> tuple[str, str]:
    for part, message, hint in _WORDS:
        if part in problem:
            return message, hint
    return f"this is no YAML: {problem}", _HINT
