"""A machine that lets clockd live through everything at once, and compares the books.

Hypothesis picks what happens, in any order: time passes, processes are started, killed,
frozen and woken, the platform and the database fail, the wall clock jumps, people edit,
pause, cancel. After every step nothing may be doubled or wrong; at the end, when
nothing fails any more, nothing may be lost or stranded either.

`machine_process` holds production's parts without their threads, `machine_platform` the
truth, `machine_books` the promises. `CHAOS_EXAMPLES=2000` makes a longer campaign.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from clockd import failpoints
from clockd.errors import ConflictError
from clockd.model import RunState
from clockd.store import Store
from tests.chaos import machine_threads
from tests.chaos.machine_books import Books
from tests.chaos.machine_platform import Answer, Line, Task
from tests.chaos.machine_process import PARTS
from tests.chaos.machine_threads import Complaints
from tests.chaos.machine_time import Time
from tests.chaos.machine_triggers import SLUGS, TRIGGERS, edited, renamed
from tests.chaos.machine_world import World
from tests.support.stores import execute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: How many examples a longer campaign makes on SQLite; an eighth on PostgreSQL.
EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "0"))
STEPS = 40 if EXAMPLES else 30
#: Shrinking takes minutes: a campaign does it, a test shows what it has.
PHASES = [Phase.reuse, Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate]

slugs = st.sampled_from(SLUGS)
tasks = st.builds(
    Task,
    lasts_s=st.sampled_from([1.0, 8.0, 20.0, 70.0, 200.0, 1000.0]),
    status=st.sampled_from([0, 0, 0, 1, 137]),
    stop_takes_s=st.sampled_from([0.5, 10.0, 30.0]),
    stop_status=st.sampled_from([143, 0, 137]),
    line=st.sampled_from([Line.HEARD, Line.HEARD, Line.HEARD, *Line]),
)
answers = st.lists(st.sampled_from(Answer), min_size=1, max_size=3)
jumps = st.one_of(st.sampled_from([-3600, 3600, -86_400, 86_400]), st.integers(-59, 59))


class Machine(RuleBasedStateMachine):
    """What may happen."""

    def __init__(self, fresh: Callable[[], str], time: Time, ears: Complaints) -> None:
        super().__init__()
        time.begin()
        ears.heard.clear()
        self.world = World(fresh(), time, ears)
        self._ended: dict[int, tuple[object, ...]] = {}

    # -- time ------------------------------------------------------------------

    @rule(seconds=st.integers(1, 60))
    def some_seconds_pass(self, seconds: int) -> None:
        self.world.pass_time(seconds, max(1, seconds // 5))

    @rule(minutes=st.integers(1, 15))
    def some_minutes_pass(self, minutes: int) -> None:
        self.world.pass_time(minutes * 60, 4 * minutes)

    @rule(hours=st.integers(1, 4))
    def hours_pass(self, hours: int) -> None:
        """The machine sleeps most of the time."""
        for _ in range(4):
            self.world.pass_time(hours * 900 - 15, 1)
            self.world.pass_time(15, 6)

    @rule(seconds=jumps)
    def the_wall_clock_jumps(self, seconds: int) -> None:
        self.world.jump(seconds)

    # -- processes -------------------------------------------------------------

    @precondition(lambda self: len(self.world.processes) < 2)
    @rule()
    def a_process_is_started(self) -> None:
        self.world.start()

    @precondition(lambda self: self.world.processes)
    @rule(
        data=st.data(), parts=st.permutations(sorted(set(PARTS))), n=st.integers(1, 6)
    )
    def a_process_has_some_of_a_turn(
        self, data: st.DataObject, parts: list[str], n: int
    ) -> None:
        process = data.draw(st.sampled_from(self.world.processes))
        if not process.frozen:
            self.world.turn(process, tuple(parts[:n]))

    @precondition(lambda self: self.world.processes)
    @rule(data=st.data())
    def a_process_is_killed(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self.world.processes))
        process.die()
        self.world.processes.remove(process)

    @rule(step=st.sampled_from(sorted(failpoints.STEPS)))
    def a_process_will_be_killed_at_a_step(self, step: str) -> None:
        self.world.faults.deadly_step = step

    @precondition(lambda self: self.world.processes)
    @rule(data=st.data())
    def a_process_stops(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self.world.processes))
        self.world.let(process, process.stop)

    @precondition(lambda self: self.world.processes)
    @rule(data=st.data())
    def a_process_freezes_or_wakes(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self.world.processes))
        process.frozen = not process.frozen

    @precondition(lambda self: len(self.world.processes) == 2)
    @rule()
    def a_clock_that_lost_its_lease_tries_everything(self) -> None:
        self.world.trespass()

    # -- the platform ----------------------------------------------------------

    @rule(task=tasks)
    def tasks_are_like_this_from_now_on(self, task: Task) -> None:
        self.world.platform.task = task

    @rule(given=answers)
    def the_next_launches_are_answered_so(self, given: list[Answer]) -> None:
        self.world.platform.answers = given

    @rule()
    def the_platform_goes_down_or_comes_back(self) -> None:
        platform = self.world.platform
        if platform.down:
            platform.recover()
        else:
            platform.fail()

    @rule()
    def the_log_is_flooded(self) -> None:
        self.world.platform.lose_log()

    @precondition(lambda self: self.world.platform.alive)
    @rule(data=st.data())
    def the_platform_cycles_a_dyno(self, data: st.DataObject) -> None:
        alive = self.world.platform.alive
        self.world.platform.cycle(alive[data.draw(st.integers(0, len(alive) - 1))])

    # -- the database ----------------------------------------------------------

    @rule()
    def the_database_goes_away_or_comes_back(self) -> None:
        self.world.faults.away = not self.world.faults.away

    @rule(number=st.integers(1, 3))
    def commits_are_not_answered(self, number: int) -> None:
        self.world.faults.answers_lost = number

    # -- people ----------------------------------------------------------------

    @rule(slug=slugs, owned=st.booleans())
    def somebody_asks_for_a_run(self, slug: str, owned: bool) -> None:
        trigger = next(it for it in TRIGGERS if it.slug == slug)
        self.world.run_by_hand(trigger, owned=owned)

    @rule(data=st.data())
    def somebody_cancels_a_run(self, data: st.DataObject) -> None:
        unfinished = [
            run.id
            for run in self.world.desk.runs.list(limit=50)
            if run.state is not RunState.FINISHED
        ]
        if unfinished:
            run_id = data.draw(st.sampled_from(unfinished))
            with contextlib.suppress(ConflictError):
                self.world.cancel(run_id)

    @rule(slug=slugs)
    def somebody_pauses_or_resumes(self, slug: str) -> None:
        self.world.pause(slug)

    @rule(slug=slugs)
    def somebody_edits_a_trigger(self, slug: str) -> None:
        trigger = self.world.file.get(slug)
        if trigger is not None:
            self.world.edit(slug, edited(trigger))

    @rule(slug=slugs)
    def somebody_renames_a_trigger(self, slug: str) -> None:
        trigger = self.world.file.get(slug) or self.world.file.get(f"{slug}-new")
        if trigger is not None:
            self.world.edit(trigger.slug, renamed(trigger))

    @rule(slug=slugs)
    def somebody_removes_a_trigger_or_puts_it_back(self, slug: str) -> None:
        there = slug in self.world.file
        original = next(it for it in TRIGGERS if it.slug == slug)
        self.world.edit(slug, None if there else original)

    # -- what must hold --------------------------------------------------------

    @invariant()
    def nothing_is_doubled_or_wrong(self) -> None:
        books = Books(self.world)
        _agree(books.wrong_now())
        for run in books.runs:
            if run.state is RunState.FINISHED:
                end = (run.outcome, run.exit_status, run.reason, run.finished_at)
                assert self._ended.setdefault(run.id, end) == end

    def teardown(self) -> None:
        try:
            self.world.settle()
            _agree(Books(self.world).wrong_at_the_end())
        finally:
            self.world.close()


def _agree(wrong: Iterator[str]) -> None:
    told = list(wrong)
    assert not told, "\n".join(told)


@pytest.fixture
def ears() -> Iterator[Complaints]:
    """Hear what clockd's threads could not cope with; show nothing."""
    complaints = Complaints()
    structlog.configure(
        processors=[complaints], logger_factory=structlog.ReturnLoggerFactory()
    )
    yield complaints
    structlog.reset_defaults()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Give the time of the machine, in which no thread runs."""
    time = Time()
    time.install(monkeypatch)
    machine_threads.install(monkeypatch)
    return time


def _run(fresh: Callable[[], str], time: Time, ears: Complaints, examples: int) -> None:
    """Let the machine live through so many examples, each on a fresh database."""

    class Fresh(Machine):
        def __init__(self) -> None:
            super().__init__(fresh, time, ears)

    run_state_machine_as_test(
        Fresh,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            phases=PHASES,
        ),
    )


@pytest.mark.timeout(0 if EXAMPLES else 240)
def test_the_promises_hold_whatever_happens_on_sqlite(
    tmp_path: Path, time: Time, ears: Complaints
) -> None:
    empty, folder = tmp_path / "empty.db", tmp_path / "used"
    Store.open(f"sqlite:///{empty}").close()
    numbers = itertools.count()

    def fresh() -> str:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        used = folder / f"{next(numbers)}.db"
        shutil.copy(empty, used)
        return f"sqlite:///{used}"

    _run(fresh, time, ears, EXAMPLES or 14)


@pytest.mark.timeout(0 if EXAMPLES else 240)
def test_the_promises_hold_whatever_happens_on_postgresql(
    postgres_url: str, time: Time, ears: Complaints
) -> None:
    Store.open(postgres_url).close()
    tables = "clockd_runs, clockd_attempts, clockd_output, clockd_triggers, clockd_jobs"

    def fresh() -> str:
        execute(postgres_url, f"TRUNCATE {tables}, clockd_config RESTART IDENTITY")
        execute(postgres_url, "UPDATE clockd_lease SET holder = NULL")
        return postgres_url

    _run(fresh, time, ears, EXAMPLES // 8 or 4)
