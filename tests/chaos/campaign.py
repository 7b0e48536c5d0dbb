"""The campaign: clocks that are killed all the time, on a platform full of faults.

`make chaos MINUTES=10 SEED=n` runs it; at its end clockd's books are compared with
those of the fake platform, and the figures are printed. Nothing may be lost, doubled or
wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from clockd import clock, config
from clockd.errors import ClockdError
from clockd.settings import Settings
from clockd.store import tables
from tests.chaos import report
from tests.chaos.books import Books, compare
from tests.chaos.clocks import Clocks
from tests.chaos.expected import expected_of
from tests.chaos.people import People
from tests.chaos.plan import OTHER_APP, PROCFILE, make_plan
from tests.chaos.trouble import RATE_LIMIT, Trouble
from tests.chaos.truth import Truth
from tests.fakes.remote import RemoteHeroku, running_heroku
from tests.support.clockd import Home
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clockd.store import Store
    from tests.chaos.report import Figures

TURN_S = 0.1
#: The first one-off fires so long after the clocks were started.
LEAD_S = 6.0
#: Tasks of the campaign take two minutes at most, what cannot be seen some more.
SETTLE_S = 600.0
_PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a campaign is, and how rough.

    Args:
        seconds: How long clocks are killed.
        one_offs: How many triggers fire once.
        clocks: How many clocks there are at a time.
        recurring: Whether triggers fire every minute too.
        harsh: Whether there are tasks and troubles that take minutes.
        points: The failpoints to be reached; None for all.
        trouble_s: For how long the platform makes trouble; None for all the time.
        trouble_every_s: Seconds between two troubles of the platform.
        strike_every_s: Seconds between two strikes at a clock at a random moment.
        people_every_s: Seconds between two things that people do.
    """

    seconds: float
    one_offs: int
    clocks: int = 2
    recurring: bool = True
    harsh: bool = True
    points: Sequence[str] | None = None
    trouble_s: float | None = None
    trouble_every_s: float = 1.0
    strike_every_s: float = 40.0
    people_every_s: float = 2.0


