"""What `clockd doctor` finds out about Heroku: the key, the app, its tier and logs.

Each check says what was found and, where something is amiss, what to do about it.
`data["level"]` is `ok`, `warning` or `error`; only an error makes a check fail.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from clockd import clock
from clockd.errors import RunnerUnavailable
from clockd.heroku.answers import Answer, Reply, unavailable
from clockd.runner import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from clockd.runner import Dyno

#: This variant of the API tells an app's generation and tier.
_SDK = "application/vnd.heroku+json; version=3.sdk"
_MOST_SKEW_S = 2.0
#: A tenth of the account's pool of tokens.
_FEW_REQUESTS = 450

#: Per tier: the size of a one-off dyno for which none is asked, and how many may run.
_TIERS = {
    "eco": ("Eco", "1"),
    "basic": ("Basic", "50"),
    "production": ("Standard-1X", "50 (5 of performance sizes)"),
    "private": ("Private-S", "5"),
    "shield": ("Shield-S", "5"),
}


class Ask(Protocol):
    """Sends a GET request to the Platform API; see `HerokuRunner`."""

    def __call__(self, call: str, *path: str, accept: str | None = None) -> Reply:
        """Return what came back."""
        ...


def passed(name: str, message: str, **data: object) -> Check:
    """Return a check that found all well."""
    return Check(name=name, ok=True, message=message, data={"level": "ok", **data})


def warned(name: str, message: str, hint: str, **data: object) -> Check:
    """Return a check that found something to know about."""
    data = {"level": "warning", **data}
    return Check(name=name, ok=True, message=message, hint=hint, data=data)


def failed(name: str, message: str, hint: str | None, **data: object) -> Check:
    """Return a check that found something to mend."""
    data = {"level": "error", **data}
    return Check(name=name, ok=False, message=message, hint=hint, data=data)


def check_account(ask: Ask) -> list[Check]:
    """Check what holds for every app: the key, our clock, the requests left.

    A key that is not accepted is all there is to say.
    """
    key = check_key(ask)
    if not key.ok:
        return [key]
    return [key, check_clock(ask), check_rate_limit(ask)]


def check_one_app(
    ask: Ask,
    list_dynos: Callable[[], Sequence[Dyno]],
    app: str,
    *,
    process_type: str,
    known: Collection[str],
) -> list[Check]:
    """Check an app; what cannot work without an earlier check is left out.

    Args:
        ask: Sends a request.
        list_dynos: Gives the app's dynos.
        app: The app.
        process_type: That of clockd's dynos; may hold `{trigger}`.
        known: Ids of the dynos that clockd has on record.
    """
    found = list(check_app(ask, app))
    if all(check.ok for check in found):
        found.append(
            check_strangers(list_dynos, app, process_type=process_type, known=known)
        )
    return found


def check_key(ask: Ask) -> Check:
    """Check that the API key is accepted."""
    name = "heroku-key"
    reply = ask("account", "account")
    if isinstance(reply, Answer) and reply.status == 403:
        return passed(name, "the API key is accepted; its scope hides the account")
    if not isinstance(reply, Answer) or not reply.ok:
        return _not_asked(name, reply, "the API key could not be checked")
    email = _mapping(reply.json()).get("email") or "an account without an address"
    return passed(name, f"the API key belongs to {email}")


def check_clock(ask: Ask) -> Check:
    """Check our clock against the platform's, which tells whole seconds."""
    name = "clock-skew"
    before = clock.now()
    reply = ask("rate-limits", "account", "rate-limits")
    after = clock.now()
    date = reply.date if isinstance(reply, Answer) else None
    if date is None:
        return warned(
            name,
            "the platform did not tell its time",
            "compare this machine's clock with another one",
        )
    middle = before + (after - before) / 2
    skew_s = round((middle - date).total_seconds() - 0.5, 1)
    data = {"skew_s": skew_s}
    if abs(skew_s) <= _MOST_SKEW_S:
        return passed(name, "this machine's clock agrees with Heroku's", **data)
    which = "ahead of" if skew_s > 0 else "behind"
    return warned(
        name,
        f"this machine's clock is {abs(skew_s):g} s {which} Heroku's",
        "fire times follow this machine's clock: set it by NTP",
        **data,
    )


def check_rate_limit(ask: Ask) -> Check:
    """Check how many requests the account has left; asking costs none."""
    name = "heroku-rate-limit"
    reply = ask("rate-limits", "account", "rate-limits")
    if not isinstance(reply, Answer) or not reply.ok:
        return _not_asked(name, reply, "the rate limit could not be read")
    left = _mapping(reply.json()).get("remaining")
    if not isinstance(left, int):
        return warned(
            name,
            "the platform did not say how many requests are left",
            "launches wait when there are none; nothing is lost",
        )
    text = f"{left} API requests left; about 75 are added every minute"
    if left >= _FEW_REQUESTS:
        return passed(name, text, remaining=left)
    return warned(
        name,
        text,
        "something uses the API heavily with this account; give clockd its own",
        remaining=left,
    )


