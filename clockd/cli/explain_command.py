"""`clockd explain`."""

from __future__ import annotations

from itertools import islice

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
@click.argument("expression", nargs=-1, required=True)
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
    expression: tuple[str, ...],
    *,
    zone: str,
    start: str,
    count: int,
    as_json: bool,
    utc: bool,
) -> None:
    """Say what the cron EXPRESSION means and when it fires next.

    \b
    clockd explain "0 9 * * 1"
    clockd explain "@daily" --timezone Europe/Amsterdam -n 3

    Fire times come with what changes of the clocks do to them in the next 400 days.
    """
    from clockd import describe, dst, schedule, service
    from clockd.model import ScheduleKind

    text = _one(expression)
    parsed = schedule.parse(ScheduleKind.CRON, text, zone)
    after = instant(start, zone)
    fire_times = list(islice(service.coming(parsed, after), count))
    notes = [note.text for note in dst.notes(parsed, after)]
    description = describe.describe(parsed)
    if as_json:
        output.echo_json(
            {
                "cron": text,
                "timezone": zone,
                "description": description,
                "fire_times": [service.instant(at) for at in fire_times],
                "dst_notes": notes,
            }
        )
        return
    output.say(f"{description} ({zone})", bold=True)
    now = clock.now()
    for at in fire_times:
        shown = output.local(at, zone, utc=utc)
        output.say(f"  {shown}  {output.distance(at, now)}")
    for note in notes:
        output.say(f"  ! {note}", fg="yellow")


def _one(words: tuple[str, ...]) -> str:
    """Return the expression; a shell may have taken one without quotes apart."""
    if len(words) > 1:
        raise click.UsageError(
            "EXPRESSION is one argument; put it in quotes, or the shell takes its "
            'asterisks for file names: clockd explain "0 9 * * 1"'
        )
    return words[0]
