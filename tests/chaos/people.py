"""What people do meanwhile: runs by hand, cancels, and edits of triggers.yaml."""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from clockd import clock, service
from clockd.errors import ClockdError
from tests.chaos.plan import moved, one_off

if TYPE_CHECKING:
    import random
    import subprocess
    from collections.abc import Callable

    from tests.chaos.plan import Plan
    from tests.support.clockd import Home

#: How long a broken file stays.
_BROKEN_S = 4.0


@dataclass
class People:
    """People at work; call `step` often, and `end` at the end.

    Args:
        rng: Where chance comes from.
        home: Where their triggers.yaml and database are.
        plan: The triggers; edits are noted there.
        every_s: Seconds between two things they do, on average.
        commands: Whether they use `clockd run-now` too, which costs a process.
    """

    rng: random.Random
    home: Home
    plan: Plan
    every_s: float
    commands: bool
    done: Counter[str] = field(default_factory=Counter)
    _next_at: float = 0.0
    _mend_at: float | None = None
    _added: int = 0
    _running: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self) -> None:
        """Write the file as the plan has it."""
        self.home.write(self.plan.text(), top="runner: heroku")

    def step(self, now: float) -> None:
        """Do what is due at `now`, in seconds of the monotonic clock."""
        self._running = [each for each in self._running if self._attend(each)]
        if self._mend_at is not None and now >= self._mend_at:
            self._mend()
        if now < self._next_at:
            return
        first, self._next_at = not self._next_at, now + self._pause_s()
        if not first:
            # The database may be on its knees; people try again later.
            with suppress(ClockdError):
                self._do(now)

    def end(self) -> None:
        """Leave a good file, and wait for nothing."""
        if self._mend_at is not None:
            self._mend()
        for each in self._running:
            each.kill()
            each.communicate()
        self._running.clear()

    def _pause_s(self) -> float:
        return self.rng.expovariate(1 / self.every_s)

    def _do(self, now: float) -> None:
        works: dict[Callable[[float], None], float] = {
            self._ask: 5,
            self._cancel: 3,
            self._edit: 3,
            self._break: 0.3,
        }
        if self.commands:
            works[self._run_now] = 0.7
        (work,) = self.rng.choices(list(works), list(works.values()))
        work(now)

    # -- runs ------------------------------------------------------------------

    def _ask(self, _now: float) -> None:
        slug = self.rng.choice(self.plan.slugs)
        with self.home.store() as store:
            trigger = store.triggers.find(slug).trigger
            service.request_run(store, trigger, by="a campaign")
        self.done["runs by hand"] += 1

    def _cancel(self, _now: float) -> None:
        with self.home.store() as store:
            active = [r for r in store.runs.list(limit=80) if r.outcome is None]
            if active:
                service.cancel_run(store, self.rng.choice(active).id, by="a campaign")
                self.done["cancels"] += 1

    def _run_now(self, _now: float) -> None:
        if len(self._running) < 2:
            slug = self.rng.choice(self.plan.slugs)
            self._running.append(self.home.begin("run-now", slug))
            self.done["run-now"] += 1

    def _attend(self, process: subprocess.Popen[str]) -> bool:
        """Return whether a `run-now` goes on; sometimes it is killed."""
        if process.poll() is None and self.rng.random() > 0.003:
            return True
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            self.done["run-now killed"] += 1
        process.communicate()
        return False

    # -- the file --------------------------------------------------------------

    def _edit(self, _now: float) -> None:
        rng, plan, now = self.rng, self.plan, clock.now()
        later = now + timedelta(seconds=rng.uniform(2, 20))
        kind = rng.choice(["add", "move", "remove", "reschedule", "touch"])
        untouched = [slug for slug in plan.slugs if plan.is_untouched(slug)]
        once = [slug for slug in untouched if slug.startswith("once-")]
        recurring = [s for s in untouched if "cron" in self._definition(s)]
        if kind == "add":
            slug = f"added-{self._added:03}"
            self._added += 1
            plan.edit(slug, one_off(rng, slug, later, long_tasks=False))
        elif kind == "move" and once:
            slug = rng.choice(once)
            plan.edit(slug, moved(self._definition(slug), later))
        elif kind == "remove" and untouched:
            plan.edit(rng.choice(once or untouched), None)
        elif kind == "reschedule" and recurring:
            slug = rng.choice(recurring)
            old = self._definition(slug)
            cron = "* * * * *" if old["cron"] != "* * * * *" else "*/2 * * * *"
            plan.edit(slug, old | {"cron": cron})
        else:
            kind = "touch"
        self.write()
        self.done[f"edit: {kind}"] += 1

    def _definition(self, slug: str) -> dict[str, object]:
        definition = self.plan.versions[slug][-1].definition
        assert definition is not None
        return definition

    def _break(self, now: float) -> None:
        self.plan.broken = True
        self._mend_at = now + _BROKEN_S
        self.write()
        self.done["broken files"] += 1

    def _mend(self) -> None:
        self.plan.broken = False
        self._mend_at = None
        self.write()
