"""The database is away for a while: dynos are followed, and nothing learnt is lost."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from clockd import events
from clockd.errors import LaunchUnknown, RunnerUnavailable, StoreUnavailable
from clockd.model import Outcome, RunState
from clockd.runner import Unavailable
from clockd.store import database
from clockd.watch import watcher as watching
from tests.support.dispatching import Clockwork, trigger
from tests.support.scripted import BootClock
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clockd.model import Run


class Away:
    """A database whose calls all fail while it is away, and that counts them."""

    def __init__(self, work: Clockwork, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here = threading.Event()
        self.here.set()
        self.failed = 0
        base = work.store.runs._database
        for name in ("read", "write"):
            real = getattr(base, name)
            monkeypatch.setattr(base, name, self._failing(real))

    def _failing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(**options: Any) -> Any:
            if options.get("reserved") or self.here.is_set():
                return real(**options)
            self.failed += 1
            raise StoreUnavailable("the database is away")

        return call


class Failing:
    """A call that fails though the database is there."""

    def __call__(self, *_: object, **__: object) -> None:
        raise StoreUnavailable("not this one")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "TICK_S", 0.01)


@pytest.fixture
def lite(
    quick: None, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Clockwork]:
    del quick
    monkeypatch.setattr(database, "BUSY_S", 0.2)
    work = Clockwork(sqlite_url, BootClock(monkeypatch))
    yield work
    work.close()


def come_round(work: Clockwork) -> None:
    """Wait until the watcher has had some turns."""
    for _ in range(5):
        beat = work.watcher.beat
        wait_until(lambda beat=beat: work.watcher.beat > beat)  # type: ignore[misc]


def hold_answers(work: Clockwork) -> threading.Event:
    """Let launches be answered when the returned event is set."""
    go_on, real = threading.Event(), work.runner.launch

    def launch(request: Any, *, guard: Any) -> Any:
        guard()
        assert go_on.wait(10)
        return real(request, guard=lambda: None)

    work.runner.launch = launch  # type: ignore[method-assign]
    return go_on


def texts(work: Clockwork, run: Run) -> list[str]:
    return [line.text for line in work.store.output.lines(run.id)]


def launching(work: Clockwork, **more: Any) -> tuple[Run, threading.Event]:
    """Return a run whose request is out, and what lets it be answered."""
    go_on = hold_answers(work)
    run = work.request(trigger(**more))
    work.wait_for(run, RunState.LAUNCHING)
    return run, go_on


def test_a_whole_run_that_passes_unwritten_is_on_record_afterwards(
    lite: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lite
    run, go_on = launching(work)
    away = Away(work, monkeypatch)
    away.here.clear()
    with capture_logs() as logs:
        go_on.set()
        wait_until(lambda: work.watcher.active)
        (dyno,) = work.runner.listed
        work.runner.say(dyno, "half way", "app")
        work.runner.say(dyno, "Process exited with status 7")
        work.runner.end(dyno)
        work.boot.advance(3)
        wait_until(lambda: away.failed >= 3)
        # The watcher, which knows the end, must not be the first to write.
        with monkeypatch.context() as patch:
            patch.setattr(work.store.attempts, "launched", Failing())
            away.here.set()
            work.boot.advance(3)
            wait_until(lambda: texts(work, run))
            come_round(work)
            assert work.get(run).state is RunState.LAUNCHING
        finished = work.wait_for(run, RunState.FINISHED)

    assert (finished.outcome, finished.exit_status) == (Outcome.FAILED, 7)
    assert finished.attempts[0].dyno_id == dyno.id
    assert texts(work, run)[0] == "half way"
    assert len(work.runner.requests) == 1
    names = [line["event"] for line in logs]
    assert events.DYNO_ORPHANED not in names
    assert work.runner.stopped == []


def test_a_timeout_is_kept_while_the_database_is_away(
    lite: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lite
    run, go_on = launching(work, timeout_s=600)
    away = Away(work, monkeypatch)
    away.here.clear()
    go_on.set()
    wait_until(lambda: work.watcher.active)

    work.boot.advance(601)

    wait_until(lambda: work.runner.stopped == ["clockd.1"])
    away.here.set()
    work.runner.say(work.runner.listed[0], "Process exited with status 143")
    work.boot.advance(5)
    assert work.wait_for(run, RunState.FINISHED).outcome is Outcome.TIMED_OUT


def test_a_database_that_hangs_holds_the_watcher_up_once(
    lite: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lite
    first, second = (work.request(trigger(it, timeout_s=600)) for it in ("a", "b"))
    for run in (first, second):
        work.wait_for(run, RunState.RUNNING)
    hangs, calls = threading.Event(), []

    def hang(*_: Any, **__: Any) -> None:
        calls.append(threading.current_thread().name)
        hangs.wait(10)
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(work.store.output, "append", hang)
    monkeypatch.setattr(work.store.runs, "own_beat", hang)
    work.runner.say(work.runner.listed[0], "printed", "app")
    wait_until(lambda: calls)
    hangs.set()
    wait_until(lambda: not work.watcher._breaker._proving and len(calls) == 1)
    hangs.clear()
    work.boot.advance(3)
    wait_until(lambda: len(calls) == 2)

    # Now another thread hangs, and the watcher's goes on.
    work.boot.advance(600)
    wait_until(lambda: sorted(work.runner.stopped) == ["clockd.1", "clockd.2"])
    assert calls == ["watcher", "database"]
    hangs.set()


@pytest.mark.parametrize(
    "error",
    [
        RunnerUnavailable("down", kind=Unavailable.CONNECTION),
        RunnerUnavailable("not yet", kind=Unavailable.CONFLICT),
        LaunchUnknown("503"),
    ],
    ids=["down", "conflict", "unknown"],
)
def test_a_refusal_that_cannot_be_written_is_one_refusal(
    lite: Clockwork, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    work = lite
    work.runner.failures = [error]
    refused: list[Any] = []
    real = work.dispatcher._gates.refuse

    def refuse(*given: Any, **more: Any) -> Any:
        refused.append(given)
        return real(*given, **more)

    monkeypatch.setattr(work.dispatcher._gates, "refuse", refuse)
    run, go_on = launching(work)
    away = Away(work, monkeypatch)
    away.here.clear()
    go_on.set()
    wait_until(lambda: refused)
    failed = away.failed
    wait_until(lambda: away.failed >= failed + 2)
    away.here.set()
    wait_until(lambda: work.get(run).state is not RunState.LAUNCHING)

    assert len(refused) == 1


def test_a_failing_database_is_told_of_once_by_who_launches(
    lite: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lite
    away = Away(work, monkeypatch)
    with capture_logs() as logs:
        away.here.clear()
        wait_until(lambda: away.failed >= 3)
        away.here.set()
        work.boot.advance(6)
        wait_until(lambda: any(x["event"] == events.STORE_RECOVERED for x in logs))

    told = [x for x in logs if x.get("during") == "dispatch"]
    assert [x["event"] for x in told] == [events.STORE_FAILED, events.STORE_RECOVERED]


def test_a_run_that_was_due_meanwhile_is_launched_when_the_database_is_back(
    lite: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lite
    real, failed = work.store.runs.take, threading.Event()

    def take(**options: Any) -> Any:
        if failed.is_set():
            return real(**options)
        failed.set()
        raise StoreUnavailable("disk I/O error")

    monkeypatch.setattr(work.store.runs, "take", take)
    run = work.request(trigger())
    wait_until(failed.is_set)

    assert work.wait_for(run, RunState.RUNNING).attempts[0].dyno_id == "id-1"


# -- for real ------------------------------------------------------------------


def test_a_file_locked_by_another_process_is_written_when_it_is_free(
    lite: Clockwork,
) -> None:
    work = lite
    run = work.request(trigger())
    work.wait_for(run, RunState.RUNNING)
    other = sqlite3.connect(str(work.store.engine.url.database), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        (dyno,) = work.runner.listed
        work.runner.say(dyno, "printed while locked", "app")
        work.runner.say(dyno, "Process exited with status 0")
        work.boot.advance(2)
        wait_until(lambda: work.watcher._breaker._failing_since is not None)
        assert work.get(run).state is RunState.RUNNING
        other.execute("ROLLBACK")
    finally:
        other.close()
    work.boot.advance(3)

    assert work.wait_for(run, RunState.FINISHED).outcome is Outcome.SUCCEEDED
    assert texts(work, run)[0] == "printed while locked"


def test_a_full_disk_loses_no_output(lite: Clockwork) -> None:
    work = lite
    run = work.request(trigger())
    work.wait_for(run, RunState.RUNNING)
    (dyno,) = work.runner.listed
    full = threading.Event()

    @sa.event.listens_for(work.store.engine, "begin")
    def limit(connection: Any) -> None:
        # Fewer pages than there are: no page can be added.
        most = 1 if full.is_set() else 0xFFFFFFFE
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")

    full.set()
    lines = [f"{n} " + "x" * 1000 for n in range(50)]
    for text in lines:
        work.runner.say(dyno, text, "app")
    wait_until(lambda: work.watcher._breaker._failing_since is not None)
    assert texts(work, run) == []
    full.clear()
    work.boot.advance(3)

    wait_until(lambda: len(texts(work, run)) == 50)
    assert texts(work, run) == lines
