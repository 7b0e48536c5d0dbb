"""Ends the process at once, whatever its threads wait for."""

from __future__ import annotations

import os
import sys
import threading
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """Exit with `code` though a request to the platform may still be waiting.

    Python would wait for the threads of its pools; a launch may hang for its read
    timeout of 30 s. What is unanswered is on record and looked for by the next clock.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if threading.active_count() > 1:
        os._exit(code)
    sys.exit(code)
