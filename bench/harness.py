"""Runs clockd and a fake platform as processes, and reads what they did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "sharp-mountain-4005"
_TICKS = os.sysconf("SC_CLK_TCK")


class Platform:
    """A fake Heroku in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        """Return the JSON of one of the fake's own pages."""
        with urllib.request.urlopen(f"{self.url}{path}") as answer:  # noqa: S310 – loopback
            return json.load(answer)

    def launches(self) -> list[dict[str, Any]]:
        """Return the launch requests, in order of arrival."""
        return [
            request
            for request in self.get("/_fake/requests")
            if request["method"] == "POST" and request["path"].endswith("/dynos")
        ]


@contextmanager
def platform(*options: str) -> Iterator[Platform]:
    """Run a fake Heroku."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.heroku", "--app", APP, *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Platform(_url_in(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(10)


def _url_in(line: str) -> str:
    return next(word for word in line.split() if word.startswith("http")).rstrip(",.")


class Clock:
    """A running `clockd start`."""

    def __init__(
        self, process: subprocess.Popen[bytes], log: Path, began: float
    ) -> None:
        self.process = process
        self.began = began  #: epoch seconds just before it was started
        self._log = log

    def events(self) -> list[dict[str, Any]]:
        """Return its log so far."""
        lines = self._log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_for(self, event: str, *, count: int = 1, timeout_s: float = 60) -> float:
        """Wait for the count-th `event`; return its epoch seconds."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = [e for e in self.events() if e.get("event") == event]
            if len(found) >= count:
                return instant(found[count - 1]["timestamp"])
            if self.process.poll() is not None:
                raise RuntimeError(f"clockd ended: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)
        raise TimeoutError(f"no {event} within {timeout_s} s")

    def memory_mb(self) -> tuple[float, float]:
        """Return resident memory now and at its peak, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        return tuple(int(fields[k].split()[0]) / 1024 for k in ("VmRSS", "VmHWM"))  # type: ignore[return-value]

    def cpu_s(self) -> float:
        """Return the CPU seconds used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / _TICKS


@contextmanager
def clock(triggers: str, fake: Platform | None = None) -> Iterator[Clock]:
    """Run `clockd start` on a triggers.yaml with this text, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "triggers.yaml"
        path.write_text(triggers)
        log = Path(folder) / "log"
        environ = {
            "PATH": os.environ["PATH"],
            "CLOCKD_LOG_FORMAT": "json",
            "CLOCKD_TRIGGERS": str(path),
        }
        if fake is not None:
            environ |= {
                "HEROKU_API_URL": fake.url,
                "HEROKU_API_KEY": "test-key",
                "HEROKU_APP_NAME": APP,
            }
        with log.open("wb") as stream:
            began = time.time()
            process = subprocess.Popen(
                [sys.executable, "-m", "clockd", "start"],
                stdout=stream,
                stderr=stream,
                env=environ,
            )
        try:
            yield Clock(process, log, began)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)


def instant(text: str) -> float:
    """Return the epoch seconds of an ISO 8601 instant."""
    return datetime.fromisoformat(text).timestamp()


def at(epoch_s: float) -> str:
    """Return an instant as an `at` schedule in UTC has it."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def trigger(slug: str, command: str, schedule: str) -> str:
    """Return the YAML of one trigger."""
    return f"  {slug}:\n    command: {command}\n    {schedule}\n"


def document(triggers: list[str]) -> str:
    """Return the YAML of a file with these triggers."""
    return "version: 1\ntriggers:\n" + "".join(triggers)
