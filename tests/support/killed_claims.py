"""Claims in processes that are killed at their first, second … statement.

`python -m tests.support.killed_claims URL` prints how many were killed before one came
through. Each is forked off before it has opened the database.
"""

from __future__ import annotations

import os
import signal
import sys

import sqlalchemy as sa

from clockd.store import Store
from tests.support.stores import MINUTE, NOON, one_off, open_books, trigger

DUE = NOON + MINUTE


def main(url: str) -> None:
    """Claim until a claim survives."""
    _in_child(_set_up, url)
    kills = 0
    while _in_child(_claim, url, kills + 1) == -signal.SIGKILL:
        kills += 1
        assert _in_child(_check_untouched, url) == 0
    sys.stdout.write(f"{kills}\n")


def _in_child(work: object, *arguments: object) -> int:
    pid = os.fork()
    if pid == 0:
        assert callable(work)
        work(*arguments)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _set_up(url: str) -> None:
    with open_books(url) as books:
        books.load(trigger("a"), trigger("b"), one_off("once", DUE))


def _claim(url: str, deadly: int) -> None:
    store = Store.open(url)
    fence = store.lease.read().fence
    seen = 0

    @sa.event.listens_for(sa.Engine, "after_cursor_execute")
    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    store.claims.claim(fence=fence, now=DUE)


def _check_untouched(url: str) -> None:
    store = Store.open(url)
    untouched = not store.runs.list() and store.claims.next_fire_time() == DUE
    os._exit(0 if untouched else 1)


if __name__ == "__main__":
    main(sys.argv[1])
