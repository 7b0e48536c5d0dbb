"""Definitions of triggers, parsed once and kept while they are in use."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlalchemy as sa

from clockd import schedule
from clockd.model import Trigger
from clockd.store.statements import batches
from clockd.store.tables import triggers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from clockd.schedule import Schedule

#: Triggers whose definitions are kept in memory, about 2 kB each.
KEPT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A trigger with its definition as stored, and its schedule.

    Reading `schedule` raises `ScheduleError` where the stored expression can no longer
    be used.
    """

    trigger: Trigger
    definition: str

    @property
    def schedule(self) -> Schedule:
        """The trigger's schedule; parsed once."""
        trigger = self.trigger
        return schedule.parse(
            trigger.schedule_kind, trigger.expression, trigger.timezone
        )


class Definitions:
    """The definitions used last, by uuid and fingerprint. Thread-safe."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._known: OrderedDict[tuple[str, str], Known] = OrderedDict()
        self._lock = threading.Lock()

    def load(
        self, connection: Connection, wanted: Mapping[str, str]
    ) -> dict[str, Known]:
        """Return the definitions of triggers; only unknown ones are read.

        Args:
            connection: Where to read them.
            wanted: The fingerprint of each, by uuid, as just read.
        """
        found = {}
        with self._lock:
            for key in wanted.items():
                known = self._known.get(key)
                if known is not None:
                    self._known.move_to_end(key)
                    found[key[0]] = known
        missing = [uuid for uuid in wanted if uuid not in found]
        for some in batches(missing):
            query = sa.select(
                triggers.c.uuid, triggers.c.fingerprint, triggers.c.definition
            ).where(triggers.c.uuid.in_(some))
            for uuid, fingerprint, text in connection.execute(query):
                known = Known(trigger=parse(text), definition=text)
                found[uuid] = known
                self._keep((uuid, fingerprint), known)
        return found

    def _keep(self, key: tuple[str, str], known: Known) -> None:
        with self._lock:
            self._known[key] = known
            while len(self._known) > self._kept:
                self._known.popitem(last=False)


def parse(definition: str) -> Trigger:
    """Return the trigger of a stored definition."""
    return Trigger.from_definition(json.loads(definition))


@lru_cache(maxsize=2048)
def parse_cached(definition: str) -> Trigger:
    """Return the trigger of a definition that comes again and again, as runs' do."""
    return parse(definition)
