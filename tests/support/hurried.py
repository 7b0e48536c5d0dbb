"""clockd whose waits are a matter of moments, for tests that freeze and kill it.

`python -P tests/support/hurried.py …` is `clockd …` in all but these: a lease is stale
after 2 s; a lost launch is looked for within 2 s and sent again after 3 s.
`HURRIED_NAME` is what others see of the process, as in containers, where every process
has the same name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from clockd import compose, lease, tenure
from clockd.store import database
from clockd.watch import adoption, track, watcher

#: How tests start it, as `Home.program`. Without -P this folder's `clockd` were clockd.
HURRIED = (sys.executable, "-P", str(Path(__file__).resolve()))
STALE_S = 2.0


def hurry() -> None:
    """Shorten what clockd waits for, in this process."""
    lease.BEAT_S, lease.RETRY_S, lease.POLL_S = 0.3, 0.2, 0.2
    lease.STALE_S, lease.MARGIN_S, lease.GAP_S = STALE_S, 0.4, 1.5
    database.BUSY_S = 1.0
    vars(track)["LOOKS_S"] = (0.0, 0.3, 1.0, 2.0)
    adoption.RESEND_AFTER_S = 3.0
    watcher.RECONCILE_S, watcher.LEFT_S, tenure.SWEEP_S = 1.0, 3.0, 0.5
    name = os.environ.get("HURRIED_NAME")
    if name:
        compose.process_name = lambda: name


if __name__ == "__main__":
    hurry()
    from clockd.cli import main

    main()
