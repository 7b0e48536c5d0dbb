"""The JSON Schema that editors use says what the reader of triggers.yaml does."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from clockd import config
from clockd.config.keys import OPTIONS, TOP_NAMES, TRIGGER
from tests.support.configs import LOCAL, entry, read, scheduled
from tests.support.trees import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).resolve().parents[2]
SCHEMA = config.json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
ONE = "triggers: {t: {command: x, every: 1h}}\n"
NONE = "triggers: {}\n"

GOOD = [
    *(ONE, NONE, f"version: 1\n{ONE}", f"version: 0x1\n{ONE}"),
    *(f"runner: {word}\n{ONE}" for word in ("auto", "local", "heroku")),
    *(f"app: my-app\ntimezone: Asia/Tokyo\n{ONE}", f"defaults:\n{ONE}"),
    f"defaults: {{timeout: 5m, env: {{A: b}}, dyno: eco, name: n}}\n{ONE}",
    f"limits: {{concurrent_runs: 4, runs_per_month: 5, triggers: 6}}\n{ONE}",
    f"alerts: {{to: [x], collaborators: false, mail: y}}\n{ONE}",
    *(f"limits:\n{ONE}", f"alerts:\n{ONE}"),
    *(scheduled("cron: 0 9 * * 1"), scheduled('cron: "@daily"')),
    *(scheduled("every: 600"), scheduled('every: "600"'), scheduled("every: 10s")),
    *(scheduled("every: day at 02:30"), scheduled("at: 2026-12-25 09:00")),
    *(entry("name: yes"), entry(f"name: {'n' * 150}"), entry("app: other-app")),
    *(entry("timeout: 1"), entry("timeout: 86400"), entry("timeout: 24h")),
    *(entry('timeout: "90"'), entry("timeout: 0x3c"), entry("dyno: Private-L-RAM")),
    *(entry("active: FALSE"), entry("overlap: replace"), entry("output: none")),
    *(entry("catch_up: none"), entry("catch_up: 0"), entry("catch_up: 30d")),
    *(entry("catch_up: {within: 6h, run: all}"), entry("catch_up: {}")),
    *(entry("retries: 0"), entry("retries: 10"), entry("retry_delay: 24h")),
    *(entry("jitter: 0"), entry("env:"), entry("env: {A: 1, b_2: 1.5, _: true}")),
    *(entry("alerts: {events: [failed], to: [x]}"), entry("healthcheck: x")),
    "triggers:\n  t:\n    every: 1h\n    command: |\n      a\n      b\n",
    f"triggers: {{{'a' * 64}: {{command: x, every: 1h}}}}",
    "triggers: {1: {command: x, every: 1h}}",
]

BAD = [
    *("[]", "x", "version: 1\n", "triggers:\n", "triggers: []\n", "triggers: x\n"),
    *(f"version: 2\n{ONE}", f"version: '1'\n{ONE}", f"version:\n{ONE}"),
    *(f"runner: Local\n{ONE}", f"runner:\n{ONE}", f"app: My_App\n{ONE}"),
    *(f"app: ab\n{ONE}", f"timezone: ''\n{ONE}", f"timezone: 1\n{ONE}"),
    *(f"unknown: 1\n{ONE}", f"timeout: 30m\n{ONE}", f"defaults: []\n{ONE}"),
    *(f"defaults: {{command: x}}\n{ONE}", f"defaults: {{every: 1h}}\n{ONE}"),
    *(f"defaults: {{timeout: 0}}\n{ONE}", f"defaults: {{runner: local}}\n{ONE}"),
    *(f"limits: {{other: 1}}\n{ONE}", f"limits: 5\n{ONE}", f"alerts: [x]\n{ONE}"),
    *("triggers: {t: }", "triggers: {t: x}", "triggers: {t: {}}"),
    *("triggers: {t: {command: x}}", "triggers: {t: {every: 1h}}"),
    "triggers: {t: {command: x, every: 1h, at: 2026-12-25 09:00}}",
    "triggers: {T: {command: x, every: 1h}}",
    "triggers: {-t: {command: x, every: 1h}}",
    "triggers: {'': {command: x, every: 1h}}",
    f"triggers: {{{'a' * 65}: {{command: x, every: 1h}}}}",
    *(f"triggers: {{t: {{every: 1h, command: {x}}}}}" for x in ("5", "''", "[a]")),
    f"triggers: {{t: {{every: 1h, command: {'x' * 1001}}}}}",
    'triggers: {t: {every: 1h, command: "a\\0b"}}',
    *(scheduled("cron: 5"), scheduled("cron: true"), scheduled("at: 2026")),
    *(scheduled("every: 0"), scheduled("every: 1.5"), scheduled("every: [a]")),
    *(entry("unknown: 1"), entry("version: 1"), entry("name: 5"), entry("name: ' '")),
    *(entry('name: "a\\tb"'), entry(f"name: {'n' * 151}"), entry("name:")),
    *(entry("app: X"), entry("timeout: 0"), entry("timeout: 86401")),
    *(entry("timeout: 1.5"), entry("timeout: 1h30m"), entry("timeout: soon")),
    *(entry("timeout:"), entry("timeout: true"), entry("timeout: -5")),
    *(entry("dyno: huge"), entry("dyno: 1"), entry("active: no"), entry("active: 1")),
    *(entry("overlap: Skip"), entry("overlap:"), entry("output: some")),
    *(entry("catch_up: never"), entry("catch_up:"), entry("catch_up: {run: some}")),
    *(entry("catch_up: {within: x}"), entry("catch_up: {other: 1}")),
    *(entry("catch_up: 2592001"), entry("catch_up: [1]"), entry("retries: 11")),
    *(entry("retries: -1"), entry("retries: x"), entry('retries: "1"')),
    *(entry("retry_delay: 0"), entry("retry_delay: 86401"), entry("jitter: -1")),
    *(entry("jitter: 86401"), entry("env: x"), entry("env: [A]"), entry("env: {1: x}")),
    *(entry("env: {A: [b]}"), entry("env: {A: }"), entry("env: {CLOCKD_ATTEMPT: x}")),
    *(entry("alerts: x"), entry("alerts: {other: 1}")),
]


def refused_by_schema(text: str) -> bool:
    return not VALIDATOR.is_valid(tree(text))


@pytest.mark.parametrize("text", GOOD)
def test_what_the_reader_accepts_the_schema_accepts(text: str) -> None:
    assert read(text, LOCAL).problems == ()
    assert not refused_by_schema(text)


@pytest.mark.parametrize("text", BAD)
def test_what_the_reader_refuses_the_schema_refuses(text: str) -> None:
    assert read(text, LOCAL).problems != ()
    assert refused_by_schema(text)


@pytest.mark.parametrize("name", ["triggers.yaml", "tests/data/every-key.yaml"])
def test_the_schema_accepts_real_files(name: str) -> None:
    assert not refused_by_schema((TOP / name).read_text())


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_shipped_file_is_what_the_code_says() -> None:
    shipped = resources.files("clockd") / "triggers.schema.json"

    assert shipped.read_text(encoding="utf-8") == config.json_schema_text()
    assert json.loads(config.json_schema_text()) == SCHEMA


def test_the_schema_has_every_key() -> None:
    trigger = SCHEMA["$defs"]["trigger"]["properties"]

    assert list(SCHEMA["properties"]) == list(TOP_NAMES)
    assert list(SCHEMA["properties"]["defaults"]["properties"]) == list(OPTIONS)
    assert list(trigger) == list(TRIGGER)


def test_every_key_has_a_description_that_is_a_sentence() -> None:
    found = list(_keys(SCHEMA))

    assert found
    assert [name for name, key in found if not key["description"].endswith(".")] == []


def _keys(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from schema["properties"].items()
    yield from schema["properties"]["defaults"]["properties"].items()
    yield from schema["$defs"]["trigger"]["properties"].items()
