"""The figures clockd promises, measured: `python -m bench.figures [NAME …]`.

lag       100 triggers due in one second; then single ones
start     time to readiness, and memory, with 10 and 10,000 triggers
idle      CPU of a clock with nothing to do, over a minute
requests  Platform API requests per run, 60 runs of 5 s within two minutes
"""

from __future__ import annotations

import math
import statistics
import sys
import time

from bench.harness import at, clock, document, platform, trigger


def lag() -> None:
    """Measure from the due second to the launch request's arrival."""
    with platform() as fake:
        due = math.ceil(time.time()) + 8
        burst = [
            trigger(f"burst-{n}", f"true {n}", f'at: "{at(due)}"') for n in range(100)
        ]
        singles = [
            trigger(f"single-{n}", f"true s{n}", f'at: "{at(due + 6 + 2 * n)}"')
            for n in range(15)
        ]
        with clock(document(burst + singles), fake) as running:
            running.wait_for("run.launched", count=115, timeout_s=90)
        arrivals = [float(request["time"]) for request in fake.launches()]
    first = sorted(t - due for t in arrivals if t < due + 5)
    lags = sorted((t - due) % 2 for t in arrivals if t >= due + 5)
    print(
        f"100 due together: first {first[0] * 1000:.0f} ms, "
        f"last {first[-1] * 1000:.0f} ms"
    )
    print(
        f"single trigger, {len(lags)} runs: "
        f"median {statistics.median(lags) * 1000:.1f} ms, "
        f"worst {lags[-1] * 1000:.1f} ms"
    )


def start() -> None:
    """Measure from the process's start to a clock that can fire."""
    for count in (10, 10_000):
        triggers = [
            trigger(f"trigger-{n}", f"bin/task {n}", f'cron: "{n % 60} {n % 24} * * *"')
            for n in range(count)
        ]
        with platform() as fake, clock(document(triggers), fake) as running:
            ready = running.wait_for("clock.ready") - running.began
            time.sleep(5)
            now, peak = running.memory_mb()
        print(
            f"{count} triggers: ready after {ready:.2f} s, "
            f"memory {now:.0f} MB (peak {peak:.0f} MB)"
        )


def idle(seconds: float = 60) -> None:
    """Measure the CPU of a clock whose triggers are not due."""
    triggers = [trigger(f"t-{n}", "true", 'cron: "0 0 1 1 *"') for n in range(10)]
    with platform() as fake, clock(document(triggers), fake) as running:
        running.wait_for("clock.ready")
        time.sleep(5)
        before = running.cpu_s()
        time.sleep(seconds)
        used = running.cpu_s() - before
    print(f"idle: {100 * used / seconds:.2f} % of one core over {seconds:.0f} s")


def requests() -> None:
    """Count the Platform API requests of 60 runs of 5 s."""
    with platform() as fake:
        due = math.ceil(time.time()) + 5
        triggers = [
            trigger(
                f"t-{n}",
                f"sh -c 'sleep 5; echo {n}'",
                f'at: "{at(due + 2 * n - n // 15)}"',
            )
            for n in range(60)
        ]
        with clock(document(triggers), fake) as running:
            running.wait_for("run.finished", count=60, timeout_s=200)
            outcomes = {
                e["outcome"] for e in running.events() if e["event"] == "run.finished"
            }
        made = fake.get("/_fake/requests")
    counted = [
        r for r in made if "/rate-limits" not in r["path"] and "/_" not in r["path"]
    ]
    api = [r for r in counted if r["path"].startswith(("/apps", "/account"))]
    print(f"requests: {len(api)} for 60 runs = {len(api) / 60:.2f} per run; {outcomes}")


FIGURES = {"lag": lag, "start": start, "idle": idle, "requests": requests}

if __name__ == "__main__":
    for name in sys.argv[1:] or FIGURES:
        print(f"== {name}", flush=True)
        FIGURES[name]()
