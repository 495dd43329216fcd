"""Part 4, the far end: a million series at the least profile, in one worker."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.bench import Bench, profiles
from benchmarks.speed.parts.scale import LEAST, SILENT, row_bytes_of_least
from benchmarks.speed.parts.takeover import HOUR, take_over, told
from benchmarks.speed.readings import fill
from benchmarks.speed.table import Kept, blocks
from benchmarks.speed.worker import Worker

SERIES = 1_000_000
READINGS = 1_000_000  # beyond the first of each series
TOPIC = "million-readings"
ROOM = {
    "HEDGEROW_INPUT__MAX_SERIES": "200000",  # of a partition
    "HEDGEROW_CHECKPOINT__INTERVAL_SECONDS": "3600",  # what a reading costs is asked here
}


def measure(bench: Bench) -> dict[str, Any]:
    """Let one worker learn a million series, then time a takeover of as many."""
    series = bench.series(SERIES, least=1_000)
    count = series + bench.readings(READINGS)
    bench.topics.make(TOPIC)
    fill(bench.servers.bootstrap, TOPIC, count, series, period_seconds=HOUR)
    settings = profiles("holt", period_seconds=HOUR, alerts=SILENT, **LEAST) | ROOM
    with Worker(bench.servers, TOPIC, bench.folder, settings=settings) as worker:
        worker.wait_ready()
        run = bench.watcher.follow(
            worker.child, worker.predictions, count, begin=series + count // 20,
            progress=bench.task(f"{series:,} series", count),
        )  # fmt: skip
        worker.child.kill()  # nothing is to be saved of it
    bench.topics.delete(TOPIC, *worker.outputs)
    return {
        "series": series,
        "row_bytes": row_bytes_of_least(),
        "cpu_us": run.cpu_us,
        "per_second": run.per_second,
        "rss_mb": run.rss_mb,
        "takeover": take_over(bench, series, settings),
    }


def section(part: Kept) -> str:
    """Write what a reading costs there."""
    result = part["result"]
    return blocks(
        "A million series",
        f"""{result["series"]:,} hourly series in one worker at the least profile (one horizon,
        `holt`, no alerts; {result["row_bytes"]:,} bytes of state a series):
        {result["cpu_us"]:.1f} µs a reading, {result["per_second"]:,.0f} readings/s,
        {result["rss_mb"] / 1024:.1f} GB of memory. No checkpoint fell into the window.""",
        f"**Takeover.** {told(result['takeover'])}",
    )
