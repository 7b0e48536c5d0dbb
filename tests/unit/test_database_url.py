"""A database's URL, as Heroku, libpq and people write it."""

from __future__ import annotations

import traceback

import pytest

from clockd.errors import SettingsError
from clockd.settings import Settings
from clockd.store import postgresql

SECRET = "open-sesame"
HEROKU = f"postgres://u1:{SECRET}@ec2-3-4-5-6.compute-1.amazonaws.com:5432/d7"


def url_of(url: str, **more: str) -> str:
    """Return the URL that settings make of one on a dyno."""
    environ = {"DYNO": "clock.1", "DATABASE_URL": url, **more}
    found = Settings.from_environ(environ).database_url
    assert found is not None
    return found.reveal().removeprefix("postgresql+psycopg")


@pytest.mark.parametrize(
    ("url", "end"),
    [
        (HEROKU, "/d7?sslmode=require"),
        (f"{HEROKU}?connect_timeout=3", "/d7?connect_timeout=3&sslmode=require"),
        ("postgres://localhost,10.0.0.7/d", "/d?sslmode=require"),
        ("postgres:///d?host=10.0.0.7", "&sslmode=require"),
        ("postgres://[2001:db8::7]:5432/d", "/d?sslmode=require"),
        ("postgres://u:p#q@host/d", "/d?sslmode=require"),
    ],
)
def test_a_connection_from_a_dyno_is_encrypted(url: str, end: str) -> None:
    assert url_of(url).endswith(end)
    assert url_of("sqlite:///x.db", CLOCKD_DATABASE_URL=url).endswith(end)


@pytest.mark.parametrize(
    "url",
    [
        *(f"{HEROKU}?sslmode=disable", f"{HEROKU}?sslmode=verify-full"),
        *(f"{HEROKU}?ssl=true", "postgres://localhost/d", "postgres://127.0.0.1:1/d"),
        *("postgres:///d", "postgres://[::1]/d", "postgres://%2Frun%2Fpg/d"),
        *("postgres:///d?host=/run/pg", "sqlite:///x.db"),
    ],
)
def test_who_says_otherwise_or_stays_on_the_machine_is_left_alone(url: str) -> None:
    assert url.rpartition(":/")[2] in url_of(url)
    assert "require" not in url_of(url)


def test_libpqs_own_variable_wins() -> None:
    assert "sslmode" not in url_of(HEROKU, PGSSLMODE="disable")
    assert "sslmode=require" in url_of(HEROKU, PGSSLMODE="")


def test_elsewhere_libpqs_default_holds() -> None:
    settings = Settings.from_environ({"DATABASE_URL": HEROKU})

    assert settings.database_url is not None
    assert "sslmode" not in settings.database_url.reveal()


@pytest.mark.parametrize(
    "url",
    [
        "postgres://a:1,b:2/d",
        "postgres://u:p%40%2F%3A@h/d",
        "postgres://[::1]:5432/d",
        "postgres://%2Frun%2Fpg/d",
        "postgres:///d?host=/run/pg&port=5433",
        "postgres://h/d?options=-csearch_path%3Dclock",
    ],
)
def test_what_libpq_understands_is_accepted(url: str) -> None:
    settings = Settings.from_environ({"DATABASE_URL": url})

    assert settings.database_url is not None
    assert postgresql.parameters(settings.database_url.reveal())["dbname"] == "d"


def test_parts_of_a_url_are_decoded() -> None:
    given = postgresql.parameters(
        f"postgres://ann%40x:{SECRET}%2F@h:6543/books?options=-cx%3Dy&sslmode=require"
    )

    assert (given["user"], given["password"]) == ("ann@x", f"{SECRET}/")
    assert (given["host"], given["port"], given["dbname"]) == ("h", "6543", "books")
    assert (given["options"], given["sslmode"]) == ("-cx=y", "require")
    assert given["application_name"] == "clockd"


def test_what_a_url_says_goes_before_what_clockd_would() -> None:
    given = postgresql.parameters("postgres://h/d?application_name=x&keepalives_idle=1")

    assert (given["application_name"], given["keepalives_idle"]) == ("x", "1")


def test_of_several_hosts_the_one_that_can_be_written_to_is_wanted() -> None:
    wanted = "target_session_attrs"

    assert postgresql.parameters("postgres://a,b/d")[wanted] == "read-write"
    assert postgresql.parameters(f"postgres://a,b/d?{wanted}=any")[wanted] == "any"
    assert wanted not in postgresql.parameters("postgres://a/d")


@pytest.mark.parametrize(
    "url",
    [
        f"postgres://u:{SECRET}%zz@h/d",
        f"postgres://u:{SECRET}@h/d?colour={SECRET}",
        f"postgres://u:{SECRET}@h/d?sslmode={SECRET}",
        f"postgres://u:a/{SECRET}@h/d",
        f"postgres://u:{SECRET}@h:{SECRET}/d",
        f"postgres://u:{SECRET}@[::1/d",
    ],
    ids=["percent", "option", "sslmode", "slash", "port", "bracket"],
)
def test_what_cannot_be_used_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        postgresql.parameters(url)

    told = "".join(traceback.format_exception(caught.value)) + str(caught.value.hint)
    assert SECRET not in told
    assert "sslmode" in told


def test_secrets_are_known_however_they_are_written() -> None:
    given = postgresql.parameters(f"postgres://u:{SECRET}%2F@h/d?sslpassword=x")

    assert postgresql.secrets_of(given) == [f"{SECRET}%2F", f"{SECRET}/", "x"]
