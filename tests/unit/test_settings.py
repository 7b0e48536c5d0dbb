"""The environment becomes settings, or one error that names everything wrong in it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from clockd import log
from clockd.errors import SettingsError
from clockd.model import RunnerKind
from clockd.settings import (
    LOG_FORMATS,
    LOG_LEVELS,
    VARIABLES,
    Secret,
    Settings,
    database_url_for,
)

PASSWORD = "hunter2hunter2"


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(environ)
    found = caught.value.data["problems"]
    assert isinstance(found, tuple)
    assert all(problem in caught.value.message for problem in found)
    return list(found)


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_environ({})

    assert settings == Settings()
    assert settings.heroku_api_url == "https://api.heroku.com"
    assert settings.process_type == "clockd"
    assert settings.output_days == 14
    assert (settings.log_format, settings.log_level) == ("auto", "info")
    assert settings.triggers_path is None
    assert settings.runner is None
    assert settings.detected_runner is RunnerKind.LOCAL


def test_every_variable_fills_its_field() -> None:
    settings = Settings.from_environ(
        {
            "HEROKU_API_KEY": "HRKU-abc",
            "HEROKU_API_URL": "http://127.0.0.1:5000/",
            "HEROKU_APP_NAME": "sharp-mountain-4005",
            "DYNO": "clock.1",
            "CLOCKD_TRIGGERS": "etc/triggers.yaml",
            "CLOCKD_RUNNER": "local",
            "CLOCKD_DATABASE_URL": "sqlite:////var/clockd.db",
            "CLOCKD_PROCESS_TYPE": "tasks",
            "CLOCKD_LOG_FORMAT": "JSON",
            "CLOCKD_LOG_LEVEL": "debug",
            "CLOCKD_OUTPUT_DAYS": "3",
            "CLOCKD_FAILPOINT": "claim.written:2",
        }
    )

    assert settings == Settings(
        heroku_api_key=Secret("HRKU-abc"),
        heroku_api_url="http://127.0.0.1:5000",
        heroku_app_name="sharp-mountain-4005",
        on_dyno=True,
        dyno_name="clock.1",
        triggers_path=Path("etc/triggers.yaml"),
        runner=RunnerKind.LOCAL,
        database_url=Secret("sqlite:////var/clockd.db"),
        process_type="tasks",
        log_format="json",
        log_level="debug",
        output_days=3,
        failpoint="claim.written:2",
    )


def test_the_table_of_variables_is_complete() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)}

    assert {variable.field for variable in VARIABLES} == fields - {"on_dyno"}
    assert all(variable.description for variable in VARIABLES)


def test_the_words_for_logs_are_those_the_log_knows() -> None:
    assert set(LOG_FORMATS) == set(log.FORMATS)
    assert set(LOG_LEVELS) <= set(log.LEVELS)


def test_an_empty_variable_counts_as_unset() -> None:
    environ = {variable.name: " " for variable in VARIABLES}

    assert Settings.from_environ(environ) == Settings()


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        HEROKU_API_KEY="two words",
        HEROKU_API_URL="api.heroku.com",
        HEROKU_APP_NAME="My App",
        CLOCKD_RUNNER="herouk",
        CLOCKD_DATABASE_URL="mysql://db/x",
        CLOCKD_PROCESS_TYPE="with blank",
        CLOCKD_LOG_FORMAT="xml",
        CLOCKD_LOG_LEVEL="loud",
        CLOCKD_OUTPUT_DAYS="0",
    )

    assert len(found) == 9
    assert "CLOCKD_RUNNER is 'herouk'" in found[4]
    assert "did you mean heroku?" in found[4]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("postgres://u:p@h:5432/d", "postgresql+psycopg://u:p@h:5432/d"),
        (
            "postgresql://h/d?sslmode=require",
            "postgresql+psycopg://h/d?sslmode=require",
        ),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
        ("sqlite:///clockd.db", "sqlite:///clockd.db"),
        ("sqlite+pysqlite:////a/b.db", "sqlite:////a/b.db"),
    ],
)
def test_a_database_url_is_given_as_sqlalchemy_wants_it(
    given: str, wanted: str
) -> None:
    settings = Settings.from_environ({"DATABASE_URL": given})

    assert settings.database_url == Secret(wanted)
    assert database_url_for(settings, Path("triggers.yaml")) == wanted


@pytest.mark.parametrize(
    "url",
    [
        *("mysql://h/d", "sqlite://", "sqlite:///", "sqlite:///:memory:", "clockd.db"),
        *("postgresql+asyncpg://h/d", "postgres://h:port/d", "postgres://[::1/d"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_a_problem(url: str) -> None:
    (problem,) = problems(CLOCKD_DATABASE_URL=url)

    assert problem.startswith("CLOCKD_DATABASE_URL ")


def test_clockds_own_database_url_goes_before_the_apps() -> None:
    settings = Settings.from_environ(
        {"DATABASE_URL": "postgres://app/d", "CLOCKD_DATABASE_URL": "sqlite:///own.db"}
    )

    assert settings.database_url == Secret("sqlite:///own.db")


def test_the_default_database_lies_beside_the_file(tmp_path: Path) -> None:
    url = database_url_for(Settings(), tmp_path / "triggers.yaml")

    assert url == f"sqlite:///{tmp_path}/clockd.db"


def test_a_linked_file_has_its_database_beside_the_link(tmp_path: Path) -> None:
    (tmp_path / "revision-7").mkdir()
    (tmp_path / "revision-7" / "triggers.yaml").touch()
    link = tmp_path / "triggers.yaml"
    link.symlink_to("revision-7/triggers.yaml")

    assert database_url_for(Settings(), link) == f"sqlite:///{tmp_path}/clockd.db"


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, RunnerKind.LOCAL),
        ({"HEROKU_API_KEY": "k"}, RunnerKind.HEROKU),
        ({"DYNO": "clock.1"}, RunnerKind.HEROKU),
    ],
)
def test_an_automatic_runner_is_heroku_with_a_key_or_on_a_dyno(
    environ: dict[str, str], kind: RunnerKind
) -> None:
    assert Settings.from_environ(environ).detected_runner is kind
    assert Settings.from_environ({**environ, "CLOCKD_RUNNER": "auto"}).runner is kind


@pytest.mark.parametrize("text", ["clockd", "clockd-{trigger}", "{trigger}", "A_1-b"])
def test_a_process_type_may_name_the_trigger_once(text: str) -> None:
    assert Settings.from_environ({"CLOCKD_PROCESS_TYPE": text}).process_type == text


@pytest.mark.parametrize(
    "text", ["a.b", "{trigger}{trigger}", "{Trigger}", "x" * 31, "é"]
)
def test_a_process_type_no_dyno_can_have_is_a_problem(text: str) -> None:
    assert "CLOCKD_PROCESS_TYPE" in problems(CLOCKD_PROCESS_TYPE=text)[0]


@pytest.mark.parametrize("text", ["-1", "0", "1.5", "9" * 5000, "ten", "²"])
def test_a_number_of_days_that_is_none_is_a_problem(text: str) -> None:
    assert "not a number of days" in problems(CLOCKD_OUTPUT_DAYS=text)[0]


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://api.heroku.com", "https://", "https://h:x", "https://u:p@h"),
        *("https://h?x=1", "https://[::1"),
    ],
)
def test_an_api_url_that_cannot_be_used_is_a_problem(url: str) -> None:
    assert "HEROKU_API_URL" in problems(HEROKU_API_URL=url)[0]


def test_no_secret_is_shown() -> None:
    settings = Settings.from_environ(
        {
            "HEROKU_API_KEY": PASSWORD,
            "DATABASE_URL": f"postgres://u:{PASSWORD}@h/d",
        }
    )

    assert PASSWORD not in f"{settings} {settings!r} {settings.heroku_api_key}"
    assert settings.heroku_api_key is not None
    assert settings.heroku_api_key.reveal() == PASSWORD


def test_no_problem_repeats_a_secret() -> None:
    found = problems(
        HEROKU_API_KEY=f"{PASSWORD} {PASSWORD}",
        HEROKU_API_URL=f"https://u:{PASSWORD}@h",
        CLOCKD_DATABASE_URL=f"postgres://u:{PASSWORD}@h:x/d",
        DATABASE_URL=PASSWORD,
    )

    assert len(found) == 4
    assert not any(PASSWORD in problem for problem in found)


def test_a_secret_equals_another_of_the_same_text_only() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
