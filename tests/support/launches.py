"""A launch, and what the platform answers to it."""

from __future__ import annotations

from clockd.runner import LaunchRequest
from tests.support.scripted_server import answer

KEY = "HRKU-planted-key-0123456789"
REQUEST = LaunchRequest(
    key="7.1-1785585600000000",
    app="sharp-mountain-4005",
    command="bin/heartbeat --once",
    process_type="clockd",
    size=None,
    env={"CLOCKD_RUN_ID": "7", "SECRET": "planted-value"},
    time_to_live_s=1860,
)
DYNO = {
    "attach_url": None,
    "command": "bin/heartbeat --once",
    "created_at": "2026-08-01T12:00:00Z",
    "id": "01234567-89ab-cdef-0123-456789abcdef",
    "name": "clockd.4711",
    "size": "Standard-1X",
    "state": "starting",
    "type": "clockd",
}
CREATED = answer(201, DYNO)
