"""The keys of a trigger: what they stand for, their defaults, bounds and errors."""

from __future__ import annotations

from typing import Any

import pytest

from clockd.config.keys import OPTIONS, TRIGGER
from clockd.config.names import SIZES
from clockd.model import CatchUp, Output, Overlap, ScheduleKind, Trigger
from tests.support.configs import LOCAL, entry, errors, read, trigger, warnings


def test_a_trigger_that_says_least_has_every_default() -> None:
    assert trigger(entry()) == Trigger(
        slug="t",
        command="x",
        schedule_kind=ScheduleKind.EVERY,
        expression="10m",
        timezone="UTC",
        name="",
        app="my-app",
        dyno=None,
        timeout_s=1800,
        active=True,
        overlap=Overlap.SKIP,
        catch_up=CatchUp(within_s=3600, run_all=False),
        retries=0,
        retry_delay_s=60,
        jitter_s=0,
        env={},
        output=Output.KEEP,
    )


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("name: Every ten minutes", "name", "Every ten minutes"),
        ("name: yes", "name", "yes"),
        ('name: "5"', "name", "5"),
        (f"name: {'n' * 150}", "name", "n" * 150),
        ("timezone: Asia/Tokyo", "timezone", "Asia/Tokyo"),
        ("app: other-app", "app", "other-app"),
        ("dyno: performance-m", "dyno", "performance-m"),
        ("dyno: Standard-2X", "dyno", "standard-2x"),
        ("timeout: 60", "timeout_s", 60),
        ("timeout: 0x3c", "timeout_s", 60),
        ('timeout: "90"', "timeout_s", 90),
        ("timeout: 90s", "timeout_s", 90),
        ("timeout: 30m", "timeout_s", 1800),
        ("timeout: 2h", "timeout_s", 7200),
        ("timeout: 24h", "timeout_s", 86400),
        ("timeout: 1d", "timeout_s", 86400),
        ("active: false", "active", False),
        ("active: TRUE", "active", True),
        ("overlap: skip", "overlap", Overlap.SKIP),
        ("overlap: queue", "overlap", Overlap.QUEUE),
        ("overlap: allow", "overlap", Overlap.ALLOW),
        ("overlap: replace", "overlap", Overlap.REPLACE),
        ("catch_up: none", "catch_up", CatchUp(within_s=0)),
        ("catch_up: 0", "catch_up", CatchUp(within_s=0)),
        ("catch_up: 30d", "catch_up", CatchUp(within_s=2_592_000)),
        ("catch_up: {}", "catch_up", CatchUp()),
        ("catch_up: {run: newest}", "catch_up", CatchUp()),
        ("catch_up: {run: all}", "catch_up", CatchUp(run_all=True)),
        (
            "catch_up: {within: 6h, run: all}",
            "catch_up",
            CatchUp(within_s=21_600, run_all=True),
        ),
        ("retries: 0", "retries", 0),
        ("retries: 10", "retries", 10),
        ("retry_delay: 1", "retry_delay_s", 1),
        ("retry_delay: 24h", "retry_delay_s", 86400),
        ("jitter: 0", "jitter_s", 0),
        ("jitter: 30s", "jitter_s", 30),
        ("env: {A: b}", "env", {"A": "b"}),
        ("env:", "env", {}),
        ("output: keep", "output", Output.KEEP),
        ("output: none", "output", Output.NONE),
    ],
)
def test_a_key_stands_for_its_value(line: str, field: str, value: Any) -> None:
    assert getattr(trigger(entry(line)), field) == value


@pytest.mark.parametrize("size", SIZES)
def test_every_dyno_size_can_be_written(size: str) -> None:
    assert trigger(entry(f"dyno: {size}")).dyno == size


def test_a_command_may_have_several_lines() -> None:
    text = "triggers:\n  t:\n    every: 1h\n    command: |\n      a\n      \tb\n"

    assert trigger(text).command == "a\n\tb\n"


@pytest.mark.parametrize("word", ["true", "false", "TRUE"])
def test_a_command_may_be_a_program_whose_name_is_a_boolean(word: str) -> None:
    assert trigger(f"triggers: {{t: {{every: 1h, command: {word}}}}}").command == word


def test_a_command_may_have_a_thousand_characters() -> None:
    text = f"triggers: {{t: {{every: 1h, command: {'x' * 1000}}}}}"

    assert len(trigger(text).command) == 1000


