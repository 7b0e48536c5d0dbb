"""`env`: names, values as text, and `${NAME}` in them."""

from __future__ import annotations

import pytest

from clockd import config
from clockd.errors import ConfigError
from tests.support.configs import HEROKU, entry, errors, read, shown, trigger, warnings


def test_values_are_text_as_it_is_written() -> None:
    found = trigger(
        entry(
            "env:",
            "  TEXT: debug",
            "  NUMBER: 1.50",
            "  WHOLE: 007",
            "  HEX: 0x1F",
            "  FLAG: True",
            "  SWITCH: on",
            '  QUOTED: "1"',
            '  EMPTY: ""',
            "  LINES: |",
            "    a",
            "    b",
        )
    )

    assert found.env == {
        "TEXT": "debug",
        "NUMBER": "1.50",
        "WHOLE": "007",
        "HEX": "0x1F",
        "FLAG": "True",
        "SWITCH": "on",
        "QUOTED": "1",
        "EMPTY": "",
        "LINES": "a\nb\n",
    }


def test_a_triggers_variables_stand_beside_those_of_the_defaults() -> None:
    text = "defaults: {env: {A: 1, B: 2}}\n" + entry("env: {B: 3, C: 4}")

    assert trigger(text).env == {"A": "1", "B": "3", "C": "4"}


@pytest.mark.parametrize("name", ["A", "a", "_", "A_1", "PATH", "CLOCKD_OTHER"])
def test_a_name_is_one_a_shell_can_use(name: str) -> None:
    assert trigger(entry(f"env: {{{name}: x}}")).env == {name: "x"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "{1A: x}",
            "6:11: error[env]: '1A' cannot be the name of a variable "
            "(letters, digits and underscores, no digit first)",
        ),
        (
            "{a-b: x}",
            "6:11: error[env]: 'a-b' cannot be the name of a variable "
            "(letters, digits and underscores, no digit first)",
        ),
        (
            "{É: x}",
            "6:11: error[env]: 'É' cannot be the name of a variable "
            "(letters, digits and underscores, no digit first)",
        ),
        (
            "{A: b, A: c}",
            "6:17: error[duplicate-key]: key 'A' is there twice, first at line 6 "
            "(keep one of them)",
        ),
        (
            "{A: [b]}",
            "6:14: error[type]: the value of a variable cannot be a list "
            "(write it as one text, in quotes)",
        ),
        (
            "{A: {b: c}}",
            "6:14: error[type]: the value of a variable cannot be a map "
            "(write it as one text, in quotes)",
        ),
        ("{A: null}", '6:14: error[type]: there is no value (write "" for none)'),
        ("{A: }", '6:14: error[type]: there is no value (write "" for none)'),
        (
            '{A: "b\\0"}',
            "6:14: error[env]: no variable can hold U+0000 (delete it)",
        ),
        (
            f"{{A: {'b' * 32_769}}}",
            "6:14: error[length]: the value has 32769 characters, at most 32768 are "
            "possible",
        ),
        (
            "[A=b]",
            "6:10: error[type]: this is a list, not a map "
            "(write `NAME: value`, one a line)",
        ),
        (
            "A=b",
            "6:10: error[type]: this is text, not a map "
            "(write `NAME: value`, one a line)",
        ),
    ],
    ids=[
        *("digit", "dash", "letter", "twice", "list", "map", "null", "nothing"),
        *("nul", "long", "sequence", "text"),
    ],
)
def test_what_cannot_be_a_variable_is_an_error(text: str, told: str) -> None:
    assert errors(entry(f"env: {text}")) == [told]


@pytest.mark.parametrize(
    "name",
    ["CLOCKD_TRIGGER", "CLOCKD_RUN_ID", "CLOCKD_FIRE_TIME", "CLOCKD_ATTEMPT"],
)
def test_what_clockd_gives_every_task_cannot_be_set(name: str) -> None:
    assert errors(entry(f"env: {{{name}: x}}")) == [
        f"6:11: error[env]: clockd itself gives every task its {name} "
        "(take another name)"
    ]


@pytest.mark.parametrize("value", ["${}", "${1}", "a${", "${A B}", "${A:-b}", "x${A"])
def test_a_brace_that_begins_no_name_is_an_error(value: str) -> None:
    assert errors(entry(f'env: {{A: "{value}"}}')) == [
        "6:14: error[env]: a ${ in the value begins no ${NAME} "
        "(write ${NAME}, or $${ for a ${ that stays as it is)"
    ]


@pytest.mark.parametrize("value", ["$HOME", "$", "$$", "a}b", "$${A}", "$${", "$(x)"])
def test_other_dollars_stay_as_they_are(value: str) -> None:
    assert warnings(entry(f'env: {{A: "{value}"}}')) == []


def test_a_variable_that_is_not_set_is_a_warning() -> None:
    text = entry('env: {A: "${SET}-${UNSET}"}')

    loaded = read(text, HEROKU, {"SET": "x"})

    assert shown(loaded.warnings) == [
        "6:14: warning[unset-variable]: ${UNSET} is not set here "
        "(where clockd runs it has to be, or no run can start)"
    ]


def test_variables_are_looked_up_in_the_process_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THERE", "x")
    text = entry('env: {A: "${THERE}"}')

    assert config.load(None, text, settings=HEROKU).warnings == ()


def test_a_trigger_keeps_its_variables_unexpanded() -> None:
    (found,) = read(entry('env: {A: "${S}"}'), HEROKU, {"S": "x"}).triggers

    assert found.env == {"A": "${S}"}


def test_nothing_but_env_expands() -> None:
    found = trigger(
        "triggers: {t: {command: 'echo ${A}', every: 1h, name: '${A}'}}", HEROKU
    )

    assert (found.command, found.name) == ("echo ${A}", "${A}")


class TestExpand:
    @pytest.mark.parametrize(
        ("value", "expanded"),
        [
            ("${A}", "one"),
            ("x${A}y${B}z", "xoney${A}z"),
            ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("$A", "$A"),
            ("plain", "plain"),
            ("", ""),
        ],
    )
    def test_a_reference_is_replaced_once(self, value: str, expanded: str) -> None:
        environ = {"A": "one", "B": "${A}"}

        assert config.expand_env({"N": value}, environ) == {"N": expanded}

    def test_an_unset_one_is_an_error_that_shows_no_value(self) -> None:
        with pytest.raises(ConfigError) as caught:
            config.expand_env({"URL": "hunter2-${MISSING}"}, {"OTHER": "hunter2"})

        assert caught.value.message == "env URL needs ${MISSING}, which is not set"
        assert "heroku config:set MISSING=…" in str(caught.value.hint)
        assert caught.value.data == {"variable": "MISSING"}
        assert "hunter2" not in f"{caught.value} {caught.value.hint}"
