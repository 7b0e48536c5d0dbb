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
        click.echo("There are no triggers yet; `clockd init` writes a first file.")
        return
    output.table(
        ("TRIGGER", "STATE", "NEXT", "LAST", "SCHEDULE"),
        [_row(view, utc=utc) for view in views],
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
    """List the coming fire times of all triggers, or of TRIGGER."""
    from clockd import config, service

    installation = install(path)
    config.require(installation.loaded)
    chosen = [t for t in installation.loaded.triggers if t.active]
    if trigger is not None:
        chosen = [service.find_trigger(installation.loaded.triggers, trigger)]
    after = instant(start, installation.loaded.timezone)
    coming = list(islice(_merge(chosen, after), count))
    if as_json:
        output.echo_json(
            [{"trigger": t.slug, "fire_time": service.instant(at)} for at, t in coming]
        )
        return
    if not coming:
        click.echo("Nothing fires any more.")
        return
    now = clock.now()
    for at, t in coming:
        shown = output.local(at, t.timezone, utc=utc)
        click.echo(f"{shown}  {output.distance(at, now):>10}  {t.slug}")


def _merge(
    triggers: list[Trigger], after: datetime
) -> Iterator[tuple[datetime, Trigger]]:
    """Yield fire times in order, over all triggers."""
    from clockd import service

    schedules = [(t, service.schedule_of(t)) for t in triggers]
    heap = [
        (at, number)
        for number, (_, parsed) in enumerate(schedules)
        if (at := parsed.next(after)) is not None
    ]
    heapq.heapify(heap)
    while heap:
        at, number = heapq.heappop(heap)
        trigger, parsed = schedules[number]
        yield at, trigger
        following = parsed.next(at)
        if following is not None:
            heapq.heappush(heap, (following, number))


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

    A database that is a file is never made by reading.
    """
    from clockd.errors import StoreError

    if not installation.store_exists():
        yield None
        return
    try:
        store = installation.open_store()
    except StoreError as error:
        click.echo(f"Warning: {error.message}; showing the file alone", err=True)
        yield None
        return
    try:
        yield store
    finally:
        store.close()
