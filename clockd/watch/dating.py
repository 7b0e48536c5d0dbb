"""When launches went out, by the platform's clock, and for how long they have been.

When a request went out is known on `boottime` where this process has sent it; that of
another process is on record by its wall clock. A record that lies ahead of the
platform's time is wrong by nobody knows how much: its dyno is looked for among all that
may still live, and its launch is never repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clockd import clock
from clockd.watch import adoption, platform_time

if TYPE_CHECKING:
    from datetime import datetime

    from clockd.model import Attempt
    from clockd.runner import Runner
    from clockd.watch.track import Track

#: Where no answer of the platform tells its time for so long, our wall clock does.
UNDATED_S = 60.0


def requested(track: Track, runner: Runner) -> tuple[datetime, datetime]:
    """Return when a track's request went out, by the platform's clock.

    The second instant is the earliest that it may have been. Notes on the track when it
    is found that this is not known.
    """
    if not track.inherited:
        sent_at = platform_time.ago(runner, track.began)
        return sent_at, sent_at - adoption.SKEW
    there = platform_time.now(runner)
    # That process's wall clock may have been right, or as wrong as ours is.
    record = track.attempt.requested_at
    either = {record, platform_time.as_there(runner, record)}
    past = [at for at in either if at <= there + adoption.SKEW]
    if platform_time.is_known(runner) and not past:
        track.misdated = True
    if track.misdated:
        return there, there - adoption.LIFETIME
    past = past or [record]
    return max(past), min(past) - adoption.SKEW - adoption.AHEAD


def age_s(track: Track, runner: Runner | None, now: float) -> float | None:
    """Return for how many seconds another process's attempt has been under way.

    That process's wall clock may have been wrong, and ours may be: where the platform's
    clock is known, it tells. Until then the answer is None, and the attempt counts as
    new, as no healthy dyno must be stopped; the platform ends it at its own limit.

    Args:
        track: The attempt.
        runner: Where it runs; None where nobody here can look.
        now: The current instant on `boottime`.
    """
    attempt = track.attempt
    if runner is None or runner.authoritative or track.foreign:
        return _wall_age_s(attempt)
    if platform_time.is_known(runner):
        at = platform_time.as_there(runner, attempt.requested_at)
        return platform_time.age_s(runner, attempt.created_at or at)
    return _wall_age_s(attempt) if now - track.taken_at >= UNDATED_S else None


def _wall_age_s(attempt: Attempt) -> float:
    began = attempt.launched_at or attempt.requested_at
    return max((clock.now() - began).total_seconds(), 0.0)
