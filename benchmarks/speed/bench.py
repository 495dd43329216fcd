"""What every part of the benchmark gets: servers, topics, a folder, the progress bar."""

from __future__ import annotations

import json
import os
import platform
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.speed.contest import Watcher
from benchmarks.speed.servers import Servers
from benchmarks.speed.topics import Topics

KEPT = Path("build/bench")
PACKAGES = ("hedgerow", "faust-streaming", "aiokafka", "confluent-kafka", "msgspec", "numba",
            "numpy", "redis")  # fmt: skip
PRESETS = ("lean", "accurate")


@dataclass(frozen=True, slots=True)
class Bench:
    """The tools of a part.

    Attributes
    ----------
    size : float
        1 for the figures of the page; less for a quick look.
    """

    servers: Servers
    topics: Topics
    watcher: Watcher
    folder: Path
    console: Console
    bar: Progress
    size: float = 1.0
    runs: int = 3
    soak: int = 0

    def readings(self, count: int) -> int:
        """Scale a number of readings to the size that was asked for."""
        return max(20_000, int(count * self.size))

    def series(self, count: int, least: int = 100) -> int:
        """Scale a number of series to the size that was asked for; it is never enlarged."""
        return max(least, int(count * min(1.0, self.size)))

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.bar.console.print(text, highlight=False)

    def task(self, title: str, total: int) -> Callable[[int], None]:
        """Show a line of progress; what is returned is told how far it is."""
        task = self.bar.add_task(title, total=total)

        def tell(done: int) -> None:
            if task not in self.bar.task_ids:
                return  # it was finished before
            self.bar.update(task, completed=min(done, total))
            if done >= total:
                self.bar.remove_task(task)

        return tell

    def new_folder(self) -> Path:
        """Make a folder that is gone at the end."""
        made = self.folder / uuid.uuid4().hex[:8]
        made.mkdir()
        return made


def profiles(preset: str, **more: object) -> dict[str, str]:
    """Return the setting that makes every series of one preset.

    Examples
    --------
    >>> profiles("lean")
    {'HEDGEROW_PROFILES': '[{"name": "default", "experts": ["lean"]}]'}
    """
    return {"HEDGEROW_PROFILES": json.dumps([{"name": "default", "experts": [preset], **more}])}


def keep(part: str, result: Mapping[str, Any], bench: Bench) -> Path:
    """Write a part's result to ``build/bench``, with what it was measured on."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"speed-{part}.json"
    path.write_text(
        json.dumps(
            {
                "part": part,
                "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "size": bench.size,
                "machine": machine(),
                "broker": bench.servers.broker,
                "redis": bench.servers.redis,
                "versions": {name: version(name) for name in PACKAGES},
                "result": result,
            },
            indent=2,
        ),
        "utf-8",
    )
    return path


def machine() -> dict[str, Any]:
    """Describe this machine, and how busy it was."""
    cpu = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [line for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "cpu": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory[0].split()[1]) / 2**20) if memory else None,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def _lines(path: str) -> Sequence[str]:
    return Path(path).read_text("utf-8").splitlines()
