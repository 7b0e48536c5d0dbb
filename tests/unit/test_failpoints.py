from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import clockd
from clockd import failpoints
from clockd.errors import SettingsError
from clockd.failpoints import Failpoint
from clockd.settings import Settings
from tests.support.waiting import wait_until

PACKAGE = Path(clockd.__file__).parent
ROOT = Path(__file__).parents[2]
REACHES = """
import sys
from clockd import failpoints
failpoints.arm(sys.argv[1])
for step in sys.argv[2:]:
    failpoints.reach(step)
    print(step, flush=True)
"""


def reaching(points: str, *steps: str) -> subprocess.Popen[str]:
    """Start a process that reaches `steps` one after the other, saying each."""
    return subprocess.Popen(
        [sys.executable, "-c", REACHES, points, *steps],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_process_dies_the_nth_time_it_reaches_a_step() -> None:
    steps = ("claim.written", "take.written", "claim.written", "take.written")

    process = reaching("claim.written:2", *steps)
    said, complaint = process.communicate(timeout=20)

    assert (said.split(), process.returncode) == (
        ["claim.written", "take.written"],
        -signal.SIGKILL,
    )
    assert complaint == "failpoint: claim.written\n"


def test_a_process_freezes_at_a_step_and_goes_on_from_there() -> None:
    process = reaching("launch.guarding=stop", "take.written", "launch.guarding")
    look = os.WSTOPPED | os.WNOHANG
    try:
        wait_until(lambda: os.waitid(os.P_PID, process.pid, look))
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=20)
    finally:
        process.kill()

    assert (said.split(), process.returncode) == (
        ["take.written", "launch.guarding"],
        0,
    )


def test_nothing_happens_where_no_failpoint_is_set() -> None:
    failpoints.arm("")

    for step in failpoints.STEPS:
        failpoints.reach(step)


def test_several_failpoints_are_read() -> None:
    points = failpoints.parse("claim.writing, launch.sent:3, launch.guarding=stop")

    assert points == [
        Failpoint(step="claim.writing", times=1, signal=signal.SIGKILL),
        Failpoint(step="launch.sent", times=3, signal=signal.SIGKILL),
        Failpoint(step="launch.guarding", times=1, signal=signal.SIGSTOP),
    ]


@pytest.mark.parametrize(
    "text",
    ["claim.writen", "claim.written:0", "claim.written=sleep", "claim.written:x", "="],
)
def test_what_is_no_failpoint_is_an_error_of_the_environment(text: str) -> None:
    with pytest.raises(SettingsError, match="CLOCKD_FAILPOINT has '"):
        Settings.from_environ({"CLOCKD_FAILPOINT": text})


def test_every_step_is_at_one_place_of_the_code() -> None:
    code = "\n".join(path.read_text() for path in sorted(PACKAGE.rglob("*.py")))

    reached = Counter(re.findall(r'failpoints\.reach\("([^"]+)"\)', code))

    assert reached == Counter(dict.fromkeys(failpoints.STEPS, 1))


def test_every_step_is_documented() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("## Killed right here")[2].partition("\n## ")[0]

    assert set(failpoints.STEPS) == set(re.findall(r"`([a-z]+\.[a-z]+)`", section))
