"""A file is read, or one clear problem says why it cannot be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from clockd import config
from clockd.config.loading import MAX_BYTES
from clockd.errors import ConfigError
from clockd.model import (
    CatchUp,
    Output,
    Overlap,
    RunnerKind,
    ScheduleKind,
    Trigger,
    trigger_uuid,
)
from clockd.settings import Secret, Settings
from tests.support.configs import HEROKU, LOCAL, entry, errors, read, shown, warnings

DATA = Path(__file__).resolve().parents[1] / "data"
TOP = Path(__file__).resolve().parents[2]
GOOD = entry()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "triggers.yaml"
    path.write_bytes(content)
    return path


def only_problem(path: Path) -> str:
    (problem,) = config.load(path, settings=HEROKU).problems
    assert problem.file == str(path)
    return str(problem).removeprefix(f"{path}:")


class TestWhatIsRead:
    def test_a_file_with_every_key_loads(self) -> None:
        loaded = config.load(DATA / "every-key.yaml", settings=HEROKU, environ={})

        assert shown(loaded.problems) == []
        newsletter, heartbeat, christmas = loaded.triggers
        assert newsletter == Trigger(
            slug="monday-newsletter",
            name="Monday morning newsletter",
            command="node bin/send-newsletter.js",
            schedule_kind=ScheduleKind.CRON,
            expression="0 9 * * 1",
            timezone="Europe/Amsterdam",
            app="sharp-mountain-4005",
            dyno="standard-1x",
            timeout_s=1800,
        )
        assert heartbeat.schedule_kind is ScheduleKind.EVERY
        assert heartbeat.overlap is Overlap.SKIP
        assert christmas == Trigger(
            slug="christmas",
            command="worker --greetings",
            schedule_kind=ScheduleKind.AT,
            expression="2026-12-25 09:00:00",
            timezone="UTC",
            app="other-app",
            dyno="performance-m",
            timeout_s=1800,
            catch_up=CatchUp(within_s=3600),
            retries=2,
            retry_delay_s=90,
            jitter_s=30,
            env={"LOG_LEVEL": "debug"},
            output=Output.KEEP,
        )

    def test_what_is_not_supported_yet_is_a_warning(self) -> None:
        loaded = config.load(DATA / "every-key.yaml", settings=HEROKU, environ={})

        told = {problem.message for problem in loaded.warnings}
        assert told == {
            f"`{key}` is not supported yet, and has no effect"
            for key in ("alerts", "healthcheck")
        }
        assert {problem.code for problem in loaded.warnings} == {"not-supported"}
        assert {str(problem.severity) for problem in loaded.warnings} == {"warning"}

    def test_the_repositorys_own_file_loads_without_a_warning(self) -> None:
        loaded = config.load(TOP / "triggers.yaml", settings=Settings())

        assert (loaded.problems, loaded.warnings) == ((), ())
        assert loaded.triggers

    def test_loaded_says_where_everything_is(self, tmp_path: Path) -> None:
        content = (
            b"version: 1\nrunner: local\napp: my-app\ntimezone: Asia/Tokyo\ntriggers:\n"
            b"  b: {command: x, every: 1h}\n\n  a: {command: x, every: 1h}\n"
        )
        path = written(tmp_path, content)

        loaded = config.load(path, settings=Settings())

        assert [trigger.slug for trigger in loaded.triggers] == ["b", "a"]
        assert dict(loaded.lines) == {"b": 6, "a": 8}
        assert (loaded.runner, loaded.app) == ("local", "my-app")
        assert loaded.timezone == "Asia/Tokyo"
        assert loaded.path == path
        assert loaded.digest == hashlib.sha256(content).hexdigest()

    def test_a_file_that_says_little_has_defaults(self) -> None:
        loaded = read("version: 1\ntriggers: {}\n", Settings())

        assert (loaded.runner, loaded.app, loaded.timezone) == ("auto", "", "UTC")
        assert loaded.path is None

    def test_a_text_is_called_as_its_path_says(self) -> None:
        loaded = config.load(Path("etc/t.yaml"), "- x\n", settings=HEROKU)

        assert str(loaded.problems[0]).startswith("etc/t.yaml:1:1: error[type]: ")

    @pytest.mark.parametrize(
        "content",
        [
            GOOD.encode(),
            b"\xef\xbb\xbf" + GOOD.encode(),
            GOOD.replace("\n", "\r\n").encode(),
            GOOD.replace("\n", "\r").encode(),
            GOOD.rstrip("\n").encode(),
        ],
        ids=["plain", "mark", "windows", "old-mac", "no-end"],
    )
    def test_line_ends_and_a_byte_order_mark_change_nothing(
        self, tmp_path: Path, content: bytes
    ) -> None:
        loaded = config.load(written(tmp_path, content), settings=HEROKU)

        assert (loaded.problems, loaded.warnings) == ((), ())
        assert loaded.triggers == read(GOOD).triggers

    def test_a_triggers_identity_is_made_of_app_and_slug(self) -> None:
        (trigger,) = read(entry("app: other-app")).triggers

        assert trigger.uuid == trigger_uuid("other-app", "t")

    def test_equal_rules_and_variables_are_held_once(self) -> None:
        common = "command: x, every: 1h, env: {A: b}, catch_up: 2h"
        loaded = read(f"version: 1\ntriggers: {{a: {{{common}}}, b: {{{common}}}}}\n")

        first, second = loaded.triggers
        assert first.env is second.env
        assert first.catch_up is second.catch_up


class TestWhatCannotBeRead:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        assert only_problem(tmp_path / "none.yaml") == (
            "1:1: error[file]: there is no such file "
            "(clockd init writes one; CLOCKD_TRIGGERS names another)"
        )

    def test_a_folder(self, tmp_path: Path) -> None:
        assert (
            only_problem(tmp_path)
            == "1:1: error[file]: the file cannot be read: Is a directory"
        )

    def test_a_link_that_leads_to_itself(self, tmp_path: Path) -> None:
        link = tmp_path / "triggers.yaml"
        link.symlink_to(link)

        assert "the file cannot be read: Too many levels" in only_problem(link)

    def test_a_path_that_cannot_be(self) -> None:
        problem = only_problem(Path("a\0b"))

        assert problem.startswith("1:1: error[file]: the file cannot be read: ")

    def test_neither_a_path_nor_a_text(self) -> None:
        (problem,) = config.load(None, settings=HEROKU).problems

        assert problem.message == "there is no file"

    @pytest.mark.parametrize("text", ["", " \n", "# only this\n", "~", "null\n", "---"])
    def test_an_empty_file(self, text: str) -> None:
        (problem,) = errors(text)

        assert "error[file]: the file is empty (begin with `version: 1`" in problem

    @pytest.mark.parametrize(
        ("text", "kind"),
        [("hello", "text"), ("[a]", "a list"), ("5", "a whole number"), ('""', "text")],
    )
    def test_a_file_without_keys(self, text: str, kind: str) -> None:
        (problem,) = errors(text)

        assert f"1:1: error[type]: the file holds {kind}, not a map" in problem

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (
                GOOD.encode("utf-16"),
                "1:1: error[encoding]: the file is UTF-16 (save it as UTF-8)",
            ),
            (
                GOOD.encode("utf-16-le"),
                "1:2: error[yaml]: the character U+0000 may not stand in a YAML file "
                "(save the file as UTF-8)",
            ),
            (
                "version: 1\nname: caf\xe9\n".encode("latin-1"),
                "2:10: error[encoding]: the byte 0xE9 is no UTF-8 "
                "(save the file as UTF-8)",
            ),
            (
                b"\xef\xbb\xbfab\xff",
                "1:3: error[encoding]: the byte 0xFF is no UTF-8 "
                "(save the file as UTF-8)",
            ),
            (
                b"\x7fELF\x02\x01\x01\0\0",
                "1:1: error[yaml]: the character U+007F may not stand in a YAML file "
                "(delete it)",
            ),
        ],
        ids=["utf-16", "utf-16-no-mark", "latin-1", "utf-8-mark", "binary"],
    )
    def test_another_encoding(self, tmp_path: Path, content: bytes, told: str) -> None:
        assert only_problem(written(tmp_path, content)) == told

    def test_a_text_of_half_characters(self) -> None:
        (problem,) = errors("a: \ud800")

        assert problem.startswith("1:4: error[encoding]: ")

    def test_a_huge_file(self, tmp_path: Path) -> None:
        problem = only_problem(written(tmp_path, b"#" * (MAX_BYTES + 1)))

        assert problem == "1:1: error[file]: the file is longer than 10,000,000 bytes"

    def test_aliases_that_multiply(self) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [
            f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20)
        ]

        (problem,) = errors("\n".join(lines))

        assert "more than 2,000,000 values, aliases counted" in problem

    def test_a_broken_file_has_its_digest_and_no_triggers(self, tmp_path: Path) -> None:
        for content in (b"triggers: [", b"\xff\xfe", GOOD.encode() + b"x: 1\n"):
            loaded = config.load(written(tmp_path, content), settings=HEROKU)

            assert loaded.problems
            assert loaded.triggers == ()
            assert loaded.digest == hashlib.sha256(content).hexdigest()


class TestProblems:
    def test_all_are_told_at_once_in_the_order_of_the_file(self) -> None:
        text = (
            "version: 3\n"
            "timezone: Mars/Base\n"
            "defaults:\n"
            "  timeout: soon\n"
            "  every: 1h\n"
            "triggers:\n"
            "  First:\n"
            "    command: x\n"
            "    cron: 99 * * * *\n"
            "  second:\n"
            "    comand: x\n"
            "    every: 7m\n"
            "    env: {1: [a], CLOCKD_RUN_ID: b}\n"
            "  second: {}\n"
            "aleerts: {}\n"
        )

        problems = read(text).problems

        assert [(one.line, one.column, one.code) for one in problems] == [
            (1, 10, "value"),
            (2, 11, "timezone"),
            (4, 12, "value"),
            (5, 3, "unknown-key"),
            (7, 3, "slug"),
            (9, 11, "schedule"),
            (10, 3, "missing-key"),
            (11, 5, "unknown-key"),
            (12, 12, "schedule"),
            (13, 11, "env"),
            (13, 14, "type"),
            (13, 19, "env"),
            (14, 3, "duplicate-slug"),
            (15, 1, "unknown-key"),
        ]

    def test_what_aliases_share_is_told_once(self) -> None:
        text = "version: 1\ntriggers: {a: &x {command: x, every: 7m}, b: *x}\n"

        assert len(errors(text)) == 1
        assert read(text).triggers == ()

    def test_an_error_in_one_trigger_leaves_the_others_readable(self) -> None:
        loaded = read(
            "triggers: {a: {command: x, every: 7m}, b: {command: x, every: 1h}}"
        )

        assert len(loaded.problems) == 1
        assert [trigger.slug for trigger in loaded.triggers] == ["b"]

    def test_a_thousand_are_enough(self) -> None:
        text = "triggers:\n" + "".join(f"  a{i}: 1\n" for i in range(3000))

        loaded = read(text)

        assert len(loaded.problems) == 1001
        assert loaded.triggers == ()
        last = loaded.problems[-1]
        assert last.line == 1001
        assert last.message == "these are 1000 problems; the file was read no further"

    def test_warnings_are_never_too_many(self) -> None:
        triggers = "".join(
            f"  a{i}: {{command: x, every: 1h, healthcheck: y}}\n" for i in range(1200)
        )

        assert len(warnings(f"version: 1\ntriggers:\n{triggers}")) == 1200

    @pytest.mark.parametrize(
        "text",
        [
            "alerts: {to: [x], 'slack://u:hunter2hunter2@y': 1}\ntriggers: {}",
            entry("env: {PASSWORD=hunter2hunter2}"),
            entry("env: PASSWORD=hunter2hunter2"),
            entry("env: {PASSWORD: *hunter2hunter2}"),
            entry("env: {PASSWORD: !hunter2hunter2 x}"),
            entry('env: {PASSWORD: "hunter2hunter2${"}'),
            entry("env: {PASSWORD: [hunter2hunter2]}"),
            entry("healthcheck: @hunter2hunter2"),
        ],
        ids=["url", "equals", "text", "alias", "tag", "half", "list", "at"],
    )
    def test_none_repeats_a_secret(self, text: str) -> None:
        told = errors(text)

        assert told
        assert not any("hunter2" in problem for problem in told)

    def test_a_shown_value_is_short_and_printable(self) -> None:
        (problem,) = errors(entry(f'"a\\u202e{"b" * 200}": 1'))

        assert len(problem) < 400
        assert "\u202e" not in problem
        assert "…" in problem


class TestRequire:
    def test_a_good_file_passes(self) -> None:
        config.require(read(GOOD))

    def test_a_bad_file_is_an_error_that_holds_all_problems(self) -> None:
        loaded = read(entry("timeout: 1", "retries: 99"))

        with pytest.raises(ConfigError) as caught:
            config.require(loaded)

        assert caught.value.message == "triggers.yaml has 2 problems"
        assert caught.value.hint == "`clockd check` shows them all"
        assert caught.value.data["problems"] == loaded.problems

    def test_one_problem_is_one(self) -> None:
        with pytest.raises(ConfigError, match=r"^triggers\.yaml has a problem$"):
            config.require(read(entry("retries: 99")))


class TestRunner:
    @pytest.mark.parametrize(
        ("written", "settings", "kind"),
        [
            ("auto", Settings(), RunnerKind.LOCAL),
            ("auto", Settings(heroku_api_key=Secret("k")), RunnerKind.HEROKU),
            ("auto", Settings(on_dyno=True, dyno_name="c.1"), RunnerKind.HEROKU),
            ("local", Settings(heroku_api_key=Secret("k")), RunnerKind.LOCAL),
            ("local", Settings(on_dyno=True, dyno_name="c.1"), RunnerKind.LOCAL),
            ("heroku", Settings(), RunnerKind.HEROKU),
            ("heroku", LOCAL, RunnerKind.LOCAL),
            ("local", HEROKU, RunnerKind.HEROKU),
        ],
        ids=[
            *("nothing", "key", "dyno", "local-key", "local-dyno", "heroku"),
            *("variable-local", "variable-heroku"),
        ],
    )
    def test_the_variable_wins_then_the_file_then_what_is_there(
        self, written: str, settings: Settings, kind: RunnerKind
    ) -> None:
        loaded = read(f"version: 1\nrunner: {written}\ntriggers: {{}}\n", settings)

        assert loaded.runner == written
        assert config.effective_runner(loaded, settings) is kind

    def test_the_runner_decides_what_is_allowed(self) -> None:
        text = "runner: local\ntriggers: {t: {command: x, every: 10s, timeout: 1}}\n"

        assert errors(text, Settings(heroku_api_key=Secret("k"))) == []
        assert len(errors(text, HEROKU)) == 2