DURATION = "write a number of seconds, or 90s, 30m, 2h, 1d"
APP = "3 to 30 small letters, digits and dashes; a letter first, no dash last"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('name: ""', "6:11: value: the text is empty (write one, or delete the key)"),
        ("name:", "6:10: type: there is no value (write text, or delete the key)"),
        (
            "name: 5",
            "6:11: type: '5' is a whole number, not text (put it in quotes: '5')",
        ),
        ("name: [a]", "6:11: type: this is a list, not text"),
        (
            f"name: {'n' * 151}",
            "6:11: length: the text has 151 characters, at most 150 are possible",
        ),
        (
            'name: "a\\nb"',
            "6:11: value: the text holds a control character, U+000A (delete it)",
        ),
        ("app: A", f"6:10: value: 'A' cannot be the name of a Heroku app ({APP})"),
        ("timeout: soon", f"6:14: value: 'soon' is no duration ({DURATION})"),
        ("timeout: 1h30m", f"6:14: value: '1h30m' is no duration ({DURATION})"),
        (
            "timeout: 1.5",
            f"6:14: type: '1.5' is a number, not a duration ({DURATION})",
        ),
        ("timeout: [1]", f"6:14: type: this is a list, not a duration ({DURATION})"),
        ("timeout:", f"6:13: type: there is no value ({DURATION})"),
        ("timeout: -5", "6:14: range: -5 is too short (write 1s or more)"),
        ("timeout: 86401", "6:14: range: 86401 is too long (write 24h or less)"),
        ("timeout: 25h", "6:14: range: 25h is too long (write 24h or less)"),
        (
            "dyno: standard-1y",
            "6:11: size: there is no dyno size 'standard-1y' "
            "(did you mean standard-1x?)",
        ),
        (
            "dyno: Hobby",
            "6:11: size: there is no dyno size 'Hobby' (did you mean basic?)",
        ),
        (
            "dyno: 2X",
            "6:11: size: there is no dyno size '2X' (did you mean standard-2x?)",
        ),
        (
            "dyno: huge",
            f"6:11: size: there is no dyno size 'huge' (one of {', '.join(SIZES)})",
        ),
        (
            "active: no",
            "6:13: type: 'no' is text, not true or false "
            "(write false: YAML 1.2 takes this for text)",
        ),
        (
            "active: On",
            "6:13: type: 'On' is text, not true or false "
            "(write true: YAML 1.2 takes this for text)",
        ),
        (
            'active: "true"',
            "6:13: type: 'true' is text, not true or false (leave the quotes out)",
        ),
        ("active: 1", "6:13: type: '1' is a whole number, not true or false"),
        (
            "overlap: skipp",
            "6:14: value: 'skipp' is not one of skip, queue, allow, replace "
            "(did you mean skip?)",
        ),
        (
            "catch_up: never",
            "6:15: value: 'never' is no duration "
            "(write none, or 6h, or {within: 6h, run: all})",
        ),
        ("catch_up: 31d", "6:15: range: 31d is too long (write 30d or less)"),
        (
            "catch_up:",
            "6:14: type: there is no value "
            "(write none, or 6h, or {within: 6h, run: all})",
        ),
        (
            "catch_up: {witin: 6h}",
            "6:16: unknown-key: unknown key 'witin' (did you mean within?)",
        ),
        (
            "catch_up: {run: al}",
            "6:21: value: 'al' is not one of newest, all (did you mean all?)",
        ),
        ("catch_up: {within: 6}, run: all", "6:26: yaml: "),
        ("retries: 11", "6:14: range: 11 is not between 0 and 10"),
        ("retries: -1", "6:14: range: -1 is not between 0 and 10"),
        ("retries: two", "6:14: type: 'two' is text, not a whole number"),
        (
            'retries: "2"',
            "6:14: type: '2' is text, not a whole number (leave the quotes out)",
        ),
        (f"retries: {'9' * 5000}", "6:14: range: 999"),
        ("retry_delay: 0", "6:18: range: 0 is too short (write 1s or more)"),
        ("retry_delay: 25h", "6:18: range: 25h is too long (write 24h or less)"),
        ("jitter: 25h", "6:13: range: 25h is too long (write 24h or less)"),
        (
            "output: kept",
            "6:13: value: 'kept' is not one of keep, none (did you mean keep?)",
        ),
        (
            "alerts: {evnts: [failed]}",
            "6:14: unknown-key: unknown key 'evnts' (did you mean events?)",
        ),
    ],
)
def test_a_value_that_cannot_be_is_an_error_at_its_place(line: str, told: str) -> None:
    (problem,) = errors(entry(line))

    place, code, message = told.split(": ", 2)
    expected = f"{place}: error[{code}]: {message}"
    complete = told.endswith((")", "10", "text", "number", "false", "possible"))
    assert problem == expected if complete else problem.startswith(expected)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("tiemout", "timeout"),
        ("Timeout", "timeout"),
        ("retry-delay", "retry_delay"),
        ("schedule", "cron"),
        ("interval", "every"),
        ("cmd", "command"),
        ("tz", "timezone"),
        ("size", "dyno"),
        ("enabled", "active"),
        ("disabled", "active: false"),
        ("environment", "env"),
        ("retry", "retries"),
        ("misfire_grace_time", "catch_up"),
    ],
)
def test_an_unknown_key_names_the_one_that_was_meant(key: str, meant: str) -> None:
    assert errors(entry(f"{key}: 1")) == [
        f"6:5: error[unknown-key]: unknown key {key!r} (did you mean {meant}?)"
    ]


