"""``make bench-guard``: has a reading become dearer? Under a minute, for CI.

Machines differ, so nothing is compared in microseconds: the worker's CPU time a reading is taken in
floors, measured in the same run, and compared with the ratio recorded beside this file. Change on
purpose: ``make bench-guard ARGS=--record``, and commit what it wrote.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.speed import peers
from benchmarks.speed.bench import Bench, profiles
from benchmarks.speed.contest import Run, Watcher
from benchmarks.speed.readings import fill
from benchmarks.speed.servers import servers
from benchmarks.speed.topics import Topics
from benchmarks.speed.worker import Worker

RECORDED = Path(__file__).with_name("recorded.json")
PRESET = "lean"
READINGS = 150_000
SERIES = 500
PAIRS = 3
MORE = 1.25  # a busy machine shifts the ratio by a tenth
TOPIC = "guard-readings"


def main(
    record: Annotated[
        bool, typer.Option("--record", help="Write today's ratio down as the one to keep.")
    ] = False,
    embedded: Annotated[bool, typer.Option("--embedded", help="On the embedded broker.")] = False,
) -> None:
    """Fail if a reading costs a quarter more floors than was recorded."""
    console = Console(highlight=False)
    with (
        servers(embedded=embedded) as running,
        tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as folder,
        Progress(console=console, disable=True) as bar,
    ):
        topics = Topics(running.bootstrap, exact_ends=running.real)
        watcher = Watcher(topics, running.broker_pid, running.redis_pid)
        bench = Bench(running, topics, watcher, Path(folder), console, bar)
        topics.make(TOPIC)
        fill(running.bootstrap, TOPIC, READINGS, SERIES)
        pairs = [(_floor(bench), _ours(bench)) for _ in range(PAIRS)]
    for floor, ours in pairs:
        console.print(f"floor {floor.cpu_us:5.2f} µs, hedgerow {ours.cpu_us:6.2f} µs a reading")
    ratio = round(median(ours.cpu_us / floor.cpu_us for floor, ours in pairs), 2)
    if record:
        RECORDED.write_text(json.dumps({PRESET: ratio}) + "\n", "utf-8")
    verdict = judge(ratio, json.loads(RECORDED.read_text("utf-8"))[PRESET])
    console.print(verdict or f"{ratio} floors a reading: no dearer than recorded")
    if verdict:
        raise typer.Exit(1)


def judge(ratio: float, recorded: float) -> str | None:
    """Say what is wrong with a ratio, ``None`` if nothing is.

    Examples
    --------
    >>> judge(2.5, 2.4) is None
    True
    >>> judge(3.1, 2.4)
    'a reading costs 3.1 floors, 29 % more than the recorded 2.4; at most 25 % more is allowed'
    """
    if ratio <= recorded * MORE:
        return None
    return (
        f"a reading costs {ratio} floors, {ratio / recorded - 1:.0%} more than the recorded "
        f"{recorded}; at most {MORE - 1:.0%} more is allowed"
    ).replace("%", " %")


def _floor(bench: Bench) -> Run:
    folder = bench.new_folder()
    topic = f"floor-{folder.name}"
    bench.topics.make(topic)
    child = peers.start(peers.FLOOR, bench.servers, TOPIC, topic, folder)
    try:
        return bench.watcher.follow(child, topic, READINGS)
    finally:
        child.kill()


def _ours(bench: Bench) -> Run:
    with Worker(bench.servers, TOPIC, bench.folder, settings=profiles(PRESET)) as worker:
        worker.wait_ready()
        return bench.watcher.follow(worker.child, worker.predictions, READINGS)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
