"""Part 8: where each microsecond of the worker goes, by clocks in its process."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.bench import PRESETS, Bench, profiles
from benchmarks.speed.parts.throughput import run_peer
from benchmarks.speed.peers import FLOOR
from benchmarks.speed.readings import fill
from benchmarks.speed.table import Kept, blocks, grid
from benchmarks.speed.worker import Worker, path_of_modules

READINGS = 2_000_000
SERIES = 1_000
TOPIC = "profile-readings"
COMMAND = (sys.executable, "-m", "benchmarks.speed.budget")
BOOK_SECONDS = 30.0
Book = dict[str, Any]

# The rows of the page: what is booked under these names by ``budget`` belongs together.
ROWS = {
    "decode": ("decode",),
    "route": ("route",),
    "learn": ("learn",),
    "encode": ("encode", "outputs"),
    "produce": ("produce",),
    "checkpoint": ("copy", "task Holdings._checkpoint", "task AbstractConnection."),
}
POLLING = "_execute_task"  # Faust's services: in its consumer's thread, the fetching one


def measure(bench: Bench) -> dict[str, Any]:
    """Book both presets, and measure the floor on the same readings before, between and after."""
    count = bench.readings(READINGS)
    bench.topics.make(TOPIC)
    fill(bench.servers.bootstrap, TOPIC, count, SERIES)
    floors = [run_peer(bench, FLOOR, TOPIC, count).cpu_us]
    found = {}
    for preset in PRESETS:
        found[preset] = _booked(bench, preset, count)
        floors.append(run_peer(bench, FLOOR, TOPIC, count).cpu_us)
    bench.topics.delete(TOPIC)
    return {"floor_us": median(floors), "presets": found}


def _booked(bench: Bench, preset: str, count: int) -> dict[str, Any]:
    path = bench.new_folder() / "book.json"
    books: list[Book] = []
    metrics: list[dict[str, float]] = []

    def look() -> None:
        books.append(read_book(worker.pid, path))
        metrics.append(worker.metrics())

    settings = {**profiles(preset), "HEDGEROW_BENCH_BOOK": str(path), **path_of_modules()}
    with Worker(bench.servers, TOPIC, bench.folder, settings=settings, command=COMMAND) as worker:
        worker.wait_ready()
        run = bench.watcher.follow(
            worker.child, worker.predictions, count,
            progress=bench.task(f"booking {preset}", count), at_begin=look, at_end=look,
        )  # fmt: skip
    bench.topics.delete(*worker.outputs)
    return {
        "run": asdict(run),
        "budget": budget(books[0], books[1], run.readings),
        "steps": steps(books[0], books[1], run.readings),
        "live": live_stages(metrics[0], metrics[1], run.readings),
    }


def read_book(pid: int, path: Path) -> Book:
    """Ask a booking worker for its book."""
    path.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + BOOK_SECONDS
    while not path.is_file():
        if time.monotonic() > deadline:
            raise RuntimeError(f"process {pid} wrote no book to {path}")
        time.sleep(0.02)
    book: Book = json.loads(path.read_text("utf-8"))
    return book


def steps(begin: Book, end: Book, readings: int) -> dict[str, dict[str, float]]:
    """Return µs a reading of every step booked, by thread."""
    found: dict[str, dict[str, float]] = {}
    before = {ledger["thread"]: ledger["spent"] for ledger in begin["ledgers"]}
    for ledger in end["ledgers"]:
        was = before.get(ledger["thread"], {})
        spent = {
            step: (ns - was.get(step, 0)) / readings / 1e3 for step, ns in ledger["spent"].items()
        }
        found[ledger["thread"]] = dict(sorted(spent.items(), key=lambda pair: -pair[1]))
    return found


def budget(begin: Book, end: Book, readings: int) -> dict[str, float]:
    """Return µs a reading by row of the page; they add up to the process's CPU time.

    Examples
    --------
    >>> def book(ns):
    ...     ledger = {"thread": "MainThread", "spent": {"decode": ns}}
    ...     return {"process": 5 * ns, "threads": {"MainThread": 2 * ns, "rdk:broker": 3 * ns},
    ...             "ledgers": [ledger]}
    >>> found = budget(book(0), book(1000), 1)
    >>> found["decode"], found["librdkafka"], found["event loop and the rest"]
    (1.0, 3.0, 1.0)
    """
    booked: dict[str, float] = {}
    polling = 0.0
    for thread, spent in steps(begin, end, readings).items():
        for step, us in spent.items():
            booked[step] = booked.get(step, 0.0) + us
            if POLLING in step and thread != "MainThread":
                polling += us
    rows = {"poll": polling}
    for row, names in ROWS.items():
        rows[row] = sum(us for step, us in booked.items() if step.startswith(names))
    threads = {
        name: (ns - begin["threads"].get(name, 0)) / readings / 1e3
        for name, ns in end["threads"].items()
    }
    rows["delivery reports"] = threads.get("deliveries", 0.0)
    rows["librdkafka"] = sum(us for name, us in threads.items() if name.startswith("rdk:"))
    rows["checkpoint"] += threads.get("asyncio", 0.0)  # the executor's threads: packing chunks
    total = (end["process"] - begin["process"]) / readings / 1e3
    rows["event loop and the rest"] = total - sum(rows.values())
    return rows


def live_stages(begin: dict[str, float], end: dict[str, float], readings: int) -> dict[str, float]:
    """Return µs a reading of wall time by stage, as the worker's own metrics tell.

    Examples
    --------
    >>> name = 'hedgerow_stage_seconds_total{stage="learn"}'
    >>> live_stages({name: 1.0}, {name: 3.0}, 1_000_000)
    {'learn': 2.0}
    """
    prefix = 'hedgerow_stage_seconds_total{stage="'
    return {
        name[len(prefix) : -2]: (value - begin.get(name, 0.0)) / readings * 1e6
        for name, value in end.items()
        if name.startswith(prefix)
    }


def section(part: Kept) -> str:
    """Write the budget."""
    result, floor = part["result"]["presets"], part["result"]["floor_us"]
    presets = list(result)
    first = result[presets[0]]["budget"]
    what = {
        "poll": "poll: fetching and unpacking, in Faust's consumer thread",
        "decode": "decode",
        "route": "route: which series, which row; results into columns",
        "learn": "learn: the compiled kernel",
        "encode": "encode the predictions",
        "produce": "produce: into librdkafka's queue",
        "delivery reports": "delivery reports, in a thread",
        "librdkafka": "librdkafka's own threads: compression, sockets",
        "checkpoint": "checkpoint: copying, packing, sending",
        "event loop and the rest": "event loop, Faust, everything else",
    }
    rows = [
        [what.get(row, row), *(f"{result[preset]['budget'][row]:.2f}" for preset in presets)]
        for row in first
    ]
    totals = [f"{sum(result[preset]['budget'].values()):.2f}" for preset in presets]
    rows.append(["**all**", *totals])
    besides = [
        sum(result[preset]["budget"].values()) - result[preset]["budget"]["learn"]
        for preset in presets
    ]
    rows.append(
        [
            f"all but the kernel, in floors ({floor:.2f} µs)",
            *(f"{us / floor:.2f}" for us in besides),
        ]
    )
    live = [
        [stage, *(f"{result[preset]['live'].get(stage, 0.0):.2f}" for preset in presets)]
        for stage in result[presets[0]]["live"]
    ]
    return blocks(
        "Where each microsecond goes",
        """CPU µs a reading of the worker, booked by clocks around its steps
        (`benchmarks/speed/budget.py`):""",
        grid(["", *presets], rows),
        """The same, live, as `/metrics` tells it (`hedgerow_stage_seconds_total`, wall time, µs a
        reading; poll is mostly waiting):""",
        grid(["stage", *presets], live),
    )
