"""By what the dyno of a lost answer is known: command, process type, time and name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from clockd.model import Outcome, RunState
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from clockd.model import Run
    from tests.support.bench import Bench

pytestmark = pytest.mark.timeout(60)
OTHER = "calm-river-1729"

#: Each ends with status 3, at once or after a while; none is another's twin.
COMMANDS = {
    "variable": ': a "$REGION ${KIND}"; {wait}exit 3',
    "variable of several lines": ': b "$PEM"; {wait}exit 3',
    "several lines": ": one\n: two\n{wait}exit 3\n",
    "lines and variable": ': c "$PEM" `echo a`\n{wait}exit 3',
    "backticks": ": `echo a`; {wait}exit 3; : `echo b`",
    "backtick at a line's end": ": `echo a`\n{wait}exit 3",
    "quotes": """: "it's" 'a "quoted"' \\"thing\\"; {wait}exit 3""",
    "unicode": ": žluťoučký 馬 🐎; {wait}exit 3",
    "long": ": {long}; {wait}exit 3",
    "procfile": "worker {wait}exit 3",
    "unused dollars": ": $(echo a) $? $ $$; {wait}exit 3",
}
CONFIG_VARS = {
    "REGION": "eu west",
    "KIND": "daily (all)",
    "PEM": "-----BEGIN-----\nabc\n-----END-----",
}
LONG_ENOUGH = "sleep 20; "


def command_named(name: str, wait: str) -> str:
    """Return a command that waits first, or not."""
    text = COMMANDS[name].replace("{wait}", wait)
    return text.replace("{long}", "x" * (1000 - len(text) + len("{long}")))


def leave_all(bench: Bench, wait: str) -> dict[str, Run]:
    """Leave a launch of each command, sent and not answered."""
    app = bench.fake.app
    app.config_vars = CONFIG_VARS
    app.procfile = {"worker": ": of;"}
    return {
        name: bench.leave(command_named(name, wait), slug=f"task-{n}", sent=True)[0]
        for n, name in enumerate(COMMANDS)
    }


def test_any_command_is_known_by_its_log_line(bench: Bench) -> None:
    runs = leave_all(bench, "")
    wait_until(lambda: all(dyno.ended_at for dyno in bench.fake.journal))
    bench.start()

    ended = {name: bench.finished(run).exit_status for name, run in runs.items()}

    assert ended == dict.fromkeys(COMMANDS, 3)
    assert len(bench.fake.journal) == len(COMMANDS)


def test_any_command_is_known_in_the_list(bench: Bench) -> None:
    bench.fake.app.drops = re.compile("Starting process")
    runs = leave_all(bench, LONG_ENOUGH)
    bench.start()
    running = RunState.RUNNING
    bench.after(60, lambda: all(bench.state(it) is running for it in runs.values()))

    found = {name: bench.get(run).attempts[0].dyno_id for name, run in runs.items()}
    assert found == {
        name: next(
            dyno.id
            for dyno in bench.fake.journal
            if dyno.command == command_named(name, LONG_ENOUGH)
        )
        for name in COMMANDS
    }
    assert len(bench.fake.journal) == len(COMMANDS)


# -- runs that look alike ------------------------------------------------------


def ask_for_two(bench: Bench, **second: str) -> None:
    """Lose the answer of one run and ask for another with the same command."""
    bench.tell_past()
    bench.lose("status", status=503)
    bench.start()
    first = bench.ask("exit 0", slug="first")
    bench.wait_for(first, RunState.UNKNOWN)
    other = bench.ask("exit 0", slug="second", **second)
    if second:
        bench.after(60, lambda: bench.state(other) is RunState.FINISHED, step_s=1)
        assert bench.state(first) is RunState.UNKNOWN
    else:
        bench.after(30, lambda: bench.time.passed_s >= 25)
        assert bench.state(first) is RunState.UNKNOWN
        assert bench.state(other) is RunState.WAITING
    for run in (first, other):
        assert bench.finished(run).outcome is Outcome.SUCCEEDED
    assert len(bench.fake.journal) == 2
    assert len(bench.fake.launches()) == 3


def test_two_launches_of_the_same_command_are_never_both_open(bench: Bench) -> None:
    ask_for_two(bench)


def test_the_same_command_of_another_app_need_not_wait(bench: Bench) -> None:
    ask_for_two(bench, app=OTHER)


def test_a_command_with_a_variable_does_not_take_the_dyno_of_another_launch(
    bench: Bench,
) -> None:
    """`echo $WHO` might be shown as `echo you`, and so is the other one."""
    bench.tell_past()
    bench.lose("status", status=503)
    bench.lose("delay", delay_s=0.6)
    bench.start()
    first = bench.ask(": $WHO; exit 1", slug="first")
    bench.wait_for(first, RunState.UNKNOWN)
    other = bench.ask(": you; exit 1", slug="second")
    bench.after(60, lambda: bench.state(other) is RunState.FINISHED, step_s=1)
    bench.finished(first)

    numbers = [dyno.command for dyno in bench.fake.journal]
    assert sorted(numbers) == [": $WHO; exit 1", ": you; exit 1"]
    assert len(bench.get(first).attempts) == len(bench.get(other).attempts) == 1
    assert bench.get(other).attempts[0].dyno != bench.get(first).attempts[0].dyno


# -- strangers -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "ago_s"),
    [("sleep 30", 0.0), ("sleep 20; exit 0", 7.0)],
    ids=["another command", "created before"],
)
def test_a_strangers_dyno_of_our_type_is_left_alone(
    bench: Bench, command: str, ago_s: float
) -> None:
    bench.tell_past()
    stranger = bench.stranger(command, ago_s=ago_s)
    bench.lose("status", status=503)
    bench.start()
    run = bench.ask("sleep 20; exit 0")
    bench.after(90, lambda: len(bench.fake.journal) == 2)
    bench.wait_for(run, RunState.RUNNING)

    assert bench.get(run).attempts[0].dyno_id == bench.fake.journal[1].id
    assert stranger.stopped_by is None


def test_a_strangers_dyno_with_our_command_created_after_our_request_is_taken_for_ours(
    bench: Bench,
) -> None:
    """Nothing tells them apart: two installations on one app need two process types."""
    bench.tell_past()
    bench.lose("status", status=503)
    bench.start()
    run = bench.ask("sleep 0.3; exit 4")
    bench.wait_for(run, RunState.UNKNOWN)
    bench.stranger("sleep 0.3; exit 4")

    assert bench.finished(run).exit_status == 4
    assert len(bench.fake.launches()) == len(bench.fake.journal) == 1


# -- names that recycle --------------------------------------------------------


@pytest.mark.parametrize("by", ["list", "log"])
def test_a_dyno_with_the_name_of_an_earlier_one_is_found(bench: Bench, by: str) -> None:
    bench.tell_past()
    bench.fake.app.recycles = 1
    bench.start()
    assert bench.finished(bench.ask("exit 2", slug="before")).exit_status == 2
    bench.lose("close_after")
    if by == "list":
        bench.fake.app.drops = re.compile("Starting process")
    run = bench.ask("sleep 20" if by == "list" else "exit 2")
    bench.after(120, lambda: [a for a in bench.get(run).attempts if a.dyno])

    assert bench.get(run).attempts[0].dyno == bench.fake.journal[0].name
    assert len(bench.fake.journal) == len(bench.fake.launches()) == 2


def test_a_dyno_that_takes_over_a_name_does_not_end_the_run_that_had_it(
    bench: Bench,
) -> None:
    bench.tell_past()
    bench.fake.app.recycles = 1
    bench.start()
    run = bench.ask("sleep 30; exit 6")
    bench.wait_for(run, RunState.RUNNING)
    wait_until(lambda: bench.store.output.lines(run.id))
    bench.fake.app.vanish(bench.fake.journal[0])
    wait_until(lambda: bench.fake.journal[0].ended_at)
    bench.stranger("exit 9")
    wait_until(lambda: bench.fake.journal[1].ended_at)

    ended = bench.finished(run, within_s=900, step_s=10)

    assert (ended.outcome, ended.exit_status) == (Outcome.LOST, None)
