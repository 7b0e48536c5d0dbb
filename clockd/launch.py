"""Sends launch requests, in a pool of threads, and says what came of each.

Nothing is written here: every result goes back to the dispatcher as a value.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from clockd import clock, config, events, failpoints
from clockd.errors import (
    ClockdError,
    LaunchRejected,
    LaunchUnknown,
    LeaseLost,
    RunnerUnavailable,
)
from clockd.model import RunnerKind
from clockd.runner import LaunchRequest, attempt_key
from clockd.store import AttemptPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from clockd.model import Attempt, Run
    from clockd.pace import Allowance
    from clockd.runner import Dyno, Runner

THREADS = 16
#: The platform's own limit starts later than ours, and ends at its maximum.
TTL_SLACK_S = 60
MAX_TTL_S = 86_400

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one launch request.

    Exactly one of `dyno` and `error` is set. `asked_at`, when it was handed in, and
    `sent_at` are on `boottime`.
    """

    run: Run
    attempt: Attempt
    dyno: Dyno | None = None
    error: ClockdError | None = None
    asked_at: float = 0.0
    sent_at: float = 0.0
    launched_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LaunchSettings:
    """What every launch of this process has in common.

    Args:
        kind: Where tasks run.
        host: This machine's name.
        process_type: The dynos' process type; may hold `{trigger}`.
        environ: Where `${NAME}` in a trigger's `env` is looked up.
        twin: Gives what a command of an app comes down to; two launches of the same
            are never open at once. None where launches cannot be confused.
    """

    kind: RunnerKind
    host: str
    process_type: str
    environ: Mapping[str, str]
    twin: Callable[[str, str], str] | None = None


class Launcher:
    """A pool of threads that start dynos.

    `settings` may be replaced at any time; what was planned before is launched as it
    was planned.

    Args:
        runners: The places where tasks run; an attempt says which is meant.
        settings: What the attempts that are planned from now on have in common.
    """

    def __init__(
        self, runners: Mapping[RunnerKind, Runner], settings: LaunchSettings
    ) -> None:
        self.settings = settings
        self._runners = runners
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="launch")

    def plan(self, run: Run) -> AttemptPlan:
        """Return what a run's next attempt asks for."""
        trigger, settings = run.trigger, self.settings
        local = settings.kind is RunnerKind.LOCAL
        return AttemptPlan(
            runner=settings.kind,
            app=trigger.app,
            command=trigger.command,
            process_type=settings.process_type.replace("{trigger}", trigger.slug),
            size=None if local else trigger.dyno,
            time_to_live_s=min(trigger.timeout_s + TTL_SLACK_S, MAX_TTL_S),
            host=settings.host if local else "",
            twin=settings.twin(trigger.app, trigger.command) if settings.twin else None,
        )

    @property
    def is_limited(self) -> bool:
        """Whether launches go to a platform with a limit of requests."""
        return self.settings.kind is not RunnerKind.LOCAL

    @property
    def allowance(self) -> Allowance | None:
        """What is left of the platform's rate limit, where that is known."""
        return self._runners[self.settings.kind].allowance

    def submit(
        self,
        run: Run,
        attempt: Attempt,
        *,
        guard: Callable[[], None],
        done: Callable[[Result], None],
        ask_first: bool = False,
    ) -> None:
        """Launch an attempt; `done` is called with the result, exactly once.

        From a pool's thread; of what `close` kept from being sent, from the thread
        that closes or submits. With `ask_first` the platform is asked something
        harmless before: where that is not answered, nothing is launched.
        """

        def not_sent() -> None:
            error = LeaseLost("the clock stopped before it was sent")
            done(Result(run=run, attempt=attempt, error=error, asked_at=asked_at))

        def launch() -> None:
            told = self._launch(run, attempt, guard, ask_first=ask_first)
            done(replace(told, asked_at=asked_at))

        asked_at = clock.boottime()
        try:
            sending = self._pool.submit(launch)
        except RuntimeError:
            not_sent()
            return
        sending.add_done_callback(lambda it: not_sent() if it.cancelled() else None)

    def close(self) -> None:
        """Send nothing that has not been sent yet."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _launch(
        self,
        run: Run,
        attempt: Attempt,
        guard: Callable[[], None],
        *,
        ask_first: bool,
    ) -> Result:
        sent: list[tuple[float, datetime]] = []

        def note_and_guard() -> None:
            failpoints.reach("launch.guarding")
            guard()
            sent.append((clock.boottime(), clock.now()))
            failpoints.reach("launch.guarded")

        dyno, error = None, None
        try:
            request = self._request(run, attempt)
            runner = self._runners[attempt.runner]
            if ask_first:
                runner.dynos(attempt.app)
            dyno = runner.launch(request, guard=note_and_guard)
        except (LaunchRejected, RunnerUnavailable, LaunchUnknown, LeaseLost) as caught:
            error = caught
        except ClockdError as caught:
            error = LaunchRejected(caught.message, hint=caught.hint)
        except Exception as caught:
            log.exception(events.THREAD_FAILED, thread="launch")
            kind = LaunchUnknown if sent else LaunchRejected
            error = kind(f"internal error: {type(caught).__name__}")
        failpoints.reach("launch.answered")
        sent_at, launched_at = sent[0] if sent else (clock.boottime(), clock.now())
        return Result(
            run=run,
            attempt=attempt,
            dyno=dyno,
            error=error,
            sent_at=sent_at,
            launched_at=launched_at,
        )

    def _request(self, run: Run, attempt: Attempt) -> LaunchRequest:
        fire_time = run.fire_time or run.claimed_at
        env = config.expand_env(run.trigger.env, self.settings.environ)
        return LaunchRequest(
            key=attempt_key(attempt),
            app=attempt.app,
            command=attempt.command,
            process_type=attempt.process_type,
            size=attempt.size,
            env={
                **env,
                "CLOCKD_TRIGGER": run.trigger.slug,
                "CLOCKD_RUN_ID": str(run.id),
                "CLOCKD_FIRE_TIME": f"{fire_time:%Y-%m-%dT%H:%M:%SZ}",
                "CLOCKD_ATTEMPT": str(attempt.number),
            },
            time_to_live_s=attempt.time_to_live_s,
        )
