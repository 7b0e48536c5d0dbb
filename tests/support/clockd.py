"""clockd as a user runs it: real processes in a folder with a triggers.yaml."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clockd import service
from clockd.store import Store
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CLOCKD = (sys.executable, "-m", "clockd")


class Home:
    """A folder with a triggers.yaml, and clockd in it.

    Args:
        folder: The folder.
        environ: What clockd finds in its environment, beside what every process has.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            **(environ or {}),
        }
        self.clocks: list[Clock] = []
        self.program: tuple[str, ...] = CLOCKD

    @property
    def file(self) -> Path:
        """The triggers.yaml."""
        return self.folder / "triggers.yaml"

    def write(self, triggers: str, *, top: str = "runner: local") -> None:
        """Write the triggers.yaml at once, as editors do."""
        new = self.folder / "triggers.new"
        new.write_text(f"version: 1\n{top}\ntriggers:\n{triggers}")
        new.rename(self.file)

    @property
    def until_told(self) -> str:
        """A command that goes on until `tell`."""
        return f"until [ -e {self.folder / 'told'} ]; do sleep 0.1; done"

    def tell(self) -> None:
        """Let tasks that wait for it go on."""
        (self.folder / "told").touch()

    # -- commands --------------------------------------------------------------

    def run(
        self, *arguments: str, timeout_s: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*self.program, *arguments],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """Return what a command says in JSON."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and return it running."""
        return subprocess.Popen(
            [*self.program, *arguments],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    # -- the books, without a command in between -------------------------------

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Give the database that clockd uses here."""
        names = ("CLOCKD_DATABASE_URL", "DATABASE_URL")
        urls = [self.environ[name] for name in names if name in self.environ]
        store = Store.open((urls or [f"sqlite:///{self.folder / 'clockd.db'}"])[0])
        try:
            yield store
        finally:
            store.close()

    def runs(self, trigger: str | None = None, **wanted: Any) -> list[dict[str, Any]]:
        """Return the runs on record, oldest first, that are as wanted."""
        with self.store() as store:
            found = store.runs.list(trigger=trigger, limit=1000)
        shown: list[Any] = [service.run_to_json(run) for run in reversed(found)]
        return [
            run
            for run in shown
            if all(run[name] == value for name, value in wanted.items())
        ]

    def ask(self, trigger: str = "task") -> int:
        """Put a run in the running clock's line; return its id."""
        with self.store() as store:
            known = store.triggers.find(trigger).trigger
            return service.request_run(store, known, by="a test").id

    def wait_for_run(
        self, trigger: str, timeout_s: float = 30, **wanted: Any
    ) -> dict[str, Any]:
        """Wait for a run that is as wanted; return the first."""
        return wait_until(
            lambda: self.runs(trigger, **wanted),
            timeout_s,
            message=lambda: f"{trigger} {wanted}: {self.runs(trigger)}",
        )[0]

    # -- clocks ----------------------------------------------------------------

    def start(self, *, ready: bool = True) -> Clock:
        """Start a clock; wait until it can fire."""
        clock = Clock(self, len(self.clocks))
        self.clocks.append(clock)
        if ready:
            clock.wait_for("clock.ready")
        return clock

    @contextmanager
    def clock(self) -> Iterator[Clock]:
        """Have a clock for a while."""
        clock = self.start()
        try:
            yield clock
        finally:
            clock.stop()

    def close(self) -> None:
        """End every clock."""
        for clock in self.clocks:
            clock.kill()


class Clock:
    """A `clockd start`."""

    def __init__(self, home: Home, number: int) -> None:
        self._log = home.folder / f"clock-{number}.log"
        with self._log.open("wb") as stream:
            self.process = subprocess.Popen(
                [*home.program, "start"],
                cwd=home.folder,
                env={"CLOCKD_LOG_FORMAT": "json", **home.environ},
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        """All it wrote."""
        return self._log.read_text(errors="replace")

    def events(self, event: str | None = None, **wanted: Any) -> list[dict[str, Any]]:
        """Return its log lines, all or those that are as wanted."""
        lines = [line for line in self.text.splitlines(keepends=True) if line[0] == "{"]
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [
            line
            for line in found
            if event in (None, line["event"])
            and all(line.get(name) == value for name, value in wanted.items())
        ]

    def wait_for(
        self, event: str, timeout_s: float = 20, **wanted: Any
    ) -> dict[str, Any]:
        """Wait for a log line; return the first."""
        return wait_until(
            lambda: self.events(event, **wanted) or self._end(event),
            timeout_s,
            message=lambda: f"{event} {wanted} in:\n{self.text[-3000:]}",
        )[0]

    def _end(self, event: str) -> list[dict[str, Any]]:
        assert self.process.poll() is None, f"no {event}; it ended:\n{self.text}"
        return []

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Stop it as a platform does; return the seconds that took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.send(number)
        assert self.process.wait(30) == 0, self.text[-3000:]
        return time.monotonic() - began

    def kill(self) -> None:
        """Kill it, so that it can do nothing any more."""
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGKILL)
            self.process.wait(10)
