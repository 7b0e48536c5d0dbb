"""How many lines an attempt has written, though only the newest are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clockd.store import OutputRow
from tests.support.stores import NOON, Books, open_books, trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = "x" * 9_999  # a hundred of these are as much as is kept


@pytest.fixture
def books(sqlite_url: str) -> Iterator[Books]:
    with open_books(sqlite_url) as books:
        yield books


@pytest.fixture
def run_id(books: Books) -> int:
    return books.ask(trigger()).id


def write(
    books: Books,
    run_id: int,
    count: int,
    *,
    attempt: int = 1,
    source: str = "app",
    text: str = LINE,
) -> None:
    """Write lines behind those that are there."""
    first = books.store.output.state(run_id).next_sequence
    books.store.output.append(
        [
            OutputRow(
                run_id=run_id,
                attempt=attempt,
                sequence=sequence,
                at=NOON,
                source=source,
                text=text,
            )
            for sequence in range(first, first + count)
        ]
    )


def test_nothing_was_written_yet(books: Books, run_id: int) -> None:
    assert books.store.output.lines_written(run_id, 1) == 0


def test_what_the_platform_said_is_not_the_attempts_own(
    books: Books, run_id: int
) -> None:
    write(books, run_id, 3)
    write(books, run_id, 1, source="clockd")
    write(books, run_id, 2)

    assert books.store.output.lines_written(run_id, 1) == 5


def test_lines_that_are_no_longer_kept_are_counted(books: Books, run_id: int) -> None:
    write(books, run_id, 250)
    assert len(books.store.output.lines(run_id)) < 150

    assert books.store.output.lines_written(run_id, 1) == 250


def test_lines_of_earlier_attempts_are_not(books: Books, run_id: int) -> None:
    write(books, run_id, 250)
    write(books, run_id, 20, attempt=2)

    assert books.store.output.lines_written(run_id, 2) == 20


def test_where_nothing_is_left_of_earlier_attempts_too_few_are_counted(
    books: Books, run_id: int
) -> None:
    write(books, run_id, 5)
    write(books, run_id, 250, attempt=2)

    kept = len(books.store.output.lines(run_id, attempt=2))
    assert books.store.output.lines_written(run_id, 2) == kept
