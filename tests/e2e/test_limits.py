"""`limits` of triggers.yaml, with a real clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clockd.model import Hold
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.clockd import Home

pytestmark = pytest.mark.timeout(120)

NAMES = ("one", "two", "three")


def write(home: Home, limits: str, command: str = "exit 0") -> None:
    """Write a file with limits, and three triggers that fire only by hand."""
    tasks = "".join(
        f"  {name}:\n    command: {command}\n    cron: 0 0 29 2 *\n" for name in NAMES
    )
    home.write(tasks, top=f"runner: local\nlimits: {limits}")


def spans(home: Home) -> list[tuple[str, str]]:
    """Return when runs had their processes, oldest first."""
    return [(run["launched_at"], run["finished_at"]) for run in home.runs()]


def test_runs_that_are_due_at_once_run_one_after_the_other(home: Home) -> None:
    write(home, "{concurrent_runs: 1}", home.until_told)
    clock = home.start()
    ids = [home.ask(name) for name in NAMES]
    home.wait_for_run("one", state="running")
    wait_until(lambda: len(clock.events("run.held")) == 2, 20)

    with home.store() as store:
        holds = [store.runs.get(run_id).hold for run_id in ids]
    home.tell()
    for name in NAMES:
        home.wait_for_run(name, outcome="succeeded")

    assert holds == [None, Hold.LIMIT, Hold.LIMIT]
    first, second, third = spans(home)
    assert first[1] <= second[0]
    assert second[1] <= third[0]


def test_a_run_by_hand_beyond_the_month_is_not_started(home: Home) -> None:
    write(home, "{runs_per_month: 1}", "touch $CLOCKD_TRIGGER")
    assert home.run("run-now", "one").returncode == 0

    done = home.run("run-now", "two")

    assert done.returncode == 125
    assert "skipped: limit: 1 runs have started in 20" in done.stderr
    assert [(home.folder / name).exists() for name in NAMES] == [True, False, False]
    assert [run["outcome"] for run in home.runs()] == ["succeeded", "skipped"]


def test_a_file_with_too_many_triggers_is_refused(home: Home) -> None:
    write(home, "{triggers: 2}")
    told = "triggers.yaml:11:3: error[limit]: the file has 3 triggers, its limit is 2"

    for command in ("check", "start"):
        done = home.run(command)
        assert (done.returncode, told in done.stdout + done.stderr) == (1, True)


def test_the_limits_of_the_last_good_file_hold_beside_a_broken_one(home: Home) -> None:
    write(home, "{runs_per_month: 1}")
    with home.clock() as first:
        home.ask("one")
        home.wait_for_run("one", outcome="succeeded")
        write(home, "{runs_per_month: none}")
        first.wait_for("config.rejected")

    # The clock that starts now has never read the good one.
    with home.clock() as second:
        second.wait_for("config.rejected")
        home.ask("two")
        skipped = home.wait_for_run("two", outcome="skipped")
        assert second.wait_for("limit.reached")["runs"] == 1

    assert skipped["reason"].startswith("limit: 1 runs have started in 20")
