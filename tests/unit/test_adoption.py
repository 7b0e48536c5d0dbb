from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clockd.model import Attempt, RunnerKind, RunState
from clockd.runner import Dyno, LogLine
from clockd.store import DatedDyno
from clockd.watch.adoption import (
    SKEW,
    Wanted,
    find_in_list,
    find_in_log,
    find_stillborn,
    reaches_back,
)

if TYPE_CHECKING:
    from collections.abc import Collection

SENT = datetime(2026, 3, 2, 9, 0, 0, 400_000, tzinfo=UTC)
NOBODY: list[DatedDyno] = []
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
SHOWN = ("worker 42", "python work.py 42")
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


def wanted(*commands: str, rivals: Collection[Collection[str]] = ()) -> Wanted:
    shown = commands or SHOWN
    return Wanted(
        attempt=replace(ATTEMPT, command=shown[0]),
        requested_at=SENT,
        since=SENT - SKEW,
        commands=shown,
        rivals=rivals,
    )


OURS = wanted()


def at(seconds: float) -> datetime:
    return SENT + timedelta(seconds=seconds)


def line(text: str, *, name: str = "clockd.7", after_s: float = 1) -> LogLine:
    return LogLine(at=at(after_s), source="heroku", dyno=name, text=text)


def owned(dyno_id: str, *, name: str = "clockd.7", after_s: float = 0) -> DatedDyno:
    return DatedDyno(dyno_id, name, at(after_s).replace(microsecond=0))


def started(command: str, *, name: str = "clockd.7", after_s: float = 1) -> LogLine:
    text = f"Starting process with command `{command}`"
    return line(text, name=name, after_s=after_s)


def exited(*, after_s: float) -> LogLine:
    return line("Process exited with status 0", after_s=after_s)


def test_a_listed_dyno_of_our_type_and_command_is_found() -> None:
    assert find_in_list(OURS, [DYNO], NOBODY) == DYNO


def test_a_procfile_command_listed_expanded_is_found() -> None:
    expanded = replace(DYNO, command="python work.py 42")

    assert find_in_list(OURS, [expanded], NOBODY) == expanded


def test_config_vars_that_the_platform_filled_in_do_not_hide_a_dyno() -> None:
    ours = wanted("send $REGION ${KIND} now")

    assert find_in_log(ours, [started("send eu daily now")], NOBODY) is not None


def test_strangers_are_not_taken() -> None:
    strangers = [
        replace(DYNO, process_type="run"),
        replace(DYNO, command="worker 43"),
        replace(DYNO, created_at=at(-30)),
    ]

    assert find_in_list(OURS, strangers, NOBODY) is None


def test_of_several_dynos_the_first_after_the_request_is_taken() -> None:
    ours = replace(OURS, since=at(-600))
    dynos = [
        replace(DYNO, id=str(after_s), created_at=at(after_s))
        for after_s in (-300, -60, 2, 90)
    ]

    found = find_in_list(ours, dynos, NOBODY)
    before = find_in_list(ours, dynos[:2], NOBODY)

    assert found is not None
    assert found.id == "2"
    assert before is not None
    assert before.id == "-60"


def test_a_dyno_that_looks_more_like_another_launchs_is_not_taken() -> None:
    lines = [started("send eu")]
    rival = [frozenset({"send eu"})]

    assert find_in_log(wanted("send $A", rivals=rival), lines, NOBODY) is None
    assert find_in_log(wanted("send $A"), lines, NOBODY) is not None
    other = [frozenset({"send $A"})]
    assert find_in_log(wanted("send eu", rivals=other), lines, NOBODY) is not None


# -- dynos of other attempts -----------------------------------------------------


def test_a_dyno_that_belongs_to_another_attempt_is_not_taken() -> None:
    others = [owned("id-7")]

    assert find_in_list(OURS, [DYNO], others) is None
    assert find_in_log(OURS, [started("worker 42")], others) is None


def test_a_dyno_that_another_attempt_knows_from_its_log_line_is_not_taken() -> None:
    others = [owned("log:clockd.7:20260302T090001.000000", after_s=1)]

    assert find_in_list(OURS, [DYNO], others) is None
    assert find_in_log(OURS, [started("worker 42")], others) is None


def test_a_listed_dyno_with_the_name_of_an_earlier_one_is_found() -> None:
    assert find_in_list(OURS, [DYNO], [owned("id-6", after_s=-4)]) == DYNO
    by_line = owned("log:clockd.7:20260302T085956.000000", after_s=-4)
    assert find_in_list(OURS, [DYNO], [by_line]) == DYNO


