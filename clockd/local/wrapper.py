"""The lines of `/bin/sh` around every task.

They outlive clockd, and write down how the task ended. Nothing but builtins until then:
a fork for each of `mkdir`, `mv` and the like would triple the cost of a launch, and the
task's own PATH may not lead to them. Their variables bear odd names, as one that the
task's environment has would be changed for the task.
"""

from __future__ import annotations

import os
import shutil
from functools import cache

SHELL = "/bin/sh"

#: Becomes the task: leader of its group by now. A stop that came first is heeded.
_TASK = r"""
echo $$ >"$1/pid" || exit 126
[ ! -e "$1/stop" ] || exit 143
exec /bin/sh -c "$2" >>"$1/output" 2>&1
"""

#: Runs $3 (`_TASK`) with the files in $1 and the command $2, in a group of its own by
#: means of $4 (setsid; job control where that is missing). Whoever makes `started`
#: first decides whether it runs at all. After a stop, the status waits for what is
#: left of the group, for $5 tenths of a second. Stdout is the lock on the attempt.
WRAPPER = r"""
trap : HUP INT QUIT TERM
set -C
echo $$ >"$1/started" || exit 0
set +C
if [ -n "$4" ]; then
  "$4" /bin/sh -c "$3" clockd "$1" "$2"
  clockd_status=$?
else
  set -m
  /bin/sh -c "$3" clockd "$1" "$2" &
  set +m
  while :; do
    wait $!
    clockd_status=$?
    [ $clockd_status -gt 128 ] && kill -0 $! 2>/dev/null || break
  done
fi
PATH=$PATH:/usr/bin:/bin
read -r clockd_task <"$1/pid"
clockd_left=$5
while [ -e "$1/stop" ] && kill -0 "-$clockd_task" 2>/dev/null; do
  [ $clockd_left -gt 0 ] || { kill -KILL "-$clockd_task"; break; }
  sleep 0.1 || sleep 1
  clockd_left=$((clockd_left - 1))
done
until echo $clockd_status >"$1/status"; do
  [ -d "$1" ] || exit 0
  sleep 1
done
"""


def arguments(
    folder: os.PathLike[str], command: str, *, kill_after_s: float
) -> list[str]:
    """Return the command line that runs a task with its files in `folder`.

    What a stopped task leaves behind is killed `kill_after_s` seconds after its end.
    """
    tenths = str(max(1, round(kill_after_s * 10)))
    where = os.fspath(folder)
    setsid = _setsid()
    return [SHELL, "-c", WRAPPER, "clockd", where, command, _TASK, setsid, tenths]


@cache
def _setsid() -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/bin:/bin"
    return shutil.which("setsid", path=path) or ""
