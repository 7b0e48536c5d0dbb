from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from clockd.model import Attempt, RunnerKind, RunState
from clockd.runner import Dyno, LogLine
from clockd.watch.adoption import Owned, find_in_list, find_in_log, reaches_back

SENT = datetime(2026, 3, 2, 9, 0, 0, 400_000, tzinfo=UTC)
NOBODY = Owned(ids=(), names=())
ATTEMPT = Attempt(
    id=1,
    run_id=1,
    number=1,
    state=RunState.UNKNOWN,
    runner=RunnerKind.HEROKU,
    app="app",
    command="worker 42",
    process_type="clockd",
    requested_at=SENT,
    time_to_live_s=660,
)
SHOWN = frozenset({"worker 42", "python work.py 42"})
DYNO = Dyno(
    app="app",
    name="clockd.7",
    id="id-7",
    command="worker 42",
    process_type="clockd",
    state="up",
    size=None,
    created_at=SENT.replace(microsecond=0),
)


def started(command: str, *, name: str = "clockd.7", after_s: float = 1) -> LogLine:
    return LogLine(
        at=SENT + timedelta(seconds=after_s),
        source="heroku",
        dyno=name,
        text=f"Starting process with command `{command}`",
    )


def test_a_listed_dyno_of_our_type_and_command_is_found() -> None:
    assert find_in_list(ATTEMPT, SHOWN, [DYNO], NOBODY) == DYNO


def test_a_procfile_command_listed_expanded_is_found() -> None:
    expanded = replace(DYNO, command="python work.py 42")

    assert find_in_list(ATTEMPT, SHOWN, [expanded], NOBODY) == expanded


def test_config_vars_that_the_platform_filled_in_do_not_hide_a_dyno() -> None:
    attempt = replace(ATTEMPT, command="send $REGION ${KIND} now")
    shown = frozenset({attempt.command})

    dyno = find_in_log(attempt, shown, [started("send eu daily now")], NOBODY)

    assert dyno is not None


def test_strangers_are_not_taken() -> None:
    strangers = [
        replace(DYNO, process_type="run"),
        replace(DYNO, command="worker 43"),
        replace(DYNO, created_at=SENT - timedelta(seconds=30)),
    ]

    assert find_in_list(ATTEMPT, SHOWN, strangers, NOBODY) is None


def test_a_dyno_that_belongs_to_another_attempt_is_not_taken() -> None:
    owned = Owned(ids={"id-7"}, names={"clockd.7"})

    assert find_in_list(ATTEMPT, SHOWN, [DYNO], owned) is None
    assert find_in_log(ATTEMPT, SHOWN, [started("worker 42")], owned) is None


def test_a_dyno_that_another_attempt_knows_from_its_log_line_is_not_taken() -> None:
    owned = Owned(ids={"log:clockd.7:20260302T090001.000000"}, names={"clockd.7"})

    assert find_in_list(ATTEMPT, SHOWN, [DYNO], owned) is None


def test_a_task_that_ended_before_the_look_is_found_in_the_log() -> None:
    dyno = find_in_log(ATTEMPT, SHOWN, [started("worker 42")], NOBODY)

    assert dyno is not None
    assert dyno.name == "clockd.7"
    assert dyno.created_at <= started("worker 42").at


def test_a_command_of_several_lines_is_known_by_its_first() -> None:
    attempt = replace(ATTEMPT, command="echo $DAY\necho b")
    lines = [
        LogLine(at=line.at, source="heroku", dyno=line.dyno, text=text)
        for line in [started("")]
        for text in ["Starting process with command `echo Monday", "echo b`"]
    ]

    dyno = find_in_log(attempt, {attempt.command}, lines, NOBODY)

    assert dyno is not None
    assert dyno.command == attempt.command
    other = replace(attempt, command="echo $DAY")
    assert find_in_log(other, {other.command}, lines, NOBODY) is None


def test_a_command_that_ends_in_a_backtick_is_found() -> None:
    attempt = replace(ATTEMPT, command="echo `date`")

    dyno = find_in_log(attempt, {attempt.command}, [started("echo `date`")], NOBODY)

    assert dyno is not None


def test_an_older_dyno_of_a_recycled_name_is_not_taken_from_the_log() -> None:
    assert (
        find_in_log(ATTEMPT, SHOWN, [started("worker 42", after_s=-60)], NOBODY) is None
    )


def test_only_a_line_from_before_the_request_proves_that_the_log_is_whole() -> None:
    assert not reaches_back([], SENT)
    assert not reaches_back([started("x", after_s=1)], SENT)
    assert reaches_back([started("x", after_s=-60)], SENT)
