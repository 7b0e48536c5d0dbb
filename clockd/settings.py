"""The environment as clockd reads it: one frozen value, all problems at once.

Reads only the mapping it is given. Values that are secrets are wrapped in `Secret`, and
no message here repeats what a secret variable holds.
"""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from clockd import failpoints
from clockd.errors import SettingsError
from clockd.model import RunnerKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

DEFAULT_API_URL: Final = "https://api.heroku.com"
DEFAULT_PROCESS_TYPE: Final = "clockd"
DEFAULT_OUTPUT_DAYS: Final = 14
DATABASE_FILE: Final = "clockd.db"
LOG_FORMATS: Final = ("auto", "console", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
#: What Heroku accepts as the name of an app.
APP_NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,28}[a-z0-9]")

_RUNNERS = ("auto", *(kind.value for kind in RunnerKind))
_PROCESS_TYPE = re.compile(r"[A-Za-z0-9_-]{1,30}")
_SLUG_PLACE = "{trigger}"
_MAX_OUTPUT_DAYS = 3650
_TOKEN = re.compile(r"[!-~]+")
_POSTGRESQL = ("postgres://", "postgresql://", "postgresql+psycopg://")
#: What says in such a URL whether the connection is encrypted.
_SSL_OPTIONS = {"sslmode", "ssl", "requiressl"}
_LOCAL = re.compile(r"localhost|127\.[0-9.]+|::1")
_SQLITE = ("sqlite:///", "sqlite+pysqlite:///")


class Secret:
    """A text that does not show itself in logs, errors and debuggers."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says, checked, with every default filled in."""

    heroku_api_key: Secret | None = None
    heroku_api_url: str = DEFAULT_API_URL  #: without a slash at the end
    heroku_app_name: str = ""
    on_dyno: bool = False
    dyno_name: str = ""
    triggers_path: Path | None = None
    runner: RunnerKind | None = None  #: None where the file decides
    database_url: Secret | None = None  #: as SQLAlchemy wants it
    process_type: str = DEFAULT_PROCESS_TYPE  #: may hold `{trigger}`, once
    log_format: str = "auto"
    log_level: str = "info"
    output_days: int = DEFAULT_OUTPUT_DAYS
    failpoint: str = ""  #: as `failpoints` reads it

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings of an environment; an empty variable counts as unset.

        Raises:
            SettingsError: Some variables cannot be used; `data["problems"]` has a
                sentence for each.
        """
        values: dict[str, object] = {}
        problems: list[str] = []
        for variable in VARIABLES:
            text = environ.get(variable.name, "").strip()
            if not text or variable.field in values:
                continue
            try:
                values[variable.field] = variable.read(text)
            except ValueError as error:
                problems.append(f"{variable.name} {error}")
        _raise(problems)
        automatic = values.get("runner") == "auto"
        if automatic:
            del values["runner"]
        on_dyno = "dyno_name" in values
        settings = cls(**values, on_dyno=on_dyno)  # type: ignore[arg-type]
        if on_dyno and settings.database_url and not environ.get("PGSSLMODE"):
            url = _encrypted(settings.database_url)
            settings = replace(settings, database_url=url)
        if automatic:
            return replace(settings, runner=settings.detected_runner)
        return settings

    @property
    def detected_runner(self) -> RunnerKind:
        """Where tasks run if nobody says: Heroku with a key or on a dyno."""
        heroku = self.heroku_api_key is not None or self.on_dyno
        return RunnerKind.HEROKU if heroku else RunnerKind.LOCAL


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment that clockd reads.

    Args:
        name: Its name.
        field: The field of `Settings` it fills; of several, the first one set wins.
        read: Makes the field's value of the text; raises ValueError saying why not.
        description: What it is for, half a sentence.
        default: What holds where it is unset, in words.
        public: False for what only clockd's own tests set.
    """

    name: str
    field: str
    read: Callable[[str], object]
    description: str
    _: KW_ONLY
    default: str = ""
    public: bool = True


def database_url_for(settings: Settings, triggers_path: Path) -> str:
    """Return the database's URL for SQLAlchemy; it may hold a password.

    Without one in the environment it is the file `clockd.db` beside triggers.yaml. A
    symbolic link is not followed: where configuration is mounted, its target moves.
    """
    if settings.database_url is not None:
        return settings.database_url.reveal()
    return f"sqlite:///{triggers_path.absolute().with_name(DATABASE_FILE)}"


def _raise(problems: list[str]) -> None:
    if not problems:
        return
    if len(problems) == 1:
        message = problems[0]
    else:
        message = "\n- ".join(["the environment cannot be used:", *problems])
    raise SettingsError(
        message,
        hint="set the variable right, or unset it (`heroku config:unset NAME`)",
        problems=tuple(problems),
    )


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        word = text.lower()
        if word in words:
            return word
        near = get_close_matches(word, words, n=1)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"is {text!r}, not one of {', '.join(words)}{guess}")

    return read


def _read_runner(text: str) -> object:
    word = _one_of(_RUNNERS)(text)
    return word if word == "auto" else RunnerKind(word)


def _read_token(text: str) -> Secret:
    if not _TOKEN.fullmatch(text):
        raise ValueError("holds a blank or another character no token has")
    return Secret(text)


