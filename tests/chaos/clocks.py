"""Keeps clocks running, and kills, freezes, stops and replaces them all the time."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clockd.failpoints import SAYS, STEPS

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from tests.support.clockd import Clock, Home

#: Where a clock is frozen, past its lease or not, and goes on when it wakes.
FREEZES = (
    *("claim.writing", "claim.written", "take.writing", "take.written"),
    *("launch.guarding", "launch.sent", "launch.answered", "dyno.writing"),
    *("finish.writing", "stop.noted"),
)
#: Longer than a standby waits for a holder that stands still.
_LONG_S = (12.0, 18.0)
_SHORT_S = (0.5, 5.0)
#: Failpoints of one clock: the first it comes to ends it, the others are another's.
_ARMED = 3
#: The share of clocks without one, so that something is done in between.
_SPARED = 0.1
#: Steps that come often: not always the first time is meant.
_OFTEN = ("claim.", "take.", "launch.g", "launch.s", "launch.a", "dyno.", "finish.")


@dataclass
class _Slot:
    """A place for a clock: who is there, and what is to happen to it."""

    clock: Clock | None = None
    points: list[str] = field(default_factory=list)  #: failpoints not reached yet
    start_at: float = 0.0
    wake_at: float | None = None  #: it is frozen until then
    told_to_stop: bool = False


@dataclass
class Clocks:
    """A clock and its standbys; call `step` often, and `end` at the end.

    Args:
        rng: Where chance comes from.
        home: Where they run.
        count: How many there are at a time.
        strike_every_s: Seconds between two strikes at a random moment, on average.
        points: The failpoints that are to be reached, one for each clock that comes;
            where none are given every step of `failpoints.STEPS`, and freezes at some,
            in random order, again and again.
    """

    rng: random.Random
    home: Home
    count: int
    strike_every_s: float
    points: Sequence[str] | None = None
    kills: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)  #: clocks that ended by themselves
    calm: bool = False
    _deck: list[str] = field(default_factory=list)
    _slots: list[_Slot] = field(default_factory=list)
    _strike_at: float | None = None

    def __post_init__(self) -> None:
        self._deck = list(self.points if self.points is not None else self._shuffled())
        self._slots = [_Slot() for _ in range(self.count)]

    def _shuffled(self) -> list[str]:
        """Return every step once, with freezes among them."""
        kills = [f"{step}{self._times(step)}" for step in STEPS]
        freezes = [f"{step}=stop" for step in FREEZES]
        self.rng.shuffle(freezes)
        mixed = kills + freezes[: len(kills) // 3]
        self.rng.shuffle(mixed)
        return mixed

    def _times(self, step: str) -> str:
        times = self.rng.randint(1, 4) if step.startswith(_OFTEN) else 1
        return f":{times}" if times > 1 else ""

    @property
    def reached(self) -> set[str]:
        """The steps at which a clock was killed."""
        return {name.removeprefix("at ") for name in self.kills if name[:3] == "at "}

    @property
    def frozen(self) -> bool:
        """Whether a clock is frozen now, maybe in the middle of a write."""
        return any(slot.wake_at is not None for slot in self._slots)

    @property
    def running(self) -> list[Clock]:
        """The clocks that run."""
        return [slot.clock for slot in self._slots if slot.clock is not None]

    def step(self, now: float) -> None:
        """Do what is due at `now`, in seconds of the monotonic clock."""
        for slot in self._slots:
            self._mind(slot, now)
        if self._strike_at is None:
            self._strike_at = now + self.rng.expovariate(1 / self.strike_every_s)
        elif now >= self._strike_at and not self.calm:
            self._strike_at = now + self.rng.expovariate(1 / self.strike_every_s)
            self._strike(self.rng.choice(self._slots), now)

    def relax(self) -> None:
        """From now on, let clocks live; those who die are replaced all the same."""
        self.calm = True
        for slot in self._slots:
            self._wake(slot)

    def end(self) -> None:
        """Stop every clock, as a platform does."""
        self.relax()
        for clock in self.running:
            clock.send(signal.SIGTERM)
        for clock in self.running:
            clock.process.wait(30)

    def kill(self) -> None:
        """Leave no clock behind."""
        for clock in self.running:
            clock.kill()

    # -- one clock -------------------------------------------------------------

    def _mind(self, slot: _Slot, now: float) -> None:
        if slot.clock is None:
            if now >= slot.start_at:
                self._start(slot)
        elif slot.wake_at is not None:
            if now >= slot.wake_at:
                self._wake(slot)
        elif slot.clock.process.poll() is not None:
            self._bury(slot, now)
        elif self._is_stopped(slot.clock):
            self.kills[f"frozen at {self._strike_off(slot)}"] += 1
            slot.wake_at = now + self._freeze_s()

    def _start(self, slot: _Slot) -> None:
        if not self._deck and self.points is None:
            self._deck = self._shuffled()
        armed = 1  # of those that were asked for: whoever is the clock has one
        if self.points is None:
            armed = 0 if self.rng.random() < _SPARED else _ARMED
        slot.points = [] if self.calm else self._deck[:armed]
        del self._deck[: len(slot.points)]
        slot.told_to_stop = False
        self.home.environ["CLOCKD_FAILPOINT"] = ",".join(slot.points)
        slot.clock = self.home.start(ready=False)
        del self.home.environ["CLOCKD_FAILPOINT"]

    def _bury(self, slot: _Slot, now: float) -> None:
        """Note how a clock ended that was not struck, and let another one come."""
        assert slot.clock is not None
        status = slot.clock.process.returncode
        if slot.told_to_stop and status == 0:
            self.kills["SIGTERM"] += 1
        elif status == -signal.SIGKILL and (step := self._strike_off(slot)):
            self.kills[f"at {step}"] += 1
        else:
            number = self.home.clocks.index(slot.clock)
            self.faults.append(f"clock-{number} ended with status {status}")
        self._vacate(slot, now)

    def _strike_off(self, slot: _Slot) -> str:
        """Return the step at which a clock has just come to its failpoint."""
        assert slot.clock is not None
        said = re.findall(rf"^{SAYS}(.+)$", slot.clock.text, re.MULTILINE)
        step: str = said[-1] if said else ""
        reached = [p for p in slot.points if re.split("[:=]", p)[0] == step]
        for point in reached[:1]:
            slot.points.remove(point)
        return step

    def _vacate(self, slot: _Slot, now: float) -> None:
        self._deck += slot.points  # never reached: another one's turn
        slot.clock, slot.points, slot.wake_at = None, [], None
        slot.start_at = now + self.rng.uniform(0, 1.5)

    def _strike(self, slot: _Slot, now: float) -> None:
        if slot.clock is None or slot.wake_at is not None or slot.told_to_stop:
            return
        if slot.clock.process.poll() is not None:
            return
        what = self.rng.choices(["kill", "freeze", "stop"], [5, 3, 2])[0]
        if what == "kill":
            slot.clock.kill()
            self.kills["SIGKILL at random"] += 1
            self._vacate(slot, now)
        elif what == "freeze":
            slot.clock.send(signal.SIGSTOP)
            self.kills["SIGSTOP at random"] += 1
            slot.wake_at = now + self._freeze_s()
        else:
            slot.clock.send(signal.SIGTERM)
            slot.told_to_stop = True

    def _freeze_s(self) -> float:
        return self.rng.uniform(*(_LONG_S if self.rng.random() < 0.7 else _SHORT_S))

    def _wake(self, slot: _Slot) -> None:
        slot.wake_at = None
        if slot.clock is not None and slot.clock.process.poll() is None:
            slot.clock.send(signal.SIGCONT)

    def _is_stopped(self, clock: Clock) -> bool:
        """Return whether a clock has frozen itself since the last time."""
        with suppress(ChildProcessError):
            options = os.WSTOPPED | os.WNOHANG
            return os.waitid(os.P_PID, clock.process.pid, options) is not None
        return False
