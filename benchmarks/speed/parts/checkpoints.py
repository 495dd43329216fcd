"""Part 3: what checkpoints cost the loop, how long they stop it, what they take in Redis."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Self

import redis

from benchmarks.speed.bench import PRESETS, Bench, profiles
from benchmarks.speed.parts import profile
from benchmarks.speed.readings import fill
from benchmarks.speed.table import Kept, blocks, grid, percent
from benchmarks.speed.topics import PARTITIONS
from benchmarks.speed.worker import SAVED, Worker, path_of_modules
from hedgerow.app.settings import CheckpointSettings
from hedgerow.models import Profile
from hedgerow.models.bank.bank import Bank
from hedgerow.models.zone import zone_table

SERIES = 10_000
READINGS = 1_500_000
PERIOD_SECONDS = 300
INTERVAL_SECONDS = 10.0  # several rounds in the time of one; the share is scaled to the default
SAMPLE_SECONDS = 0.02
TOPIC = "checkpoint-readings"


def measure(bench: Bench) -> dict[str, Any]:
    """Book a worker of many series that checkpoints often; watch Redis meanwhile."""
    count = bench.readings(READINGS)
    bench.topics.make(TOPIC)
    fill(bench.servers.bootstrap, TOPIC, count, SERIES, period_seconds=PERIOD_SECONDS)
    found = {preset: _booked(bench, preset, count) for preset in PRESETS}
    bench.topics.delete(TOPIC)
    return {
        "series": SERIES,
        "interval_seconds": INTERVAL_SECONDS,
        "default_interval_seconds": CheckpointSettings().interval_seconds,
        "presets": found,
    }


def _booked(bench: Bench, preset: str, count: int) -> dict[str, Any]:
    path = bench.new_folder() / "book.json"
    books: list[profile.Book] = []
    metrics: list[dict[str, float]] = []

    def look() -> None:
        books.append(profile.read_book(worker.pid, path))
        metrics.append(worker.metrics())

    settings = {
        **profiles(preset, period_seconds=PERIOD_SECONDS),
        **path_of_modules(),
        "HEDGEROW_CHECKPOINT__INTERVAL_SECONDS": str(INTERVAL_SECONDS),
        "HEDGEROW_BENCH_BOOK": str(path),
    }
    server = redis.Redis.from_url(bench.servers.redis_url)
    server.flushdb()
    before = used_memory(server)
    with (
        Worker(
            bench.servers, TOPIC, bench.folder, settings=settings, command=profile.COMMAND
        ) as worker,
        PeakMemory(bench.servers.redis_url) as peak,
    ):
        worker.wait_ready()
        run = bench.watcher.follow(
            worker.child, worker.predictions, count,
            progress=bench.task(f"checkpoints, {preset}", count), at_begin=look, at_end=look,
        )  # fmt: skip
        time.sleep(2.5 * INTERVAL_SECONDS)  # nothing new: the last round is written, then rest
        steady = used_memory(server) - before
    keys = sum(server.memory_usage(key) or 0 for key in server.scan_iter(count=1_000))
    server.flushdb()
    server.close()
    bench.topics.delete(*worker.outputs)
    return {
        **shares(books, metrics, run.readings),
        "per_second": run.per_second,
        "cpu_us": run.cpu_us,
        "own_bytes": row_bytes(preset, PERIOD_SECONDS) * SERIES,
        "steady_bytes": steady,
        "key_bytes": keys,
        "peak_bytes": peak.bytes - before,
    }


def shares(
    books: list[profile.Book], metrics: list[dict[str, float]], readings: int
) -> dict[str, float]:
    """Return what the rounds in a window took of the worker, and their longest stops."""
    begin, end = books
    budget = profile.budget(begin, end, readings)
    before, after = (found.get(SAVED, 0.0) for found in metrics)
    longest = {
        step: ns / 1e6
        for ledger in end["ledgers"]
        if ledger["thread"] == "MainThread"
        for step, ns in ledger["longest"].items()
    }
    return {
        "partitions_saved": after - before,
        "cpu_seconds": budget["checkpoint"] * readings / 1e6,
        "longest_copy_ms": longest.get("copy", 0.0),
        "longest_callback_ms": max(
            (ms for step, ms in longest.items() if "heckpoint" in step), default=0.0
        ),
        "longest_batch_ms": longest.get("agent", 0.0),
    }


def row_bytes(preset: str, period_seconds: int, **more: Any) -> int:
    """Return what the state of one series takes in a worker's memory.

    Examples
    --------
    >>> row_bytes("lean", 3600) < row_bytes("accurate", 3600)
    True
    """
    chosen = Profile("any", period_seconds=period_seconds, experts=(preset,), **more)
    layout = Bank(chosen, period_seconds * 1000, zone_table("UTC")).layout
    return int(layout.blank.nbytes + layout.blank_single.nbytes)


def used_memory(server: redis.Redis) -> int:
    """Return what a Redis holds."""
    return int(server.info("memory")["used_memory"])


class PeakMemory:
    """The most that a Redis held during a ``with`` block, looked at fifty times a second."""

    def __init__(self, url: str) -> None:
        self._server = redis.Redis.from_url(url)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.bytes = 0

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self.bytes = max(self.bytes, used_memory(self._server))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._server.close()


def section(part: Kept) -> str:
    """Write the costs."""
    result = part["result"]
    series, every = result["series"], result["default_interval_seconds"]
    rows, stored = [], []
    for preset, found in result["presets"].items():
        rounds = found["partitions_saved"] / PARTITIONS
        of_round = found["cpu_seconds"] / rounds if rounds else float("nan")
        own = found["own_bytes"]
        rows.append(
            [
                preset,
                f"{rounds:.1f}",
                f"{of_round * 1000:,.0f}",
                percent(of_round / every),
                f"{found['longest_copy_ms']:.1f}",
                f"{found['longest_callback_ms']:.1f}",
                f"{found['longest_batch_ms']:.1f}",
            ]
        )
        stored.append(
            [
                preset,
                f"{own / series:,.0f}",
                f"{found['key_bytes'] / series:,.0f}",
                f"{found['key_bytes'] / own:.2f}",
                f"{found['steady_bytes'] / own:.2f}",
                f"{found['peak_bytes'] / own:.2f}",
            ]
        )
    head = ["", "rounds", "CPU ms a round", f"share every {every:g} s", "longest slice",
            "longest of checkpoints", "longest batch"]  # fmt: skip
    return blocks(
        "Checkpoints",
        f"""{series:,} five-minute series in {PARTITIONS} partitions, all of them changed between
        two checkpoints, so that each writes all. Taken every {result["interval_seconds"]:g} s
        here, to see several; a round (all partitions) costs the same at the default of {every:g} s,
        and its share of a core is told for that. Longest stops of the event loop in milliseconds
        of wall time: one slice of a copy; any callback of checkpoints; for scale, one batch
        of readings.""",
        grid(head, rows),
        """Redis keeps two generations, the newest and the one before. Bytes of a series, and how
        many times the state's own size that is:""",
        grid(["", "own", "in Redis", "× own, keys", "× own, steady", "× own, peak"], stored),
    )
