"""`clockd triggers` and `clockd next`."""

from __future__ import annotations

import heapq
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import click

from clockd import clock
from clockd.cli import output
from clockd.cli.options import (
    count_option,
    from_option,
    install,
    instant,
    json_option,
    triggers_option,
    utc_option,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from clockd.compose import Installation
    from clockd.model import Trigger
    from clockd.service import TriggerView
    from clockd.store import Store

NONE = "There are no triggers yet."


@click.command()
@triggers_option
@json_option
@utc_option
def triggers(path: Path | None, as_json: bool, utc: bool) -> None:
    """List the triggers with their schedule, next fire time and last outcome."""
    views = read_views(install(path))
    if as_json:
        output.echo_json([view.to_json() for view in views])
        return
    if not views:
        output.say(NONE)
        return
    output.table(
        ("TRIGGER", "STATE", "NEXT", "LAST", "SCHEDULE"),
        [_row(view, utc=utc) for view in views],
        outcomes=3,
    )


def _row(view: TriggerView, *, utc: bool) -> tuple[str, ...]:
    from clockd import service

    trigger = view.trigger
    return (
        trigger.slug,
        view.state,
        output.local(view.next_fire_time, trigger.timezone, utc=utc),
        view.last_outcome.value if view.last_outcome else "-",
        f"{service.description_of(trigger)} ({trigger.timezone})",
    )


@click.command("next")
@click.argument("trigger", required=False)
@count_option
@from_option
@triggers_option
@json_option
@utc_option
def next_(
    trigger: str | None,
    *,
    count: int,
    start: str,
    path: Path | None,
    as_json: bool,
    utc: bool,
) -> None:
    """List the coming fire times of all triggers, or of TRIGGER.

    A trigger that does not fire (inactive, paused, a past date) is left out.
    """
    from clockd import service

    installation = install(path)
    views = read_views(installation)
    zone = installation.loaded.timezone
    if trigger is not None:
        views = [_find(views, trigger)]
        zone = views[0].trigger.timezone
    firing = [view.trigger for view in views if view.fires]
    coming = list(islice(_merge(firing, instant(start, zone)), count))
    if as_json:
        output.echo_json(
            [{"trigger": t.slug, "fire_time": service.instant(at)} for at, t in coming]
        )
    else:
        _show(coming, utc=utc)
    if not coming:
        output.say(_why_none(views), err=as_json)


def _find(views: list[TriggerView], name: str) -> TriggerView:
    from clockd import service

    found = service.find_trigger([view.trigger for view in views], name)
    return next(view for view in views if view.trigger is found)


def _show(coming: list[tuple[datetime, Trigger]], *, utc: bool) -> None:
    now = clock.now()
    for at, trigger in coming:
        shown = output.local(at, trigger.timezone, utc=utc)
        output.say(f"{shown}  {output.distance(at, now):>10}  {trigger.slug}")


def _why_none(views: list[TriggerView]) -> str:
    if len(views) == 1:
        view = views[0]
        return f"{view.trigger.slug} {view.silence or 'does not fire any more'}."
    if not views:
        return NONE
    return "No trigger fires; `clockd triggers` shows their states."


def _merge(
    triggers: list[Trigger], after: datetime
) -> Iterator[tuple[datetime, Trigger]]:
    """Yield fire times in order, over all triggers."""
    from clockd import service

    def of(number: int, trigger: Trigger) -> Iterator[tuple[datetime, int]]:
        for at in service.coming(service.schedule_of(trigger), after):
            yield at, number

    for at, number in heapq.merge(*(of(n, t) for n, t in enumerate(triggers))):
        yield at, triggers[number]


def read_views(installation: Installation) -> list[TriggerView]:
    """Return the file's triggers with what the database knows of them."""
    from clockd import config, service

    config.require(installation.loaded)
    with reading_store(installation) as store:
        return service.trigger_views(
            installation.loaded.triggers, store, now=clock.now()
        )


@contextmanager
def reading_store(installation: Installation) -> Iterator[Store | None]:
    """Open the database for reading; None, with a warning, where that fails.

    A database is neither made nor brought up to date by reading.
    """
    from clockd.errors import StoreError, StoreTooOld

    try:
        store = installation.open_as_it_is()
    except StoreError as error:
        output.warn(f"{error.message}; showing the file alone")
        if isinstance(error, StoreTooOld):
            output.warn(error.hint or "")
        store = None
    try:
        yield store
    finally:
        if store is not None:
            store.close()
