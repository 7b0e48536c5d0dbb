"""The names of the time zones."""

from __future__ import annotations

import zoneinfo
from functools import lru_cache
from importlib import resources


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return the names a trigger's zone may have.

    From the tzdata package: what the machine's own files hold differs (`localtime`,
    `posix/…`), and some file systems do not tell `europe/berlin` from `Europe/Berlin`,
    so a file that loads here might not load on the dyno.
    """
    try:
        text = (resources.files("tzdata") / "zones").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return frozenset(zoneinfo.available_timezones())
    return frozenset(text.split())


@lru_cache(maxsize=1)
def zone_cities() -> dict[str, str]:
    """Return the names of zones by their last part, such as `Amsterdam`."""
    return {name.rpartition("/")[2]: name for name in sorted(zone_names())}
