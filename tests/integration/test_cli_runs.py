"""`clockd runs` and `runs show`: what ran, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from clockd.model import Outcome
from clockd.store import OutputRow
from tests.support.commands import Project, clockd
from tests.support.stores import HOUR, MINUTE, NOON, SECOND, open_books, trigger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.stores import Books

GOOD = """\
version: 1
app: sharp-mountain
triggers:
  report:
    command: bin/report
    cron: "* * * * *"
    timezone: Europe/Amsterdam
  weekly-invoices:
    command: bin/weekly-invoices
    cron: "0 9 * * 1"
"""
REPORT = trigger(
    "report", timezone="Europe/Amsterdam", command="bin/report\nbin/more\n"
)
RUN_KEYS = {
    *("run_id", "trigger", "cause", "fire_time", "claimed_at", "launched_at"),
    *("finished_at", "lag_s", "state", "outcome", "exit_status", "reason", "attempts"),
}
ATTEMPT_KEYS = {
    *("number", "dyno", "dyno_id", "size", "launched_at", "finished_at"),
    "exit_status",
}


@pytest.fixture(autouse=True)
def _later() -> Iterator[None]:
    with time_machine.travel(NOON + HOUR, tick=False):
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    project.write(GOOD)
    return project


def fill(books: Books) -> None:
    """Put three runs on record: succeeded for a fire time, failed by hand, waiting."""
    books.load(REPORT, now=NOON - 30 * SECOND)
    books.claim(NOON)
    ((run, attempt),) = books.take(NOON).started
    books.store.attempts.launched([books.answer(attempt, NOON + SECOND)], NOON)
    lines = [f"line {number}" for number in range(1, 26)]
    books.store.output.append(
        [
            OutputRow(
                run_id=run.id,
                attempt=1,
                sequence=number,
                at=NOON + 2 * SECOND,
                source="app",
                text=text,
            )
            for number, text in enumerate(lines, 1)
        ]
    )
    books.end(attempt, NOON + 5 * SECOND)
    _, failing = books.run(REPORT, NOON + 10 * SECOND)
    books.end(failing, NOON + 12 * SECOND, Outcome.FAILED, 3)
    books.ask(REPORT, NOON + 20 * SECOND)


@pytest.fixture
def filled(project: Project) -> Project:
    with project.books() as books:
        fill(books)
    return project


def listed(*words: str) -> list[int]:
    """Return the runs that `clockd runs` lists, by number."""
    said = clockd("runs", *words, "--json")
    assert said.code == 0
    return [run["run_id"] for run in said.json]


# -- the list ------------------------------------------------------------------


def test_runs_are_listed_newest_first(filled: Project) -> None:
    said = clockd("runs")

    assert (said.code, said.err) == (0, "")
    assert said.lines == [
        "RUN  TRIGGER  CAUSE      TIME                            STATE      EXIT  "
        "TOOK   REASON",
        "3    report   manual     Tue 2026-11-24 13:00:20 +01:00  waiting    -     -",
        "2    report   manual     Tue 2026-11-24 13:00:10 +01:00  failed     3     "
        "2.0 s  it ended",
        "1    report   scheduled  Tue 2026-11-24 13:00:00 +01:00  succeeded  0     "
        "4.0 s  it ended",
    ]


def test_times_are_in_utc_on_request(filled: Project) -> None:
    assert "Tue 2026-11-24 12:00:00 Z " in clockd("runs", "--utc").out


def test_json_of_a_run_is_complete(filled: Project) -> None:
    run: dict[str, Any] = clockd("runs", "--json").json[-1]

    assert set(run) >= RUN_KEYS
    assert {key: run[key] for key in RUN_KEYS - {"attempts"}} == {
        "run_id": 1,
        "trigger": "report",
        "cause": "scheduled",
        "fire_time": "2026-11-24T12:00:00Z",
        "claimed_at": "2026-11-24T12:00:00Z",
        "launched_at": "2026-11-24T12:00:01Z",
        "finished_at": "2026-11-24T12:00:05Z",
        "lag_s": 1.0,
        "state": "finished",
        "outcome": "succeeded",
        "exit_status": 0,
        "reason": "it ended",
    }
    (attempt,) = run["attempts"]
    assert set(attempt) >= ATTEMPT_KEYS
    assert {key: attempt[key] for key in ATTEMPT_KEYS} == {
        "number": 1,
        "dyno": "clockd.0",
        "dyno_id": "dyno-0",
        "size": "basic",
        "launched_at": "2026-11-24T12:00:01Z",
        "finished_at": "2026-11-24T12:00:05Z",
        "exit_status": 0,
    }


def test_json_of_a_run_by_hand_that_waits_has_no_fire_time(filled: Project) -> None:
    run = clockd("runs", "--json", "--limit", "1").json[0]

    assert (run["cause"], run["fire_time"], run["state"]) == ("manual", None, "waiting")
    assert (run["outcome"], run["exit_status"], run["attempts"]) == (None, None, [])


def test_runs_can_be_chosen(filled: Project) -> None:
    assert listed() == [3, 2, 1]
    assert listed("--limit", "2") == [3, 2]
    assert listed("--outcome", "failed") == [2]
    assert listed("--trigger", "report", "--outcome", "succeeded") == [1]
    assert listed("--trigger", REPORT.uuid) == [3, 2, 1]
    assert listed("--trigger", "weekly-invoices") == []
    assert listed("--outcome", "lost") == []


def test_a_choice_without_runs_says_so(filled: Project) -> None:
    assert clockd("runs", "--outcome", "lost").out == "There are no such runs.\n"


def test_an_unknown_trigger_comes_with_the_nearest(filled: Project) -> None:
    said = clockd("runs", "--trigger", "weekly-invoice")

    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "Error: there is no trigger 'weekly-invoice'\n  did you mean weekly-invoices?\n"
    )


def test_a_trigger_that_left_the_file_is_known_still(project: Project) -> None:
    with project.books() as books:
        books.load(trigger("old"))
        books.load(REPORT)

    assert listed("--trigger", "old") == []


def test_runs_are_shown_also_where_the_file_is_broken(filled: Project) -> None:
    filled.write("version: [")

    assert listed() == [3, 2, 1]


def test_before_any_clock_there_are_no_runs_and_no_database(project: Project) -> None:
    assert clockd("runs").out == (
        "There are no runs yet: `clockd start` runs what is due.\n"
    )
    assert listed() == []
    assert listed("--trigger", "report") == []
    assert clockd("runs", "--trigger", "reprot").code == 1
    assert not (project.path / "clockd.db").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--limit", "0"), "0 is not in the range 1<=x<=1000"),
        (("--limit", "1001"), "1001 is not in the range 1<=x<=1000"),
        (("--limit", "ten"), "'ten' is not a valid integer"),
        (("--outcome", "fialed"), "'fialed' is not one of 'succeeded', 'failed'"),
        (("show", "x"), "Invalid value for 'RUN': 'x' is not a valid integer"),
        (("show", "0"), "Invalid value for 'RUN'"),
        (("show", "9" * 25), "Invalid value for 'RUN'"),
        (("show",), "Missing argument 'RUN'"),
        (("shwo", "1"), "Did you mean 'show'?"),
        (("--limit", "5", "show", "1"), "--limit chooses runs of the list"),
        (("--trigger", "report", "logs", "1"), "--trigger chooses runs of the list"),
    ],
    ids=lambda value: "-".join(value)[:20] if isinstance(value, tuple) else "why",
)
def test_what_makes_no_sense_is_refused(
    project: Project, words: tuple[str, ...], why: str
) -> None:
    said = clockd("runs", *words)

    assert (said.code, said.out) == (2, "")
    assert why in said.err


def test_a_row_of_missed_fire_times_is_one_entry_with_their_number(
    project: Project,
) -> None:
    with project.books() as books:
        books.load(REPORT, now=NOON - 5 * HOUR)
        books.claim(NOON)

    run = clockd("runs", "--outcome", "missed", "--json").json[0]
    assert run["fire_count"] > 200
    assert f"(×{run['fire_count']})" in clockd("runs", "--outcome", "missed").out
    assert f"stands for   {run['fire_count']} fire times, the last on Tue" in (
        clockd("runs", "show", str(run["run_id"])).out
    )


def test_a_table_is_cut_to_the_terminal_and_whole_where_a_program_reads(
    filled: Project,
) -> None:
    narrow = clockd("runs", env={"COLUMNS": "30"})

    assert {len(line) for line in narrow.lines} == {30}
    assert all(line.endswith("…") for line in narrow.lines)
    assert clockd("runs", env={"COLUMNS": "1"}).lines == ["…"] * 4
    assert "it ended" in clockd("runs").out


def test_outcomes_are_coloured_on_a_terminal_only(filled: Project) -> None:
    failed = "\x1b[31mfailed   \x1b[0m"

    assert failed in clockd("runs", color=True).out
    assert "\x1b" not in clockd("runs").out
    assert "\x1b" not in clockd("runs", color=True, env={"NO_COLOR": "1"}).out
    assert "\x1b" not in clockd("runs", color=True, env={"TERM": "dumb"}).out


def test_a_slug_that_is_called_as_an_outcome_keeps_its_colour(project: Project) -> None:
    with project.books() as books:
        books.ask(trigger("failed"))

    assert "\x1b[31m" not in clockd("runs", color=True).out


@pytest.mark.parametrize("words", [(), ("show", "1")], ids=["list", "show"])
def test_both_databases_answer_alike(
    database_url: str, project: Project, words: tuple[str, ...]
) -> None:
    with open_books(database_url) as books:
        fill(books)
    env = {"CLOCKD_DATABASE_URL": database_url}

    assert clockd("runs", *words, "--json", env=env).code == 0
    assert "report" in clockd("runs", *words, env=env).out


# -- one run -------------------------------------------------------------------


def test_a_run_is_shown_with_its_steps_attempts_and_last_lines(filled: Project) -> None:
    said = clockd("runs", "show", "1")

    assert (said.code, said.err) == (0, "")
    assert said.lines[:14] == [
        "run 1 of report: succeeded",
        "  command      bin/report",
        "               bin/more",
        "  reason       it ended",
        "  cause        scheduled",
        "  fire time    Tue 2026-11-24 13:00:00 +01:00",
        "  claimed      Tue 2026-11-24 13:00:00 +01:00",
        "  launched     Tue 2026-11-24 13:00:01 +01:00",
        "  lag          1.000 s",
        "  finished     Tue 2026-11-24 13:00:05 +01:00",
        "  took         4.0 s",
        "  exit status  0",
        "  attempt 1    clockd.0 (basic), succeeded, exit status 0, it ended",
        "  output       the last 20 lines of 25:",
    ]
    assert said.lines[14:] == [f"line {number}" for number in range(6, 26)]


def test_a_run_that_waits_says_what_for(project: Project) -> None:
    with project.books() as books:
        jittery = trigger("report", jitter_s=600, timezone="Europe/Amsterdam")
        books.load(jittery, now=NOON - 30 * SECOND)
        books.claim(NOON)

    assert "  waits for    jitter, until Tue 2026-11-24 13:0" in (
        clockd("runs", "show", "1").out
    )


def test_a_run_is_shown_as_json(filled: Project) -> None:
    said = clockd("runs", "show", "1", "--json")

    assert said.json == clockd("runs", "--json").json[-1]
    assert clockd("runs", "--json", "show", "1") == said


def test_a_run_is_shown_in_utc(filled: Project) -> None:
    said = clockd("runs", "show", "1", "--utc")

    assert "  fire time    Tue 2026-11-24 12:00:00 Z" in said.lines
    assert clockd("runs", "--utc", "show", "1") == said


@pytest.mark.parametrize("command", ["show", "logs", "cancel"])
def test_a_run_that_does_not_exist_is_an_error(filled: Project, command: str) -> None:
    said = clockd("runs", command, "77")

    assert (said.code, said.out) == (1, "")
    assert said.err == "Error: there is no run 77\n  `clockd runs` lists them\n"


@pytest.mark.parametrize("command", ["show", "logs", "cancel"])
def test_without_a_database_there_is_no_run(project: Project, command: str) -> None:
    said = clockd("runs", command, "1")

    assert said.code == 1
    assert said.err.startswith("Error: there are no runs yet: no clock has run here\n")
    assert not (project.path / "clockd.db").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "-f", "other/triggers.yaml", "show", "1"),
        ("runs", "--triggers", "other/triggers.yaml", "show", "1"),
        ("runs", "show", "1", "--triggers", "other/triggers.yaml"),
        ("runs", "show", "--triggers=other/triggers.yaml", "1"),
        ("runs", "logs", "1", "--triggers", "other/triggers.yaml", "-f"),
    ],
    ids=["short-before", "before", "after", "between", "follow"],
)
def test_the_file_can_be_named_before_and_after_the_subcommand(
    project: Project, words: tuple[str, ...]
) -> None:
    other = Project(project.path / "other")
    other.path.mkdir()
    other.write(GOOD)
    with other.books() as books:
        fill(books)

    assert "line 25" in clockd(*words).out
    assert clockd(*words, env={"CLOCKD_TRIGGERS": "nowhere/triggers.yaml"}).code == 0


def test_a_run_that_takes_a_while_tells_how_long_so_far(project: Project) -> None:
    with project.books() as books:
        books.run(REPORT, NOON + 30 * MINUTE)

    assert "  took         1800.0 s" in clockd("runs", "show", "1").lines
