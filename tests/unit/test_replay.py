from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clockd.runner import LogLine
from clockd.watch.replay import ReplayFilter, UnownedLines

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def line(text: str, second: float = 0, dyno: str = "clockd.1") -> LogLine:
    return LogLine(
        at=T0 + timedelta(seconds=second), source="app", dyno=dyno, text=text
    )


def test_a_line_printed_twice_is_kept_twice_while_the_stream_is_live() -> None:
    replay = ReplayFilter()

    assert [replay.is_repeat(line("tick")) for _ in range(2)] == [False, False]


def test_a_replay_drops_each_line_as_often_as_it_was_seen() -> None:
    replay = ReplayFilter()
    for _ in range(2):
        replay.is_repeat(line("tick"))

    replay.reopened()

    assert [replay.is_repeat(line("tick")) for _ in range(3)] == [True, True, False]


def test_a_second_replay_knows_the_lines_of_the_first_stretch_too() -> None:
    replay = ReplayFilter()
    replay.is_repeat(line("a", 1))
    replay.reopened()
    replay.is_repeat(line("a", 1))
    replay.is_repeat(line("b", 2))

    replay.reopened()

    assert replay.is_repeat(line("a", 1))
    assert replay.is_repeat(line("b", 2))
    assert not replay.is_repeat(line("c", 3))


def test_lines_of_an_earlier_process_are_known_once_remembered() -> None:
    replay = ReplayFilter()
    replay.remember([line("a")])
    replay.reopened()

    assert replay.is_repeat(line("a"))


def test_lines_of_a_recycled_name_from_before_the_dyno_are_not_handed_over() -> None:
    unowned = UnownedLines()
    unowned.add(line("old", 0))
    unowned.add(line("new", 10))

    assert [x.text for x in unowned.claim("clockd.1", line("", 5).at)] == ["new"]
    assert unowned.claim("clockd.1", T0) == []


def test_many_dynos_nobody_owns_do_not_pile_up() -> None:
    unowned = UnownedLines()
    for number in range(2000):
        unowned.add(line("x", dyno=f"clockd.{number}"))

    assert len(unowned.lines()) < 1000
    assert unowned.claim("clockd.1999", T0)
