"""Local runs for tests: a runner in a folder, whose processes end with the test."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from clockd.local import children
from clockd.local.files import AttemptFiles
from clockd.process import LocalRunner
from clockd.runner import Dyno, LaunchRequest, LogLine
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

APP = "sharp-mountain-4005"


def request(
    command: str,
    *,
    key: str = "1.1-1",
    app: str = APP,
    process_type: str = "clockd",
    env: Mapping[str, str] | None = None,
) -> LaunchRequest:
    """Return what a launch asks for."""
    return LaunchRequest(
        key=key,
        app=app,
        command=command,
        process_type=process_type,
        size=None,
        env=env or {},
        time_to_live_s=60,
    )


class Listener:
    """Reads a stream in a thread of its own."""

    def __init__(self, runner: LocalRunner, resume: Mapping[str, int] | None) -> None:
        self.heard: list[LogLine] = []
        self.silences = 0
        self.failure: Exception | None = None
        self._stream = runner.follow(APP, "clockd", lines=1500)
        for dyno_id, lines_seen in (resume or {}).items():
            self._stream.resume(dyno_id, lines_seen)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        try:
            for line in self._stream:
                if line is None:
                    self.silences += 1
                else:
                    self.heard.append(line)
        except Exception as error:
            self.failure = error
            raise

    def close(self) -> None:
        """End the stream and its thread."""
        self._stream.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def texts(self, dyno: Dyno) -> list[str]:
        """Return what a task has printed."""
        return [x.text for x in self.heard if x.dyno == dyno.name and x.source == "app"]

    def told(self, dyno: Dyno) -> list[str]:
        """Return what was said about a task."""
        return [x.text for x in self.heard if x.dyno == dyno.name and x.from_platform]

    def end(self, dyno: Dyno, timeout: float = 20) -> LogLine:
        """Wait for the line that says how a task ended."""

        def ends() -> list[LogLine]:
            return [
                line
                for line in list(self.heard)
                if line.dyno == dyno.name
                and line.text.startswith(("Process exited", "Process vanished"))
            ]

        return wait_until(
            ends, timeout, message=lambda: f"{dyno.name} in {self.heard[-5:]}"
        )[0]


class Place:
    """A folder, a runner in it, and somebody who listens.

    Args:
        folder: Tasks run here.
        kill_after_s: Seconds from SIGTERM to SIGKILL.
        environ: What every task gets.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kill_after_s: float = 10.0,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.directory = folder / "clockd.db.runs"
        self._settings: dict[str, Any] = {
            "cwd": folder,
            "procfile": folder / "Procfile",
            "environ": {"PATH": os.environ["PATH"]} if environ is None else environ,
            "kill_after_s": kill_after_s,
        }
        self._keys = (f"{number}.1-{number}" for number in itertools.count(101))
        self._listeners: list[Listener] = []
        self.runner = self.restart()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._listeners:
            listener.close()
        for files in self.attempts():
            if task := files.task():
                with suppress(OSError):
                    os.killpg(task.pid, signal.SIGKILL)
        wait_until(lambda: not any(files.alive() for files in self.attempts()))
        wait_until(lambda: children.collect() == 0)

    def restart(self) -> LocalRunner:
        """Have another runner in the same folder, as a restarted clockd has."""
        self.runner = LocalRunner(self.directory, **self._settings)
        return self.runner

    def listen(self, resume: Mapping[str, int] | None = None) -> Listener:
        """Open a stream and listen to it."""
        listener = Listener(self.runner, resume)
        self._listeners.append(listener)
        return listener

    def launch(
        self,
        command: str,
        *,
        guard: Callable[[], None] = lambda: None,
        **more: Any,
    ) -> Dyno:
        """Start a task."""
        more.setdefault("key", next(self._keys))
        return self.runner.launch(request(command, **more), guard=guard)

    def run(self, command: str, **more: Any) -> tuple[list[str], str]:
        """Run a task to its end; return what it printed, and its end."""
        listener = self.listen()
        dyno = self.launch(command, **more)
        end = listener.end(dyno)
        return listener.texts(dyno), end.text

    def files(self, dyno: Dyno) -> AttemptFiles:
        """Return the files of an attempt."""
        return AttemptFiles(self.directory / dyno.id)

    def attempts(self) -> list[AttemptFiles]:
        """Return the files of every attempt."""
        if not self.directory.is_dir():
            return []
        return [
            AttemptFiles(path)
            for path in sorted(self.directory.iterdir())
            if path.is_dir()
        ]

    def wait_for_start(self, dyno: Dyno) -> None:
        """Wait until a task's wrapper has come to life."""
        wait_until(lambda: self.files(dyno).started)

    def wait_for(self, name: str) -> str:
        """Wait for a line that a task writes into a file of the folder."""
        path = self.folder / name
        return wait_until(
            lambda: path.read_text().strip() if path.exists() else "",
            message=f"{name} is not written",
        )


def state(pid: int | str) -> str:
    """Return what ps shows of a process, nothing where it is gone."""
    arguments = ["ps", "-o", "stat=", "-p", str(pid)]
    shown = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return shown.stdout.strip()


def alive(pid: int | str) -> bool:
    """Return whether a process is there, and no zombie."""
    return state(pid)[:1] not in ("", "Z")
