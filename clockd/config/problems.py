"""What is wrong with a triggers.yaml, and where: values, and the list they go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from clockd.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

#: So many errors are listed. A file with more was not written by hand, and to find
#: what was meant by each would take long.
MAX_ERRORS: Final = 1000
#: A message repeats at most this much of a value.
_SHOWN = 60
#: Longer words than this are compared with no other: it would take too long.
_COMPARED = 40


class Severity(StrEnum):
    """Whether a problem keeps the file from being used."""

    ERROR = "error"  #: the file cannot be used
    WARNING = "warning"  #: it can, but probably not as meant


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong at a place in a file.

    Args:
        file: The file as it was named.
        line: From 1.
        column: From 1, in characters.
        code: What kind of problem, for machines.
        message: What is wrong, with the value.
        hint: What to do about it; empty where there is nothing to add.
        severity: Whether the file can be used all the same.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.severity.value}[{self.code}]: {self.message}{hint}"


class Place(Protocol):
    """Whatever has a line and a column, both from 1."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file."""

    line: int = 1
    column: int = 1


START: Final = Position()


class Invalid(Exception):
    """A value that cannot be used.

    Args:
        message: What is wrong, with the value.
        hint: What to do about it.
        code: What kind of problem.
        place: Where, if not where the value begins.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str = "value",
        place: Place | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.place = place


class TooMany(Exception):
    """The errors are more than are listed: the reading ends here."""


@dataclass(slots=True)
class Report:
    """The problems of one file, as they are found."""

    file: str
    _found: dict[Problem, None] = field(default_factory=dict)
    errors: int = 0  #: so far, those found twice included
    _listed: int = 0

    def error(
        self, place: Place, message: str, *, code: str = "value", hint: str = ""
    ) -> None:
        """Put down an error. What a shared value causes twice is listed once.

        Raises:
            TooMany: It is one too many.
        """
        self.errors += 1
        self._listed += self._add(place, message, code, hint, Severity.ERROR)
        if self._listed == MAX_ERRORS:
            more = f"these are {MAX_ERRORS} problems; the file was read no further"
            self._add(place, more, "file", "mend these first", Severity.ERROR)
            raise TooMany

    def warning(
        self, place: Place, message: str, *, code: str = "value", hint: str = ""
    ) -> None:
        """Put down a warning."""
        self._add(place, message, code, hint, Severity.WARNING)

    def invalid(self, place: Place, error: Invalid) -> None:
        """Put down what a reader raised."""
        self.error(
            error.place or place, error.message, code=error.code, hint=error.hint
        )

    def found(self, severity: Severity) -> tuple[Problem, ...]:
        """Return the problems of a severity in the order of the file."""
        chosen = (problem for problem in self._found if problem.severity is severity)
        return tuple(sorted(chosen, key=lambda one: (one.line, one.column)))

    def _add(
        self, place: Place, message: str, code: str, hint: str, severity: Severity
    ) -> bool:
        problem = Problem(
            file=self.file,
            line=place.line,
            column=place.column,
            code=code,
            message=redact(message),
            hint=redact(hint),
            severity=severity,
        )
        new = problem not in self._found
        self._found[problem] = None
        return new


def shown(text: str) -> str:
    """Return a value as messages show it: quoted, shortened, nothing unprintable."""
    short = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return repr(short)


def guess(word: str, words: Iterable[str]) -> str:
    """Return which of some words was probably meant, as a hint; empty for none."""
    near = nearest(word, tuple(words))
    return f"did you mean {near}?" if near else ""


@lru_cache(maxsize=1024)
def nearest(word: str, words: tuple[str, ...], *, alike: float = 0.6) -> str:
    """Return the word most like `word` whatever its case; empty where none is near.

    Args:
        word: The word.
        words: What it may have been meant for.
        alike: How near is near, from 0 to 1 for the same.
    """
    if len(word) > _COMPARED:
        return ""
    lower = {each.lower(): each for each in words}
    near = get_close_matches(word.strip().lower(), lower, n=1, cutoff=alike)
    return lower[near[0]] if near else ""
