"""Part 4: cost and memory by the number of series, and how soon a new owner goes on."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.bench import PRESETS, Bench, profiles
from benchmarks.speed.contest import Run
from benchmarks.speed.parts.checkpoints import row_bytes
from benchmarks.speed.parts.takeover import HOUR, take_over, told
from benchmarks.speed.readings import fill
from benchmarks.speed.table import Kept, blocks, grid
from benchmarks.speed.worker import Worker
from hedgerow.models import AlertSwitches

COUNTS = (1_000, 10_000, 100_000)
TAKEN_OVER = 100_000
READINGS = 600_000  # beyond the first slot, in which every series is new
FIVE_MINUTES = 300
PRESET = "lean"
# The least that a profile can be told to do: one horizon, one cheap expert, no alert.
SILENT = {name: False for name in ("bound", "forecast_breach", "anomaly", "drift", "stuck",
                                   "silent")}  # fmt: skip
LEAST = {"horizons": (1,), "drift": False}


def measure(bench: Bench) -> dict[str, Any]:
    """Measure every number of series, then a takeover of the most."""
    by_count = {series: _cost(bench, series) for series in map(bench.series, COUNTS)}
    least, most = min(by_count), max(by_count)
    grown = (by_count[most]["rss_mb"] - by_count[least]["rss_mb"]) * 2**20
    return {
        "preset": PRESET,
        "by_count": by_count,
        "memory_per_series": grown / (most - least),
        "row_bytes": {
            f"{preset}, {name}": row_bytes(preset, period)
            for preset in PRESETS
            for name, period in (("hourly", HOUR), ("five-minute", FIVE_MINUTES))
        }
        | {"least, hourly": row_bytes_of_least()},
        "takeover": take_over(
            bench, bench.series(TAKEN_OVER), profiles(PRESET, period_seconds=HOUR)
        ),
    }


def row_bytes_of_least() -> int:
    """Return what the state of one hourly series takes at the least.

    Examples
    --------
    >>> row_bytes_of_least() < row_bytes("lean", 3600)
    True
    """
    return row_bytes("holt", HOUR, **LEAST, alerts=AlertSwitches(**SILENT))


def _cost(bench: Bench, series: int) -> dict[str, float]:
    topic = f"scale-{series}"
    count = series + bench.readings(READINGS)
    bench.topics.make(topic)
    fill(bench.servers.bootstrap, topic, count, series, period_seconds=HOUR)
    settings = profiles(PRESET, period_seconds=HOUR)
    with Worker(bench.servers, topic, bench.folder, settings=settings) as worker:
        worker.wait_ready()
        run: Run = bench.watcher.follow(
            worker.child, worker.predictions, count, begin=series + count // 20,
            progress=bench.task(f"{series:,} series", count),
        )  # fmt: skip
    bench.topics.delete(topic, *worker.outputs)
    bench.say(f"  {series:,} series: {run.cpu_us:.1f} µs a reading, {run.rss_mb:,.0f} MB")
    return {"cpu_us": run.cpu_us, "per_second": run.per_second, "rss_mb": run.rss_mb}


def section(part: Kept) -> str:
    """Write cost, memory and takeover."""
    result = part["result"]
    first = next(iter(result["by_count"].values()))["cpu_us"]
    rows = [
        [
            f"{int(series):,}",
            f"{found['cpu_us']:.1f}",
            f"{found['cpu_us'] / first:.2f}",
            f"{found['per_second']:,.0f}",
            f"{found['rss_mb']:,.0f}",
        ]
        for series, found in result["by_count"].items()
    ]
    sizes = [[what, f"{size:,}"] for what, size in result["row_bytes"].items()]
    head = ["series", "CPU µs a reading", "× the fewest", "readings/s", "worker's memory, MB"]
    return blocks(
        "Many series",
        f"""Hourly series at `{result["preset"]}`, the same number of readings beyond each series'
        first:""",
        grid(head, rows),
        f"""One more series takes {result["memory_per_series"]:,.0f} bytes of the worker's memory.
        Of these its state, by profile (the least that can be declared: one horizon, `holt`, no
        alerts):""",
        grid(["profile", "bytes a series"], sizes),
        f"**Takeover.** {told(result['takeover'])}",
    )