class Campaign:
    """One campaign in a folder.

    Args:
        folder: Where triggers.yaml, logs and an SQLite database are.
        seed: Where chance comes from.
        size: How large it is.
        database_url: The database; None for SQLite in the folder.
        server: The PostgreSQL that is restarted now and then; None for none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        size: Size,
        database_url: str | None = None,
        server: PostgresServer | None = None,
    ) -> None:
        self.folder = folder
        self.seed = seed
        self.size = size
        self._url = database_url
        self._server = server
        self._restart_at = float("inf")
        self._restarts = 0

    def run(self) -> Figures:
        """Run it to its end, and return what was found."""
        options = ("--app", OTHER_APP, "--rate-limit", str(RATE_LIMIT))
        with ExitStack() as stack:
            heroku = stack.enter_context(running_heroku(*options))
            self._set_up(heroku)
            stack.callback(self._clocks.kill)
            self._rage()
            self._settle()
            self._clocks.end()
            return self._compare()

    # -- the course ------------------------------------------------------------

    def _set_up(self, heroku: RemoteHeroku) -> None:
        self._heroku = heroku
        apps = [heroku, RemoteHeroku(heroku.url, app=OTHER_APP)]
        for app in apps:
            _furnish(app)
        database = {"CLOCKD_DATABASE_URL": self._url} if self._url else {}
        self.home = Home(self.folder, heroku.environ() | database)
        (self.folder / "Procfile").write_text(PROCFILE)
        size = self.size
        of_plan, of_trouble, of_clocks, of_people = (
            random.Random(f"{self.seed}/{number}") for number in range(4)
        )
        self._begun = clock.now()
        self._plan = make_plan(
            of_plan,
            begin=self._begun + timedelta(seconds=LEAD_S),
            seconds=size.seconds - LEAD_S,
            one_offs=size.one_offs,
            recurring=size.recurring,
            long_tasks=size.harsh,
        )
        self._trouble = Trouble(
            of_trouble, apps, every_s=size.trouble_every_s, harsh=size.harsh
        )
        self._clocks = Clocks(
            of_clocks,
            self.home,
            size.clocks,
            strike_every_s=size.strike_every_s,
            points=size.points,
        )
        self._people = People(
            of_people,
            self.home,
            self._plan,
            every_s=size.people_every_s,
            commands=size.harsh,
        )
        self._people.write()

    def _rage(self) -> None:
        """Make trouble for as long as the campaign lasts."""
        began = time.monotonic()
        until = began + self.size.seconds
        trouble_until = began + (self.size.trouble_s or self.size.seconds)
        if self._server is not None:
            self._restart_at = began + 60
        ready = False
        while (now := time.monotonic()) < until or self._has_proven_nothing(now, until):
            self._clocks.step(now)
            ready = ready or self._is_ready()
            if ready and now < trouble_until:
                self._trouble.step(now)
            if ready:
                self._restart_database(now)
                # A clock that is frozen in the middle of a write keeps SQLite busy.
                if self._server is not None or not self._clocks.frozen:
                    self._people.step(now)
            time.sleep(TURN_S)

    def _has_proven_nothing(self, now: float, until: float) -> bool:
        """Return whether a slow machine has not come to any failpoint yet."""
        wanted = bool(self.size.points) and not self._clocks.reached
        return wanted and now < until + _PATIENCE_S

    def _is_ready(self) -> bool:
        return any('"clock.ready"' in each.text for each in self._clocks.running)

    def _restart_database(self, now: float) -> None:
        if self._server is None or now < self._restart_at:
            return
        self._restart_at = now + 75
        self._server.stop()
        time.sleep(2)
        self._server.start()
        self._restarts += 1

    def _settle(self) -> None:
        """End all trouble; wait until everything has come to its end."""
        self.until = clock.now()
        self._clocks.relax()
        self._people.end()
        deadline = time.monotonic() + SETTLE_S
        calm, look_at = False, 0.0
        while (now := time.monotonic()) < deadline:
            self._clocks.step(now)
            if not calm:
                with suppress(OSError):
                    self._trouble.end()
                    calm = True
            if calm and now >= look_at:
                look_at = now + 1.0
                with suppress(ClockdError):
                    if self._is_settled():
                        return
            time.sleep(TURN_S)

    def _is_settled(self) -> bool:
        with self.home.store() as store:
            coming = store.claims.next_fire_time()
            if coming is not None and coming <= self.until:
                return False
            if not self._file_is_loaded(store):
                return False
            runs = tables.runs
            due = sa.func.coalesce(runs.c.fire_time, runs.c.claimed_at) <= self.until
            ours = sa.and_(runs.c.state != "finished", due)
            with store.engine.connect() as connection:
                query = sa.select(sa.func.count()).where(ours)
                return not connection.execute(query).scalar()

    def _file_is_loaded(self, store: Store) -> bool:
        settings = Settings.from_environ(self.home.environ)
        loaded = config.load(self.home.file, settings=settings, environ={})
        assert not loaded.problems, loaded.problems
        on_record = {(t.uuid, t.to_json()) for t in store.triggers.definitions()}
        return {(t.uuid, t.to_json()) for t in loaded.triggers} == on_record

    # -- the books -------------------------------------------------------------

    def _compare(self) -> Figures:
        books, truth = self._read_books(), self._read_truth()
        found = report.figures(
            books,
            truth,
            compare(books, truth),
            seed=self.seed,
            seconds=self.size.seconds,
            kills=self._clocks.kills,
            ended=self._clocks.faults,
            faults=self._heroku.struck() | self._trouble.made,
            people=self._people.done,
            restarts=self._restarts,
        )
        if found.violations:
            (self.folder / "violations.json").write_text(found.evidence_text())
        return found

    def _read_books(self) -> Books:
        with self.home.store() as store:
            runs = store.runs.list(limit=1_000_000)
            with store.engine.connect() as connection:
                found = connection.execute(sa.select(tables.triggers)).all()
        return Books(
            runs=runs,
            expected=expected_of(
                found, self._plan, begun=self._begun, until=self.until
            ),
            removed=frozenset(row.uuid for row in found if row.removed_at is not None),
            until=self.until,
        )

    def _read_truth(self) -> Truth:
        told: dict[str, Any] = {
            "journal": self._heroku.journal(),
            "records": self._heroku.records(),
            "streams": self._heroku.streams(),
            "launches": self._heroku.launches(),
            "until": clock.now().timestamp(),
        }
        (self.folder / "truth.json").write_text(json.dumps(told))
        return Truth.read(**told)


def _furnish(app: RemoteHeroku) -> None:
    """Give an app its habits, and a log that goes back: real ones go on for years."""
    app.set_app(stop_grace_s=8.0, limit=500, procfile={"nap": "sleep"}, recycles=400)
    app.set_platform(skew_s=-3600.0)
    app.say("app", "web.1", "a line of long ago")
    app.set_platform(skew_s=0.0)


def main() -> None:
    """Run a campaign as the command line says; exit with 1 where something is wrong."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    folder = Path(tempfile.mkdtemp(prefix=f"clockd-chaos-{options.seed}-"))
    seconds = options.minutes * 60
    sys.stderr.write(
        f"seed {options.seed}, {seconds:.0f} s of trouble, then until all has come to "
        f"its end; in {folder}\n"
    )
    size = Size(
        seconds=seconds,
        one_offs=round(seconds * options.per_second),
        clocks=options.clocks,
    )
    with ExitStack() as stack:
        server = None
        if options.database == "postgresql":
            server = stack.enter_context(PostgresServer.create())
        found = Campaign(
            folder,
            seed=options.seed,
            size=size,
            database_url=server.url() if server else None,
            server=server,
        ).run()
    as_json = json.dumps(found.to_json(), indent=2) + "\n"
    sys.stdout.write(as_json if options.json else found.table())
    if found.violations:
        sys.stderr.write(found.complaint(folder))
        sys.exit(1)
    shutil.rmtree(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument(
        "--database", choices=("sqlite", "postgresql"), default="sqlite"
    )
    parser.add_argument("--clocks", type=int, default=2)
    parser.add_argument("--per-second", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
