"""Puts the parts together that every process needs: settings, file, store, runner."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clockd import config
from clockd.errors import SettingsError
from clockd.launch import LaunchSettings
from clockd.model import RunnerKind
from clockd.settings import Settings, database_url_for
from clockd.store import Store
from clockd.watch import commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clockd.config import Loaded
    from clockd.dyno import HerokuRunner
    from clockd.runner import Runner

DEFAULT_FILE = "triggers.yaml"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What belongs together: environment, triggers.yaml and what it says.

    Args:
        settings: The environment's settings.
        path: Where triggers.yaml is, or should be.
        loaded: What it says, problems included.
        environ: The environment itself.
    """

    settings: Settings
    path: Path
    loaded: Loaded
    environ: Mapping[str, str]

    @property
    def kind(self) -> RunnerKind:
        """Where this installation's tasks run."""
        return config.effective_runner(self.loaded, self.settings)

    @property
    def database_url(self) -> str:
        """The database's URL; holds a password, never show it."""
        return database_url_for(self.settings, self.path)

    def load_again(self) -> Loaded:
        """Return what triggers.yaml says now; the same content is not parsed again."""
        if self.loaded.digest and self.loaded.digest == _digest(self.path):
            return self.loaded
        return config.load(self.path, settings=self.settings, environ=self.environ)

    def open_store(self) -> Store:
        """Open the database as its clock, brought up to date.

        Raises:
            StoreUnavailable: It cannot be reached.
            StoreTooNew: A newer clockd has written it.
        """
        return Store.open(self.database_url)

    def open_to_run(self) -> Store:
        """Open the database for a run by hand; it is made where there is none.

        An older schema is brought up to date only where no clock is on record: a clock
        of that version could not be started again.

        Raises:
            StoreUnavailable: It cannot be reached.
            StoreTooNew: A newer clockd has written it.
            StoreTooOld: An older clockd has, and is its clock.
        """
        return Store.open(self.database_url, beside_clock=False)

    def open_as_it_is(self) -> Store | None:
        """Open the database to look into it; None where clockd has not used it yet.

        Raises:
            StoreUnavailable: It cannot be reached.
            StoreTooNew: A newer clockd has written it.
            StoreTooOld: It has not been brought up to date yet.
        """
        return Store.open_as_it_is(self.database_url) if self.store_exists() else None

    def store_exists(self) -> bool:
        """Return False where the database is a file that is not there yet."""
        path = sqlite_path(self.database_url)
        return path is None or path.exists()

    def make_runners(self) -> Runners:
        """Return the places where tasks can run; a file's `runner` may change."""
        makers: dict[RunnerKind, Callable[[], Runner]] = {
            RunnerKind.LOCAL: self._local_runner
        }
        if self.settings.heroku_api_key is not None:
            makers[RunnerKind.HEROKU] = self.make_heroku_runner
        return Runners(makers)

    def make_heroku_runner(self) -> HerokuRunner:
        """Return the runner on Heroku, whatever triggers.yaml says."""
        from clockd.dyno import HerokuRunner

        key = self.settings.heroku_api_key
        if key is None:
            raise _no_key()
        return HerokuRunner(key.reveal(), api_url=self.settings.heroku_api_url)

    def _local_runner(self) -> Runner:
        from clockd.process import LocalRunner

        return LocalRunner(
            self.local_directory,
            cwd=self.path.resolve().parent,
            procfile=self.procfile,
            environ=self.environ,
        )

    @property
    def procfile(self) -> Path:
        """The Procfile beside triggers.yaml; it need not be there."""
        return self.path.resolve().parent / "Procfile"

    @property
    def local_directory(self) -> Path:
        """Where local processes keep their files: beside what remembers them."""
        path = sqlite_path(self.database_url)
        if path is not None:
            return path.resolve().with_name(f"{path.name}.runs")
        return self.path.resolve().parent / ".clockd" / "runs"

    def launch_settings(self, kind: RunnerKind) -> LaunchSettings:
        """Return what launches have in common while tasks run on `kind`."""
        return LaunchSettings(
            kind=kind,
            host=host_name(),
            process_type=self.settings.process_type,
            environ=self.environ,
            twin=None if kind is RunnerKind.LOCAL else self._twin,
        )

    def expanded(self, app: str, command: str) -> str:
        """Return a command with its Procfile process type replaced, as Heroku does."""
        from clockd import procfile

        del app
        return procfile.expand(command, procfile.read(self.procfile))

    def _twin(self, app: str, command: str) -> str:
        """Return what two launches must not have in common to be told apart."""
        return commands.twin_of(self.expanded(app, command))

    def shown(self, app: str, command: str) -> frozenset[str]:
        """Return the ways in which the platform may show a command."""
        return frozenset({command, self.expanded(app, command)})


class Runners(Mapping[RunnerKind, "Runner"]):
    """The places where tasks can run, each made when it is first needed.

    Heroku's is slow to import, which local runs need not wait for. Thread-safe.
    """

    def __init__(self, makers: Mapping[RunnerKind, Callable[[], Runner]]) -> None:
        self._makers = makers
        self._made: dict[RunnerKind, Runner] = {}
        self._lock = threading.Lock()

    def require(self, kind: RunnerKind) -> Runner:
        """Return the place of a kind.

        Raises:
            SettingsError: It is Heroku, and there is no key.
        """
        if kind not in self._makers:
            raise _no_key()
        return self[kind]

    def __getitem__(self, kind: RunnerKind) -> Runner:
        with self._lock:
            if kind not in self._made:
                self._made[kind] = self._makers[kind]()
            return self._made[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._makers

    def __iter__(self) -> Iterator[RunnerKind]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def install(
    *, path: Path | None = None, environ: Mapping[str, str] | None = None
) -> Installation:
    """Read the environment and triggers.yaml.

    Args:
        path: Where triggers.yaml is; else `CLOCKD_TRIGGERS`, else this folder's.
        environ: The environment; the process's own where not given.

    Raises:
        SettingsError: The environment asks for something impossible.
    """
    environ = os.environ if environ is None else environ
    settings = Settings.from_environ(environ)
    where = path or settings.triggers_path or Path(DEFAULT_FILE)
    return Installation(
        settings=settings,
        path=where,
        loaded=config.load(where, settings=settings, environ=environ),
        environ=environ,
    )


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _no_key() -> SettingsError:
    return SettingsError(
        "tasks are to run on Heroku, but there is no HEROKU_API_KEY",
        hint="set it (`heroku authorizations:create`), or write "
        "`runner: local` into triggers.yaml",
    )


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite URL, None for any other database."""
    prefix = "sqlite:///"
    return (
        Path(url[len(prefix) :].partition("?")[0]) if url.startswith(prefix) else None
    )


def host_name() -> str:
    """Return this machine's name, as attempts of local processes carry it."""
    return socket.gethostname()


def process_name() -> str:
    """Return what others see of this process as holder or owner."""
    return f"{os.environ.get('DYNO') or host_name()}:{os.getpid()}"
