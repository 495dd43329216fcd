"""Part 6: from the command to the first prediction, nothing to load, kernels compiled."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from benchmarks.speed.bench import Bench, profiles
from benchmarks.speed.process import cpu_ns
from benchmarks.speed.readings import fill
from benchmarks.speed.table import Kept, blocks
from benchmarks.speed.worker import Worker

SERIES = 100
READINGS = 10_000
TIMES = 5
TOPIC = "start-readings"
POLL_SECONDS = 0.01


def measure(bench: Bench) -> dict[str, Any]:
    """Start a worker some times on a full topic; output topics are made beforehand."""
    bench.topics.make(TOPIC)
    fill(bench.servers.bootstrap, TOPIC, READINGS, SERIES)
    found = [_start(bench) for _ in range(TIMES)]
    bench.topics.delete(TOPIC)
    return {
        "times": found,
        "ready": median(one["ready"] for one in found),
        "first": median(one["first"] for one in found),
        "cpu": median(one["cpu"] for one in found),
    }


def _start(bench: Bench) -> dict[str, float]:
    name = bench.new_folder().name
    outputs = [f"{kind}-{name}" for kind in ("predictions", "alerts", "dead-letters")]
    bench.topics.make(*outputs)
    bench.topics.count(outputs[0])
    began = time.monotonic()
    with Worker(bench.servers, TOPIC, bench.folder, name=name, settings=profiles("lean")) as worker:
        ready = 0.0
        while bench.topics.count(outputs[0]) == 0:
            worker.check(began + 120.0)
            if not ready and worker.is_ready():
                ready = time.monotonic() - began
            time.sleep(POLL_SECONDS)
        first = time.monotonic() - began
        cpu = cpu_ns(worker.pid) / 1e9
    bench.topics.delete(*outputs)
    return {"ready": ready or first, "first": first, "cpu": cpu}


def section(part: Kept) -> str:
    """Write how long a start takes."""
    result = part["result"]
    firsts = ", ".join(f"{one['first']:.1f}" for one in result["times"])
    return blocks(
        "Start",
        f"""From the command to the first prediction in the topic, no state to load, kernels
        compiled before (`numba`'s cache), the broker's initial rebalance delay 0:
        **{result["first"]:.1f} s**, median of {len(result["times"])} ({firsts}), of which
        {result["cpu"]:.1f} s are CPU time.""",
    )
