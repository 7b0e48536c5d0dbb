"""A clock that starts on books which another has kept ahead of time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clockd import clock
from tests.support.stores import execute, open_books

if TYPE_CHECKING:
    from tests.support.clockd import Home

DAY = timedelta(days=1)


def test_an_edit_loses_nothing_that_was_due_since(home: Home) -> None:
    home.write('  task: {command: "true", cron: "* * * * *"}\n')
    home.start().stop()
    url = f"sqlite:///{home.folder / 'clockd.db'}"
    since = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=10)
    mark = int(since.timestamp())
    with open_books(url) as books:
        execute(url, "DELETE FROM clockd_attempts")
        execute(url, "DELETE FROM clockd_runs")
        execute(url, "UPDATE clockd_triggers SET changed_at = :at", at=mark * 10**6)
        moved = "UPDATE clockd_jobs SET claimed_until = :at, next_run_time = :next"
        execute(url, moved, at=mark * 10**6, next=mark + 60)
        books.claim(clock.now() + DAY)
        execute(url, "UPDATE clockd_lease SET holder = NULL")

    home.write('  task: {command: "true", cron: "0 0 1 1 *"}\n')
    home.start()

    with home.store() as store:
        on_record = sorted(
            run.fire_time + n * timedelta(minutes=1)
            for run in store.runs.list(limit=100)
            if run.fire_time
            for n in range(run.fire_count)
        )
    assert on_record[:10] == [since + n * timedelta(minutes=1) for n in range(1, 11)]
    assert on_record[-1] <= clock.now()
