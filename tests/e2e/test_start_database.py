"""`clockd start` on databases as hosts have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.fakes.remote import APP, running_heroku
from tests.support.clockd import Home
from tests.support.pgbouncer import running_pgbouncer
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.timeout(120)
#: Triggers that are due in the same second.
BURST = 40
#: A trigger for runs by hand.
BY_HAND = "  task:\n    command: echo again; exit 3\n    cron: 0 0 29 2 *\n"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with running_heroku() as platform:
        home = Home(tmp_path, platform.environ())
        yield home
        home.close()


def triggers() -> str:
    """Return triggers that are due in a few seconds, and the one for runs by hand."""
    due = datetime.now(UTC) + timedelta(seconds=6)
    burst = "".join(
        f"  t{n}:\n    command: echo hello {n}\n    at: {due:%Y-%m-%d %H:%M:%S}\n"
        for n in range(BURST)
    )
    return burst + BY_HAND


def test_two_clocks_share_two_connections_behind_a_pooler(
    home: Home, postgres_server: PostgresServer, postgres_url: str
) -> None:
    with running_pgbouncer(postgres_server, pool_size=2) as pooler:
        home.environ["DATABASE_URL"] = pooler.url(postgres_url)
        home.write(triggers(), top=f"app: {APP}")
        first = home.start()
        second = home.start(ready=False)
        second.wait_for("clock.standby")
        wait_until(
            lambda: first.text.count('"run.finished"') == BURST,
            40,
            message=lambda: first.text[-3000:],
        )
        clients = [row for row in pooler.show("clients") if row["user"] == "postgres"]
        first.stop()
        second.wait_for("clock.ready")
        run_id = home.ask()
        second.wait_for("run.finished", run_id=run_id, exit_status=3)
        second.stop()
        logs = home.run("runs", "logs", str(run_id))
        ended = home.runs(outcome="succeeded")

    assert len({run["trigger"] for run in ended}) == len(ended) == BURST
    assert "again" in logs.stdout
    # Five of the clock, and the one in which a standby looks at the lease.
    assert len(clients) <= 6
    assert not first.events("store.failed") + second.events("store.failed")


def test_sqlite_on_a_dyno_is_warned_of_loudly(home: Home) -> None:
    home.environ["DYNO"] = "clock.1"
    home.write(BY_HAND, top=f"app: {APP}")
    with home.clock() as clock:
        warned = clock.wait_for("clock.warned")

    assert warned["level"] == "warning"
    assert "lost at every restart" in warned["reason"]
    assert "heroku-postgresql" in warned["hint"]
    checked = home.run("doctor")
    assert "its disk is lost at every restart" in checked.stdout
    assert checked.returncode != 0


def test_a_database_that_is_away_is_waited_for_and_its_password_kept(
    home: Home,
) -> None:
    home.environ |= {
        "DATABASE_URL": "postgres://ann:open-sesame%21@127.0.0.1:1/books",
        "CLOCKD_LOG_LEVEL": "debug",
    }
    home.write(BY_HAND, top=f"app: {APP}")
    clock = home.start(ready=False)
    failed = clock.wait_for("store.failed")
    wait_until(lambda: len(clock.events("store.failed")) > 1)
    clock.stop()
    checked = home.run("doctor")

    assert "refused" in failed["reason"]
    assert "Connection refused" in checked.stdout + checked.stderr
    assert "open-sesame" not in clock.text + checked.stdout + checked.stderr
