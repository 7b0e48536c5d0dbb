"""`clockd explain`."""

from __future__ import annotations

import click

from clockd import clock
from clockd.cli import output
from clockd.cli.options import (
    count_option,
    from_option,
    instant,
    json_option,
    utc_option,
)


@click.command()
@click.argument("expression")
@click.option(
    "--timezone",
    "zone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="The zone the expression is read in.",
)
@from_option
@count_option
@json_option
@utc_option
def explain(
    expression: str, *, zone: str, start: str, count: int, as_json: bool, utc: bool
) -> None:
    """Say what the cron EXPRESSION means and when it fires next.

    \b
    clockd explain "0 9 * * 1"
    clockd explain "@daily" --timezone Europe/Amsterdam -n 3
    """
    from clockd import describe, dst, schedule, service
    from clockd.model import ScheduleKind

    parsed = schedule.parse(ScheduleKind.CRON, expression, zone)
    after = instant(start, zone)
    fire_times = service.coming(parsed, after, count)
    notes = dst.notes(parsed, after)
    description = describe.describe(parsed)
    if as_json:
        output.echo_json(
            {
                "cron": expression,
                "timezone": zone,
                "description": description,
                "fire_times": [service.instant(at) for at in fire_times],
                "dst_notes": [note.text for note in notes],
            }
        )
        return
    click.echo(click.style(f"{description} ({zone})", bold=True))
    now = clock.now()
    for at in fire_times:
        shown = output.local(at, zone, utc=utc)
        click.echo(f"  {shown}  {output.distance(at, now)}")
    for note in notes:
        click.echo(click.style(f"  ! {note.text}", fg="yellow"))
