"""The top of triggers.yaml: its keys, what they stand for, and `defaults`."""

from __future__ import annotations

import pytest

from clockd.config import zones
from clockd.model import Overlap
from clockd.settings import Settings
from tests.support.configs import HEROKU, LOCAL, errors, read, shown, warnings

EMPTY = "triggers: {}\n"
ONE = "triggers: {t: {command: x, every: 1h}}\n"


def top(line: str) -> list[str]:
    """Return the errors of a line at the top of a file."""
    return errors(f"{line}\n{EMPTY}")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("version: 2", "1:10: error[value]: version 2 is not known to this clockd"),
        ("version: '1'", "1:10: error[type]: '1' is text, not a whole number"),
        ("version: 1.0", "1:10: error[type]: '1.0' is a number, not a whole number"),
        ("version:", "1:9: error[type]: there is no value"),
    ],
)
def test_a_version_is_1(line: str, told: str) -> None:
    assert top(line) == [f"{told} (write version: 1)"]


def test_a_missing_version_is_a_warning() -> None:
    assert warnings(ONE) == [
        "1:1: warning[version]: there is no version (write version: 1)"
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "runner: heroko",
            "1:9: error[value]: 'heroko' is not one of auto, heroku, local "
            "(did you mean heroku?)",
        ),
        (
            "runner: Local",
            "1:9: error[value]: 'Local' is not one of auto, heroku, local "
            "(did you mean local?)",
        ),
        (
            "runner: true",
            "1:9: error[value]: 'true' is not one of auto, heroku, local",
        ),
        (
            "runner: [local]",
            "1:9: error[type]: this is a list, not one of auto, heroku, local",
        ),
        (
            "runner:",
            "1:8: error[type]: there is no value "
            "(write one of auto, heroku, local, or delete the key)",
        ),
    ],
)
def test_a_runner_is_one_of_three_words(line: str, told: str) -> None:
    assert top(line) == [told]


def test_the_app_of_the_file_goes_before_the_environments() -> None:
    settings = Settings(heroku_app_name="from-environment")

    assert read(ONE, settings).triggers[0].app == "from-environment"
    assert read(ONE, settings).app == "from-environment"
    assert read(f"app: from-file\n{ONE}", settings).triggers[0].app == "from-file"
    assert read(f"app: from-file\n{ONE}", settings).app == "from-file"


@pytest.mark.parametrize("name", ["abc", "a-1", "a" * 30])
def test_an_app_has_a_name_as_heroku_gives(name: str) -> None:
    assert read(f"app: {name}\n{ONE}").triggers[0].app == name


@pytest.mark.parametrize(
    "name", ["ab", "a" * 31, "My-App", "1app", "a_b", "app-", '""']
)
def test_an_app_that_heroku_cannot_have_is_an_error(name: str) -> None:
    (problem,) = top(f"app: {name}")

    assert "1:6: error[value]: " in problem
    assert "cannot be the name of a Heroku app (3 to 30 small letters" in problem


def test_an_app_that_cannot_be_read_is_told_once() -> None:
    assert len(errors(f"app: X\n{ONE}")) == 1


def test_a_dyno_needs_an_app_and_a_local_process_none() -> None:
    assert errors(ONE, Settings(runner=HEROKU.runner)) == [
        "1:12: error[app]: trigger 't' has no app to run on "
        "(write app: at the top of the file, or set HEROKU_APP_NAME)"
    ]
    assert errors(ONE, LOCAL) == []


def test_the_files_zone_is_the_triggers_unless_they_have_one() -> None:
    text = (
        "timezone: Asia/Tokyo\n"
        "triggers: {a: {command: x, every: 1h},"
        " b: {command: x, every: 1h, timezone: UTC}}\n"
    )

    assert [one.timezone for one in read(text).triggers] == ["Asia/Tokyo", "UTC"]
    assert read(ONE).triggers[0].timezone == "UTC"


@pytest.mark.parametrize("name", ["UTC", "Europe/Amsterdam", "CET", "Etc/GMT+1"])
def test_every_zone_there_is_can_be_written(name: str) -> None:
    assert top(f"timezone: {name}") == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Europe/Amsterdan", "Europe/Amsterdam"),
        ("europe/amsterdam", "Europe/Amsterdam"),
        ("Amsterdam", "Europe/Amsterdam"),
        ("New York", "America/New_York"),
        ("Europe/New_York", "America/New_York"),
        ("São Paulo", "America/Sao_Paulo"),
        ("utc", "UTC"),
        ("PST", "America/Los_Angeles"),
        ("EDT", "America/New_York"),
        ("CEST", "CET"),
    ],
)
def test_an_unknown_zone_names_the_one_that_was_meant(text: str, meant: str) -> None:
    assert top(f"timezone: {text}") == [
        f"1:11: error[timezone]: there is no time zone {text!r} (did you mean {meant}?)"
    ]