def check_app(ask: Ask, app: str) -> Iterator[Check]:
    """Check an app: that it is there, its generation, its tier and its logs."""
    reply = ask("app", "apps", app, accept=_SDK)
    if not isinstance(reply, Answer) or not reply.ok:
        what = f"the app {app} could not be looked at"
        yield _not_asked("heroku-app", reply, what, app=app)
        return
    found = _mapping(reply.json())
    if not found:
        what = f"nothing was told of the app {app}"
        yield _not_asked("heroku-app", reply, what, app=app)
        return
    yield passed("heroku-app", f"the app {found.get('name') or app} is there", app=app)
    yield _check_generation(found, app)
    yield _check_tier(ask, found, app)
    yield _check_logs(found, app)


def _check_generation(found: dict[str, Any], app: str) -> Check:
    name = "heroku-generation"
    generation = str(_mapping(found.get("generation")).get("name") or "cedar").lower()
    if "fir" not in generation:
        return passed(name, f"{app} is of the generation {generation}", app=app)
    return failed(
        name,
        f"{app} is of the generation {generation}, which clockd does not support",
        "Fir has no log stream that tells exit statuses; use an app on Cedar",
        app=app,
    )


def _check_tier(ask: Ask, found: dict[str, Any], app: str) -> Check:
    name = "heroku-tier"
    reply = ask("formation", "apps", app, "formation")
    sizes = _formation_sizes(reply)
    tier = str(found.get("process_tier") or _tier_of(sizes)).lower()
    default, limit = _TIERS.get(tier, ("the app's default size", "some"))
    told = f" (its processes: {', '.join(sizes)})" if sizes else ""
    data = {"app": app, "tier": tier, "default_size": default, "formation": sizes}
    if tier == "eco":
        return warned(
            name,
            f"{app} is of the tier eco{told}: one one-off dyno at a time, size Eco",
            "further runs wait in line; with Basic or Standard dynos 50 run at once",
            **data,
        )
    return passed(
        name,
        f"{app} is of the tier {tier or 'unknown'}{told}; a run without a size gets "
        f"{default}, and {limit} one-off dynos may run at once",
        **data,
    )


def _formation_sizes(reply: Reply) -> list[str]:
    items = reply.json() if isinstance(reply, Answer) and reply.ok else None
    found = [_mapping(item) for item in items] if isinstance(items, list) else []
    sizes = [_mapping(x.get("dyno_size")).get("name") or x.get("size") for x in found]
    return sorted({str(size) for size in sizes if size})


def _tier_of(sizes: Sequence[str]) -> str:
    """Return the tier that an app's sizes show; one app never mixes tiers."""
    first = sizes[0].lower().partition("-")[0] if sizes else ""
    if first in ("standard", "performance"):
        return "production"
    return first


def _check_logs(found: dict[str, Any], app: str) -> Check:
    name = "heroku-logs"
    space = _mapping(found.get("space"))
    if not space.get("shield"):
        return passed(name, f"the log stream of {app} tells exit statuses", app=app)
    return warned(
        name,
        f"{app} is in the Shield space {space.get('name')}",
        "with Private Space Logging the app has no log stream: runs then end as "
        "`lost`, because nobody can tell their exit status",
        app=app,
    )


def check_strangers(
    list_dynos: Callable[[], Sequence[Dyno]],
    app: str,
    *,
    process_type: str,
    known: Collection[str],
) -> Check:
    """Check that nobody else starts dynos of our process type on an app."""
    name = "heroku-strangers"
    try:
        dynos = list_dynos()
    except RunnerUnavailable as error:
        return failed(name, error.message, error.hint, app=app)
    ours = re.compile(re.escape(process_type).replace(r"\{trigger\}", ".+"))
    strangers = sorted(
        dyno.name
        for dyno in dynos
        if ours.fullmatch(dyno.process_type) and dyno.id not in known
    )
    if not strangers:
        return passed(name, f"nobody else runs {process_type} dynos on {app}", app=app)
    return warned(
        name,
        f"on {app} run dynos that this clockd does not know: {', '.join(strangers)}",
        "two installations on one app need two process types: set "
        "CLOCKD_PROCESS_TYPE on one of them",
        app=app,
        dynos=strangers,
    )


def _not_asked(name: str, reply: Reply, what: str, **data: object) -> Check:
    error = unavailable(reply, what)
    return failed(name, error.message, error.hint, **data)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
