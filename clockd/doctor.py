"""What `clockd doctor` looks at, one finding after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from clockd.errors import ClockdError, SettingsError
from clockd.lease import BEAT_S
from clockd.model import RunnerKind
from clockd.runner import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clockd.compose import Installation
    from clockd.store import Store


def examine(installation: Installation) -> Iterator[Check]:
    """Yield the findings as they are made; asks the platform last."""
    yield from _file(installation)
    yield from _database(installation)
    if installation.kind is RunnerKind.LOCAL:
        yield Check(
            name="runner", ok=True, message="tasks run as processes of this machine"
        )
    else:
        yield from _platform(installation)


def _file(installation: Installation) -> Iterator[Check]:
    loaded = installation.loaded
    if loaded.problems:
        yield Check(
            name="triggers.yaml",
            ok=False,
            message=f"{installation.path} has {len(loaded.problems)} problem(s); "
            f"the first: {loaded.problems[0]}",
            hint="`clockd check` lists them all",
        )
        return
    yield Check(
        name="triggers.yaml",
        ok=True,
        message=f"{installation.path} has {len(loaded.triggers)} trigger(s)",
        hint=f"{len(loaded.warnings)} warning(s): `clockd check`"
        if loaded.warnings
        else None,
    )


def _database(installation: Installation) -> Iterator[Check]:
    if not installation.store_exists():
        yield Check(
            name="database",
            ok=True,
            message="an SQLite file that does not exist yet",
            hint="the first `clockd start` makes it",
        )
        return
    try:
        store = installation.open_store()
    except ClockdError as error:
        yield Check(name="database", ok=False, message=error.message, hint=error.hint)
        return
    try:
        yield _storage(installation, store)
        yield _clock(store)
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
    return Check(name="database", ok=True, message=f"{store.dialect}, up to date")


def _clock(store: Store) -> Check:
    """Say who is the clock, and whether its beat moves."""
    before = store.lease.read()
    if before.holder is None:
        return Check(
            name="clock",
            ok=True,
            message="no clock is running",
            hint="`clockd start`, or `heroku ps:scale clock=1`",
        )
    time.sleep(BEAT_S + 1.0)
    after = store.lease.read()
    if (before.fence, before.beat) == (after.fence, after.beat):
        return Check(
            name="clock",
            ok=False,
            message=f"{before.holder} holds the lease, but its beat stands still",
            hint="it was killed or cannot reach the database; a standby takes over",
        )
    return Check(name="clock", ok=True, message=f"{after.holder} is the clock")


def _platform(installation: Installation) -> Iterator[Check]:
    try:
        runner = installation.make_heroku_runner()
    except SettingsError as error:
        yield Check(name="token", ok=False, message=error.message, hint=error.hint)
        return
    apps = {trigger.app for trigger in installation.loaded.triggers if trigger.app}
    apps |= {installation.loaded.app} if installation.loaded.app else set()
    process_type = installation.settings.process_type
    for app in sorted(apps):
        yield from runner.checks(app, process_type=process_type, known=())
