"""What `clockd doctor` makes of the answers about a key and an app."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from clockd.errors import RunnerUnavailable
from clockd.heroku import checks
from clockd.heroku.answers import Answer, Reply, Silence
from clockd.runner import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clockd.runner import Dyno

APP = "sharp-mountain-4005"
CEDAR = {"name": APP, "process_tier": "basic", "generation": {"name": "cedar"}}


def said(status: int, body: object = None) -> Answer:
    return Answer(status=status, headers={}, body=json.dumps(body).encode())


class Platform:
    """Answers by call, and notes what it was asked."""

    def __init__(self, **replies: Reply) -> None:
        self.replies = {
            "account": said(200, {"email": "me@example.com"}),
            "rate_limits": said(200, {"remaining": 4000}),
            "app": said(200, CEDAR),
            "formation": said(200, []),
            **replies,
        }
        self.asked: list[str] = []
        self.listed = 0

    def __call__(self, call: str, *path: str, accept: str | None = None) -> Reply:
        self.asked.append("/".join(path))
        return self.replies[call.replace("-", "_")]

    def list_dynos(self) -> Sequence[Dyno]:
        self.listed += 1
        return []

    def check_app(self) -> list[str]:
        found = checks.check_one_app(
            self, self.list_dynos, APP, process_type="clockd", known=()
        )
        return [check.name for check in found]


def test_the_account_is_checked_by_three_things() -> None:
    platform = Platform()

    found = checks.check_account(platform)

    assert [check.name for check in found] == [
        "heroku-key",
        "clock-skew",
        "heroku-rate-limit",
    ]
    assert not any("apps" in path for path in platform.asked)


@pytest.mark.parametrize(
    "reply",
    [said(401), said(500), Silence(sent=False, reason="connection refused")],
    ids=["401", "500", "silence"],
)
def test_without_a_good_key_nothing_else_is_asked(reply: Reply) -> None:
    platform = Platform(account=reply)

    (key,) = checks.check_account(platform)

    assert not key.ok
    assert key.hint
    assert platform.asked == ["account"]


def test_an_app_is_checked_without_asking_about_the_account() -> None:
    platform = Platform()

    assert platform.check_app() == [
        "heroku-app",
        "heroku-generation",
        "heroku-tier",
        "heroku-logs",
        "heroku-strangers",
    ]
    assert platform.asked == [f"apps/{APP}", f"apps/{APP}/formation"]


def test_dynos_of_an_app_that_is_no_good_are_not_listed() -> None:
    platform = Platform(app=said(200, {**CEDAR, "generation": {"name": "fir"}}))

    assert "heroku-strangers" not in platform.check_app()
    assert platform.listed == 0


def test_a_forbidden_app_is_told_from_a_wrong_key() -> None:
    platform = Platform(app=said(403, {"id": "forbidden", "message": "No access."}))

    (check,) = checks.check_app(platform, APP)

    assert not check.ok
    assert "the API key is valid" in (check.hint or "")
    assert check.data == {"level": "error", "app": APP}


def test_dynos_that_cannot_be_listed_fail_the_check() -> None:
    def list_dynos() -> Sequence[Dyno]:
        raise RunnerUnavailable("no list", kind=Unavailable.CONNECTION, hint="wait")

    check = checks.check_strangers(list_dynos, APP, process_type="clockd", known=())

    assert (check.ok, check.message, check.hint) == (False, "no list", "wait")
