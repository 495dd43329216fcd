"""Part 2: from a reading's publication to its prediction's arrival at a consumer."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition
from numpy.typing import NDArray

from benchmarks.speed.bench import PRESETS, Bench, profiles
from benchmarks.speed.process import cpu_ns
from benchmarks.speed.readings import BEGIN
from benchmarks.speed.table import Kept, blocks, grid
from benchmarks.speed.topics import PARTITIONS
from benchmarks.speed.worker import SAVED, Worker, path_of_modules
from hedgerow.app.embedded.child import Child
from hedgerow.app.settings import KafkaSettings

RATE = 10_000
SERIES = 1_000
PERIOD_SECONDS = 300
LEAD_IN_SECONDS = 20  # periods are inferred, the broker compiles itself
SECONDS = 65  # two rounds of checkpoints at the default interval
LATE_SECONDS = 30.0
LINGER_MS = 5  # of the load: what librdkafka's producers do, and Java's since Kafka 4.0
SHORT_LINGER_MS = 1


class _Seen(msgspec.Struct):
    series: str
    issued_at: str


def measure(bench: Bench) -> dict[str, Any]:
    """Measure every preset at a steady rate."""
    return {
        "rate": RATE,
        "series": SERIES,
        "load_linger_ms": LINGER_MS,
        "worker_linger_ms": KafkaSettings().linger_ms,
        "presets": {preset: _steady(bench, preset, LINGER_MS) for preset in PRESETS},
        "short_linger_ms": SHORT_LINGER_MS,
        "short_linger": {preset: _steady(bench, preset, SHORT_LINGER_MS) for preset in PRESETS},
    }


def _steady(bench: Bench, preset: str, linger_ms: int) -> dict[str, Any]:
    seconds = max(5, round(SECONDS * bench.size)) + LEAD_IN_SECONDS
    count = RATE * seconds
    topic, folder = f"steady-{preset}-{linger_ms}", bench.new_folder()
    sent_path = folder / "sent.npy"
    bench.topics.make(topic)
    servers = bench.servers
    with Worker(servers, topic, bench.folder, settings=profiles(preset)) as worker:
        worker.wait_ready()
        arrived = np.zeros(count, np.int64)
        command = [sys.executable, "-m", "benchmarks.speed.load", servers.bootstrap, topic,
                   str(RATE), str(count), str(SERIES), str(linger_ms), str(sent_path)]  # fmt: skip
        pids = {"worker": worker.pid, "broker": servers.broker_pid, "Redis": servers.redis_pid}
        with Child("the load", command, folder / "load.log", path_of_modules()) as load:
            pids["load"] = load.pid
            watched = _Arrivals(servers.bootstrap, worker.predictions, arrived, pids)
            found = watched.until(
                count, load, bench.task(f"steady, {preset}, linger {linger_ms} ms", count)
            )
        saved = worker.metrics().get(SAVED, 0.0)
    bench.topics.delete(topic, *worker.outputs)
    sent = np.load(sent_path)
    lead_in = RATE * LEAD_IN_SECONDS
    used, wall = found
    return {
        "readings": count - lead_in,
        "missing": int((arrived == 0).sum()),
        "milliseconds": percentiles(sent[lead_in:], arrived[lead_in:]),
        "load_late_ms": round(float(lateness(sent, RATE)), 1),
        "cores": {name: ns / wall for name, ns in used.items()},
        "checkpoints": saved,
    }


class _Arrivals:
    """A consumer of predictions that notes when each came."""

    def __init__(
        self, bootstrap: str, topic: str, arrived: NDArray[np.int64], pids: dict[str, int]
    ) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "arrivals", "fetch.wait.max.ms": 100}
        )
        self._consumer.assign([TopicPartition(topic, n, 0) for n in range(PARTITIONS)])
        self._arrived = arrived
        self._pids = pids

    def until(self, count: int, load: Child, progress: Any) -> tuple[dict[str, int], int]:
        """Read until all have come; return CPU ns by process, and wall ns, after the lead-in."""
        parse = msgspec.json.Decoder(_Seen).decode
        lead_in = RATE * LEAD_IN_SECONDS
        begun: tuple[dict[str, int], int] | None = None
        now = {name: 0 for name in self._pids}
        seen, last = 0, time.monotonic_ns()
        poll, arrived = self._consumer.poll, self._arrived
        while seen < count:
            message = poll(0.1)
            moment = time.monotonic_ns()
            if message is None or message.error() is not None:
                if load.exit_code not in (None, 0) or moment - last > LATE_SECONDS * 1e9:
                    break
                continue
            last = moment
            record = parse(message.value())
            number = reading_number(record.series, record.issued_at)
            if arrived[number] == 0:  # of one that came twice the first counts
                arrived[number] = moment
                seen += 1
            if seen % RATE == 0:
                progress(seen)
            if begun is None and seen >= lead_in:
                begun = self._used(), moment
            if load.exit_code is None:  # afterwards its clock is gone
                now = now if seen % 100 else self._used()
                ended = moment
        self._consumer.close()
        if begun is None or seen < count * 0.99:
            raise RuntimeError(f"only {seen:,} of {count:,} predictions came:\n{load.log_tail()}")
        first, then = begun
        return {name: now[name] - first[name] for name in self._pids}, ended - then

    def _used(self) -> dict[str, int]:
        return {name: cpu_ns(pid) for name, pid in self._pids.items()}


def reading_number(series: str, issued_at: str) -> int:
    """Return which reading of ``readings`` a prediction answers.

    Examples
    --------
    >>> reading_number("s7", "2026-01-01T00:05:00Z")
    1007
    """
    seconds = datetime.fromisoformat(issued_at).timestamp() - BEGIN
    return int(seconds) // PERIOD_SECONDS * SERIES + int(series[1:])


def percentiles(sent: NDArray[np.int64], arrived: NDArray[np.int64]) -> dict[str, float]:
    """Return percentiles of the way, in milliseconds, of those that came.

    Examples
    --------
    >>> percentiles(np.array([0, 0]), np.array([2_000_000, 0]))["p50"]
    2.0
    """
    way = (arrived - sent)[arrived > 0] / 1e6
    return {
        "p50": float(np.percentile(way, 50)),
        "p90": float(np.percentile(way, 90)),
        "p99": float(np.percentile(way, 99)),
        "p99.9": float(np.percentile(way, 99.9)),
        "max": float(way.max()),
    }


def lateness(sent: NDArray[np.int64], rate: int) -> float:
    """Return the 99th percentile of how late the load was, in milliseconds.

    Examples
    --------
    >>> round(lateness(np.array([0, 100_000, 200_000]), 10_000), 3)
    0.0
    """
    due = sent[0] + np.arange(len(sent)) * 1_000_000_000 // rate
    return float(np.percentile(np.maximum(sent - due, 0), 99) / 1e6)


def section(part: Kept) -> str:
    """Write the percentiles."""
    result = part["result"]
    short = f", linger {result['short_linger_ms']} ms"
    measured = result["presets"] | {p + short: f for p, f in result["short_linger"].items()}
    names = ("p50", "p90", "p99", "p99.9", "max")
    rows = [
        [
            what,
            *(f"{found['milliseconds'][name]:.1f}" for name in names),
            f"{found['readings']:,}",
            f"{found['checkpoints']:.0f}",
            f"{found['load_late_ms']:.1f}",
        ]
        for what, found in measured.items()
    ]
    cores = [
        [what, *(f"{share:.2f}" for share in found["cores"].values())]
        for what, found in measured.items()
    ]
    processes = list(next(iter(measured.values()))["cores"])
    return blocks(
        "Latency",
        f"""From the moment a reading is handed to a producer to the moment a consumer has its
        prediction, at a steady {result["rate"]:,} readings a second of {result["series"]:,} series.
        The load's producer lingers for {result["load_linger_ms"]} ms, as Kafka's own clients do
        (Java's since 4.0, librdkafka's), then for {result["short_linger_ms"]} ms, which makes
        several times as many requests of the broker; the worker's for
        {result["worker_linger_ms"]:g} ms. Checkpoints at the default interval. Milliseconds:""",
        grid(["", *names, "readings", "checkpoints", "load late, p99"], rows),
        "Cores taken meanwhile, all of them the same ones:",
        grid(["", *processes], cores),
    )
