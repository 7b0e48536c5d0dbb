"""`clockd triggers` and `clockd next`: what the file says and the database knows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from clockd import config
from clockd.settings import Settings
from tests.support.commands import TRIGGER_KEYS, Project, clockd
from tests.support.stores import HOUR, MINUTE, NOON, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clockd.model import Trigger

GOOD = """\
version: 1
runner: local
timezone: Europe/Amsterdam
triggers:
  newsletter:
    command: bin/newsletter
    cron: "0 9 * * 1"
  hourly:
    command: bin/hourly
    every: 1h
    timezone: Asia/Kolkata
  off:
    command: bin/off
    every: 10m
    active: false
  christmas:
    command: bin/greet
    at: 2026-12-25 09:00:00
"""
UNREACHABLE = {"DATABASE_URL": "postgres://me:hunter22@127.0.0.1:1/clockd"}


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOON + 30 * SECOND, tick=False):
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    project.write(GOOD)
    return project


def in_file(project: Project) -> list[Trigger]:
    """Return what the file says."""
    return list(
        config.load(project.path / "triggers.yaml", settings=Settings()).triggers
    )


def shown(*words: str) -> dict[str, dict[str, Any]]:
    """Return what `clockd triggers --json` shows, by slug."""
    said = clockd("triggers", "--json", *words)
    assert said.code == 0
    return {trigger["trigger"]: trigger for trigger in said.json}


# -- triggers ------------------------------------------------------------------


def test_triggers_are_listed_from_the_file_alone(project: Project) -> None:
    said = clockd("triggers")

    assert (said.code, said.err) == (0, "")
    assert [line.split() for line in said.lines[:3]] == [
        ["TRIGGER", "STATE", "NEXT", "LAST", "SCHEDULE"],
        [
            *("newsletter", "active", "Mon", "2026-11-30", "09:00:00", "+01:00", "-"),
            *("At", "09:00", "AM,", "only", "on", "Monday", "(Europe/Amsterdam)"),
        ],
        [
            *("hourly", "active", "Tue", "2026-11-24", "18:00:00", "+05:30", "-"),
            *("Every", "hour", "(Asia/Kolkata)"),
        ],
    ]
    assert not (project.path / "clockd.db").exists()


def test_triggers_can_be_listed_in_utc(project: Project) -> None:
    assert "Mon 2026-11-30 08:00:00 Z" in clockd("triggers", "--utc").out


def test_json_of_triggers_is_complete(project: Project) -> None:
    newsletter = shown()["newsletter"]

    assert set(newsletter) >= TRIGGER_KEYS
    assert newsletter["next_fire_time"] == "2026-11-30T08:00:00Z"
    assert newsletter["description"] == "At 09:00 AM, only on Monday"
    assert (newsletter["source"], newsletter["last_outcome"]) == ("file", None)


def test_the_database_tells_how_the_last_run_ended(project: Project) -> None:
    with project.books() as books:
        books.load(*in_file(project))
        _, attempt = books.run(in_file(project)[1])
        books.end(attempt, NOON + 20 * SECOND)

    assert shown()["hourly"]["last_outcome"] == "succeeded"
    assert clockd("triggers").lines[2].split()[6] == "succeeded"


def test_a_paused_trigger_says_by_whom_and_why_and_fires_not(project: Project) -> None:
    hourly = in_file(project)[1]
    with project.books() as books:
        books.load(*in_file(project))
        books.store.triggers.pause(hourly.uuid, by="ann", reason="moving", now=NOON)
    told = shown()["hourly"]

    assert (told["state"], told["active"], told["next_fire_time"]) == (
        *("paused", True),
        None,
    )
    assert told["paused"] == {
        "at": "2026-11-24T12:00:00Z",
        "by": "ann",
        "reason": "moving",
    }
    assert clockd("next", "hourly").out == (
        "hourly is paused by ann since 2026-11-24 12:00 UTC: moving.\n"
    )
    assert "hourly" not in clockd("next", "-n", "50").out


def test_a_one_off_that_is_past_is_completed(project: Project) -> None:
    with project.books() as books:
        books.load(*in_file(project))
    with time_machine.travel(NOON + timedelta(days=40), tick=False):
        with project.books() as books:
            books.claim(NOON + timedelta(days=40))
        told = shown()["christmas"]

    assert (told["state"], told["next_fire_time"]) == ("completed", None)
    assert told["last_outcome"] == "missed"


def test_a_trigger_that_left_the_file_is_not_listed(project: Project) -> None:
    with project.books() as books:
        books.load(*in_file(project))
    project.write(GOOD.replace("  newsletter:", "  letter:"))

    assert set(shown()) == {"letter", "hourly", "off", "christmas"}


def test_a_file_without_triggers_is_no_error(project: Project) -> None:
    with project.books() as books:
        books.load(*in_file(project))
    project.write("version: 1\nrunner: local\ntriggers: {}\n")

    assert clockd("triggers").out == "There are no triggers yet.\n"
    assert clockd("next").out == "There are no triggers yet.\n"
    assert shown() == {}


def test_an_edit_that_no_clock_has_loaded_shows_its_own_fire_time(
    project: Project,
) -> None:
    with project.books() as books:
        books.load(*in_file(project))
    project.write(GOOD.replace("0 9 * * 1", "0 10 * * 1"))

    assert shown()["newsletter"]["next_fire_time"] == "2026-11-30T09:00:00Z"


@pytest.mark.parametrize("command", ["triggers", "next"])
def test_a_broken_file_is_told_with_every_problem(
    project: Project, command: str
) -> None:
    project.write(GOOD.replace("0 9 * * 1", "0 99 * * 1"))
    said = clockd(command)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("triggers.yaml:7:")
    assert said.err.endswith(
        "Error: triggers.yaml has a problem\n  `clockd check` shows them all\n"
    )


def test_a_broken_file_is_told_to_programs(project: Project) -> None:
    project.write(GOOD.replace("0 9 * * 1", "0 99 * * 1"))
    error = clockd("triggers", "--json").json["error"]

    assert error["code"] == "config"
    assert error["data"]["problems"][0]["line"] == 7


@pytest.mark.parametrize("command", ["triggers", "next"])
def test_without_its_database_the_file_speaks_alone_with_a_warning(
    project: Project, command: str
) -> None:
    said = clockd(command, env=UNREACHABLE)

    assert said.code == 0
    assert "hourly" in said.out
    assert said.err.startswith("Warning: the database ")
    assert said.err.endswith("; showing the file alone\n")
    assert "hunter22" not in said.err


def test_json_stays_readable_without_the_database(project: Project) -> None:
    said = clockd("triggers", "--json", env=UNREACHABLE)

    assert [trigger["trigger"] for trigger in said.json] == [
        *("newsletter", "hourly"),
        *("off", "christmas"),
    ]


def test_another_file_can_be_named(project: Project) -> None:
    (project.path / "other.yaml").write_text(GOOD.replace("hourly", "other"))

    assert "other" in shown("-f", "other.yaml")
    assert "other" in shown("--triggers", "other.yaml")


# -- next ----------------------------------------------------------------------


def test_the_coming_fire_times_of_all_triggers_are_merged(project: Project) -> None:
    said = clockd("next", "-n", "3", "--from", "2026-11-30T07:00Z")

    assert (said.code, said.err) == (0, "")
    assert said.lines == [
        "Mon 2026-11-30 13:00:00 +05:30      in 5 d  hourly",
        "Mon 2026-11-30 09:00:00 +01:00      in 5 d  newsletter",
        "Mon 2026-11-30 14:00:00 +05:30      in 5 d  hourly",
    ]


def test_the_distance_counts_from_now(project: Project) -> None:
    with time_machine.travel(NOON + HOUR - 59 * MINUTE, tick=False):
        assert "in 29 min" in clockd("next", "-n", "1").out


def test_the_fire_times_of_one_trigger_start_in_its_zone(project: Project) -> None:
    words = ("next", "hourly", "-n", "1", "--from", "2026-11-25 03:00", "--json")

    assert clockd(*words).json == [
        {"trigger": "hourly", "fire_time": "2026-11-24T22:30:00Z"}
    ]


def test_a_trigger_can_be_named_by_its_uuid(project: Project) -> None:
    uuid = in_file(project)[0].uuid

    assert "newsletter" in clockd("next", uuid, "-n", "1").out


def test_an_inactive_trigger_says_so(project: Project) -> None:
    told = "off is inactive (`active: false`) and does not fire.\n"

    assert clockd("next", "off").out == told
    assert clockd("next", "off", "--json").json == []
    assert clockd("next", "off", "--json").err == told
    assert " off" not in clockd("next", "-n", "100").out


def test_a_date_that_is_past_says_so(project: Project) -> None:
    words = ("next", "christmas", "--from", "2026-12-26")

    assert clockd(*words).out == "christmas does not fire any more.\n"
    with time_machine.travel(NOON + timedelta(days=40), tick=False):
        said = clockd("next", "christmas")
    assert said.out == "christmas was to fire once, and that is past.\n"


def test_where_no_trigger_fires_their_states_are_pointed_to(project: Project) -> None:
    project.write(GOOD.replace("    command:", "    active: false\n    command:", 2))
    said = clockd("next", "--from", "2027-01-01")

    assert said.out == "No trigger fires; `clockd triggers` shows their states.\n"


def test_an_unknown_trigger_comes_with_the_nearest(project: Project) -> None:
    said = clockd("next", "newslettre", "--json")

    assert said.code == 1
    assert said.err == (
        "Error: there is no trigger 'newslettre'\n  did you mean newsletter?\n"
    )
    assert said.json["error"]["code"] == "not-found"


@pytest.mark.parametrize("count", ["0", "10001", "x"])
def test_the_number_of_fire_times_has_bounds(project: Project, count: str) -> None:
    assert clockd("next", "-n", count).code == 2
