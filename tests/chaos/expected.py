"""The fire times there should have been, from the triggers and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clockd import schedule
from clockd.model import ScheduleKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tests.chaos.plan import Plan, Version


@dataclass(frozen=True, kw_only=True)
class Era:
    """A trigger's schedule, and from when until when it held.

    Args:
        kind: Which kind of schedule.
        expression: How it is written.
        timezone: Where it is meant.
        since: When it was loaded first.
        until: When another one was, or the end of the books.
    """

    kind: ScheduleKind
    expression: str
    timezone: str
    since: datetime
    until: datetime

    @classmethod
    def of(
        cls, definition: Mapping[str, Any], *, since: datetime, until: datetime
    ) -> Era:
        """Return the era of a trigger as triggers.yaml had it."""
        kind = next(kind for kind in ScheduleKind if kind.value in definition)
        return cls(
            kind=kind,
            expression=definition[kind.value],
            timezone=definition.get("timezone", "UTC"),
            since=since,
            until=until,
        )

    def fire_times(self) -> list[datetime]:
        """Return every fire time of the era, in order.

        One that had passed when the schedule was loaded is there where it is the only
        one the schedule has: it is on record as missed.
        """
        parsed = schedule.parse(self.kind, self.expression, self.timezone)
        since = self.since.replace(microsecond=0)
        until = self.until.replace(microsecond=0)
        past = [parsed.once] if parsed.once and parsed.once <= since else []
        return past + list(parsed.between(since, until))


def fire_times(eras: Sequence[Era], until: datetime) -> set[datetime]:
    """Return every fire time of a trigger up to an instant."""
    return {at for era in eras for at in era.fire_times() if at <= until}


def expected_of(
    triggers: Sequence[Any], plan: Plan, *, begun: datetime, until: datetime
) -> dict[str, set[datetime]]:
    """Return every fire time there should be, by the trigger's uuid.

    From the books come only the instants at which they took in what the plan says;
    what never came there is due by the plan alone, and by its slug.

    Args:
        triggers: The rows of the triggers on record.
        plan: What the file said.
        begun: When it was there first.
        until: Up to when fire times count.
    """
    found = {
        row.uuid: fire_times(_eras(row, plan.versions[row.slug], until), until)
        for row in triggers
    }
    seen = {row.slug for row in triggers}
    for slug, versions in plan.versions.items():
        definition = versions[-1].definition
        if slug not in seen and definition is not None:
            era = Era.of(definition, since=begun, until=until)
            found[slug] = fire_times([era], until)
    return found


def _eras(row: Any, versions: Sequence[Version], until: datetime) -> list[Era]:
    """Return when which schedule of a trigger held, by the books' instants."""
    definitions = [v.definition for v in versions if v.definition is not None]
    ends = row.removed_at or until
    if len(definitions) == 1 or row.changed_at <= row.first_seen:
        # Of two, the clock has only ever seen the trigger as it is now.
        return [Era.of(definitions[-1], since=row.first_seen, until=ends)]
    return [
        Era.of(definitions[0], since=row.first_seen, until=row.changed_at),
        Era.of(definitions[1], since=row.changed_at, until=ends),
    ]
