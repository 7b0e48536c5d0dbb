"""A short campaign on each kind of database; `make chaos` runs long ones.

Which step comes when is left to chance and the machine. The verdict is not: whatever
happened, clockd's books have to agree with those of the platform.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.chaos.campaign import Campaign, Size

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.report import Figures

SEED = 7
#: Steps after which little has to be waited for: what was sent is found at once.
POINTS = {
    "sqlite": ("launch.sent", "claim.written"),
    "postgresql": ("dyno.writing", "finish.writing"),
}


def campaign(folder: Path, url: str, points: tuple[str, ...]) -> Figures:
    """Run a campaign without tasks and troubles that take minutes."""
    size = Size(
        seconds=26,
        one_offs=32,
        recurring=False,
        harsh=False,
        points=points,
        trouble_s=16,
        strike_every_s=1000,
    )
    folder.mkdir()
    return Campaign(folder, seed=SEED, size=size, database_url=url).run()


@pytest.mark.timeout(800)
def test_nothing_is_lost_doubled_or_wrong_while_clocks_are_killed(
    tmp_path: Path, sqlite_url: str, postgres_url: str
) -> None:
    urls = {"sqlite": sqlite_url, "postgresql": postgres_url}

    with ThreadPoolExecutor() as pool:
        folders = [tmp_path / kind for kind in urls]
        found = list(pool.map(campaign, folders, urls.values(), POINTS.values()))

    for folder, figures in zip(folders, found, strict=True):
        assert figures.violations == (), figures.complaint(folder)
        assert figures.fire_times >= 25, figures.table()
        assert figures.failpoints >= 1, figures.table()
