"""Part 5: two workers against one, by CPU time, on a topic that was filled beforehand."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.speed.bench import Bench, profiles
from benchmarks.speed.process import cpu_ns
from benchmarks.speed.readings import fill
from benchmarks.speed.table import Kept, blocks, grid
from benchmarks.speed.worker import Worker

READINGS = 1_500_000
SERIES = 1_000
TOPIC = "two-readings"


def measure(bench: Bench) -> dict[str, Any]:
    """Count what one worker, and two together, learn in a second of their CPU time."""
    count = bench.readings(READINGS)
    bench.topics.make(TOPIC)
    fill(bench.servers.bootstrap, TOPIC, count, SERIES)
    found = {str(number): _together(bench, number, count) for number in (1, 2)}
    bench.topics.delete(TOPIC)
    return {"readings": count, "workers": found}


def _together(bench: Bench, number: int, count: int) -> dict[str, float]:
    settings = profiles("lean")
    workers: list[Worker] = []
    try:
        for _ in range(number):
            name = workers[0].name if workers else ""
            workers.append(Worker(bench.servers, TOPIC, bench.folder, name=name, settings=settings))
        for worker in workers:
            worker.wait_ready()
        topic = workers[0].predictions
        first = workers[0].child
        bench.watcher.wait(first, topic, count // 5)
        begin, began = bench.topics.count(topic), time.monotonic()
        spent = [cpu_ns(worker.pid) for worker in workers]
        bench.watcher.wait(first, topic, count * 9 // 10)  # no one is idle at the end
        end, ended = bench.topics.count(topic), time.monotonic()
        used = [cpu_ns(w.pid) - was for w, was in zip(workers, spent, strict=True)]
        held = [worker.metrics()["hedgerow_partitions"] for worker in workers]
    finally:
        for worker in workers:
            worker.child.stop(30.0)
    bench.topics.delete(*workers[0].outputs)
    done = end - begin
    return {
        "cpu_us": sum(used) / done / 1e3,
        "per_cpu_second": done / (sum(used) / number / 1e9),
        "per_second": done / (ended - began),
        "partitions": min(held),
    }


def section(part: Kept) -> str:
    """Write what two carry."""
    workers = part["result"]["workers"]
    one, two = workers["1"], workers["2"]
    rows = [
        [name, f"{found['cpu_us']:.1f}", f"{found['per_cpu_second']:,.0f}",
         f"{found['per_second']:,.0f}", f"{found['partitions']:.0f}"]
        for name, found in workers.items()
    ]  # fmt: skip
    share = two["per_cpu_second"] / one["per_cpu_second"]
    head = ["workers", "CPU µs a reading", "readings a CPU second of each", "readings/s here",
            "partitions each"]  # fmt: skip
    return blocks(
        "Two workers",
        f"""The topic was filled beforehand ({part["result"]["readings"]:,} readings): the load is
        no one's work. But broker and workers share the cores here, so what two carry is told by CPU
        time: readings learned in a second in which each of them had a core.""",
        grid(head, rows),
        f"Two carry **{share:.2f} times** the load of one.",
    )
