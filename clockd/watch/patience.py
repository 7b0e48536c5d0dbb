"""When an attempt is given up of which nothing can be seen.

Pure. Nothing lives longer than its time to live; what is still open long after that, as
nobody could look, is `lost`. A platform that is away for a while is waited for: its log
tells afterwards what happened meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clockd.model import Outcome
from clockd.watch.evidence import Verdict

if TYPE_CHECKING:
    from clockd.watch.track import Track

#: What runs where nobody can look is given up this long after its time to live.
PATIENCE_S = 120.0
#: What can be looked for, but the platform does not answer: time enough to come back.
OUTAGE_S = 3600.0
#: A log that could not be read so often will not be read any more.
LOG_FAILURES = 3


def unseen(track: Track, now: float) -> Verdict | None:
    """Give up an attempt whose dyno is not known, or runs where nobody can look."""
    must_have_ended = track.began + track.attempt.time_to_live_s
    if track.foreign:
        limit = must_have_ended + PATIENCE_S
    else:
        # Its log can still be read: who took it over late looks as patiently.
        limit = max(must_have_ended, track.taken_at) + OUTAGE_S
    if now <= limit:
        return None
    place = track.attempt.host or "Heroku"
    return _lost(
        f"it ran on {place}, where this clock cannot look"
        if track.foreign
        else "the launch was not answered, and its dyno could not be looked for "
        "until it must have ended"
    )


def unreadable(track: Track, now: float) -> Verdict | None:
    """Give up a dyno of which the platform has told nothing since it must have ended.

    One list that fails says nothing: for some time every one must have failed.
    """
    if now <= track.began + track.attempt.time_to_live_s + PATIENCE_S:
        return None
    since = track.unlisted_since
    unlisted = since is not None and now - since >= OUTAGE_S
    if not unlisted and track.log_failures < LOG_FAILURES:
        return None
    return _lost(
        "the platform could not be asked about its dyno until it must have ended"
    )


def _lost(reason: str) -> Verdict:
    return Verdict(outcome=Outcome.LOST, exit_status=None, reason=reason)
