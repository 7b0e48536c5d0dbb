"""Clocks that share a database: one at a time, and each fire time once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.clockd import Home
from tests.support.hurried import HURRIED
from tests.support.rivals import APP, Rivals, by_hand
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.heroku import FakeHeroku
    from tests.support.clockd import Clock

pytestmark = pytest.mark.timeout(120)

TICK = """
  tick:
    command: test tick
    every: 1s
"""
SECOND = timedelta(seconds=1)
#: What people are promised: how long nobody is the clock.
STOPPED_S = 1.5
KILLED_S = 15.0


@pytest.fixture
def rivals(tmp_path: Path, fake: FakeHeroku, postgres_url: str) -> Iterator[Rivals]:
    rivals = Rivals(tmp_path, fake, postgres_url, HURRIED)
    yield rivals
    rivals.close()


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def wait_for_one(clocks: list[Clock]) -> Clock:
    """Wait until one of some clocks is the clock and the others stand by."""
    wait_until(
        lambda: (
            all(c.events("clock.ready") or c.events("clock.standby") for c in clocks)
            and any(c.events("clock.ready") for c in clocks)
        ),
        30,
        message=lambda: "\n".join(c.text for c in clocks),
    )
    (active,) = (clock for clock in clocks if clock.events("clock.activated"))
    return active


def gap_s(since: datetime, successor: Clock) -> float:
    """Return how long nobody was the clock."""
    at = instant(successor.events("clock.activated")[0]["timestamp"])
    return (at - since).total_seconds()


def check_every_second(runs: list[dict[str, Any]]) -> None:
    """Check that each second has one run, or is among those missed in one go."""
    spans = [
        (instant(run["fire_time"]), instant(run["last_fire_time"] or run["fire_time"]))
        for run in sorted(runs, key=lambda run: str(run["fire_time"]))
    ]
    ends = [end for _, end in spans]
    begins = [begin for begin, _ in spans]
    assert [end + SECOND for end in ends[:-1]] == begins[1:]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_five_clocks_one_is_active_until_it_is_stopped_or_killed(
    home: Home, request: pytest.FixtureRequest, kind: str
) -> None:
    if kind == "postgresql":  # at the pace of tests: the other is real enough
        home.environ["CLOCKD_DATABASE_URL"] = request.getfixturevalue("postgres_url")
        home.program = HURRIED
    home.write(TICK)
    clocks = [home.start(ready=False) for _ in range(5)]
    first = wait_for_one(clocks)
    clocks.remove(first)
    for clock in clocks:
        (standby,) = clock.events("clock.standby")
        assert standby["holder"].endswith(f":{first.process.pid}")
    first.wait_for("run.finished")

    first.stop()
    stopped_at = instant(first.events("clock.stopping")[0]["timestamp"])
    second = wait_for_one(clocks)
    clocks.remove(second)
    assert gap_s(stopped_at, second) < STOPPED_S
    second.wait_for("run.finished")

    killed_at = datetime.now().astimezone()
    second.kill()
    third = wait_for_one(clocks)
    assert gap_s(killed_at, third) < KILLED_S
    third.wait_for("run.finished")

    assert [len(c.events("clock.activated")) for c in home.clocks].count(1) == 3
    third.stop()
    check_every_second(home.runs("tick"))


def test_a_deploy_overlaps_and_each_fire_time_is_launched_once(
    rivals: Rivals, fake: FakeHeroku
) -> None:
    """Daily cycling is the same: the dyno is replaced by one of the same name."""
    clock_dyno = {"HURRIED_NAME": "clock.1:4", "DYNO": "clock.1"}
    homes = [rivals.release(by_hand("task", "test task"), clock_dyno) for _ in range(2)]
    old = homes[0].start()
    new = homes[1].start(ready=False)
    told = new.wait_for("clock.standby")
    assert told["holder"] == "clock.1:4"
    assert "a clock of the same name" in told["reason"]
    first = datetime.now(UTC).replace(microsecond=0) + 4 * SECOND
    times = [first + number * SECOND for number in range(6)]
    for home in homes:
        home.write("".join(map(one_off, times)), top=f"app: {APP}")

    wait_until(lambda: len(old.events("run.launched")) > 1, 20)
    assert old.stop() < 5
    stopped_at = instant(old.events("clock.stopping")[0]["timestamp"])
    new.wait_for("clock.ready")
    assert gap_s(stopped_at, new) < STOPPED_S
    wait_until(lambda: len(homes[1].runs(state="finished")) == len(times), 20)
    new.stop()

    rivals.check_books(len(times))
    launched = sorted(dyno.env["CLOCKD_FIRE_TIME"] for dyno in fake.journal)
    assert launched == [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in times]


def one_off(at: datetime) -> str:
    """Return a trigger that fires once."""
    name = f"at-{at:%M-%S}"
    return f"\n  {name}:\n    command: test {name}\n    at: {at:%Y-%m-%d %H:%M:%S}\n"
