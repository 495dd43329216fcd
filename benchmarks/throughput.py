"""Readings per second, end to end: one worker, fed from a full topic.

The same readings go through two workers, one after the other, on the same broker:

- ``hedgerow``: the worker as it is run, batch transport, state in Redis, checkpoints on;
- ``stock``: the same decoder, the same learner and the same producer behind an agent of
  Faust as it comes, one event for each message, state in memory only.

Counted from the first tenth of the predictions to the last one, as a consumer counts them;
CPU is the worker process's own (user + system) over the same stretch. Example::

    python benchmarks/throughput.py --readings 400000
    python benchmarks/throughput.py --bootstrap localhost:9092 --redis redis://localhost
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from confluent_kafka import Consumer, Producer, TopicPartition
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hedgerow.app.broker.topic_admin import ensure_topics
from hedgerow.app.embedded.servers import EmbeddedStack
from hedgerow.app.settings import Settings

HERE = Path(__file__).parent
PARTITIONS = 8
STALL_SECONDS = 120.0
TICKS = os.sysconf("SC_CLK_TCK")
console = Console()


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of one worker reached."""

    worker: str
    readings: int
    readings_per_second: float
    cpu_us_per_reading: float


def main(
    readings: Annotated[int, typer.Option(help="Readings for hedgerow.")] = 400_000,
    stock_readings: Annotated[int, typer.Option(help="Readings for stock Faust.")] = 20_000,
    series: Annotated[int, typer.Option(help="Series they belong to.")] = 1_000,
    runs: Annotated[int, typer.Option(help="Alternating runs of each.")] = 3,
    bootstrap: Annotated[str, typer.Option(help="Brokers; embedded ones if empty.")] = "",
    redis: Annotated[str, typer.Option(help="Redis URL; an embedded one if empty.")] = "",
    out: Annotated[Path, typer.Option(help="Where the results go, as JSON.")] = Path(
        "build/bench/throughput.json"
    ),
) -> None:
    """Measure both, alternating, and print the medians side by side."""
    results: list[Result] = []
    with ExitStack() as stack:
        if not (bootstrap and redis):
            embedded = stack.enter_context(EmbeddedStack())
            bootstrap = bootstrap or embedded.bootstrap_servers
            redis = redis or embedded.redis_url
        for _ in range(runs):
            results.append(_run("hedgerow", readings, series, bootstrap, redis))
            results.append(_run("stock", stock_readings, series, bootstrap, redis))
    _report(results, out)


def _run(worker: str, readings: int, series: int, bootstrap: str, redis: str) -> Result:
    name = uuid.uuid4().hex[:8]
    settings = {
        "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "HEDGEROW_REDIS__URL": redis,
        "HEDGEROW_GROUP": f"bench-{name}",
        "HEDGEROW_TOPICS__READINGS": f"readings-{name}",
        "HEDGEROW_TOPICS__PREDICTIONS": f"predictions-{name}",
        "HEDGEROW_TOPICS__ALERTS": f"alerts-{name}",
        "HEDGEROW_TOPICS__DEAD_LETTERS": f"dead-letters-{name}",
        "HEDGEROW_TOPICS__PARTITIONS": str(PARTITIONS),
        "HEDGEROW_HTTP__PORT": "0",
    }
    os.environ.update(settings)
    ensure_topics(Settings())
    _fill(bootstrap, f"readings-{name}", readings, series)
    command = (
        [sys.executable, "-m", "hedgerow", "worker"]
        if worker == "hedgerow"
        else [sys.executable, str(HERE / "stock_faust.py")]
    )
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
        try:
            return _watch(worker, process, bootstrap, f"predictions-{name}", readings)
        except RuntimeError:
            log.seek(0)
            console.print(log.read().decode(errors="replace")[-3000:], markup=False)
            raise
        finally:
            process.terminate()
            process.wait(30)


def _fill(bootstrap: str, topic: str, readings: int, series: int) -> None:
    """Write five-minute readings of many series, one after the other as a city would."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for number in range(readings):
        sensor, slot = number % series, number // series
        seconds = 1_767_225_600 + 300 * slot
        value = 50 + 30 * ((slot % 288) / 288) + (number * 7919 % 101) / 10
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
        producer.produce(
            topic,
            key=f"s{sensor}",
            value=f'{{"sensor_id": "s{sensor}", "timestamp": "{stamp}", "value": {value:.2f}}}',
        )
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush()


def _watch(
    worker: str, process: subprocess.Popen[bytes], bootstrap: str, topic: str, readings: int
) -> Result:
    """Follow the number of predictions and the process's CPU time from a tenth to the end."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    began: tuple[int, float, float] | None = None
    last_change, count = time.monotonic(), 0
    try:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), console=console, transient=True,
        ) as bar:  # fmt: skip
            task = bar.add_task(worker, total=readings)
            while True:
                arrived, now = len(consumer.consume(20_000, timeout=0.05)), time.monotonic()
                count += arrived
                bar.update(task, completed=count)
                if began is None and count >= readings / 10:
                    began = count, now, _cpu_seconds(process.pid)
                if began is not None and count >= readings:
                    first, then, cpu = began
                    done = count - first
                    return Result(
                        worker,
                        readings,
                        done / (now - then),
                        (_cpu_seconds(process.pid) - cpu) / done * 1e6,
                    )
                if arrived:
                    last_change = now
                if process.poll() is not None or now - last_change > STALL_SECONDS:
                    raise RuntimeError(f"{worker} stopped at {count} of {readings} predictions")
    finally:
        consumer.close()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _report(results: list[Result], out: Path) -> None:
    table = Table(title="One worker, end to end (medians)")
    for column in ("worker", "readings/s", "CPU µs a reading", "readings", "runs"):
        table.add_column(column, justify="left" if column == "worker" else "right")
    speed = {}
    for worker in ("hedgerow", "stock"):
        mine = [result for result in results if result.worker == worker]
        speed[worker] = median(result.readings_per_second for result in mine)
        cpu = median(result.cpu_us_per_reading for result in mine)
        table.add_row(
            worker, f"{speed[worker]:,.0f}", f"{cpu:.1f}", f"{mine[0].readings:,}", str(len(mine))
        )
    console.print(table)
    console.print(f"hedgerow is {speed['hedgerow'] / speed['stock']:.0f} times as fast")
    out.parent.mkdir(parents=True, exist_ok=True)
    packages = ("hedgerow", "faust-streaming", "aiokafka", "confluent-kafka", "numba", "numpy")
    out.write_text(
        json.dumps(
            {
                "python": platform.python_version(),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "versions": {name: version(name) for name in packages},
                "results": [asdict(result) for result in results],
            },
            indent=2,
        )
    )
    console.print(f"written to {out}")


if __name__ == "__main__":
    typer.run(main)
