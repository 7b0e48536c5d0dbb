"""The figures of a campaign, as a table and as JSON, and what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from clockd.failpoints import STEPS
from tests.chaos.books import Violation, evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.chaos.books import Books, Verdict
    from tests.chaos.truth import Truth

#: A campaign of this length has no excuse for a failpoint that was not reached.
LONG_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a campaign came to."""

    seed: int
    seconds: float
    triggers: int
    fire_times: int
    runs: int
    launched: int
    dynos: int
    outcomes: Mapping[str, int]
    kills: Mapping[str, int]
    faults: Mapping[str, int]
    people: Mapping[str, int]
    lost: int
    doubled: int
    wrong: int
    late: int
    unfinished: int
    losses: Mapping[str, int]  #: runs whose outcome is `lost`, by cause
    failpoints: int  #: how many steps a clock was killed at
    violations: tuple[Violation, ...] = ()
    evidence: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the evidence."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        del told["evidence"]
        return told | {"violations": [asdict(v) for v in self.violations]}

    def table(self) -> str:
        """Return the figures as people read them."""
        rows = [
            ("seed", self.seed),
            ("seconds", round(self.seconds)),
            ("triggers", self.triggers),
            ("fire times", self.fire_times),
            ("runs", self.runs),
            ("runs launched", self.launched),
            ("dynos started", self.dynos),
            ("kills and freezes", sum(self.kills.values())),
            ("failpoints reached", f"{self.failpoints} of {len(STEPS)}"),
            ("faults", sum(self.faults.values())),
            ("fire times lost", self.lost),
            ("doubled", self.doubled),
            ("wrong outcomes", self.wrong),
            ("dynos too late", self.late),
            ("not finished", self.unfinished),
            ("runs that are `lost`", sum(self.losses.values())),
        ]
        text = "".join(f"{name:24}{value}\n" for name, value in rows)
        for title, counts in (
            ("of which because", self.losses),
            ("outcomes", self.outcomes),
            ("kills", self.kills),
            ("faults", self.faults),
            ("people", self.people),
        ):
            text += f"\n{title}\n"
            text += "".join(f"  {n:34}{c}\n" for n, c in sorted(counts.items()))
        return text

    def complaint(self, folder: Path) -> str:
        """Return what is wrong, and where all that is known of it lies."""
        lines = [f"{v.kind}: {v.what} (runs {v.run_ids})" for v in self.violations[:40]]
        told = "\n".join(lines)
        return (
            f"\n{len(self.violations)} violations, seed {self.seed}:\n{told}\n"
            f"logs, database and violations.json: {folder}\n"
        )

    def evidence_text(self) -> str:
        """Return all that is known of the runs that are not right."""
        return json.dumps(self.evidence, indent=1, default=str)


def figures(
    books: Books,
    truth: Truth,
    verdict: Verdict,
    *,
    seed: int,
    seconds: float,
    kills: Counter[str],
    ended: Sequence[str],
    faults: Mapping[str, int],
    people: Mapping[str, int],
    restarts: int,
) -> Figures:
    """Return the figures of a campaign.

    Args:
        books: What clockd has on record.
        truth: What the platform has.
        verdict: What their comparison found.
        seed: Where chance came from.
        seconds: How long trouble was made.
        kills: What was done to clocks.
        ended: Clocks that ended by themselves, a sentence each.
        faults: What the platform did.
        people: What people did.
        restarts: How often the database was restarted.
    """
    counted = [r for r in books.runs if (r.fire_time or r.claimed_at) <= books.until]
    reached = {n.removeprefix("at ") for n in kills if n.startswith("at ")}
    violations = [*verdict.violations]
    violations += [Violation(kind="clock", what=what) for what in ended]
    if seconds >= LONG_S:
        violations += [
            Violation(kind="unproven", what=f"no clock was killed at {step}")
            for step in STEPS
            if step not in reached
        ]
    if restarts:
        kills["PostgreSQL restarted"] += restarts
    return Figures(
        seed=seed,
        seconds=seconds,
        triggers=len(books.expected),
        fire_times=sum(map(len, books.expected.values())),
        runs=len(counted),
        launched=sum(bool(run.attempts) for run in counted),
        dynos=sum(bool(dyno.run_id) for dyno in truth.dynos),
        outcomes=verdict.outcomes,
        kills=kills,
        faults=faults,
        people=people,
        lost=verdict.count("lost"),
        doubled=verdict.count("doubled"),
        wrong=verdict.count("wrong"),
        late=verdict.count("late"),
        unfinished=verdict.count("unfinished"),
        losses=Counter(verdict.losses.values()),
        failpoints=len(reached),
        violations=tuple(violations),
        evidence=tuple(evidence(v, books, truth) for v in violations),
    )
