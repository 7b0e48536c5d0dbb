"""The output file of a task → its lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clockd.local.output import (
    BEHIND,
    MAX_LINE,
    MAX_WAITING,
    NEWEST,
    TURN_LINES,
    OutputFile,
    pieces,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give where a task prints to."""
    return tmp_path / "output"


def write(path: Path, content: bytes) -> None:
    with path.open("ab") as output:
        output.write(content)


def all_of(output: OutputFile) -> Iterator[bytes]:
    output.look()
    while output.behind:
        yield from output.turn()


def in_steps(path: Path, content: bytes, step: int, skip: int = 0) -> list[bytes]:
    output = OutputFile(path, skip=skip)
    lines: list[bytes] = []
    for start in range(0, len(content), step):
        write(path, content[start : start + step])
        lines += all_of(output)
    return [*lines, *output.rest()]


def test_lines_come_as_the_file_grows(path: Path) -> None:
    output = OutputFile(path)
    assert list(all_of(output)) == []

    write(path, b"one\ntw")
    assert list(all_of(output)) == [b"one"]

    write(path, b"o\n\nthree")
    assert list(all_of(output)) == [b"two", b""]
    assert list(output.rest()) == [b"three"]
    assert list(output.rest()) == []


LONG = b"x" * (MAX_LINE - 1)


@pytest.mark.parametrize("step", [1999, 10_000, 10_001, 1 << 20])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"a\n" + LONG + b"\nb\n", id="just below"),
        pytest.param(b"a\n" + LONG + b"x\nb\n", id="just so long"),
        pytest.param(b"a\n" + LONG + b"xx\nb\n", id="just above"),
        pytest.param(b"a\n" + 2 * (LONG + b"x") + b"\nb\n", id="twice as long"),
        pytest.param(b"a\n" + 5 * LONG + b"\nb", id="long, no newline at the end"),
        pytest.param(b"a\n" + 5 * (LONG + b"x"), id="no newline but one"),
        pytest.param("ä€😀".encode() * 3000 + b"\nb\n", id="many bytes a character"),
        pytest.param(b"\x80" * 25_000 + b"\nb\n", id="no character at all"),
    ],
)
def test_how_it_was_written_changes_no_line(
    path: Path, content: bytes, step: int
) -> None:
    expected = [p for line in content.split(b"\n") for p in pieces(line)]
    if content.endswith(b"\n"):
        expected.pop()

    lines = in_steps(path, content, step)

    assert lines == expected
    assert max(map(len, lines)) <= MAX_LINE


@pytest.mark.parametrize("skip", [0, 1, 3, 6, 7, 100])
def test_the_first_lines_are_left_out(path: Path, skip: int) -> None:
    content = b"a\nb\n" + 3 * (LONG + b"x") + b"\nc\nd"
    whole = in_steps(path, content, 1 << 20)
    path.unlink()

    assert in_steps(path, content, 5000, skip) == whole[skip:]


def test_a_line_is_cut_between_two_characters() -> None:
    line = b"x" * (MAX_LINE - 1) + "€uro".encode()

    assert list(pieces(line)) == [b"x" * (MAX_LINE - 1), "€uro".encode()]


def test_a_turn_ends_before_all_is_given_where_there_is_much(path: Path) -> None:
    output = OutputFile(path)
    write(path, b"y\n" * 10_000)
    output.look()

    assert len(list(output.turn())) == TURN_LINES
    assert output.behind
    assert len(list(all_of(output))) == 10_000 - TURN_LINES
    assert not output.behind


def test_who_is_far_behind_goes_on_with_the_newest_bytes(path: Path) -> None:
    output = OutputFile(path)
    write(path, b"first\n")
    assert list(all_of(output)) == [b"first"]
    count = 2 * BEHIND // 1000
    write(path, b"".join(b"%0999d\n" % n for n in range(count)))

    left_out = output.look()
    lines = list(all_of(output))

    assert left_out == count * 1000 - NEWEST
    assert lines[-1] == b"%0999d" % (count - 1)
    assert NEWEST // 1000 - 1 <= len(lines) <= NEWEST // 1000
    assert {len(line) for line in lines} == {999}
    assert output.look() == 0


def test_of_too_many_lines_the_newest_are_given(path: Path) -> None:
    output = OutputFile(path)
    write(path, b"".join(b"%07d\n" % n for n in range(MAX_WAITING + 5)))

    assert output.look() == 5 * 8
    lines = list(all_of(output))

    assert lines[0] == b"0000005"
    assert len(lines) == MAX_WAITING


def test_who_leaves_out_what_is_on_record_misses_nothing(path: Path) -> None:
    output = OutputFile(path, skip=10_000)
    write(path, b"".join(b"%0999d\n" % n for n in range(10_003)))

    lines = list(all_of(output))

    assert lines == [b"%0999d" % n for n in range(10_000, 10_003)]


@pytest.mark.parametrize(
    "content",
    [b"new\n", b"very new\n", b"new\nand longer\nthan before\n"],
    ids=["shorter", "about as long", "longer"],
)
def test_a_file_that_was_truncated_is_read_from_its_start(
    path: Path, content: bytes
) -> None:
    output = OutputFile(path)
    write(path, b"one\ntwo\nthr")
    assert list(all_of(output)) == [b"one", b"two"]

    path.write_bytes(content)

    assert list(all_of(output)) == content.split(b"\n")[:-1]


def test_a_file_that_was_deleted_gives_no_more_lines(path: Path) -> None:
    output = OutputFile(path)
    write(path, b"one\ntwo\n")
    assert list(all_of(output)) == [b"one", b"two"]
    path.unlink()

    assert list(all_of(output)) == []
    assert not output.behind


def test_a_file_that_is_deleted_between_two_looks_is_read_no_further(
    path: Path,
) -> None:
    output = OutputFile(path, skip=1)
    write(path, b"x" * 999 + b"\n" + b"y" * BEHIND + b"\n")
    output.look()
    path.unlink()

    assert set(all_of(output)) <= {b"y" * MAX_LINE}
    assert not output.behind
