"""Runs of one command, of which only one launch may be open at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clockd.model import Hold, Limits
from tests.support.stores import MINUTE, NOON, trigger, twin_plan

if TYPE_CHECKING:
    from tests.support.stores import Books

ONE = Limits(concurrent_runs=1)


def test_without_room_they_wait_for_the_limit_and_not_for_one_another(
    books: Books,
) -> None:
    first, second = (books.ask(trigger(slug, command="same")) for slug in "ab")

    for _ in range(2):
        taken = books.store.runs.take(
            now=NOON + MINUTE, limit=16, plan=twin_plan, fence=books.fence, limits=ONE
        )

    assert books.reload(first).attempt == 1
    assert taken.blocked == []
    assert books.reload(second).hold is Hold.LIMIT
