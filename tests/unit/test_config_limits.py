"""`limits` of triggers.yaml: what they may be, and a file with too many triggers."""

from __future__ import annotations

import dataclasses

import pytest

from clockd.config.keys import LIMITS
from clockd.model import NO_LIMITS, Limits
from tests.support.configs import errors, read, shown, warnings

ONE = "triggers: {t: {command: x, every: 1h}}\n"
NAMES = ("concurrent_runs", "runs_per_month", "triggers")


def limits(text: str, top: str = "") -> Limits:
    """Return the limits that a file has without a problem."""
    loaded = read(f"version: 1\n{top}limits: {text}\n{ONE}")
    assert shown([*loaded.problems, *loaded.warnings]) == []
    return loaded.limits


def told(text: str) -> list[str]:
    """Return the errors of `limits`, which begin at column 9."""
    return errors(f"limits: {text}\n{ONE}")


def file_of(count: int, most: int) -> str:
    """Return a file with so many triggers, and a limit; the first is in line 4."""
    slugs = "".join(f"  t{n}: {{command: x, every: 1h}}\n" for n in range(count))
    return f"version: 1\nlimits: {{triggers: {most}}}\ntriggers:\n{slugs}"


class TestValues:
    def test_all_of_them_are_read(self) -> None:
        found = limits("{concurrent_runs: 40, runs_per_month: 10000, triggers: 100}")

        assert found == Limits(concurrent_runs=40, runs_per_month=10_000, triggers=100)

    @pytest.mark.parametrize("name", NAMES)
    def test_each_may_stand_alone(self, name: str) -> None:
        found = dataclasses.asdict(limits(f"{{{name}: 7}}"))

        assert found == dataclasses.asdict(NO_LIMITS) | {name: 7}

    def test_the_table_of_keys_has_each(self) -> None:
        assert tuple(LIMITS) == NAMES

    @pytest.mark.parametrize("text", ["", "{}", "null"])
    def test_there_need_not_be_any(self, text: str) -> None:
        assert limits(text) == NO_LIMITS

    def test_a_file_without_them_has_none(self) -> None:
        assert read(f"version: 1\n{ONE}").limits == NO_LIMITS

    def test_months_are_those_of_the_files_zone(self) -> None:
        found = limits("{runs_per_month: 5}", "timezone: Asia/Tokyo\n")

        assert (found.runs_per_month, found.timezone) == (5, "Asia/Tokyo")

    def test_they_are_no_matter_for_a_warning(self) -> None:
        assert warnings(f"version: 1\nlimits: {{triggers: 9}}\n{ONE}") == []


class TestMistakes:
    @pytest.mark.parametrize(
        ("name", "most"),
        [
            ("concurrent_runs", 100_000),
            ("runs_per_month", 1_000_000_000),
            ("triggers", 1_000_000),
        ],
    )
    def test_a_number_is_within_its_bounds(self, name: str, most: int) -> None:
        assert dataclasses.asdict(limits(f"{{{name}: {most}}}"))[name] == most
        for value in (0, -1, most + 1):
            assert told(f"{{{name}: {value}}}") == [
                f"1:{12 + len(name)}: error[range]: {value} is not between 1 and {most}"
            ]

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            ("many", "'many' is text"),
            ("'5'", "'5' is text"),
            ("1.5", "'1.5' is a number"),
            ("true", "'true' is true or false"),
            ("[5]", "this is a list"),
            ("", "there is no value"),
        ],
    )
    def test_nothing_but_a_whole_number_is_one(self, value: str, kind: str) -> None:
        (problem,) = told(f"{{concurrent_runs: {value}}}")

        assert f"error[type]: {kind}" in problem

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("concurent_runs", "concurrent_runs"),
            ("runs-per-month", "runs_per_month"),
            ("trigger", "triggers"),
        ],
    )
    def test_an_unknown_name_has_a_near_one(self, name: str, meant: str) -> None:
        assert told(f"{{{name}: 1}}") == [
            f"1:10: error[unknown-key]: unknown key '{name}' (did you mean {meant}?)"
        ]

    def test_they_are_a_map(self) -> None:
        assert told("5") == [
            "1:9: error[type]: this is a whole number, not a map "
            "(its keys are concurrent_runs, runs_per_month, triggers)"
        ]

    def test_a_name_stands_there_once(self) -> None:
        (problem,) = told("{triggers: 1, triggers: 2}")

        assert problem.startswith("1:23: error[")

    def test_all_that_is_wrong_is_told_in_one_go(self) -> None:
        found = told("{concurrent_runs: 0, runs_per_month: x, triggrs: 1}")

        where = [problem.split(": ")[0] for problem in found]
        assert where == ["1:27", "1:46", "1:49"]

    def test_what_is_right_beside_a_mistake_still_refuses(self) -> None:
        text = file_of(3, 2).replace("{triggers", "{concurrent_runs: x, triggers")

        codes = [problem.split("[")[1].split("]")[0] for problem in errors(text)]
        assert codes == ["type", "limit"]


class TestTooManyTriggers:
    def test_the_file_is_refused_at_the_first_too_many(self) -> None:
        (problem,) = read(file_of(3, 2)).problems

        assert str(problem) == (
            "triggers.yaml:6:3: error[limit]: the file has 3 triggers, its limit is 2 "
            "(take some out, or raise `triggers` under `limits`)"
        )

    def test_as_many_as_may_be_are_not_too_many(self) -> None:
        loaded = read(file_of(3, 3))

        assert (shown(loaded.problems), len(loaded.triggers)) == ([], 3)

    def test_it_is_one_problem_however_many_there_are(self) -> None:
        assert errors(file_of(300, 1)) == [
            "5:3: error[limit]: the file has 300 triggers, its limit is 1 "
            "(take some out, or raise `triggers` under `limits`)"
        ]

    def test_those_that_are_switched_off_count(self) -> None:
        text = file_of(3, 2).replace("every: 1h", "every: 1h, active: false")

        assert [problem.split(":")[0] for problem in errors(text)] == ["6"]

    def test_other_problems_are_told_beside_it(self) -> None:
        text = file_of(3, 2) + "  t9: {command: x}\n"

        found = [problem.split("]")[0] for problem in errors(text)]
        assert found == ["6:3: error[limit", "7:3: error[missing-key"]

    def test_where_the_limit_stands_makes_no_difference(self) -> None:
        version, given, rest = file_of(3, 2).split("\n", 2)

        (problem,) = errors(f"{version}\n{rest}{given}\n")
        assert problem.startswith("5:3: error[limit]: the file has 3 triggers")
