"""Readers of names that something outside gives: apps, time zones, dyno sizes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from clockd.config.problems import Invalid, nearest, shown
from clockd.config.values import Schema, scalar
from clockd.config.yaml12 import Kind
from clockd.config.zones import zone_cities, zone_names
from clockd.settings import APP_NAME

if TYPE_CHECKING:
    from clockd.config.problems import Report
    from clockd.config.yaml12 import Node

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
#: Abbreviations that are no names; most are one half of the year of a zone only.
_ABBREVIATIONS: Final = {
    "edt": "America/New_York",
    "cst": "America/Chicago",
    "cdt": "America/Chicago",
    "mdt": "America/Denver",
    "pst": "America/Los_Angeles",
    "pdt": "America/Los_Angeles",
    "bst": "Europe/London",
    "cest": "CET",
    "eest": "EET",
    "ist": "Asia/Kolkata",
    "jst": "Asia/Tokyo",
    "aest": "Australia/Sydney",
    "aedt": "Australia/Sydney",
    "z": "UTC",
}
_OFFSET = re.compile(r"(?:utc|gmt)?\s*[-+]\s*\d{1,2}(?::?\d{2})?", re.IGNORECASE)
#: Zones must be more alike than other words: a far one nearby helps nobody.
_ALIKE = 0.75


class AppName:
    """The name of a Heroku app."""

    schema: Final[Schema] = {"type": "string", "pattern": f"^{APP_NAME.pattern}$"}

    def __call__(self, node: Node, _: Report) -> str:
        """Return the name."""
        text = scalar(node, Kind.TEXT, wanted="the name of an app").text
        if not APP_NAME.fullmatch(text):
            raise Invalid(
                f"{shown(text)} cannot be the name of a Heroku app",
                hint="3 to 30 small letters, digits and dashes; a letter first, no "
                "dash last",
            )
        return text


class Zone:
    """The name of a time zone."""

    schema: Final[Schema] = {"type": "string", "minLength": 1}

    def __call__(self, node: Node, _: Report) -> str:
        """Return the name."""
        text = scalar(node, Kind.TEXT, wanted="the name of a time zone").text
        if text in zone_names():
            return text
        raise Invalid(
            f"there is no time zone {shown(text)}",
            code="timezone",
            hint=_zone_hint(text),
        )


def _zone_hint(text: str) -> str:
    if _OFFSET.fullmatch(text):
        return "name a place, such as Europe/Amsterdam: an offset knows no summer time"
    near = _ABBREVIATIONS.get(text.lower()) or nearest(
        text, tuple(sorted(zone_names())), alike=_ALIKE
    )
    if not near:
        cities = zone_cities()
        city = text.rpartition("/")[2].strip().replace(" ", "_")
        near = cities.get(nearest(city, tuple(cities), alike=_ALIKE), "")
    return f"did you mean {near}?" if near else "name a place, as Europe/Amsterdam"


class Size:
    """A dyno size, in any case; becomes lower case."""

    def __call__(self, node: Node, _: Report) -> str:
        """Return the size."""
        text = scalar(node, Kind.TEXT, wanted="a dyno size").text
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