def test_a_key_that_is_like_none_lists_them_all() -> None:
    assert errors(entry("xyz: 1")) == [
        "6:5: error[unknown-key]: unknown key 'xyz' "
        f"(possible are {', '.join(TRIGGER)})"
    ]


@pytest.mark.parametrize("key", ["version", "runner", "limits", "triggers"])
def test_a_key_of_the_top_is_told_where_it_belongs(key: str) -> None:
    assert errors(entry(f"{key}: 1")) == [
        f"6:5: error[unknown-key]: `{key}` belongs to the top of the file "
        "(move it there, without indentation)"
    ]


@pytest.mark.parametrize("key", ["alerts: {to: [x]}", "healthcheck: ${URL}"])
def test_what_comes_later_is_accepted_with_a_warning(key: str) -> None:
    name = key.partition(":")[0]

    assert warnings(entry(key)) == [
        f"6:5: warning[not-supported]: `{name}` is not supported yet, and has no effect"
    ]


def test_the_table_of_keys_fills_every_field_of_a_trigger() -> None:
    fields = {key.field for key in TRIGGER.values() if key.field}
    not_written = {"slug", "schedule_kind", "expression", "source"}

    assert fields == set(Trigger.__dataclass_fields__) - not_written
    assert set(OPTIONS) == set(TRIGGER) - {"command", "cron", "every", "at"}
    assert all(key.field or key.later for key in OPTIONS.values())


class TestSlug:
    @pytest.mark.parametrize("slug", ["a", "1", "a-b", "007", "a" * 64, "a-", "no"])
    def test_a_slug_is_small_letters_digits_and_dashes(self, slug: str) -> None:
        loaded = read(f"triggers: {{{slug}: {{command: x, every: 1h}}}}")

        assert [one.slug for one in loaded.triggers] == [slug]

    @pytest.mark.parametrize(
        ("slug", "better"),
        [
            ("My Job", "such as my-job"),
            ("a_b", "such as a-b"),
            ("-a", "such as a"),
            ("a" * 65, f"such as {'a' * 64}"),
            ("é", ""),
            ("", ""),
        ],
    )
    def test_another_one_is_an_error_with_a_better_one(
        self, slug: str, better: str
    ) -> None:
        (problem,) = errors(f"triggers: {{'{slug}': {{command: x, every: 1h}}}}")

        assert "1:12: error[slug]: " in problem
        assert " cannot be the slug of a trigger (1 to 64 small" in problem
        assert problem.endswith(f", {better})" if better else "no dash first)")


class TestEntry:
    @pytest.mark.parametrize(
        ("text", "found"),
        [("", "empty"), ("x", "text, not a map"), ("[a]", "a list, not a map")],
    )
    def test_a_trigger_is_a_map(self, text: str, found: str) -> None:
        assert errors(f"triggers:\n  t: {text}\n") == [
            f"2:3: error[type]: trigger 't' is {found} "
            "(give it a command and one of cron, every and at)"
        ]

    def test_a_trigger_has_a_command_and_a_schedule(self) -> None:
        assert errors("triggers: {t: {}}") == [
            "1:12: error[missing-key]: trigger 't' has no command "
            "(add command: and what is to be run)",
            "1:12: error[missing-key]: trigger 't' has no schedule "
            "(add one of cron, every and at)",
        ]

    @pytest.mark.parametrize(
        ("command", "told"),
        [
            ("' '", "the text is empty"),
            ("5", "'5' is a whole number, not text (put it in quotes: '5')"),
            ("[a, b]", "this is a list, not text"),
            ('"a\\0b"', "the text holds a control character, U+0000 (delete it)"),
            ('"a\\eb"', "the text holds a control character, U+001B (delete it)"),
            (
                "x" * 1001,
                "the text has 1001 characters, at most 1000 are possible "
                "(put a longer command into a script)",
            ),
        ],
        ids=["blank", "number", "list", "nul", "escape", "long"],
    )
    def test_a_command_that_cannot_be_run_is_an_error(
        self, command: str, told: str
    ) -> None:
        (problem,) = errors(f"triggers: {{t: {{every: 1h, command: {command}}}}}")

        assert problem.startswith("1:36: error[")
        assert told in problem

    def test_an_entry_may_be_used_twice(self) -> None:
        loaded = read("triggers: {a: &x {command: x, every: 1h}, b: *x}", LOCAL)

        assert loaded.problems == ()
        assert [one.slug for one in loaded.triggers] == ["a", "b"]
