"""All parts, in the order in which they run and stand on the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.speed.bench import Bench
from benchmarks.speed.parts import (
    checkpoints,
    latency,
    million,
    profile,
    scale,
    soak,
    start,
    throughput,
    two,
)
from benchmarks.speed.table import Kept

_MODULES = {
    "throughput": throughput,
    "profile": profile,
    "latency": latency,
    "checkpoints": checkpoints,
    "scale": scale,
    "two": two,
    "start": start,
    "million": million,
    "soak": soak,
}
PARTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    name: module.measure for name, module in _MODULES.items()
}
NAMED_ONLY = ("million", "soak")  # they take long, or much memory
SECTIONS: dict[str, Callable[[Kept], str]] = {
    name: module.section for name, module in _MODULES.items()
}
