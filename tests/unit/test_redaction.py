"""No secret reaches a line, in whatever place or form it comes."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from clockd import log, redaction
from clockd.redaction import redact, register_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "planted-0c1d2e3f"
PASSWORD = "pl@nted/päss"


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redaction, "_known", ())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgres://bob:s3cret@db.example/app", "postgres://bob:***@db.example/app"),
        ("a://b:p@ss/w:rd@h:5432/d", "a://b:***@h:5432/d"),
        ("redis://:s3cret@host", "redis://:***@host"),
        ("see https://tok3n@github.com/x", "see https://***@github.com/x"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("Basic OmFiY2RlZmdoaWprbG1ub3A=", "Basic ***"),
        ("key HRKU-AAdeadbeef_01-23 used", "key *** used"),
        ("host=db password=s3cret user=bob", "host=db password=*** user=bob"),
        ("/logs?tail=1&token=abc&x=1", "/logs?tail=1&token=***&x=1"),
        ("CLOCKD_API_TOKEN=abc clockd", "CLOCKD_API_TOKEN=*** clockd"),
        ('{"api_key": "abc", "b": "c"}', '{"api_key": "***", "b": "c"}'),
        ("{'password': 'abc'}", "{'password': \"***\"}"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, redacted: str) -> None:
    assert redact(text) == redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "https://api.heroku.com/apps/sharp-mountain-4005/dynos",
        "http://127.0.0.1:8080/runs?by=bob@example.com",
        "the bearer token is wrong",
        "Basic authentication failed",
        "started on a Basic dyno of sharp-mountain-4005",
        "mail to bob@example.com at 09:00",
        "token: not accepted",
        "triggers.yaml:14:7: error[unknown-key]: comand",
    ],
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "form",
    [
        f"x{PASSWORD}y",
        "pl%40nted%2Fp%C3%A4ss",
        "OnBsQG50ZWQvcMOkc3M=",  # base64 of ":" and the password
    ],
)
def test_a_registered_secret_is_masked_in_every_form(form: str) -> None:
    register_secret(PASSWORD)

    assert "***" in redact(form)
    assert redact(form).strip("xy*") == ""


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    register_secret("planted")
    register_secret("planted-and-longer")

    assert redact("<planted-and-longer>") == "<***>"


@pytest.mark.parametrize("value", [None, "", "a", "12345"])
def test_what_is_too_short_to_be_a_secret_masks_nothing(value: str | None) -> None:
    register_secret(value)

    assert redact("a 12345 b") == "a 12345 b"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_reaches_a_log_line(log_format: str) -> None:
    stream = io.StringIO()
    database = "postgres://app:hidden-pass@db.example/app"
    environ = {"HEROKU_API_KEY": KEY, "DATABASE_URL": database}
    log.configure(log_format=log_format, stream=stream, environ=environ)
    logger = structlog.get_logger()

    class Leaky:
        def __str__(self) -> str:
            return f"<client {KEY}>"

    logger.info("event with %s", KEY, field=KEY, leaky=Leaky())
    logger.info("nested", env={"A": [KEY], KEY: 1}, headers=[("Authorization", KEY)])
    logger.info("by name", token="abc", api_key=["abc"], Authorization={"x": "abc"})
    logger.info("by name", database_url="abc", smtp_password="abc", client_secret="abc")
    try:
        int(f"refused {KEY}, hidden-pass and Bearer abcabcabc")
    except ValueError as error:
        logger.exception("thread.failed", error=error)
        logging.getLogger("requests").exception("request with %s failed", KEY)

    text = stream.getvalue()
    assert text.count("***") >= 16
    for secret in (KEY, "hidden-pass", "abc"):
        assert secret not in text


def test_a_number_is_no_secret_whatever_its_name() -> None:
    stream = io.StringIO()
    log.configure(log_format="console", stream=stream, environ={})

    structlog.get_logger().info("rate", tokens=4500, password=None)

    assert stream.getvalue().rstrip().endswith("tokens=4500 password=null")


def test_a_database_url_that_is_none_is_masked_whole() -> None:
    redaction.register_environment({"CLOCKD_DATABASE_URL": "//[planted-host"})

    assert redact("cannot open //[planted-host") == "cannot open ***"
