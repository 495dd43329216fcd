"""The figures to reach, beside those that were measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from benchmarks.speed.table import Kept, grid, percent
from benchmarks.speed.topics import PARTITIONS

Parts = Mapping[str, Kept]
PRESET = "lean"


class Goal(NamedTuple):
    """One figure.

    Attributes
    ----------
    part : str
        Who measures it.
    limit : float
        What to stay below; where ``least`` is set, what to reach.
    read : Callable
        Takes it from the parts' results.
    write : Callable
        Makes it text.
    """

    what: str
    part: str
    limit: float
    read: Callable[[Parts], float]
    write: Callable[[float], str]
    least: bool = False


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.1f}"


def _us(figure: float) -> str:
    return f"{figure:.1f} µs"


def _ms(figure: float) -> str:
    return f"{figure:.0f} ms"


def _seconds(figure: float) -> str:
    return f"{figure:.1f} s"


def _times(figure: float) -> str:
    return f"{figure:.2f} ×" if figure < 20 else f"{figure:.0f} ×"


def _cpu(parts: Parts, name: str) -> float:
    return float(parts["throughput"]["result"]["medians"][name]["cpu_us"])


def _over(peer: str) -> Callable[[Parts], float]:
    return lambda parts: _cpu(parts, peer) / _cpu(parts, PRESET)


def _way(percentile: str) -> Callable[[Parts], float]:
    return lambda parts: parts["latency"]["result"]["presets"][PRESET]["milliseconds"][percentile]


def _without_kernel(parts: Parts) -> float:
    result = parts["profile"]["result"]
    budget = result["presets"][PRESET]["budget"]
    return float((sum(budget.values()) - budget["learn"]) / result["floor_us"])


def _checkpoint_share(parts: Parts) -> float:
    result = parts["checkpoints"]["result"]
    found = result["presets"][PRESET]
    rounds = found["partitions_saved"] / PARTITIONS
    taken = found["cpu_seconds"] / rounds / result["default_interval_seconds"]
    return float(taken / (found["cpu_us"] * found["per_second"] / 1e6))


def _checkpoint(name: str) -> Callable[[Parts], float]:
    return lambda parts: float(parts["checkpoints"]["result"]["presets"][PRESET][name])


def _longest_stop(parts: Parts) -> float:
    """Return the longest of what a checkpoint did by itself or within a batch's step."""
    return max(_checkpoint(f"longest_{what}_ms")(parts) for what in ("callback", "copy"))


def _in_redis(name: str) -> Callable[[Parts], float]:
    return lambda parts: _checkpoint(name)(parts) / _checkpoint("own_bytes")(parts)


def _growth(parts: Parts) -> float:
    found = list(parts["scale"]["result"]["by_count"].values())
    return float(found[-1]["cpu_us"] / found[0]["cpu_us"])


def _two(parts: Parts) -> float:
    workers = parts["two"]["result"]["workers"]
    return float(workers["2"]["per_cpu_second"] / workers["1"]["per_cpu_second"])


GOALS = (
    Goal("CPU of a reading, everything included", "throughput", 14.0,
         lambda parts: _cpu(parts, PRESET), _us),
    Goal("all of it but the kernel, in floors of the same run", "profile", 1.5,
         _without_kernel, _times),
    Goal("stock Faust + River costs", "throughput", 80.0, _over("faust"), _times, True),
    Goal("Quix Streams + River with state costs", "throughput", 90.0, _over("quix"), _times, True),
    Goal("Bytewax + River with recovery costs", "throughput", 50.0, _over("bytewax"), _times, True),
    Goal("a plain loop + River costs", "throughput", 25.0, _over("plain"), _times, True),
    Goal("readings a second of one worker, topic full", "throughput", 65_000.0,
         lambda parts: parts["throughput"]["result"]["medians"][PRESET]["per_second"], _number,
         True),
    Goal("latency at 10,000/s, p50", "latency", 15.0, _way("p50"), _ms),
    Goal("latency at 10,000/s, p99", "latency", 50.0, _way("p99"), _ms),
    Goal("checkpoints' share of the worker's CPU, every 30 s", "checkpoints", 0.05,
         _checkpoint_share, percent),
    Goal("longest stop of the loop by a checkpoint", "checkpoints", 20.0, _longest_stop, _ms),
    Goal("bytes in Redis, in the state's own size, two generations", "checkpoints", 2.6,
         _in_redis("steady_bytes"), _times),
    Goal("the same at the peak", "checkpoints", 2.6, _in_redis("peak_bytes"), _times),
    Goal("takeover of 100,000 series", "scale", 5.0,
         lambda parts: parts["scale"]["result"]["takeover"]["assigned_to_first"], _seconds),
    Goal("takeover of 1,000,000 series at the least profile", "million", 60.0,
         lambda parts: parts["million"]["result"]["takeover"]["assigned_to_first"], _seconds),
    Goal("bytes of an hourly series' state at the least profile", "million", 4_096.0,
         lambda parts: parts["million"]["result"]["row_bytes"], _number),
    Goal("bytes of a worker's memory for one more hourly series", "scale", 24_576.0,
         lambda parts: parts["scale"]["result"]["memory_per_series"], _number),
    Goal("cost of a reading of 100,000 series, by that of 1,000", "scale", 1.5, _growth, _times),
    Goal("two workers carry", "two", 1.7, _two, _times, True),
    Goal("start to first prediction", "start", 4.0,
         lambda parts: parts["start"]["result"]["first"], _seconds),
    Goal("memory grown in a soak", "soak", 0.05,
         lambda parts: parts["soak"]["result"]["grown"], percent),
)  # fmt: skip


def goals(parts: Parts) -> str:
    """Write every figure beside its goal; one whose part was not measured stays empty."""
    rows = []
    for goal in GOALS:
        limit = f"{'≥' if goal.least else '≤'} {goal.write(goal.limit)}"
        if goal.part not in parts:
            rows.append([goal.what, limit, "not measured", ""])
            continue
        figure = goal.read(parts)
        verdict = "yes" if reached(goal, figure) else "**no**"
        rows.append([goal.what, limit, goal.write(figure), verdict])
    return grid([f"figure (`{PRESET}`)", "goal", "measured", "reached"], rows)


def missed(parts: Parts) -> list[Goal]:
    """Return the goals that were measured and not reached."""
    return [g for g in GOALS if g.part in parts and not reached(g, g.read(parts))]


def reached(goal: Goal, figure: float) -> bool:
    """Tell whether a figure is what it should be.

    Examples
    --------
    >>> reached(GOALS[0], 13.9), reached(GOALS[0], 14.1)
    (True, False)
    """
    return figure >= goal.limit if goal.least else figure <= goal.limit
