"""`clockd runs logs` and `runs cancel`: a run's output, and its end on request."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from clockd import clock
from clockd.model import Outcome, RunState
from clockd.store import OutputRow
from tests.support.commands import Project, clockd, start
from tests.support.stores import NOON, trigger

if TYPE_CHECKING:
    from pathlib import Path

    from clockd.model import Attempt
    from tests.support.stores import Books

REPORT = trigger("report", retries=1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    project.write("version: 1\nrunner: local\ntriggers: {}\n")
    return project


def printed(
    books: Books, attempt: Attempt, first: int, *texts: str, source: str = "app"
) -> None:
    """Put lines of a run on record; `first` is the number of the first one."""
    books.store.output.append(
        [
            OutputRow(
                run_id=attempt.run_id,
                attempt=attempt.number,
                sequence=sequence,
                at=NOON,
                source=source,
                text=text,
            )
            for sequence, text in enumerate(texts, first)
        ]
    )


def read_line(running: object) -> str:
    """Return the next line that a process prints."""
    line: str = running.stdout.readline()  # type: ignore[attr-defined]
    return line


# -- logs ----------------------------------------------------------------------


def test_the_output_of_every_attempt_is_printed_in_order(project: Project) -> None:
    with project.books() as books:
        _, first = books.run(REPORT)
        printed(books, first, 1, "no luck")
        printed(books, first, 2, "Process exited with status 3", source="heroku")
        books.end(first, NOON, Outcome.FAILED, 3)
        waiting = books.store.runs.get(first.run_id)
        assert waiting.not_before is not None
        ((_, second),) = books.take(waiting.not_before).started
        printed(books, second, 3, "better")
        books.end(second, waiting.not_before)
    said = clockd("runs", "logs", "1")

    assert said.code == 0
    assert said.lines == ["no luck", "-- Process exited with status 3", "better"]
    assert said.err == "-- attempt 2\n"


def test_a_run_without_output_says_so_beside_it(project: Project) -> None:
    with project.books() as books:
        _, attempt = books.run(REPORT)
        books.end(attempt, NOON)
    said = clockd("runs", "logs", "1")

    assert (said.code, said.out) == (0, "")
    assert said.err == "-- run 1: succeeded, without output (it ended)\n"


def test_following_an_ended_run_ends_at_once(project: Project) -> None:
    with project.books() as books:
        _, attempt = books.run(REPORT)
        printed(books, attempt, 1, "done")
        books.end(attempt, NOON)
    said = clockd("runs", "logs", "1", "-f")

    assert (said.code, said.lines) == (0, ["done"])
    assert said.err == "-- run 1: succeeded (it ended)\n"


def test_following_shows_lines_as_they_come_and_ends_with_the_run(
    project: Project,
) -> None:
    with project.books() as books:
        _, attempt = books.run(REPORT)
        printed(books, attempt, 1, "first")
        with start("runs", "logs", "1", "--follow") as running:
            try:
                assert read_line(running) == "first\n"
                printed(books, attempt, 2, "second")
                assert read_line(running) == "second\n"
                assert running.poll() is None
                printed(books, attempt, 3, "last")
                books.end(attempt, NOON)
                out, err = running.communicate(timeout=20)
            finally:
                running.kill()

    assert (running.returncode, out) == (0, "last\n")
    assert err == "-- run 1: succeeded (it ended)\n"


def test_following_can_be_interrupted(project: Project) -> None:
    with project.books() as books:
        _, attempt = books.run(REPORT)
        printed(books, attempt, 1, "first")
        with start("runs", "logs", "1", "-f") as running:
            try:
                read_line(running)
                running.send_signal(signal.SIGINT)
                _, err = running.communicate(timeout=20)
            finally:
                running.kill()

    assert running.returncode == 130
    assert "Traceback" not in err


def test_who_follows_a_run_that_nobody_takes_care_of_is_told(project: Project) -> None:
    with project.books() as books:
        run = books.ask(REPORT)
        books.store.lease.release(books.fence)
        with start("runs", "logs", str(run.id), "-f") as running:
            try:
                assert running.stderr is not None
                told = running.stderr.readline()
                books.store.runs.cancel(run.id, by="ann", now=clock.now())
                running.communicate(timeout=20)
            finally:
                running.kill()

    assert told == "-- no clock is running: the run goes on when one is\n"
    assert running.returncode == 0


def test_whoever_stops_reading_ends_the_command_quietly(project: Project) -> None:
    with project.books() as books:
        _, attempt = books.run(REPORT)
        printed(books, attempt, 1, *(f"line {n} {'x' * 200}" for n in range(2000)))
        books.end(attempt, NOON)
    with start("runs", "logs", "1") as running:
        assert read_line(running).startswith("line 0 ")
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        err = running.stderr.read()

    assert (running.returncode, err) == (0, "")


# -- cancel --------------------------------------------------------------------


def test_a_run_that_waits_is_cancelled_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    with project.books() as books:
        run = books.ask(REPORT)
        said = clockd("runs", "cancel", str(run.id))
        ended = books.reload(run)

    assert (said.code, said.out) == (0, "run 1 is cancelled; it had not started\n")
    assert (ended.outcome, ended.reason) == (Outcome.CANCELLED, "cancelled by ann")
    assert "  cancelled by ann" in clockd("runs", "show", "1").lines


def test_a_run_between_two_attempts_gets_no_further_one(project: Project) -> None:
    with project.books() as books:
        run, attempt = books.run(REPORT)
        books.end(attempt, NOON, Outcome.FAILED, 3)
        said = clockd("runs", "cancel", "1")
        ended = books.reload(run)

    assert said.out == "run 1 is cancelled; no further attempt starts\n"
    assert ended.state is RunState.FINISHED


def test_a_running_run_is_asked_to_stop(project: Project) -> None:
    with project.books() as books:
        run, _ = books.run(REPORT)
        said = clockd("runs", "cancel", "1")
        wanted = books.store.runs.poll(clock.now()).cancels

    assert said.out == "run 1 is being stopped; `clockd runs show 1`\n"
    assert wanted == [run.id]


def test_without_a_clock_a_running_run_is_stopped_later(project: Project) -> None:
    with project.books() as books:
        books.run(REPORT)
        books.store.lease.release(books.fence)
        said = clockd("runs", "cancel", "1")

    assert said.out == "run 1 will be stopped when a clock runs again\n"


def test_a_run_that_has_ended_cannot_be_cancelled(project: Project) -> None:
    with project.books() as books:
        _, attempt = books.run(REPORT)
        books.end(attempt, NOON)
    said = clockd("runs", "cancel", "1")

    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "Error: run 1 has ended already: succeeded\n  `clockd runs show 1` says how\n"
    )


def test_who_cancels_needs_no_name(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise OSError("no such user")

    monkeypatch.setattr("getpass.getuser", nobody)
    with project.books() as books:
        run = books.ask(REPORT)
        clockd("runs", "cancel", "1")

        assert books.reload(run).outcome is Outcome.CANCELLED
