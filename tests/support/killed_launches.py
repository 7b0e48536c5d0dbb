"""A process that launches local runs and is killed at a given moment.

`python -m tests.support.killed_launches FOLDER MOMENT COMMAND` launches one attempt,
`1.1-1`. The moments:

made     its directory is there, and nothing in it
guarded  just before the fork
forked   the fork is done, the wrapper has not come to its first line (see `go`)
never    by the test
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from clockd.local import wrapper
from clockd.local.files import AttemptFiles
from clockd.process import LocalRunner
from tests.support.local_runs import request

#: The wrapper waits for this file to be made beside the attempts.
GO = "go"


def die(*_: object) -> None:
    """Be killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, moment: str, command: str) -> None:
    """Launch, and be killed."""
    if moment == "made":
        setattr(AttemptFiles, "_write_and_lock", die)  # noqa: B010 – for this process
    if moment == "forked":
        wait = f'while [ ! -e "{folder}/{GO}" ]; do sleep 0.02; done\n'
        wrapper.WRAPPER = wait + wrapper.WRAPPER
    runner = LocalRunner(
        folder / "clockd.db.runs",
        cwd=folder,
        procfile=folder / "Procfile",
        environ={"PATH": os.environ["PATH"]},
    )
    runner.launch(request(command), guard=die if moment == "guarded" else lambda: None)
    if moment == "forked":
        die()
    (folder / "launched").write_text("yes")
    time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
