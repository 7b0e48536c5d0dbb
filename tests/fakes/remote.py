"""A fake Heroku in a process of its own, steered over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "sharp-mountain-4005"
KEY = "test-key"
_ROOT = Path(__file__).parents[2]


class RemoteHeroku:
    """What a test sees of it, and how it makes trouble; see `tests.fakes.steering`."""

    def __init__(self, url: str, *, app: str = APP, key: str = KEY) -> None:
        self.url = url
        self.app = app
        self.key = key

    def environ(self) -> dict[str, str]:
        """Return what a clockd needs in its environment."""
        return {
            "HEROKU_API_URL": self.url,
            "HEROKU_API_KEY": self.key,
            "HEROKU_APP_NAME": self.app,
        }

    # -- looking ---------------------------------------------------------------

    def requests(self) -> list[dict[str, Any]]:
        """Return every request to the API, in the order of arrival."""
        found: list[dict[str, Any]] = self._look("requests")
        return found

    def launches(self) -> list[dict[str, Any]]:
        """Return the requests to start a dyno."""
        return [
            request
            for request in self.requests()
            if request["method"] == "POST" and request["path"].endswith("/dynos")
        ]

    def journal(self) -> list[dict[str, Any]]:
        """Return every dyno ever started; see `FakeDyno.to_journal`."""
        found: list[dict[str, Any]] = self._look("journal")
        return found

    def streams(self) -> list[dict[str, Any]]:
        """Return every request for a log."""
        found: list[dict[str, Any]] = self._look("streams")
        return found

    def log(self) -> list[str]:
        """Return the lines of the log."""
        found: list[str] = self._look("log")
        return found

    def records(self) -> dict[str, Any]:
        """Return what each app's log was told; see `tests.fakes.steering`."""
        found: dict[str, Any] = self._look("records")
        return found

    def running(self) -> list[str]:
        """Return the names of the dynos that run."""
        found: list[str] = self._look("running")
        return found

    def struck(self) -> dict[str, int]:
        """Return how often faults struck, by kind and place."""
        found: dict[str, int] = self._look("struck")
        return found

    # -- steering --------------------------------------------------------------

    def fault(self, kind: str, **options: Any) -> None:
        """Let something go wrong; see `Fault`."""
        self._ask("POST", "faults", {"kind": kind, **options})

    def heal(self) -> None:
        """End all faults."""
        self._ask("DELETE", "faults")

    def set_platform(self, **settings: Any) -> None:
        """Change how the platform behaves."""
        self._ask("POST", "platform", settings)

    def set_app(self, **settings: Any) -> None:
        """Change how the app behaves."""
        self._ask("POST", f"apps/{self.app}", settings)

    def say(self, source: str, process: str, text: str) -> None:
        """Write a line to the app's log."""
        line = {"source": source, "process": process, "text": text}
        self._ask("POST", f"apps/{self.app}/log", line)

    def start(self, command: str, **options: Any) -> None:
        """Start a dyno that nobody asked the API for."""
        self._ask("POST", f"apps/{self.app}/dynos", {"command": command, **options})

    def cut_streams(self, *, clean: bool = True) -> None:
        """End every open log stream."""
        self._ask("POST", "streams/cut", {"clean": clean})

    def do(self, dyno: str, what: str) -> None:
        """Let the platform `stop`, `cycle`, `expire` … a dyno."""
        self._ask("POST", f"dynos/{dyno}", {"do": what})

    def go_away(self, seconds: float) -> None:
        """Refuse connections from now on for a while."""
        self._ask("POST", "outage", {"seconds": seconds})

    def _look(self, what: str) -> Any:
        return self._ask("GET", what)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 – loopback
            f"{self.url}/_fake/{path}", data=data, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                raise ValueError(refused.read().decode()) from None


@contextmanager
def running_heroku(*options: str, app: str = APP) -> Iterator[RemoteHeroku]:
    """Run a fake Heroku; ends with its dynos when the block, or the test, ends."""
    module = [sys.executable, "-m", "tests.fakes.heroku"]
    process = subprocess.Popen(
        [*module, "--app", app, "--until-eof", *options],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            yield RemoteHeroku(process.stdout.readline().split()[-1], app=app)
        finally:
            process.terminate()
