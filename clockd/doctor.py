"""What `clockd doctor` looks at, one finding after the other."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from clockd import clock
from clockd.errors import ClockdError, StoreError
from clockd.lease import BEAT_S
from clockd.model import RunnerKind
from clockd.runner import Check

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Mapping

    from clockd.compose import Installation
    from clockd.dyno import HerokuRunner
    from clockd.store import Store

#: A living clock beats within this time.
PATIENCE_S = BEAT_S + 1.0
_LOOK_S = 0.1
#: Dynos stay in the platform's list for a moment after their end is on record.
_JUST_ENDED = timedelta(minutes=5)


def examine(installation: Installation) -> Iterator[Check]:
    """Yield the findings as they are made; asks the platform last."""
    yield _file(installation)
    known = yield from _database(installation)
    if installation.kind is RunnerKind.LOCAL:
        yield _local(installation)
    else:
        yield from _platform(installation, known)


def _file(installation: Installation) -> Check:
    name, loaded = "triggers.yaml", installation.loaded
    if loaded.problems:
        number = len(loaded.problems)
        more = f", and {number - 1} more" if number > 1 else ""
        return Check(
            name=name,
            ok=False,
            message=f"{loaded.problems[0]}{more}",
            hint="`clockd check` shows every problem; a running clock keeps the "
            "triggers it had",
        )
    message = f"{installation.path} has {_count(len(loaded.triggers), 'trigger')}"
    if not loaded.warnings:
        return Check(name=name, ok=True, message=message)
    return Check(
        name=name,
        ok=True,
        message=f"{message}, and {_count(len(loaded.warnings), 'warning')}",
        hint="`clockd check` shows what to look at",
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _database(
    installation: Installation,
) -> Generator[Check, None, Mapping[str, Collection[str]] | None]:
    """Check the database; return the dynos it knows of each app, None if it fails."""
    if not installation.store_exists():
        yield Check(
            name="database",
            ok=True,
            message="an SQLite file that does not exist yet",
            hint="the first `clockd start` makes it",
        )
        return {}
    try:
        store = installation.open_store()
    except ClockdError as error:
        yield Check(name="database", ok=False, message=error.message, hint=error.hint)
        return None
    try:
        yield _storage(installation, store)
        yield _clock(store)
        return {app: _known(store, app) for app in _apps(installation)}
    except StoreError as error:
        yield Check(name="database", ok=False, message=error.message, hint=error.hint)
        return None
    finally:
        store.close()


def _storage(installation: Installation, store: Store) -> Check:
    if installation.settings.on_dyno and store.dialect == "sqlite":
        return Check(
            name="database",
            ok=False,
            message="SQLite on a dyno: its disk is lost at every restart",
            hint="heroku addons:create heroku-postgresql:essential-0",
        )
    names = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
    return Check(
        name="database",
        ok=True,
        message=f"{names[store.dialect]}, reached, and its tables are up to date",
    )


def _clock(store: Store) -> Check:
    """Say who is the clock, and whether its beat moves."""
    before = after = store.lease.read()
    if before.holder is None:
        return Check(
            name="clock",
            ok=True,
            message="no clock is running",
            hint="`clockd start`, or `heroku ps:scale clock=1`, starts one",
        )
    deadline = clock.boottime() + PATIENCE_S
    while (before.fence, before.beat) == (after.fence, after.beat):
        if clock.boottime() > deadline:
            return Check(
                name="clock",
                ok=False,
                message=f"{before.holder} is on record as the clock, but gives no sign "
                "of life",
                hint="it was killed, or cannot reach the database: start it again; a "
                "standby takes over by itself",
            )
        time.sleep(_LOOK_S)
        after = store.lease.read()
    if after.holder is None:
        return Check(name="clock", ok=True, message="the clock has just been stopped")
    return Check(name="clock", ok=True, message=f"{after.holder} is the clock")


def _known(store: Store, app: str) -> frozenset[str]:
    """Return the ids of the dynos of an app that clockd has, or had just now."""
    since = clock.now() - _JUST_ENDED
    return frozenset(dyno.dyno_id for dyno in store.attempts.dynos_since(app, since))


def _local(installation: Installation) -> Check:
    if installation.settings.on_dyno:
        return Check(
            name="runner",
            ok=True,
            message="tasks run as processes of this dyno, and end when it restarts",
            hint="`runner: heroku` gives each task a dyno of its own",
        )
    return Check(
        name="runner", ok=True, message="tasks run as processes of this machine"
    )


def _platform(
    installation: Installation, known: Mapping[str, Collection[str]] | None
) -> Iterator[Check]:
    try:
        runner = installation.make_heroku_runner()
    except ClockdError as error:
        yield Check(name="heroku-key", ok=False, message=error.message, hint=error.hint)
        return
    try:
        account = runner.account_checks()
        yield from account
        if all(check.ok for check in account):
            yield from _every_app(installation, runner, known)
    finally:
        runner.close()


def _every_app(
    installation: Installation,
    runner: HerokuRunner,
    known: Mapping[str, Collection[str]] | None,
) -> Iterator[Check]:
    apps = _apps(installation)
    if not apps:
        yield Check(
            name="heroku-app",
            ok=False,
            message="no app is named: neither in triggers.yaml nor in HEROKU_APP_NAME",
            hint="`app: NAME` at the top of triggers.yaml, or "
            "`heroku config:set HEROKU_APP_NAME=NAME`",
        )
    for app in apps:
        found = runner.app_checks(
            app,
            process_type=installation.settings.process_type,
            known=(known or {}).get(app, ()),
        )
        # Without the database every dyno of ours would be taken for a stranger.
        yield from (
            check
            for check in found
            if known is not None or check.name != "heroku-strangers"
        )


def _apps(installation: Installation) -> list[str]:
    loaded = installation.loaded
    apps = {trigger.app for trigger in loaded.triggers} | {loaded.app}
    return sorted(apps - {""})