@pytest.mark.parametrize("text", ["Mars/Base", "Local", "x" * 100])
def test_a_zone_that_is_like_none_gets_an_example(text: str) -> None:
    (problem,) = top(f"timezone: {text}")

    assert problem.endswith(" (name a place, as Europe/Amsterdam)")


@pytest.mark.parametrize("text", ["GMT+1", "UTC-05:00", "+01:00", "utc+2", "-0530"])
def test_an_offset_is_no_zone(text: str) -> None:
    (problem,) = top(f"timezone: '{text}'")

    assert problem.endswith("an offset knows no summer time)")


def test_of_zones_with_the_same_city_the_last_is_meant_in_every_process() -> None:
    cities = zones.zone_cities()

    assert cities["Indianapolis"] == "America/Indianapolis"
    assert cities["Eastern"] == "US/Eastern"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("tirggers2: 1", "unknown key 'tirggers2' (did you mean triggers?)"),
        ("Timezone: UTC", "unknown key 'Timezone' (did you mean timezone?)"),
        ("tz: UTC", "unknown key 'tz' (did you mean timezone?)"),
        (
            "xyz: 1",
            "unknown key 'xyz' (possible are version, app, runner, timezone, defaults, "
            "limits, alerts, triggers)",
        ),
        (
            "timeout: 30m",
            "`timeout` belongs to a trigger (put it under `defaults:`, or into a "
            "trigger)",
        ),
        (
            "healthcheck: x",
            "`healthcheck` belongs to a trigger (put it under `defaults:`, or into a "
            "trigger)",
        ),
        ("cron: 0 9 * * 1", "`cron` belongs to a trigger (put it into one)"),
        ("command: x", "`command` belongs to a trigger (put it into one)"),
    ],
)
def test_an_unknown_key_names_what_was_meant(line: str, told: str) -> None:
    assert top(line) == [f"1:1: error[unknown-key]: {told}"]


def test_a_merge_key_is_told_what_to_write_instead() -> None:
    text = "defaults: &d {timeout: 5m}\ntriggers: {t: {<<: *d, command: x, every: 1h}}"

    assert errors(text) == [
        "2:16: error[unknown-key]: YAML 1.2 has no merge key `<<` "
        "(put what triggers have in common under `defaults`)"
    ]


def test_a_trigger_beside_triggers_is_told_where_it_belongs() -> None:
    told = (
        "error[unknown-key]: the trigger 'night' is not under `triggers` "
        "(indent it, and put it under `triggers:`)"
    )

    assert top("night: {command: x, every: 1h}") == [f"1:1: {told}"]
    assert errors("night: {command: x, every: 1h}") == [f"1:1: {told}"]


def test_triggers_under_another_name_are_one_problem() -> None:
    assert errors("jobs: {t: {command: x, every: 1h}}") == [
        "1:1: error[unknown-key]: unknown key 'jobs' (did you mean triggers?)"
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 1\nversion: 1\n" + EMPTY, "2:1: key 'version', line 1"),
        ("triggers: {}\n" + EMPTY, "2:1: key 'triggers', line 1"),
        (
            "triggers:\n  a: {command: x, every: 1h}\n  a: {command: x, every: 1h}\n",
            "3:3: slug 'a', line 2",
        ),
        (
            "triggers:\n  a:\n    command: x\n    every: 1h\n    'command': y\n",
            "5:5: key 'command', line 3",
        ),
        (
            "defaults: {timeout: 1h, timeout: 2h}\n" + EMPTY,
            "1:25: key 'timeout', line 1",
        ),
    ],
    ids=["top", "triggers", "slug", "trigger", "defaults"],
)
def test_a_name_that_is_there_twice_is_an_error(text: str, told: str) -> None:
    place, _, rest = told.partition(" ")
    name, _, line = rest.partition(", ")
    code = "duplicate-slug" if name.startswith("slug") else "duplicate-key"

    assert errors(text) == [
        f"{place} error[{code}]: {name} is there twice, first at {line} "
        "(keep one of them)"
    ]


def test_a_key_is_text() -> None:
    assert errors("? [a]\n: 1\n" + EMPTY) == [
        "1:3: error[type]: a key cannot be a list"
    ]
    assert errors("triggers: {? {a: b} : {}}") == [
        "1:14: error[type]: a slug cannot be a map"
    ]