def _read_api_url(text: str) -> str:
    # Never repeated in a message: somebody may have put a password into it.
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.scheme not in ("http", "https"):
        raise ValueError(f"is no http or https URL, such as {DEFAULT_API_URL}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("may hold a host, a port and a path, and nothing else")
    return text.rstrip("/")


def _read_app_name(text: str) -> str:
    if not APP_NAME.fullmatch(text):
        raise ValueError(
            f"is {text!r}; an app's name has 3 to 30 small letters, digits and dashes, "
            "and begins with a letter"
        )
    return text


def _read_database_url(text: str) -> Secret:
    for prefix in _POSTGRESQL:
        if text.startswith(prefix):
            rest = text[len(prefix) :]
            _check_hosts(rest)
            return Secret(_POSTGRESQL[-1] + rest)
    for prefix in _SQLITE:
        if text.startswith(prefix):
            path = text[len(prefix) :].partition("?")[0]
            if path in ("", ":memory:"):
                raise ValueError("names no file; write sqlite:///path/to/clockd.db")
            return Secret("sqlite:///" + text[len(prefix) :])
    raise ValueError(
        "is no database that clockd can use; write sqlite:///path/to/clockd.db or "
        "postgresql://user@host/database (CLOCKD_DATABASE_URL goes before DATABASE_URL)"
    )


def _check_hosts(rest: str) -> None:
    """Refuse a URL, without its scheme, whose hosts and ports cannot be read."""
    try:
        for host in _hosts(rest):
            _ = urlsplit(f"//{host}").port
    except ValueError:
        raise ValueError(
            "is no URL that can be read; look at its host and port"
        ) from None


def _hosts(rest: str) -> list[str]:
    """Return the `host:port` of a URL without its scheme, as libpq finds them."""
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    user, at, behind = authority.partition("@")
    return (behind if at else user).split(",")


def _encrypted(secret: Secret) -> Secret:
    """Return a database's URL that asks for TLS, if it says nothing else.

    Heroku's servers want it, and are reached through networks that others use.
    """
    url = secret.reveal()
    if not url.startswith(_POSTGRESQL[-1]):
        return secret
    rest = url.removeprefix(_POSTGRESQL[-1])
    query = dict(parse_qsl(rest.partition("?")[2], keep_blank_values=True))
    if query.keys() & _SSL_OPTIONS:
        return secret
    hosts = [urlsplit(f"//{host}").hostname or "" for host in _hosts(rest)]
    hosts += [query[name] for name in ("host", "hostaddr") if name in query]
    named = [unquote(host) for host in hosts if host]
    if all(host.startswith("/") or _LOCAL.fullmatch(host) for host in named):
        return secret
    return Secret(f"{url}{'&' if '?' in rest else '?'}sslmode=require")


def _read_process_type(text: str) -> str:
    if text.count(_SLUG_PLACE) > 1 or not _PROCESS_TYPE.fullmatch(
        text.replace(_SLUG_PLACE, "t", 1)
    ):
        raise ValueError(
            f"is {text!r}; write at most 30 letters, digits, dashes and underscores, "
            f"with {_SLUG_PLACE} at most once"
        )
    return text


def _read_days(text: str) -> int:
    number = int(text) if re.fullmatch("[0-9]{1,5}", text) else 0
    if not 1 <= number <= _MAX_OUTPUT_DAYS:
        raise ValueError(f"is {text!r}, not a number of days, 1 to {_MAX_OUTPUT_DAYS}")
    return number


def _read_failpoints(text: str) -> str:
    failpoints.parse(text)
    return text


#: Every variable clockd reads, in the order the documentation lists them.
VARIABLES: Final = (
    Variable(
        "HEROKU_API_KEY",
        "heroku_api_key",
        _read_token,
        "token that may start and stop dynos of the app",
    ),
    Variable(
        "HEROKU_APP_NAME",
        "heroku_app_name",
        _read_app_name,
        "app of triggers that name none",
    ),
    Variable(
        "HEROKU_API_URL",
        "heroku_api_url",
        _read_api_url,
        "Heroku's Platform API",
        default=DEFAULT_API_URL,
    ),
    Variable(
        "DYNO",
        "dyno_name",
        str,
        "name of the dyno clockd runs on; Heroku sets it",
    ),
    Variable(
        "CLOCKD_DATABASE_URL",
        "database_url",
        _read_database_url,
        "the database, SQLite or PostgreSQL",
        default="`DATABASE_URL`",
    ),
    Variable(
        "DATABASE_URL",
        "database_url",
        _read_database_url,
        "the same; Heroku sets it for an app with PostgreSQL",
        default=f"`{DATABASE_FILE}` beside `triggers.yaml`",
    ),
    Variable(
        "CLOCKD_TRIGGERS",
        "triggers_path",
        Path,
        "the file",
        default="triggers.yaml",
    ),
    Variable(
        "CLOCKD_RUNNER",
        "runner",
        _read_runner,
        "where tasks run: `heroku`, `local` or `auto`",
        default="as the file says",
    ),
    Variable(
        "CLOCKD_PROCESS_TYPE",
        "process_type",
        _read_process_type,
        "what tasks are called in `heroku ps` and in the app's logs",
        default=DEFAULT_PROCESS_TYPE,
    ),
    Variable(
        "CLOCKD_LOG_FORMAT",
        "log_format",
        _one_of(LOG_FORMATS),
        "`console`, `json`, or `auto`: console on a terminal",
        default="auto",
    ),
    Variable(
        "CLOCKD_LOG_LEVEL",
        "log_level",
        _one_of(LOG_LEVELS),
        "`debug`, `info`, `warning` or `error`",
        default="info",
    ),
    Variable(
        "CLOCKD_OUTPUT_DAYS",
        "output_days",
        _read_days,
        "how many days output is kept",
        default=str(DEFAULT_OUTPUT_DAYS),
    ),
    Variable(
        "CLOCKD_FAILPOINT",
        "failpoint",
        _read_failpoints,
        "where clockd's own tests make it die",
        public=False,
    ),
)
