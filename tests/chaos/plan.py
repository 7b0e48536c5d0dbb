"""What a campaign runs: triggers of every kind, and the edits they go through.

All comes from a seed. Tasks are short, so that much is proven in a minute.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.remote import APP

OTHER_APP = "calm-river-2"
APPS = (APP, OTHER_APP)
PROCFILE = "nap: sleep\n"
#: A task that ends by SIGKILL only.
_STUBBORN = "trap '' TERM; sleep 300"

Definition = dict[str, Any]

#: Those that fire every minute or two; where nothing else is said, every minute.
_RECURRING: dict[str, Definition] = {
    "skip-short": {"command": "sleep 2; echo skip-short", "overlap": "skip"},
    "skip-long": {"command": "sleep 75; : skip-long", "timeout": 90},
    "queue-long": {"command": "sleep 20; : queue-long", "overlap": "queue"},
    "queue-over": {
        "command": "sleep 35; : queue-over",
        "overlap": "queue",
        "cron": "*/2 * * * *",
    },
    "allow-long": {
        "command": "sleep 80; : allow-long",
        "overlap": "allow",
        "timeout": 100,
    },
    "replace-long": {
        "command": "sleep 200; : replace-long",
        "overlap": "replace",
        "timeout": 120,
    },
    "fails": {
        "command": "sleep 1; echo no; exit 3",
        "cron": "*/2 * * * *",
        "retries": 2,
        "retry_delay": 8,
    },
    "times-out": {
        "command": "sleep 300; : times-out",
        "cron": "*/3 * * * *",
        "retries": 1,
        "retry_delay": 5,
    },
    "stubborn": {"command": _STUBBORN, "cron": "*/3 * * * *"},
    "all": {
        "command": "sleep 4; : all",
        "catch_up": {"within": "10m", "run": "all"},
    },
    "now-or-never": {"command": "sleep 1; : now-or-never", "catch_up": "none"},
    "jittered": {"command": "sleep 1; : jittered", "jitter": 30},
    "quiet": {"command": "echo unheard; : quiet", "output": "none"},
    "twin-1": {"command": "sleep 3; echo twin"},
    "twin-2": {"command": "sleep 3; echo twin"},
    "procfile": {"command": "nap 2"},
    "too-large": {
        "command": "sleep 1; : too-large",
        "cron": "*/2 * * * *",
        "dyno": "private-s",
        "timeout": 240,
    },
    "in-riga": {
        "command": "sleep 1; : in-riga",
        "every": "1m",
        "app": OTHER_APP,
        "timezone": "Europe/Riga",
    },
}


@dataclass(frozen=True, kw_only=True)
class Version:
    """A trigger as the file had it; None once it was taken out."""

    definition: Definition | None


@dataclass
class Plan:
    """The triggers of a campaign, each with its versions, oldest first.

    Args:
        versions: By slug; the last one is what the file says.
        broken: Whether the file cannot be read just now.
    """

    versions: dict[str, list[Version]] = field(default_factory=dict)
    broken: bool = False

    @property
    def slugs(self) -> list[str]:
        """The slugs that the file has now."""
        return [slug for slug, vs in self.versions.items() if vs[-1].definition]

    def edit(self, slug: str, definition: Definition | None) -> None:
        """Add a trigger, change it, or take it out."""
        version = Version(definition=definition)
        self.versions.setdefault(slug, []).append(version)

    def is_untouched(self, slug: str) -> bool:
        """Return whether a trigger has never been edited."""
        return len(self.versions[slug]) == 1

    def text(self) -> str:
        """Return the triggers of the file, one a line: JSON is YAML."""
        lines = [
            f"  {slug}: {json.dumps(self.versions[slug][-1].definition)}\n"
            for slug in self.slugs
        ]
        return "".join(lines) + ("  broken: {cron: at noon}\n" if self.broken else "")


def make_plan(
    rng: random.Random,
    *,
    begin: datetime,
    seconds: float,
    one_offs: int,
    recurring: bool,
    long_tasks: bool,
) -> Plan:
    """Return the triggers of a campaign.

    Args:
        rng: Where chance comes from.
        begin: The first instant at which a one-off may fire.
        seconds: How long the campaign is from there.
        one_offs: How many triggers fire once.
        recurring: Whether there are others.
        long_tasks: Whether some tasks take up to a minute, or longer than allowed.
    """
    plan = Plan()
    if recurring:
        for slug, definition in _RECURRING.items():
            has_schedule = bool({"every", "cron"} & definition.keys())
            schedule = {} if has_schedule else {"cron": "* * * * *"}
            plan.edit(slug, {"timeout": 60, **definition, **schedule})
    for number in range(one_offs):
        slug = f"once-{number:04}"
        at = begin + timedelta(seconds=rng.uniform(0, seconds))
        plan.edit(slug, one_off(rng, slug, at, long_tasks=long_tasks))
    return plan


def one_off(
    rng: random.Random, slug: str, at: datetime, *, long_tasks: bool
) -> Definition:
    """Return a trigger that fires once, at a whole second."""
    definition: Definition = {
        "at": f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        "command": _command(rng, slug, long_tasks=long_tasks),
        "timeout": 60,
        "app": rng.choice(APPS),
    }
    if rng.random() < 0.15:
        definition |= {"retries": 1, "retry_delay": rng.choice([1, 5, 10])}
    if rng.random() < 0.1:
        definition["jitter"] = 5
    if rng.random() < 0.05:
        definition["catch_up"] = "none"
    if rng.random() < 0.1:
        definition["output"] = "none"
    return definition


def _command(rng: random.Random, slug: str, *, long_tasks: bool) -> str:
    kind = rng.random()
    if kind < 0.07:
        return "true"  # equal to others: they have to be told apart
    if kind < 0.12:
        return f"nap {rng.choice([0, 1, 2])}"
    if kind < 0.2 and long_tasks:
        return f"sleep {rng.uniform(8, 45):.1f}; : {slug}"
    if kind < 0.24 and long_tasks:
        return f"{rng.choice(['sleep 300', _STUBBORN])}; : {slug}"
    status = rng.choice([0, 0, 0, 0, 1, 3, 143])
    nap = rng.choice([0, 0.2, 0.5, 1, 2, 4])
    return f"sleep {nap}; echo {slug}; exit {status}"


def moved(definition: Definition, at: datetime) -> Definition:
    """Return a trigger that fires once, at another instant."""
    return definition | {"at": f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"}
