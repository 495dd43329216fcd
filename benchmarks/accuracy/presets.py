"""The two presets side by side, and what each is held to besides its errors."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.accuracy.score import LEAN, OURS
from benchmarks.accuracy.tables import (
    Cells,
    Verdict,
    markdown,
    median_ratio,
    never_worse,
    worst_series,
)
from benchmarks.cost import FEW, MANY, Cost

PRESET_OF = {OURS: "accurate", LEAN: "lean"}
MOST_BYTES = {"accurate": 96_000, "lean": 16_000}
MOST_MICROSECONDS = {"accurate": 40.0, "lean": 3.0}
LEAST_EXPERTS = 8
LEAN_WITHIN = 1.03  # of the other's median MAE ratio


def _of(preset: str, costs: Sequence[Cost]) -> Cost:
    """Return what a preset costs."""
    return next(cost for cost in costs if cost.preset == preset)


def cost_verdicts(preset: str, costs: Sequence[Cost]) -> list[Verdict]:
    """What a series may take, and what it does."""
    cost = _of(preset, costs)
    most = MOST_MICROSECONDS[preset]
    return [
        (
            f"at most {MOST_BYTES[preset] // 1000} KB a series",
            f"{cost.row_bytes / 1000:.1f} KB",
            cost.row_bytes <= MOST_BYTES[preset],
        ),
        (
            f"at most {most:g} µs of CPU a reading, also over {MANY:,} series",
            f"{cost.few:.1f} and {cost.many:.1f} µs",
            max(cost.few, cost.many) <= most,
        ),
    ]


def lean_verdicts(cells: Cells) -> list[Verdict]:
    """What `lean` may lose, and what it does."""
    ours, lean = (median_ratio(cells, method).mae for method in (OURS, LEAN))
    return [
        (
            f"MAE: median ratio over all cells at most {round(100 * LEAN_WITHIN) - 100} % above "
            "`accurate`",
            f"{lean:.3f}, {lean / ours - 1:+.1%}",
            lean <= LEAN_WITHIN * ours,
        ),
        never_worse(cells, LEAN, "no series"),
    ]


def expert_verdict(preset: str, costs: Sequence[Cost]) -> Verdict:
    """How many experts there must be, and how many there are."""
    cost = _of(preset, costs)
    return (f"at least {LEAST_EXPERTS} experts", str(cost.experts), cost.experts >= LEAST_EXPERTS)


def preset_table(cells: Cells, costs: Sequence[Cost]) -> str:
    """Errors and costs of the presets."""
    lines = []
    for method, preset in PRESET_OF.items():
        cost = _of(preset, costs)
        ratio = median_ratio(cells, method)
        lines.append(
            [
                f"`{preset}`", str(cost.experts), f"{ratio.mae:.3f}", f"{ratio.rmse:.3f}",
                f"{worst_series(cells, method)[2]:.3f}", f"{cost.row_bytes / 1000:.1f}",
                f"{cost.few:.1f}", f"{cost.many:.1f} ({cost.fastest:.1f})",
            ]
        )  # fmt: skip
    return markdown(
        (
            "preset", "experts", "MAE", "RMSE", "worst series", "KB a series", f"µs, {FEW} series",
            f"µs, {MANY:,} series (fastest round)",
        ),
        lines,
    )  # fmt: skip
