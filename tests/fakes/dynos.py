"""The dynos of the fake platform: real processes, and the log lines about them."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO, Any

from tests.fakes.logs import AppLog

_PRODUCTION = (
    "Standard-1X", "Standard-2X", "Performance-M", "Performance-L",
    "Performance-L-RAM", "Performance-XL", "Performance-2XL",
)  # fmt: skip
_PRIVATE = ("Private-S", "Private-M", "Private-L")
_SHIELD = ("Shield-S", "Shield-M", "Shield-L")
#: Per tier: the sizes a one-off dyno may have (the first is the default), and how many
#: may run at once.
TIERS = {
    "eco": (("Eco",), 1),
    "basic": (("Basic",), 50),
    "production": (_PRODUCTION, 50),
    "private": (_PRIVATE, 5),
    "shield": (_SHIELD, 5),
}
ALL_SIZES = tuple(size for sizes, _ in TIERS.values() for size in sizes)
_PERFORMANCE_LIMIT = 5
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(eq=False)
class FakeDyno:
    """A one-off dyno; stays in the journal when it is gone."""

    id: str
    name: str
    type: str
    command: str
    shown: str
    env: dict[str, str]
    size: str
    requested_size: str | None
    time_to_live: int | None
    created_at: datetime
    created_mono: float = field(default_factory=time.monotonic)
    state: str = "starting"
    ended_at: datetime | None = None
    gone_at_mono: float | None = None
    exit_status: int | None = None
    stopped_by: str | None = None
    stopped_at: datetime | None = None
    unheard: bool = False  #: the log tells nothing of its end
    process: subprocess.Popen[bytes] | None = None
    timers: list[threading.Timer] = field(default_factory=list)

    def later(self, delay_s: float, work: Any) -> None:
        """Do something after a while, unless the dyno has ended before."""
        timer = threading.Timer(delay_s, work, (self,))
        timer.daemon = True
        self.timers.append(timer)
        timer.start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def to_json(self, app: FakeApp) -> dict[str, Any]:
        """Return what the Platform API shows."""
        stamp = self.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "attach_url": None,
            "command": self.shown,
            "created_at": stamp,
            "id": self.id,
            "name": self.name,
            "release": {"id": app.release_id, "version": 42},
            "app": {"name": app.name, "id": app.id},
            "size": self.size.replace("Shield", "Private"),
            "state": self.state,
            "type": self.type,
            "updated_at": stamp,
        }

    def to_journal(self) -> dict[str, Any]:
        """Return what the books of the fake say."""
        return {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "command": self.command,
            "env": self.env,
            "size": self.size,
            "requested_size": self.requested_size,
            "time_to_live": self.time_to_live,
            "started_at": self.created_at.timestamp(),
            "ended_at": self.ended_at.timestamp() if self.ended_at else None,
            "exit_status": self.exit_status,
            "stopped_by": self.stopped_by,
            "stopped_at": self.stopped_at.timestamp() if self.stopped_at else None,
            "unheard": self.unheard,
        }


@dataclass(eq=False)
class FakeApp(AppLog):
    """An app: its dynos, its log, and how it behaves.

    Args:
        shows_expanded: Whether `command` shows the Procfile's text for a process type.
        boot_s: How long a dyno is `starting` before its process runs.
        skips_up: Whether dynos go from `starting` to `complete`, as fast ones do.
        stop_grace_s: Seconds between SIGTERM and SIGKILL.
        list_lag_s: How long a new dyno is missing in the list, and unknown by name.
        lingers_s: How long an ended dyno is still listed.
        gone_at_stop: Whether a stopped dyno leaves the list before it has ended.
        ignores_stops: Whether stops are answered well and not carried out.
        recycles: How many dyno names there are; None for no end of them.
    """

    name: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    release_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    tier: str = "production"
    generation: str = "cedar"
    space: dict[str, Any] | None = None
    default_size: str = "Standard-1X"
    sizes: tuple[str, ...] = _PRODUCTION
    limit: int = 50
    procfile: dict[str, str] = field(default_factory=dict)
    config_vars: dict[str, str] = field(default_factory=dict)
    shows_expanded: bool = True
    boot_s: float = 0.0
    skips_up: bool = False
    stop_grace_s: float = 30.0
    list_lag_s: float = 0.0
    lingers_s: float = 0.0
    gone_at_stop: bool = False
    ignores_stops: bool = False
    recycles: int | None = None
    closed: bool = False
    numbers: Any = field(default_factory=lambda: itertools.count(0))
    dynos: list[FakeDyno] = field(default_factory=list)  #: that run
    journal: list[FakeDyno] = field(default_factory=list)  #: that ever ran

    def become(self, tier: str) -> None:
        """Take on a tier's sizes and limit."""
        self.tier = tier
        self.sizes, self.limit = TIERS[tier]
        self.default_size = self.sizes[0]

    def size_named(self, name: str | None) -> str | None:
        """Return the size that a request means, None where the app may not have it."""
        if name is None:
            return self.default_size
        return next((s for s in self.sizes if s.lower() == name.lower()), None)

    def limit_for(self, size: str) -> int | None:
        """Return the limit that one more dyno of `size` would go beyond."""
        performance = size.startswith("Performance")
        limit = min(_PERFORMANCE_LIMIT, self.limit) if performance else self.limit
        same = [
            d for d in self.dynos if d.size.startswith("Performance") is performance
        ]
        return limit if len(same) >= limit else None

    # -- commands --------------------------------------------------------------

    def expand(self, command: str) -> str:
        """Return a command with its Procfile process type replaced."""
        word, blank, rest = command.partition(" ")
        return f"{self.procfile.get(word, word)}{blank}{rest}"

    def expand_config(self, command: str) -> str:
        """Return a command as the log shows it: with the values of config vars."""
        return _VARIABLE.sub(
            lambda found: self.config_vars.get(found[1] or found[2], found[0]), command
        )

    # -- life of a dyno --------------------------------------------------------

    def start(
        self,
        command: str,
        *,
        type_: str = "run",
        size: str | None = None,
        env: dict[str, str] | None = None,
        time_to_live: int | None = None,
    ) -> FakeDyno:
        """Start a dyno as the platform would."""
        with self.changed:
            dyno = FakeDyno(
                id=str(uuid.uuid4()),
                name=self._free_name(type_),
                type=type_,
                command=command,
                shown=self.expand(command) if self.shows_expanded else command,
                env=env or {},
                size=self.size_named(size) or self.default_size,
                requested_size=size,
                time_to_live=time_to_live,
                created_at=self.now(),
            )
            self.dynos.append(dyno)
            self.journal.append(dyno)
        by = f"Starting process with command `{command}` by user me@example.com"
        self.say("app", "api", by)
        if time_to_live is not None:
            dyno.later(time_to_live, self.expire)
        if self.boot_s:
            dyno.later(self.boot_s, self._boot)
        else:
            self._boot(dyno)
        return dyno

    def _free_name(self, type_: str) -> str:
        used = {dyno.name for dyno in self.dynos}
        for number in self.numbers:
            name = f"{type_}.{1001 + number % (self.recycles or 9000)}"
            if name not in used:
                return name
        raise AssertionError("numbers have no end")

    def _boot(self, dyno: FakeDyno) -> None:
        command = self.expand(dyno.command)
        with self.changed:
            if dyno.stopped_by is None and not self.closed:
                shown = self.expand_config(command)
                text = f"Starting process with command `{shown}`"
                self.say("heroku", dyno.name, text)
                dyno.process = self._spawn(dyno, command)
        if dyno.process is None:
            self._end(dyno, 143)
        else:
            threading.Thread(target=self._follow, args=(dyno,), daemon=True).start()

    def _spawn(self, dyno: FakeDyno, command: str) -> subprocess.Popen[bytes]:
        environ = {"PATH": os.environ["PATH"], "DYNO": dyno.name}
        return subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**environ, **self.config_vars, **dyno.env},
        )

    def _follow(self, dyno: FakeDyno) -> None:
        process = dyno.process
        assert process is not None
        assert process.stdout is not None
        with self.changed:
            if not self.skips_up and dyno.state == "starting":
                self.say("heroku", dyno.name, "State changed from starting to up")
                dyno.state = "up"
        reader = threading.Thread(
            target=self._read, args=(dyno, process.stdout), daemon=True
        )
        reader.start()
        # Not reaped yet, so that its group still has its number.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        dyno.signal(signal.SIGKILL)
        status = process.wait()
        reader.join(5)
        self._end(dyno, status if status >= 0 else 128 - status)

    def _read(self, dyno: FakeDyno, stdout: IO[bytes]) -> None:
        with stdout:
            for line in stdout:
                self.say_output(dyno.name, line)

    def _end(self, dyno: FakeDyno, status: int) -> None:
        """Write the last lines: the state first, though it came a moment later."""
        ended = self.now()
        for timer in dyno.timers:
            timer.cancel()
        with self.changed:
            dyno.exit_status, dyno.ended_at = status, ended
            dyno.gone_at_mono = time.monotonic()
            before, dyno.state = dyno.state, "complete"
            self.dynos.remove(dyno)
        if dyno.unheard:
            return
        if dyno.stopped_by is None:
            later = ended + timedelta(milliseconds=17)
            text = f"State changed from {before} to complete"
            self.say("heroku", dyno.name, text, later)
        self.say("heroku", dyno.name, f"Process exited with status {status}", ended)

    def stop(self, dyno: FakeDyno, by: str, *, cycling: bool = False) -> None:
        """Stop a dyno: SIGTERM to all of it, SIGKILL after the grace."""
        with self.changed:
            if dyno.stopped_by is not None or dyno.ended_at is not None:
                return
            dyno.stopped_by, dyno.stopped_at = by, self.now()
            before, dyno.state = dyno.state, "complete"
        if cycling:
            self.say("heroku", dyno.name, "Cycling")
        self.say("heroku", dyno.name, f"State changed from {before} to complete")
        self.say("heroku", dyno.name, "Stopping all processes with SIGTERM")
        dyno.later(self.stop_grace_s, self._kill)
        dyno.signal(signal.SIGTERM)

    def _kill(self, dyno: FakeDyno) -> None:
        if dyno.ended_at is not None:
            return
        self.say(
            "heroku",
            dyno.name,
            "Error R12 (Exit timeout) -> At least one process failed to exit "
            "within 30 seconds of SIGTERM",
        )
        self.say("heroku", dyno.name, "Stopping remaining processes with SIGKILL")
        dyno.signal(signal.SIGKILL)

    # -- what the platform does of itself --------------------------------------

    def cycle(self, dyno: FakeDyno) -> None:
        """Stop a dyno as the platform does about once a day."""
        self.stop(dyno, "platform", cycling=True)

    def expire(self, dyno: FakeDyno) -> None:
        """End a dyno's time to live."""
        self.stop(dyno, "time_to_live", cycling=True)

    def exceed_memory(self, dyno: FakeDyno) -> None:
        """Kill a dyno that uses far too much memory."""
        self.say("heroku", dyno.name, "Process running mem=1073M(209.6%)")
        self.say("heroku", dyno.name, "Error R15 (Memory quota vastly exceeded)")
        self.say("heroku", dyno.name, "Stopping process with SIGKILL")
        dyno.signal(signal.SIGKILL)

    def vanish(self, dyno: FakeDyno) -> None:
        """Kill a dyno without a word, as when its host is lost."""
        dyno.unheard = True
        dyno.signal(signal.SIGKILL)

    # -- what the API shows ----------------------------------------------------

    def listed(self) -> list[FakeDyno]:
        """Return the dynos that the list shows by now."""
        now = time.monotonic()
        with self.changed:
            return [dyno for dyno in self.journal if self._is_shown(dyno, now)]

    def _is_shown(self, dyno: FakeDyno, now: float) -> bool:
        if dyno.created_mono + self.list_lag_s > now:
            return False
        if dyno.stopped_by is not None and self.gone_at_stop:
            return False
        return dyno.gone_at_mono is None or now < dyno.gone_at_mono + self.lingers_s

    def find(self, identity: str) -> FakeDyno | None:
        """Return a listed dyno by name or id."""
        found = (d for d in self.listed() if identity in (d.name, d.id))
        return next(found, None)

    def close(self) -> None:
        """Kill whatever still runs."""
        with self.changed:
            self.closed = True
        for dyno in list(self.journal):
            dyno.signal(signal.SIGKILL)
        deadline = time.monotonic() + 5
        while any(dyno.process for dyno in self.dynos) and time.monotonic() < deadline:
            time.sleep(0.01)
        for dyno in self.journal:
            for timer in dyno.timers:
                timer.cancel()
