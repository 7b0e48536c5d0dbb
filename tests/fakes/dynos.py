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
from datetime import UTC, datetime, timedelta
from typing import Any

DEFAULT_SIZES = (
    "Eco", "Basic", "Standard-1X", "Standard-2X",
    "Performance-M", "Performance-L", "Private-S", "Shield-S",
)  # fmt: skip


@dataclass(frozen=True)
class LogEntry:
    """A line as the log keeps it; `number` is the order of delivery."""

    number: int
    at: datetime
    source: str
    process: str
    text: str

    def __str__(self) -> str:
        stamp = self.at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
        return f"{stamp} {self.source}[{self.process}]: {self.text}"


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
    state: str = "starting"
    ended_at: datetime | None = None
    exit_status: int | None = None
    stopped_by: str | None = None
    process: subprocess.Popen[bytes] | None = None

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
            "size": self.size,
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
            "requested_size": self.requested_size,
            "time_to_live": self.time_to_live,
            "started_at": self.created_at.timestamp(),
            "ended_at": self.ended_at.timestamp() if self.ended_at else None,
            "exit_status": self.exit_status,
            "stopped_by": self.stopped_by,
        }


@dataclass(eq=False)
class FakeApp:
    """An app: its dynos, its log, and how it behaves."""

    name: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    release_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    default_size: str = "Standard-1X"
    sizes: tuple[str, ...] = DEFAULT_SIZES
    limit: int = 50
    procfile: dict[str, str] = field(default_factory=dict)
    config_vars: dict[str, str] = field(default_factory=dict)
    shows_expanded: bool = True
    stop_grace_s: float = 30.0
    list_lag_s: float = 0.0
    ignores_stops: bool = False
    drops: re.Pattern[str] | None = None  #: lines that never reach the log
    delays: re.Pattern[str] | None = None  #: lines delivered after the next one
    numbers: Any = field(default_factory=lambda: itertools.count(1001))
    dynos: list[FakeDyno] = field(default_factory=list)
    journal: list[FakeDyno] = field(default_factory=list)
    log: list[LogEntry] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    _held: list[tuple[datetime, str, str, str]] = field(default_factory=list)

    # -- the log ---------------------------------------------------------------

    def say(
        self, source: str, process: str, text: str, at: datetime | None = None
    ) -> None:
        """Write a line to the log."""
        entry = (at or datetime.now(UTC), source, process, text)
        with self.changed:
            if self.drops is not None and self.drops.search(text):
                return
            if self.delays is not None and self.delays.search(text):
                self._held.append(entry)
                return
            for each in [entry, *self._held]:
                self.log.append(LogEntry(len(self.log), *each))
            self._held.clear()
            self.changed.notify_all()

    # -- life of a dyno --------------------------------------------------------

    def expand(self, command: str) -> str:
        """Return a command with its Procfile process type replaced."""
        word, blank, rest = command.partition(" ")
        return f"{self.procfile.get(word, word)}{blank}{rest}"

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
        expanded = self.expand(command)
        dyno = FakeDyno(
            id=str(uuid.uuid4()),
            name=f"{type_}.{next(self.numbers)}",
            type=type_,
            command=command,
            shown=expanded if self.shows_expanded else command,
            env=env or {},
            size=next(
                (s for s in self.sizes if s.lower() == (size or "").lower()),
                self.default_size,
            ),
            requested_size=size,
            time_to_live=time_to_live,
            created_at=datetime.now(UTC),
        )
        self.say("app", "api", f"Starting process with command `{command}` by user me")
        self.say("heroku", dyno.name, f"Starting process with command `{expanded}`")
        dyno.process = subprocess.Popen(
            ["/bin/sh", "-c", expanded],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                "PATH": os.environ["PATH"],
                "DYNO": dyno.name,
                **self.config_vars,
                **dyno.env,
            },
        )
        with self.changed:
            self.dynos.append(dyno)
            self.journal.append(dyno)
        threading.Thread(target=self._follow, args=(dyno,), daemon=True).start()
        if time_to_live is not None:
            timer = threading.Timer(time_to_live, self._expire, (dyno,))
            timer.daemon = True
            timer.start()
        return dyno

    def _follow(self, dyno: FakeDyno) -> None:
        process = dyno.process
        assert process is not None
        assert process.stdout is not None
        dyno.state = "up"
        self.say("heroku", dyno.name, "State changed from starting to up")
        with process.stdout as stdout:
            for line in stdout:
                text = line.decode("utf-8", errors="replace").rstrip("\n")
                for start in range(0, max(len(text), 1), 10_000):
                    self.say("app", dyno.name, text[start : start + 10_000])
        status = process.wait()
        self._end(dyno, status if status >= 0 else 128 - status)

    def _end(self, dyno: FakeDyno, status: int) -> None:
        """Write the last lines: the state first, though it came a moment later."""
        ended = datetime.now(UTC)
        dyno.exit_status, dyno.ended_at = status, ended
        with self.changed:
            if dyno in self.dynos:
                self.dynos.remove(dyno)
        if dyno.stopped_by is None:
            later = ended + timedelta(milliseconds=17)
            self.say("heroku", dyno.name, "State changed from up to complete", later)
        self.say("heroku", dyno.name, f"Process exited with status {status}", ended)

    def stop(self, dyno: FakeDyno, by: str, *, cycling: bool = False) -> None:
        """Stop a dyno: SIGTERM to all of it, SIGKILL after the grace."""
        if self.ignores_stops or dyno.stopped_by is not None:
            return
        dyno.stopped_by = by
        if cycling:
            self.say("heroku", dyno.name, "Cycling")
        self.say("heroku", dyno.name, "State changed from up to complete")
        self.say("heroku", dyno.name, "Stopping all processes with SIGTERM")
        _signal(dyno, signal.SIGTERM)
        timer = threading.Timer(self.stop_grace_s, self._kill, (dyno,))
        timer.daemon = True
        timer.start()

    def _kill(self, dyno: FakeDyno) -> None:
        if dyno.ended_at is None:
            self.say(
                "heroku",
                dyno.name,
                "Error R12 (Exit timeout) -> At least one process failed to exit "
                "within 30 seconds of SIGTERM",
            )
            self.say("heroku", dyno.name, "Stopping remaining processes with SIGKILL")
            _signal(dyno, signal.SIGKILL)

    def _expire(self, dyno: FakeDyno) -> None:
        if dyno.ended_at is None:
            self.stop(dyno, "time_to_live", cycling=True)

    def listed(self) -> list[FakeDyno]:
        """Return the dynos that the list shows by now."""
        seen = datetime.now(UTC) - timedelta(seconds=self.list_lag_s)
        with self.changed:
            return [dyno for dyno in self.dynos if dyno.created_at <= seen]

    def find(self, identity: str) -> FakeDyno | None:
        """Return a listed dyno by name or id."""
        found = (d for d in self.listed() if identity in (d.name, d.id))
        return next(found, None)

    def close(self) -> None:
        """Kill whatever still runs."""
        for dyno in self.journal:
            _signal(dyno, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while self.dynos and time.monotonic() < deadline:
            time.sleep(0.01)


def _signal(dyno: FakeDyno, number: signal.Signals) -> None:
    if dyno.process is not None and dyno.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(dyno.process.pid, number)