class TestTriggers:
    @pytest.mark.parametrize("text", ["version: 1\n", "version: 1\ntriggers:\n"])
    def test_a_file_without_them_is_an_error(self, text: str) -> None:
        (problem,) = errors(text)

        assert "error[missing-key]: there are no triggers (add `triggers:`" in problem

    def test_none_at_all_is_a_warning(self) -> None:
        assert warnings(f"version: 1\n{EMPTY}") == [
            "2:11: warning[missing-key]: there are no triggers: nothing will run"
        ]

    @pytest.mark.parametrize(
        ("text", "kind"), [("[]", "a list"), ("x", "text"), ("1", "a whole number")]
    )
    def test_they_are_a_map(self, text: str, kind: str) -> None:
        assert errors(f"triggers: {text}\n") == [
            f"1:11: error[type]: this is {kind}, not a map "
            "(write each trigger as `slug:`, its keys below it)"
        ]


class TestLater:
    @pytest.mark.parametrize(
        "line",
        [
            "alerts:",
            'alerts: {to: ["${X}"], collaborators: true, mail: "${MAIL_URL}"}',
            "defaults: {alerts: {events: [failed], to: [x]}}",
            "defaults: {healthcheck: https://example.com}",
        ],
    )
    def test_what_comes_later_is_accepted_with_a_warning(self, line: str) -> None:
        (told,) = warnings(f"{line}\nversion: 1\n{ONE}")

        assert "warning[not-supported]: `" in told
        assert told.endswith("` is not supported yet, and has no effect")

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            (
                "alerts: {too: x}",
                "1:10: error[unknown-key]: unknown key 'too' (did you mean to?)",
            ),
            (
                "alerts: 5",
                "1:9: error[type]: this is a whole number, not a map "
                "(its keys are to, collaborators, mail)",
            ),
        ],
    )
    def test_its_keys_are_checked(self, line: str, told: str) -> None:
        assert top(line) == [told]


class TestDefaults:
    def test_they_hold_where_a_trigger_says_nothing(self) -> None:
        loaded = read(
            "defaults: {timeout: 5m, overlap: queue, retries: 1, active: false}\n"
            "triggers:\n"
            "  a: {command: x, every: 1h}\n"
            "  b: {command: x, every: 1h, timeout: 1h, overlap: allow, retries: 0,"
            " active: true}\n"
        )

        a, b = loaded.triggers
        assert (a.timeout_s, a.overlap, a.retries, a.active) == (
            *(300, Overlap.QUEUE),
            *(1, False),
        )
        assert (b.timeout_s, b.overlap, b.retries, b.active) == (
            *(3600, Overlap.ALLOW),
            *(0, True),
        )

    def test_they_go_before_the_top_of_the_file(self) -> None:
        (trigger,) = read(
            "app: top-app\ntimezone: UTC\n"
            f"defaults: {{app: default-app, timezone: Asia/Tokyo}}\n{ONE}"
        ).triggers

        assert (trigger.app, trigger.timezone) == ("default-app", "Asia/Tokyo")

    @pytest.mark.parametrize("text", ["", " {}", " ~"])
    def test_they_may_be_empty(self, text: str) -> None:
        assert errors(f"defaults:{text}\n{ONE}") == []

    @pytest.mark.parametrize("key", ["command", "cron", "every", "at"])
    def test_what_every_trigger_has_of_its_own_is_no_default(self, key: str) -> None:
        assert top(f"defaults: {{{key}: x}}") == [
            f"1:12: error[unknown-key]: `{key}` has no default, every trigger has its "
            "own (move it to the triggers)"
        ]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("{timout: 5m}", "1:12: error[unknown-key]: unknown key 'timout'"),
            (
                "{runner: local}",
                "1:12: error[unknown-key]: `runner` belongs to the top",
            ),
            ("[]", "1:11: error[type]: this is a list, not a map (write what triggers"),
        ],
    )
    def test_what_cannot_be_in_them_is_an_error(self, text: str, told: str) -> None:
        (problem,) = top(f"defaults: {text}")

        assert problem.startswith(told)

    def test_an_error_in_them_is_told_once_and_there(self) -> None:
        loaded = read(
            "defaults: {timeout: soon}\n"
            "triggers: {a: {command: x, every: 1h}, b: {command: x, every: 1h}}\n"
        )

        (problem,) = shown(loaded.problems)
        assert problem.startswith("1:21: error[value]: 'soon' is no duration")
        assert loaded.triggers == ()

    def test_a_timeout_too_short_for_dynos_is_told_once_and_there(self) -> None:
        assert errors(
            "defaults: {timeout: 30}\n"
            "triggers: {a: {command: x, every: 1h}, b: {command: x, every: 1h}}\n"
        ) == [
            "1:21: error[range]: a timeout of 30s is too short for a dyno "
            "(write 1m or more)"
        ]
