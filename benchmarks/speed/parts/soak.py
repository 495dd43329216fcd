"""Part 7: many readings through one worker; does its memory stay flat?"""

from __future__ import annotations

import threading
import time
from typing import Any

from benchmarks.speed.bench import Bench, profiles
from benchmarks.speed.process import rss_bytes
from benchmarks.speed.readings import fill
from benchmarks.speed.table import Kept, blocks, percent
from benchmarks.speed.worker import Worker

SERIES = 1_000
TRANCHE = 500_000  # written ahead of the worker, so that the broker need not hold all of it
AHEAD = 2
TOPIC = "soak-readings"
PAGE_READINGS = 20_000_000


def measure(bench: Bench) -> dict[str, Any]:
    """Feed a worker tranche by tranche; note its memory at the end of each."""
    count = bench.soak or PAGE_READINGS
    tranches = max(4, count // TRANCHE)
    bench.topics.make(TOPIC)
    progress = bench.task("soak", tranches * TRANCHE)
    written = threading.Semaphore(AHEAD)
    failure: list[BaseException] = []

    def write() -> None:
        try:
            for number in range(tranches):
                written.acquire()
                fill(bench.servers.bootstrap, TOPIC, TRANCHE, SERIES, first=number * TRANCHE)
        except BaseException as error:
            failure.append(error)
            raise

    began = time.monotonic()
    memory: list[float] = []
    with Worker(bench.servers, TOPIC, bench.folder, settings=profiles("lean")) as worker:
        worker.wait_ready()
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        for number in range(tranches):
            bench.watcher.wait(worker.child, worker.predictions, (number + 1) * TRANCHE, progress)
            memory.append(rss_bytes(worker.pid) / 2**20)
            written.release()
        writer.join()
    if failure:
        raise failure[0]
    bench.topics.delete(TOPIC, *worker.outputs)
    return {
        "readings": tranches * TRANCHE,
        "seconds": time.monotonic() - began,
        "memory_mb": memory,
        "grown": growth(memory),
    }


def growth(memory: list[float]) -> float:
    """Return by which share memory grew from the first quarter's end to the last tranche.

    Examples
    --------
    >>> growth([50.0, 100.0, 101.0, 100.0, 102.0, 102.0, 103.0, 104.0])
    0.04
    """
    settled = memory[len(memory) // 4 - 1 if len(memory) >= 4 else 0]
    return round(max(memory[len(memory) // 4 :]) / settled - 1.0, 4)


def section(part: Kept) -> str:
    """Write what became of the memory."""
    result = part["result"]
    memory = result["memory_mb"]
    quarters = [memory[len(memory) * n // 4 - 1] for n in (1, 2, 3, 4)]
    return blocks(
        "Soak",
        f"""{result["readings"]:,} readings of {SERIES:,} series through one worker in
        {result["seconds"] / 60:.0f} minutes. Its memory after each quarter:
        {", ".join(f"{mb:,.0f}" for mb in quarters)} MB; at most {percent(result["grown"])} above
        the first of these.""",
    )
