"""YAML 1.2 is read with places, by both of PyYAML's parsers alike."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from clockd.config import yaml12
from clockd.config.problems import Report, Severity
from clockd.config.yaml12 import Kind, Mapping, Scalar

TOP = Path(__file__).resolve().parents[2]

PARSERS = pytest.mark.parametrize("pure", [False, True], ids=["libyaml", "python"])


def tree(node: yaml12.Node | None) -> Any:
    if node is None or isinstance(node, Scalar):
        return node and (node.kind, node.text, node.line, node.column)
    return [type(node), node.line, node.column, *map(tree, node.items)]


def outcome(text: str, *, pure: bool) -> tuple[Any, list[str]]:
    report = Report("f")
    root = yaml12.parse(text, report, pure=pure)
    return tree(root), [str(problem) for problem in report.found(Severity.ERROR)]


def only_problem(text: str, *, pure: bool) -> str:
    _, problems = outcome(text, pure=pure)
    assert len(problems) == 1
    return problems[0]


def value(text: str, *, pure: bool) -> tuple[Kind, str]:
    report = Report("f")
    root = yaml12.parse(f"key: {text}", report, pure=pure)
    assert isinstance(root, Mapping), report.found(Severity.ERROR)
    node = root.items[1]
    assert isinstance(node, Scalar)
    return node.kind, node.text


def test_both_parsers_are_there_to_be_compared() -> None:
    assert yaml.__with_libyaml__


@PARSERS
@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (
            Kind.TEXT,
            "on off yes no y n On NO 1:30 2026-12-25 1_000 0b1 0o9 + . -- 1.2.3 tRue "
            "nil .Nan 0x x1 - @",
        ),
        (Kind.INTEGER, "0 -1 +12 017 0o17 0xFf 99999999999999999999"),
        (Kind.NUMBER, "1.5 -.5 1. 1e3 6.02E+23 .inf -.INF +.Inf .nan .NaN"),
        (Kind.BOOLEAN, "true True TRUE false False FALSE"),
        (Kind.NULL, "null Null NULL ~"),
    ],
)
def test_a_plain_value_is_what_the_core_schema_says(
    kind: Kind, texts: str, pure: bool
) -> None:
    plain = [text for text in texts.split() if text not in ("-", "@")]

    assert [value(text, pure=pure) for text in plain] == [
        (kind, text) for text in plain
    ]


@PARSERS
@pytest.mark.parametrize(
    "text", ['"true"', "'true'", "! true", "!!str true", "|-\n  true", ">-\n  true"]
)
def test_a_value_in_quotes_or_tagged_as_text_is_text(text: str, pure: bool) -> None:
    assert value(text, pure=pure) == (Kind.TEXT, "true")


@PARSERS
def test_a_missing_value_is_nothing(pure: bool) -> None:
    assert value("", pure=pure) == (Kind.NULL, "")


@PARSERS
def test_every_node_knows_its_line_and_column(pure: bool) -> None:
    text = "é: x\nlist:\n  - [a, 'b']\n  - c: |\n      d\n"

    assert outcome(text, pure=pure) == (
        [
            *(Mapping, 1, 1),
            *((Kind.TEXT, "é", 1, 1), (Kind.TEXT, "x", 1, 4)),
            (Kind.TEXT, "list", 2, 1),
            [
                *(yaml12.Sequence, 3, 3),
                [
                    *(yaml12.Sequence, 3, 5),
                    *((Kind.TEXT, "a", 3, 6), (Kind.TEXT, "b", 3, 9)),
                ],
                [
                    *(Mapping, 4, 5),
                    *((Kind.TEXT, "c", 4, 5), (Kind.TEXT, "d\n", 4, 8)),
                ],
            ],
        ],
        [],
    )


@PARSERS
def test_an_alias_is_the_node_it_stands_for(pure: bool) -> None:
    root = yaml12.parse("a: &x {b: c}\nd: *x\n", Report("f"), pure=pure)

    assert isinstance(root, Mapping)
    assert root.items[1] is root.items[3]


@PARSERS
def test_a_later_anchor_of_the_same_name_counts_from_there_on(pure: bool) -> None:
    root = yaml12.parse("[&x 1, *x, &x 2, *x]", Report("f"), pure=pure)

    assert isinstance(root, yaml12.Sequence)
    texts = [item.text for item in root.items if isinstance(item, Scalar)]
    assert texts == ["1", "1", "2", "2"]


@PARSERS
@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a:\n\tb: 1", "f:2:1", "a tab where YAML wants blanks"),
        ("a: 1\n  \tb: 2", "f:2:3", "a tab where YAML wants blanks"),
        ("a: 1\t# x\n", "f:1:5", "a tab where YAML wants blanks"),
        ("a:\t1\n", "f:1:3", "a tab where YAML wants blanks"),
        ("a: b: c", "f:1:5", "put a value that holds a colon and a blank in quotes"),
        ("a: 1\n b: 2", "f:2:3", "look at the indentation"),
        ("a:\n  b: 1\n c: 2", "f:3:2", "stands above it; the map begins at line 1 ("),
        ("a: 'x\nb: 1\n", "f:1:4", "does not end (close the quote)"),
        ("a: `x`", "f:1:4", "put the value in quotes"),
        ("a: [1,\nb", "f:1:4", "this bracket is not closed"),
        ("a: [1,\n'b' c]", "f:2:5", "is missing; the list begins at line 1"),
        ('a: "\\q"', "f:1:6", "put the text in single quotes"),
        ("a: * 9 * * *", "f:1:5", 'put it in quotes, as "* * * * *"'),
        ("a: \0", "f:1:4", "save the file as UTF-8"),
        ("a: 1\nbcd\ne: 2", "f:2:1", "a line without a colon"),
        ("a: | b\n  c", "f:1:6", "followed by something"),
        ("a: *b", "f:1:4", "stands for nothing"),
        ("a: &b [*b]", "f:1:8", "stands for what it is a part of itself"),
        ("a: 1\n---\nb: 2", "f:2:1", "a second document begins here"),
        ("a: 1\nb: \x07", "f:2:4", "U+0007 may not stand in a YAML file"),
        ("a: b\u2028c", "f:1:5", "U+2028"),
        ("a: \ufeffb", "f:1:4", "U+FEFF"),
        ("a: \ud800", "f:1:4", "U+D800"),
        (r'a: "\ud800"', "f:1:4", "half a character"),
        ("a: !!python/none x", "f:1:4", "this tag is not known here"),
        ("a: !!int x", "f:1:4", "the tag says a whole number, but this is text"),
        ("!!map [a]", "f:1:1", "the tag says a map, but this is a list"),
        ("a: !x!y z", "f:1:4", "this is no YAML"),
        ("%YAML 3.0\n---\na: 1", "f:1:1", "incompatible"),
        ("[" * 40, "f:1:33", "nested more than 32 deep"),
    ],
)
def test_what_cannot_be_read_is_one_problem_at_its_place(
    text: str, place: str, words: str, pure: bool
) -> None:
    problem = only_problem(text, pure=pure)

    assert problem.startswith(f"{place}: error[yaml]: ")
    assert words in problem


@PARSERS
@pytest.mark.parametrize(
    "text",
    [
        "a: b # a\tcomment\n",
        "#\ta comment\na: b\n",
        "a: 'x\ty'\n",
        'a: "x\ty" # and\there\n',
        "a: |\n  make:\n  \tall\n",
    ],
)
def test_a_tab_may_stand_in_quotes_blocks_and_comments(text: str, pure: bool) -> None:
    assert outcome(text, pure=pure)[1] == []


@PARSERS
def test_aliases_that_multiply_are_refused_at_once(pure: bool) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20)]

    problem = only_problem("\n".join(lines), pure=pure)

    assert "more than 2,000,000 values, aliases counted" in problem


@PARSERS
def test_deep_nesting_does_not_exhaust_the_stack(pure: bool) -> None:
    assert "32 deep" in only_problem("[" * 100_000, pure=pure)


def test_both_parsers_give_the_same_for_damaged_files() -> None:
    chosen = random.Random(7)
    marks = "\t\n :-#&*!|>'\"%@`[]{},~\\x0a1é\r "
    base = (TOP / "triggers.yaml").read_text() + (
        '\n  x: {a: [1, "b\\n"], b: &z {q: 1}, c: *z}\n  y: |\n    z\n  w: >-\n    v\n'
    )
    for _ in range(300):
        begin = chosen.randrange(len(base))
        text = base[begin : begin + chosen.randrange(1, 300)]
        for _ in range(chosen.randrange(4)):
            at = chosen.randrange(len(text) + 1)
            text = text[:at] + chosen.choice(marks) + text[at + chosen.randrange(2) :]

        assert outcome(text, pure=False) == outcome(text, pure=True), text


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("-3", -3), ("+4", 4), ("017", 17), ("0o17", 15), ("0xFf", 255)],
)
def test_an_integer_has_its_base(text: str, number: int) -> None:
    assert yaml12.to_integer(text) == number


def test_a_huge_integer_is_huge_and_no_crash() -> None:
    assert yaml12.to_integer("9" * 10_000) >= 10**30
