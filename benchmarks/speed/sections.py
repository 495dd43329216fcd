"""The sections of the page: from one part's figures to its words and table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.speed import peers

Kept = dict[str, Any]


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table: the first column to the left, the rest to the right.

    Examples
    --------
    >>> print(grid(["a", "b"], [["x", "1"]]))
    | a | b |
    |---|---:|
    | x | 1 |
    """
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def throughput(part: Kept) -> str:
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
    return f"""\
## One reading, end to end

The same topic of readings ({
        result["series"]:,} five-minute series, 8 partitions, filled beforehand)
through one process after the other, alternating, {runs} runs; medians. Ours runs as `hedgerow
worker` does: experts and aggregation at three horizons, intervals, alerts, idempotent outputs,
checkpoints to Redis every 30 s (partitions checkpointed in the windows of the runs: lean
{saved["lean"]}; accurate {saved["accurate"]}).

{
        grid(
            [
                "",
                "CPU µs a reading",
                "of it system",
                "readings/s",
                "× floor",
                "× ours (lean)",
                "bytes a record",
                "readings",
            ],
            rows,
        )
    }

Counted by the output topic's end offsets, from a tenth of the readings to the last one. What one
reading costs a slow engine is steady, so the slow ones get fewer of the {ours:,}.{missing}

Where it is not equal: the others learn **one** horizon (ours three), with eight experts of one kind
(`StandardScaler | LinearRegression` on eight lags, under `EWARegressor`), no interval and no alert,
and write a record a fifth the size. The plain loop and Faust's dictionary lose all they have
learned when the process ends. The floor learns and stores nothing; it writes the same fields and as
many bytes as ours. Theirs: {versions}.
"""


def profile(part: Kept) -> str:
    """Write the budget."""
    result = part["result"]
    presets = list(result)
    first = result[presets[0]]["budget"]
    what = {
        "poll": "poll: fetching and unpacking, in Faust's consumer thread",
        "decode": "decode",
        "route": "route: which series, which row; results into columns",
        "learn": "learn: the compiled kernel",
        "encode": "encode the predictions",
        "produce": "produce: into librdkafka's queue",
        "delivery reports": "delivery reports, in a thread",
        "librdkafka": "librdkafka's own threads: compression, sockets",
        "checkpoint": "checkpoint: copying, packing, sending",
        "event loop and the rest": "event loop, Faust, everything else",
    }
    rows = [
        [what.get(row, row), *(f"{result[preset]['budget'][row]:.2f}" for preset in presets)]
        for row in first
    ]
    totals = [f"{sum(result[preset]['budget'].values()):.2f}" for preset in presets]
    rows.append(["**all**", *totals])
    live = [
        [stage, *(f"{result[preset]['live'].get(stage, 0.0):.2f}" for preset in presets)]
        for stage in result[presets[0]]["live"]
    ]
    return f"""\
## Where each microsecond goes

CPU µs a reading of the worker, booked by clocks around its steps (`benchmarks/speed/budget.py`):

{grid(["", *presets], rows)}

The same, live, as `/metrics` tells it (`hedgerow_stage_seconds_total`, wall time, µs a reading;
poll is mostly waiting):

{grid(["stage", *presets], live)}
"""


SECTIONS: dict[str, Callable[[Kept], str]] = {
    "throughput": throughput,
    "profile": profile,
}
