"""A client of the Platform API for tests of the fake: no cleverness, no retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.heroku import FakeHeroku

_PATIENCE_S = 10


class Client:
    """Asks a fake platform about its first app."""

    def __init__(self, fake: FakeHeroku, *, key: str | None = None) -> None:
        self._fake = fake
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {key or fake.key}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        timeout: float = _PATIENCE_S,
        **headers: str,
    ) -> requests.Response:
        """Send a request to the app's part of the API."""
        url = f"{self._fake.url}/apps/{self._fake.app.name}{path}"
        return self._session.request(
            method, url, json=body, headers=headers, timeout=timeout
        )

    def ask_elsewhere(self, method: str, path: str) -> requests.Response:
        """Send a request to another part of the API."""
        return self._session.request(
            method, f"{self._fake.url}{path}", timeout=_PATIENCE_S
        )

    def start(self, command: str, **options: Any) -> dict[str, Any]:
        """Start a dyno; return what the platform says of it."""
        answer = self.ask("POST", "/dynos", {"command": command, **options})
        assert answer.status_code == 201, answer.text
        dyno: dict[str, Any] = answer.json()
        return dyno

    def refusal(self, **body: Any) -> tuple[int, str, str]:
        """Try to start a dyno; return the refusal's status, id and message."""
        answer = self.ask("POST", "/dynos", {"command": "true", **body})
        told = answer.json()
        return answer.status_code, told["id"], told["message"]

    def names(self) -> list[str]:
        """Return the names of the dynos that are listed."""
        return sorted(dyno["name"] for dyno in self.ask("GET", "/dynos").json())

    def log_url(self, **options: Any) -> str:
        """Open a log session; return its URL."""
        answer = self.ask("POST", "/log-sessions", options)
        assert answer.status_code == 201
        url: str = answer.json()["logplex_url"]
        return url

    def open_log(
        self,
        url: str,
        *,
        accept: str = "*/*",
        last_id: str | None = None,
        timeout: float = _PATIENCE_S,
    ) -> requests.Response:
        """Open a log's URL, as anybody can who knows it."""
        headers = {"Accept": accept, "Authorization": None, "Last-Event-ID": last_id}
        return self._session.get(url, headers=headers, stream=True, timeout=timeout)

    def log(self, **options: Any) -> list[str]:
        """Return the lines of the log without their times."""
        with self.open_log(self.log_url(tail=False, **options)) as answer:
            return texts(answer)


def lines_of(answer: requests.Response) -> Iterator[str]:
    """Yield the lines of a stream as they come."""
    for line in answer.iter_lines(chunk_size=1):
        yield line.decode()


def texts(answer: requests.Response) -> list[str]:
    """Return the lines of a log that ends, without their times."""
    return [line.partition(" ")[2] for line in lines_of(answer)]
