"""What `clockd doctor` looks at, one finding after the other."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from clockd import clock
from clockd.compose import sqlite_path
from clockd.errors import ClockdError, StoreError, StoreTooOld
from clockd.lease import BEAT_S
from clockd.model import RunnerKind
from clockd.runner import Check

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Mapping
    from datetime import datetime

    from clockd.compose import Installation
    from clockd.dyno import HerokuRunner
    from clockd.store import Lease, Store

#: A living clock beats within this time.
PATIENCE_S = BEAT_S + 1.0
_LOOK_S = 0.1
#: Clocks of hosts that differ more are worth a word.
_SKEW_S = 10.0
#: Dynos stay in the platform's list for a moment after their end is on record.
_JUST_ENDED = timedelta(minutes=5)

_ON_A_DYNO = Check(
    name="database",
    ok=False,
    message="SQLite on a dyno: its disk is lost at every restart",
    hint="heroku addons:create heroku-postgresql:essential-0",
)


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
    try:
        store = installation.open_as_it_is()
    except StoreTooOld as error:
        yield Check(name="database", ok=True, message=error.message, hint=error.hint)
        return None
    except ClockdError as error:
        yield Check(name="database", ok=False, message=error.message, hint=error.hint)
        return None
    if store is None:
        yield _not_yet(installation)
        return {}
    try:
        yield _storage(installation, store)
        yield _clock(store)
        return {app: _known(store, app) for app in _apps(installation)}
    except StoreError as error:
        yield Check(name="database", ok=False, message=error.message, hint=error.hint)
        return None
    finally:
        store.close()


def _not_yet(installation: Installation) -> Check:
    if installation.settings.on_dyno and sqlite_path(installation.database_url):
        return _ON_A_DYNO
    if not installation.store_exists():
        return Check(
            name="database",
            ok=True,
            message="an SQLite file that does not exist yet",
            hint="the first `clockd start` makes it",
        )
    return Check(
        name="database",
        ok=True,
        message="reached, and clockd has not used it yet",
        hint="the first `clockd start` makes its tables",
    )


def _storage(installation: Installation, store: Store) -> Check:
    if installation.settings.on_dyno and store.dialect == "sqlite":
        return _ON_A_DYNO
    names = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
    return Check(
        name="database",
        ok=True,
        message=f"{names[store.dialect]}, reached, and its tables are up to date",
    )


def _clock(store: Store) -> Check:
    """Say who is the clock, and whether it lives.

    A beat that seems to be of this moment is enough; as hosts' clocks may differ, any
    other is watched until it moves.
    """
    lease = store.lease.read()
    age_s = _beat_age_s(lease)
    if lease.holder is None:
        return _nobody(lease, age_s)
    if age_s is not None and 0 <= age_s <= BEAT_S:
        return _alive(lease, f"its last beat was {_ago(age_s)}")
    later = _next_beat(store, lease)
    if later is None:
        return _silent(lease, age_s)
    if later.holder is None:
        return Check(
            name="clock",
            ok=True,
            message="the clock has just been stopped",
            data=_facts(later, alive=False),
        )
    return _alive(later, "it has beaten just now")


def _next_beat(store: Store, lease: Lease) -> Lease | None:
    """Return the lease as soon as it moves; None if it does not while one should."""
    deadline = clock.boottime() + PATIENCE_S
    while clock.boottime() < deadline:
        time.sleep(_LOOK_S)
        later = store.lease.read()
        if (later.fence, later.beat, later.holder) != (
            lease.fence,
            lease.beat,
            lease.holder,
        ):
            return later
    return None


def _nobody(lease: Lease, age_s: float | None) -> Check:
    last = "" if age_s is None else f"; the last beat of one was {_ago(age_s)}"
    return Check(
        name="clock",
        ok=True,
        message=f"no clock is running{last}",
        hint="`clockd start`, or `heroku ps:scale clock=1`, starts one",
        data=_facts(lease, alive=False),
    )


def _alive(lease: Lease, how: str) -> Check:
    since = f" since {_shown(lease.taken_at)}" if lease.taken_at else ""
    age_s, hint = _beat_age_s(lease), None
    if age_s is not None and abs(age_s) > _SKEW_S:
        side = "behind" if age_s > 0 else "ahead of"
        hint = (
            f"its host's clock is {_span(abs(age_s))} {side} this one's: who is the "
            "clock does not depend on that, when triggers fire does"
        )
    return Check(
        name="clock",
        ok=True,
        message=f"{lease.holder} is the clock{since} (fence {lease.fence}); {how}",
        hint=hint,
        data=_facts(lease, alive=True),
    )


def _silent(lease: Lease, age_s: float | None) -> Check:
    last = "" if age_s is None else f": its last beat was {_ago(age_s)}"
    return Check(
        name="clock",
        ok=False,
        message=f"{lease.holder} is on record as the clock, but gives no sign of "
        f"life{last}",
        hint="it was killed, is frozen, or cannot reach the database: start it again; "
        "a standby takes over by itself",
        data=_facts(lease, alive=False),
    )


def _facts(lease: Lease, *, alive: bool) -> dict[str, object]:
    age_s = _beat_age_s(lease)
    return {
        "holder": lease.holder,
        "fence": lease.fence,
        "since": _stamp(lease.taken_at) if lease.holder else None,
        "last_beat": _stamp(lease.beat_at),
        "last_beat_age_s": None if age_s is None else round(age_s, 1),
        "alive": alive,
    }


def _beat_age_s(lease: Lease) -> float | None:
    """Return how old a beat seems to be here: its stamp is of the holder's host."""
    at = lease.beat_at
    return None if at is None else (clock.now() - at).total_seconds()


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _ago(seconds: float) -> str:
    if seconds < 0:
        return f"{_span(-seconds)} ahead of this host's clock"
    return "a moment ago" if seconds < 1 else f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3600, "hours"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


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
