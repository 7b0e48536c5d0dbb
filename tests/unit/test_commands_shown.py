"""What a command may look like where the platform shows it."""

from __future__ import annotations

import pytest

from clockd.watch.commands import closeness, twin_of


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("send now", "send now"),
        ("send $A now", "send eu west now"),
        ("send ${A} $B", "send  x\ny"),
        ("send $A now", "send $A now"),
        ("one\ntwo\n", "one\ntwo"),
        ("sum (1+1)* $A", "sum (1+1)* 2"),
    ],
    ids=["plain", "variable", "variables", "not expanded", "trailing", "signs"],
)
def test_a_command_is_known_as_it_is_shown(command: str, shown: str) -> None:
    assert closeness(shown, [command]) is not None


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("send now", "send"),
        ("send $A now", "send eu later"),
        ("send now", "SEND now"),
        ("one\ntwo", "one"),
    ],
    ids=["beginning", "other end", "case", "first line"],
)
def test_another_command_is_not(command: str, shown: str) -> None:
    assert closeness(shown, [command]) is None


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("one\ntwo", "one"),
        ("one $A\ntwo", "one x"),
        ("send $KEY now", "send -----BEGIN-----"),
        ("send $A $KEY now", "send a -----BEGIN-----"),
    ],
    ids=["first line", "variable", "within a value", "within the second"],
)
def test_a_command_that_was_cut_is_known_by_what_is_left(
    command: str, shown: str
) -> None:
    assert closeness(shown, [command], cut=True) is not None


def test_a_whole_command_is_not_taken_for_one_that_was_cut() -> None:
    assert closeness("one", ["one"], cut=True) is None
    assert closeness("one two", ["one"], cut=True) is None


def test_the_very_text_is_closer_than_a_pattern_and_more_text_than_less() -> None:
    exact = closeness("send eu now", ["send eu now"])
    close = closeness("send eu now", ["send $A now"])
    far = closeness("send eu now", ["send $A"])

    assert exact is not None
    assert close is not None
    assert far is not None
    assert exact > close > far


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("echo a\necho b", "echo a\necho c"),
        ("echo $A", "echo $B"),
        ("send $KEY one", "send ${PEM} two"),
    ],
    ids=["lines", "variables", "values"],
)
def test_commands_that_may_look_alike_are_twins(one: str, other: str) -> None:
    assert twin_of(one) == twin_of(other)


def test_commands_that_differ_before_any_variable_are_no_twins() -> None:
    assert twin_of("echo a $B") != twin_of("echo c $B")
    assert twin_of("echo a") != twin_of("echo b")