def test_a_second_beginning_under_a_name_is_another_dyno() -> None:
    others = [owned("id-6", after_s=-4)]
    lines = [started("worker 42", after_s=-3), started("worker 42", after_s=2)]

    dyno = find_in_log(OURS, lines, others)

    assert dyno is not None
    assert dyno.created_at == at(2).replace(microsecond=0)


def test_a_beginning_after_the_owners_end_is_another_dyno() -> None:
    others = [owned("id-6", after_s=-4)]
    lines = [exited(after_s=-2), started("worker 42", after_s=2)]

    assert find_in_log(OURS, lines, others) is not None


def test_lines_need_not_come_in_order() -> None:
    others = [owned("id-6", after_s=-4)]
    lines = [started("worker 42", after_s=2), exited(after_s=-2)]

    assert find_in_log(OURS, lines, others) is not None


# -- the log ---------------------------------------------------------------------


def test_a_task_that_ended_before_the_look_is_found_in_the_log() -> None:
    dyno = find_in_log(OURS, [started("worker 42")], NOBODY)

    assert dyno is not None
    assert dyno.name == "clockd.7"
    assert dyno.created_at <= started("worker 42").at


def test_a_command_of_several_lines_is_known_by_its_first() -> None:
    ours = wanted("echo $DAY\necho b")
    lines = [line("Starting process with command `echo Monday"), line("echo b`")]

    dyno = find_in_log(ours, lines, NOBODY)

    assert dyno is not None
    assert dyno.command == "echo $DAY\necho b"
    assert find_in_log(wanted("echo Tuesday"), lines, NOBODY) is None


def test_a_value_of_several_lines_does_not_hide_a_dyno() -> None:
    ours = wanted("sign $PEM now")

    cut = line("Starting process with command `sign -----BEGIN KEY-----")

    assert find_in_log(ours, [cut], NOBODY) is not None


def test_a_command_that_ends_in_a_backtick_is_found() -> None:
    assert find_in_log(wanted("echo `date`"), [started("echo `date`")], NOBODY)


def test_a_first_line_that_ends_in_a_backtick_is_found() -> None:
    cut = line("Starting process with command `echo `date`")

    assert find_in_log(wanted("echo `date`\necho b"), [cut], NOBODY)
    assert find_in_log(wanted("echo $A now"), [cut], NOBODY) is None


def test_an_older_dyno_of_a_recycled_name_is_not_taken_from_the_log() -> None:
    assert find_in_log(OURS, [started("worker 42", after_s=-60)], NOBODY) is None


def test_a_task_cannot_pass_for_another_by_printing_its_line() -> None:
    printed = replace(started("worker 42"), source="app")

    assert find_in_log(OURS, [printed], NOBODY) is None


def test_only_a_line_from_before_the_request_proves_that_the_log_is_whole() -> None:
    assert not reaches_back([], SENT)
    assert not reaches_back([started("x", after_s=1)], SENT)
    assert reaches_back([started("x", after_s=-60)], SENT)


def ended_at_its_start(name: str = "clockd.9", after_s: float = 1) -> list[LogLine]:
    at = SENT + timedelta(seconds=after_s)
    texts = (
        "State changed from starting to complete",
        "Stopping all processes with SIGTERM",
        "Process exited with status 143",
    )
    return [LogLine(at=at, source="heroku", dyno=name, text=text) for text in texts]


def test_a_dyno_that_ended_while_starting_is_the_one_that_was_launched() -> None:
    dyno = find_stillborn(OURS, ended_at_its_start(), NOBODY)

    assert dyno is not None
    assert dyno.name == "clockd.9"
    assert find_in_log(OURS, ended_at_its_start(), NOBODY) is None


def test_a_dyno_whose_command_was_shown_is_not_stillborn() -> None:
    shown = started("other work", name="clockd.9", after_s=0.5)

    assert find_stillborn(OURS, [shown, *ended_at_its_start()], NOBODY) is None


def test_a_stillborn_of_another_attempt_or_from_before_is_not_ours() -> None:
    theirs = [DatedDyno(dyno_id="id-9", name="clockd.9", created_at=SENT)]

    assert find_stillborn(OURS, ended_at_its_start(), theirs) is None
    assert find_stillborn(OURS, ended_at_its_start(after_s=-60), NOBODY) is None
    assert find_stillborn(OURS, ended_at_its_start("web.1"), NOBODY) is None


def test_a_beginning_that_is_delivered_twice_is_not_another_dyno() -> None:
    owned = [DatedDyno(dyno_id="id-7", name="clockd.7", created_at=SENT)]
    lines = [started("worker 42"), started("worker 42")]

    assert find_in_log(OURS, lines, owned) is None
