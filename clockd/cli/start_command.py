"""`clockd start`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from clockd.cli.leaving import leave
from clockd.cli.options import install, triggers_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@triggers_option
def start(path: Path | None) -> None:
    """Be the clock: fire every trigger of triggers.yaml on time.

    Logs go to standard output: readable on a terminal, JSON otherwise
    (CLOCKD_LOG_FORMAT, CLOCKD_LOG_LEVEL). SIGTERM and SIGINT stop it and leave running
    dynos alone; SIGHUP reads the file again. A second clock on the same database
    stands by until the first one is gone.
    """
    from clockd import log
    from clockd.daemon import Daemon

    installation = install(path)
    settings = installation.settings
    log.configure(
        log_format=settings.log_format, level=settings.log_level, stream=sys.stdout
    )
    code = Daemon(installation).run()
    leave(code)
