"""How soon a new owner of partitions goes on with what another worker has learned of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.speed.bench import Bench
from benchmarks.speed.parts import profile
from benchmarks.speed.readings import fill
from benchmarks.speed.worker import Worker, path_of_modules

HOUR = 3_600
SLOTS = 3
SAVED_SECONDS = 600.0
OFTEN = {"HEDGEROW_CHECKPOINT__INTERVAL_SECONDS": "5"}


def take_over(bench: Bench, series: int, settings: Mapping[str, str]) -> dict[str, float]:
    """Let one worker learn and save; time another one from its assignment to its first word.

    Parameters
    ----------
    series : int
        Hourly ones.
    settings : mapping
        Of both workers.
    """
    topic, later = f"takeover-{series}", f"takeover-{series}-predictions"
    bench.topics.make(topic, later)
    fill(bench.servers.bootstrap, topic, SLOTS * series, series, period_seconds=HOUR)
    with Worker(bench.servers, topic, bench.folder, settings={**settings, **OFTEN}) as first:
        first.wait_ready()
        bench.watcher.wait(first.child, first.predictions, SLOTS * series)
        _wait_saved(first)
    fill(bench.servers.bootstrap, topic, series, series, period_seconds=HOUR,
         first=SLOTS * series)  # fmt: skip
    book = bench.new_folder() / "book.json"
    second_settings = {
        **settings,
        **path_of_modules(),
        "HEDGEROW_BENCH_BOOK": str(book),
        "HEDGEROW_TOPICS__PREDICTIONS": later,
    }
    with Worker(
        bench.servers, topic, bench.folder, name=first.name, settings=second_settings,
        command=profile.COMMAND,
    ) as second:  # fmt: skip
        spawned = time.time()
        bench.watcher.wait(second.child, later, 1)
        seen = time.time()
        assigned = profile.read_book(second.pid, book)["marks"]["assign"][0]
        bench.watcher.wait(second.child, later, series)
        caught_up = time.time()
        restored = _restored(second.child.log)
    bench.topics.delete(topic, later, *first.outputs)
    found = {
        "series": float(series),
        "restored": float(restored),
        "assigned_to_first": seen - assigned,
        "spawned_to_first": seen - spawned,
        "assigned_to_all": caught_up - assigned,
    }
    bench.say(f"  takeover of {series:,} series: {found['assigned_to_first']:.1f} s")
    return found


def told(found: Mapping[str, float]) -> str:
    """Put a takeover into words."""
    return f"""A worker ends whose {found["series"]:,.0f} series are in Redis
        ({found["restored"]:,.0f} were restored): the next one publishes its first prediction
        **{found["assigned_to_first"]:.1f} s** after the partitions were assigned to it,
        {found["spawned_to_first"]:.1f} s after its process was started, and has answered one
        reading of every series {found["assigned_to_all"]:.1f} s after assignment."""


def _wait_saved(worker: Worker) -> None:
    """Wait until every partition's last offset is in Redis."""
    deadline = time.monotonic() + SAVED_SECONDS
    while True:
        metrics = worker.metrics()
        behind = [
            name
            for name, value in metrics.items()
            if name.startswith("hedgerow_next_offset{")
            and metrics.get(name.replace("next_offset", "saved_offset")) != value
        ]
        if not behind:
            return
        worker.check(deadline)
        time.sleep(0.5)


def _restored(log: Path) -> int:
    """Count the series that a worker's log says were restored."""
    return sum(
        int(line.split(": ", 1)[1].split()[0])
        for line in log.read_text("utf-8").splitlines()
        if " series restored," in line
    )
