"""Output: the newest part of what every run printed, each line once."""

from __future__ import annotations

import threading
from datetime import timedelta

from clockd.model import OutputLine
from clockd.store import OutputRow, OutputState
from tests.support.stores import (
    HOUR,
    MINUTE,
    NOON,
    Books,
    trigger,
)

MIB = 1 << 20


def _row(
    run_id: int, sequence: int, text: str = "hello", attempt: int = 1
) -> OutputRow:
    return OutputRow(
        run_id=run_id,
        attempt=attempt,
        sequence=sequence,
        at=NOON + timedelta(microseconds=sequence),
        source="app",
        text=text,
    )


def _texts(books: Books, run_id: int) -> list[str]:
    return [line.text for line in books.store.output.lines(run_id)]


def test_lines_come_back_in_order(books: Books) -> None:
    one, two = books.ask(trigger()).id, books.ask(trigger()).id
    books.store.output.append([_row(two, 1, "x"), _row(one, 2, "b"), _row(one, 1, "a")])

    first, second = books.store.output.lines(one)

    assert first == OutputLine(
        at=NOON + timedelta(microseconds=1),
        source="app",
        text="a",
        attempt=1,
        sequence=1,
    )
    assert (second.sequence, second.text) == (2, "b")
    assert _texts(books, two) == ["x"]


def test_lines_are_read_from_where_a_reader_was(books: Books) -> None:
    run_id = books.ask(trigger()).id
    rows = [_row(run_id, n, f"{n}", attempt=1 + (n > 3)) for n in range(1, 6)]
    books.store.output.append(rows)
    lines = books.store.output.lines

    assert [line.sequence for line in lines(run_id, after=3)] == [4, 5]
    assert [line.sequence for line in lines(run_id, after=1, limit=2)] == [2, 3]
    assert [line.sequence for line in lines(run_id, attempt=2)] == [4, 5]


def test_a_line_on_record_is_not_written_again(books: Books) -> None:
    run_id = books.ask(trigger()).id
    books.store.output.append([_row(run_id, 1, "a"), _row(run_id, 2, "b")])

    books.store.output.append([_row(run_id, 2, "other"), _row(run_id, 3, "c")])

    assert _texts(books, run_id) == ["a", "b", "c"]


def test_the_state_tells_the_next_number_and_the_bytes(books: Books) -> None:
    run_id = books.ask(trigger()).id
    assert books.store.output.state(run_id) == OutputState(1, 0)

    books.store.output.append([_row(run_id, 1, "héllo"), _row(run_id, 2, "")])

    assert books.store.output.state(run_id) == OutputState(3, 8)


def test_the_newest_mebibyte_of_a_run_is_kept(books: Books) -> None:
    run_id, other = books.ask(trigger()).id, books.ask(trigger()).id
    books.store.output.append([_row(other, 1, "mine")])
    line = "x" * 999
    for batch in range(30):
        books.store.output.append(
            [_row(run_id, 1 + batch * 100 + n, line) for n in range(100)]
        )

    lines = books.store.output.lines(run_id)

    kept = sum(len(each.text) + 1 for each in lines)
    assert MIB - 1000 <= kept <= MIB + 100_000
    assert lines[-1].sequence == 3000
    assert [each.sequence for each in lines] == list(range(lines[0].sequence, 3001))
    assert books.store.output.state(run_id) == OutputState(3001, 3_000_000)
    assert _texts(books, other) == ["mine"]
    books.store.output.append([_row(run_id, 1, "long gone")])
    assert books.store.output.lines(run_id, limit=1)[0].sequence > 1


def test_one_line_is_never_larger_than_what_is_kept(books: Books) -> None:
    run_id = books.ask(trigger()).id

    books.store.output.append([_row(run_id, 1, "é" * 3 * MIB)])

    (text,) = _texts(books, run_id)
    assert len(text.encode()) <= MIB
    assert text.endswith(" … (cut)")


def test_what_databases_cannot_store_is_replaced(books: Books) -> None:
    run_id = books.ask(trigger()).id

    books.store.output.append([_row(run_id, 1, "nul \0, half \ud83d, ☃")])

    assert _texts(books, run_id) == ["nul \N{REPLACEMENT CHARACTER}, half ?, ☃"]


def test_output_of_a_run_that_is_not_there_is_left_out(books: Books) -> None:
    run_id = books.ask(trigger()).id

    books.store.output.append([_row(4711, 1, "lost"), _row(run_id, 1, "kept")])

    assert _texts(books, run_id) == ["kept"]
    assert _texts(books, 4711) == []
    books.store.output.append([])


def test_two_who_write_the_same_lines_write_them_once(books: Books) -> None:
    run_id = books.ask(trigger()).id
    barrier = threading.Barrier(2)

    def append() -> None:
        barrier.wait()
        for n in range(1, 201, 10):
            books.store.output.append([_row(run_id, n + i) for i in range(10)])

    threads = [threading.Thread(target=append) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    sequences = [line.sequence for line in books.store.output.lines(run_id)]
    assert sequences == list(range(1, 201))


def test_output_of_old_runs_is_pruned(books: Books) -> None:
    ended = []
    for n in range(3):
        run, attempt = books.run(trigger(f"t{n}"))
        books.store.output.append([_row(run.id, 1), _row(run.id, 2)])
        books.end(attempt, NOON + n * HOUR)
        ended.append(run.id)
    running, _ = books.run(trigger("running"))
    books.store.output.append([_row(running.id, 1)])

    assert books.store.output.prune(NOON + HOUR + MINUTE) == 4

    assert [len(_texts(books, run_id)) for run_id in ended] == [0, 0, 2]
    assert _texts(books, running.id) == ["hello"]
    assert books.store.output.prune(NOON + HOUR + MINUTE) == 0


def test_many_old_runs_are_pruned_in_parts(books: Books) -> None:
    for n in range(450):
        books.ask(trigger(f"t{n}"))
    started = books.take(NOON, limit=500).started
    books.store.output.append([_row(run.id, 1) for run, _ in started])
    for run, _ in started:
        books.store.runs.cancel(run.id, by="ann", now=NOON)
    for _, attempt in started:
        books.end(attempt, NOON)

    assert books.store.output.prune(NOON + MINUTE) == 450
