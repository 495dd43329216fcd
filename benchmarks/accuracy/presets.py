"""The two presets side by side, and what each is held to besides its errors."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.accuracy.anchors import NEVER_WORSE
from benchmarks.accuracy.score import LEAN, OURS
from benchmarks.accuracy.tables import Cells, Verdict, markdown, median_ratio, worst_series
from benchmarks.cost import FEW, MANY, Cost

PRESET_OF = {OURS: "accurate", LEAN: "lean"}
MOST_BYTES = {"accurate": 96_000, "lean": 16_000}
MOST_MICROSECONDS = {"accurate": 40.0, "lean": 3.0}
LEAST_EXPERTS = 8
LEAN_WITHIN = 1.03  # of the other's median MAE ratio


def cost_verdicts(preset: str, costs: Sequence[Cost]) -> list[Verdict]:
    """What a series may take, and what it does."""
    (cost,) = (one for one in costs if one.preset == preset)
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
    found = [
        (
            f"MAE: median ratio over all cells at most {round(100 * LEAN_WITHIN) - 100} % above "
            "`accurate`",
            f"{lean:.3f}, {lean / ours - 1:+.1%}",
            lean <= LEAN_WITHIN * ours,
        )
    ]
    over, count, worst, one = worst_series(cells, LEAN)
    found.append(
        (
            f"MAE: no series above {NEVER_WORSE} times its best naive forecast",
            f"{over} of {count} above; worst {worst:.3f} ({one.cell} {one.series}, "
            f"{one.horizon} ahead)",
            over == 0,
        )
    )
    return found


def expert_verdict(preset: str, costs: Sequence[Cost]) -> Verdict:
    """How many experts there must be, and how many there are."""
    (cost,) = (one for one in costs if one.preset == preset)
    return (f"at least {LEAST_EXPERTS} experts", str(cost.experts), cost.experts >= LEAST_EXPERTS)


def preset_table(cells: Cells, costs: Sequence[Cost]) -> str:
    """Errors and costs of the presets."""
    lines = []
    for method, preset in PRESET_OF.items():
        (cost,) = (one for one in costs if one.preset == preset)
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
