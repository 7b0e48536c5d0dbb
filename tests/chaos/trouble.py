"""Makes trouble on the platform, all the time: faults, lags, outages, lost dynos.

What it does comes from a seed; when, from the clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from tests.fakes.remote import RemoteHeroku

#: Requests an hour, and tokens below none for an outage by the rate limit.
RATE_LIMIT = 100_000
_TOKENS_SHORT = -250
_EXIT_LINES = "Process exited with status"
_PLACES = {
    "launch": ("POST", r"/dynos$"),
    "list": ("GET", r"/dynos$"),
    "log session": ("POST", r"/log-sessions$"),
    "stop": ("POST", r"/actions/stop$"),
    "log": ("GET", r"/_logs/"),
}
_BEFORE = ("status", "close_before", "reset_before", "delay")
_AFTER = ("status_after", "close_after", "reset_after", "garbage", "truncate")
_HANGS = ("hang", "hang_after")
_STREAM = ("cut", "end", "duplicate")
_BLIND = ("mute", "never_closed")
_STATUSES = (500, 502, 503, 503, 429, 409)


@dataclass
class Trouble:
    """Trouble of every kind; call `step` often, and `end` at the end.

    Args:
        rng: Where chance comes from.
        apps: The fake platform, once for each app.
        every_s: Seconds between two troubles, on average.
        harsh: Whether there are also those that take minutes to get over, or lose log
            lines for good.
    """

    rng: random.Random
    apps: Sequence[RemoteHeroku]
    every_s: float
    harsh: bool
    made: Counter[str] = field(default_factory=Counter)
    _next_at: float = 0.0
    _undo: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _away_until: float = 0.0

    def step(self, now: float) -> None:
        """Make what trouble is due at `now`, in seconds of the monotonic clock."""
        if now < self._away_until:
            return
        try:
            self._end_due(now)
            if now >= self._next_at:
                self._next_at = now + self.rng.expovariate(1 / self.every_s)
                self._make(now)
        except OSError:
            # The platform is on its way out, or back.
            self._away_until = now + 0.5

    def end(self) -> None:
        """End all trouble; raises OSError while the platform is still away."""
        self._end_due(float("inf"))
        self._platform.heal()
        for app in self.apps:
            app.set_app(drops=None, delays=None, limit=500)
            app.say("app", "web.1", "all is well again")

    @property
    def _platform(self) -> RemoteHeroku:
        return self.apps[0]

    def _end_due(self, now: float) -> None:
        for at, undo in list(self._undo):
            if at <= now:
                undo()
                self._undo.remove((at, undo))

    def _make(self, now: float) -> None:
        makers: dict[Callable[[float], None], float] = {
            self._fault: 10,
            self._stream_fault: 2,
            self._cut: 1,
            self._lag: 1.5,
            self._habit: 1.5,
            self._full: 0.5,
            self._rate_limit: 0.5,
            self._end_dyno: 1.5,
        }
        if self.harsh:
            makers |= {self._outage: 0.15, self._drop: 0.4, self._blind: 0.15}
        (make,) = self.rng.choices(list(makers), list(makers.values()))
        make(now)

    def _set(self, now: float, seconds: float, after: Any, **settings: Any) -> None:
        """Change an app's habits for a while."""
        app = self.rng.choice(self.apps)
        app.set_app(**settings)
        undone = dict.fromkeys(settings, after)
        self._undo.append((now + seconds, lambda: app.set_app(**undone)))
        for name in settings:
            self.made[name] += 1

    def _fault(self, _now: float) -> None:
        rng = self.rng
        place = rng.choices(list(_PLACES), [6, 2, 2, 2, 1])[0]
        method, path = _PLACES[place]
        kinds: tuple[str, ...] = _BEFORE if place == "log" else _BEFORE + _AFTER
        if self.harsh and rng.random() < 0.08:
            kinds = _HANGS[:1] if place == "log" else _HANGS
        options: dict[str, Any] = {"delay_s": round(rng.uniform(0.2, 4), 2)}
        kind = rng.choice(kinds)
        if kind == "status":
            options["status"] = rng.choice(_STATUSES)
            if options["status"] == 429 and rng.random() < 0.5:
                options["headers"] = {"Retry-After": str(rng.randint(1, 5))}
        self._platform.fault(
            kind, method=method, path=path, times=rng.randint(1, 3), **options
        )

    def _stream_fault(self, _now: float) -> None:
        kind = self.rng.choice(_STREAM)
        self._platform.fault(kind, path="/_logs/", lines=self.rng.randint(0, 40))

    def _blind(self, _now: float) -> None:
        self._platform.fault(self.rng.choice(_BLIND), path="/_logs/")

    def _cut(self, _now: float) -> None:
        clean = self.rng.random() < 0.5
        self._platform.cut_streams(clean=clean)
        self.made["streams ended" if clean else "streams broken off"] += 1

    def _lag(self, now: float) -> None:
        name = self.rng.choice(["list_lag_s", "lingers_s", "boot_s"])
        longest = {"list_lag_s": 8.0, "lingers_s": 10.0, "boot_s": 3.0}[name]
        seconds = round(self.rng.uniform(0.2, longest), 1)
        self._set(now, self.rng.uniform(5, 15), 0.0, **{name: seconds})

    def _habit(self, now: float) -> None:
        names = ["skips_up", "gone_at_stop"] + ["ignores_stops"] * self.harsh
        self._set(now, self.rng.uniform(5, 15), False, **{self.rng.choice(names): True})

    def _drop(self, now: float) -> None:
        if self.rng.random() < 0.5:
            self._set(now, 1.0, None, drops=_EXIT_LINES)
        else:
            self._set(now, 4.0, None, delays=_EXIT_LINES)

    def _full(self, now: float) -> None:
        self._set(now, self.rng.uniform(4, 10), 500, limit=self.rng.randint(0, 3))

    def _rate_limit(self, _now: float) -> None:
        retry_after_s = self.rng.choice([None, 2, 5])
        self._platform.set_platform(tokens=_TOKENS_SHORT, retry_after_s=retry_after_s)
        self.made["rate limit"] += 1

    def _end_dyno(self, _now: float) -> None:
        running = self._platform.running()
        if not running:
            return
        what = self.rng.choice(
            ["stop", "cycle", "exceed_memory"] + ["vanish"] * self.harsh
        )
        try:
            self._platform.do(self.rng.choice(running), what)
        except ValueError:
            return  # it ended meanwhile
        self.made[f"dyno: {what}"] += 1

    def _outage(self, now: float) -> None:
        seconds = round(self.rng.uniform(2, 30), 1)
        self._platform.go_away(seconds)
        self._away_until = now + seconds + 1
        self.made["outage"] += 1
