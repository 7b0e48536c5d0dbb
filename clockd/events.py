"""Names of the log events: noun, dot, verb in the past.

A name never changes its meaning; whoever searches the logs relies on it.
"""

from __future__ import annotations

from typing import Final

CLOCK_STARTED: Final = "clock.started"
CLOCK_STANDBY: Final = "clock.standby"
CLOCK_ACTIVE: Final = "clock.activated"
CLOCK_READY: Final = "clock.ready"
CLOCK_DEPOSED: Final = "clock.deposed"
CLOCK_STOPPING: Final = "clock.stopping"
CLOCK_STOPPED: Final = "clock.stopped"
CLOCK_JUMPED: Final = "clock.jumped"
CLOCK_STEPPED_BACK: Final = "clock.stepped_back"
CLOCK_WARNED: Final = "clock.warned"

CONFIG_LOADED: Final = "config.loaded"
CONFIG_REJECTED: Final = "config.rejected"

TRIGGER_ADDED: Final = "trigger.added"
TRIGGER_CHANGED: Final = "trigger.changed"
TRIGGER_REMOVED: Final = "trigger.removed"

RUN_CLAIMED: Final = "run.claimed"
RUN_HELD: Final = "run.held"
RUN_SKIPPED: Final = "run.skipped"
RUN_MISSED: Final = "run.missed"
RUN_LAUNCHING: Final = "run.launching"
RUN_LAUNCHED: Final = "run.launched"
RUN_UNKNOWN: Final = "run.unknown"
RUN_ADOPTED: Final = "run.adopted"
RUN_PRINTED: Final = "run.printed"
RUN_STOPPING: Final = "run.stopping"
RUN_RETRIED: Final = "run.retried"
RUN_FINISHED: Final = "run.finished"

LIMIT_REACHED: Final = "limit.reached"
DYNO_ORPHANED: Final = "dyno.orphaned"
STREAM_OPENED: Final = "stream.opened"
STREAM_LOST: Final = "stream.lost"
PLATFORM_FAILED: Final = "platform.failed"
PLATFORM_UNAVAILABLE: Final = "platform.unavailable"
PLATFORM_RECOVERED: Final = "platform.recovered"
STORE_FAILED: Final = "store.failed"
STORE_RECOVERED: Final = "store.recovered"
THREAD_FAILED: Final = "thread.failed"
