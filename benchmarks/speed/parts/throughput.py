"""Part 1: the same readings through ours, the floor and the others, alternating."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from benchmarks.speed import peers
from benchmarks.speed.bench import PRESETS, Bench, profiles
from benchmarks.speed.contest import Run, middle
from benchmarks.speed.readings import fill
from benchmarks.speed.table import Kept, blocks, grid
from benchmarks.speed.worker import SAVED, Worker

READINGS = 3_000_000  # long enough for a checkpoint of every partition at the default interval
SERIES = 1_000
TOPIC = "throughput-readings"


def measure(bench: Bench) -> dict[str, Any]:
    """Run everybody ``bench.runs`` times; the figures are medians."""
    installed = peers.install()
    count = bench.readings(READINGS)
    bench.say(f"filling a topic with {count:,} readings of {SERIES:,} series ...")
    bench.topics.make(TOPIC)
    fill(bench.servers.bootstrap, TOPIC, count, SERIES)
    runs: dict[str, list[Run]] = {}
    checkpoints: dict[str, list[float]] = {}
    missing = [peer.title for peer in peers.PEERS if peer.package not in installed]
    for number in range(bench.runs):
        for peer in (peers.FLOOR, *peers.PEERS):
            if peer.title in missing:
                continue
            run = run_peer(bench, peer, TOPIC, count)
            runs.setdefault(peer.name, []).append(run)
            _tell(bench, number, peer.title, run)
        for preset in PRESETS:
            run, saved = _ours(bench, preset, count)
            runs.setdefault(preset, []).append(run)
            checkpoints.setdefault(preset, []).append(saved)
            _tell(bench, number, f"hedgerow, {preset}", run)
    bench.topics.delete(TOPIC)
    return {
        "series": SERIES,
        "runs": {name: [asdict(run) for run in of_one] for name, of_one in runs.items()},
        "medians": {name: medians(of_one) for name, of_one in runs.items()},
        "checkpoints": checkpoints,
        "peers": installed,
        "missing": missing,
    }


def medians(runs: list[Run]) -> dict[str, float]:
    """Return the median of every figure.

    Examples
    --------
    >>> run = Run(1, 10.0, 2.0, 0.5, 1.0, 0.1, 600.0, 100.0)
    >>> medians([run])["per_second"]
    10.0
    """
    return {name: middle(runs, name) for name in asdict(runs[0])}


def run_peer(bench: Bench, peer: peers.Peer, topic_in: str, count: int) -> Run:
    """Measure a peer on a full topic, in which it gets what it can do in some seconds."""
    folder = bench.new_folder()
    topic = f"peer-{folder.name}"
    bench.topics.make(topic)
    child = peers.start(peer, bench.servers, topic_in, topic, folder)
    readings = min(count, bench.readings(peer.readings) if bench.size < 1 else peer.readings)
    try:
        return bench.watcher.follow(
            child, topic, readings, progress=bench.task(peer.title, readings)
        )
    finally:
        child.kill()
        bench.topics.delete(topic)


def _ours(bench: Bench, preset: str, count: int) -> tuple[Run, float]:
    """Return the run, and how many checkpoints fell into its window."""
    seen: list[float] = []

    def look() -> None:
        seen.append(worker.metrics().get(SAVED, 0.0))

    with Worker(bench.servers, TOPIC, bench.folder, settings=profiles(preset)) as worker:
        worker.wait_ready()
        run = bench.watcher.follow(
            worker.child, worker.predictions, count,
            progress=bench.task(f"hedgerow, {preset}", count), at_begin=look, at_end=look,
        )  # fmt: skip
    bench.topics.delete(*worker.outputs)
    return run, seen[1] - seen[0]


def _tell(bench: Bench, number: int, title: str, run: Run) -> None:
    bench.say(
        f"  run {number + 1}: {title:44} {run.cpu_us:9.1f} µs a reading {run.per_second:10,.0f}/s"
    )


def section(part: Kept) -> str:
    """Write the comparison."""
    result = part["result"]
    medians = result["medians"]
    floor = medians["floor"]["cpu_us"]
    titles = {"floor": peers.FLOOR.title, "lean": "**hedgerow, lean**",
              "accurate": "**hedgerow, accurate**"}  # fmt: skip
    titles |= {peer.name: peer.title for peer in peers.PEERS}
    order = sorted(medians, key=lambda name: medians[name]["cpu_us"])
    lean = medians["lean"]["cpu_us"]
    rows = [
        [
            titles[name],
            f"{medians[name]['cpu_us']:,.1f}",
            f"{medians[name]['system_us']:,.1f}",
            f"{medians[name]['per_second']:,.0f}",
            f"{medians[name]['cpu_us'] / floor:,.1f}",
            f"{medians[name]['cpu_us'] / lean:,.1f}",
            f"{medians[name]['record_bytes']:,.0f}",
            f"{medians[name]['readings']:,.0f}",
        ]
        for name in order
    ]
    runs = len(result["runs"]["lean"])
    ours = result["runs"]["lean"][0]["readings"]
    saved = {name: ", ".join(f"{n:.0f}" for n in of) for name, of in result["checkpoints"].items()}
    versions = ", ".join(f"{name} {number}" for name, number in result["peers"].items())
    missing = "".join(f" Not measured here: {title}." for title in result["missing"])
    head = ["", "CPU µs a reading", "of it system", "readings/s", "× floor", "× ours (lean)",
            "bytes a record", "readings"]  # fmt: skip
    return blocks(
        "One reading, end to end",
        f"""The same topic of readings ({result["series"]:,} five-minute series, 8 partitions,
        filled beforehand) through one process after the other, alternating, {runs} runs; medians.
        Ours runs as `hedgerow worker` does: experts and aggregation at three horizons, intervals,
        alerts, idempotent outputs, checkpoints to Redis every 30 s (partitions checkpointed in the
        windows of the runs: lean {saved["lean"]}; accurate {saved["accurate"]}).""",
        grid(head, rows),
        f"""Counted by the output topic's end offsets, from a tenth of the readings to the last one.
        What one reading costs a slow engine is steady, so the slow ones get fewer of the
        {ours:,}.{missing}""",
        f"""Where it is not equal: the others learn **one** horizon (ours three), with eight experts
        of one kind (`StandardScaler | LinearRegression` on eight lags, under `EWARegressor`), no
        interval and no alert, and write a record a sixth the size. The plain loop and Faust's
        dictionary lose all they have learned when the process ends. The floor learns and stores
        nothing; it writes the same fields and as many bytes as ours. Theirs: {versions}.""",
    )
