"""From the scores of single series to the tables of the report, in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np

from benchmarks.accuracy.anchors import (
    AFTER_DAYS,
    ANCHORS,
    MEDIAN_MAE,
    MEDIAN_RMSE,
    NEVER_WORSE,
    WITHIN,
    Anchor,
)
from benchmarks.accuracy.intervals import LEVEL, Calibration
from benchmarks.accuracy.regret import Regret
from benchmarks.accuracy.score import LEAN, NAIVE, OURS, Error, Scored

MIDDLE, FAR, WIDER = 0.015, 0.04, 1.1  # what is asked of the intervals
Cells = dict[tuple[str, int], list[Scored]]
Verdict = tuple[str, str, bool]  # what was aimed at, what came out, and whether that is enough


def by_cell(scored: Iterable[Scored]) -> Cells:
    """Group by set and horizon."""
    cells: Cells = {}
    for one in scored:
        cells.setdefault((one.cell, one.horizon), []).append(one)
    return cells


def cell_ratio(series: Sequence[Scored], method: str, *, own_slots: bool = False) -> Error | None:
    """Median ratios of a method over the series of a cell that it was run on."""
    ratios = [one.ratio(method, own_slots=own_slots) for one in series if method in one.errors]
    if not ratios:
        return None
    return Error(median(r.mae for r in ratios), median(r.rmse for r in ratios))


def markdown(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a table; all but the first column to the right."""
    rule = ["---"] + ["---:"] * (len(headings) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *lines))


def main_table(cells: Cells, method: str = OURS) -> str:
    """The ratios of one of our presets beside the reference values."""
    lines = []
    for (cell, horizon), series in cells.items():
        ours = cell_ratio(series, method)
        anchor = ANCHORS.get((cell, horizon))
        if anchor is None or ours is None:
            continue
        won = Counter(one.best_naive[0] for one in series)
        lines.append(
            [
                f"{cell} {horizon}",
                ", ".join(f"{name} {n}" for name, n in won.most_common()),
                mark(ours.mae, anchor.mae, anchor.mlpoly_mae),
                f"{anchor.mae:.3f} {anchor.best}",
                f"{anchor.mlpoly_square_mae:.3f}",
                f"{anchor.mlpoly_mae:.3f}",
                f"{ours.mae / best_mlpoly_mae(anchor) - 1:+.1%}",
                mark(ours.rmse, anchor.rmse, anchor.mlpoly_rmse),
                f"{anchor.rmse:.3f} {anchor.best_rmse_by}",
                f"{anchor.mlpoly_rmse:.3f}",
                f"{ours.rmse / anchor.mlpoly_rmse - 1:+.1%}",
            ]
        )
    return markdown(
        (
            "set, slots ahead", "best naive (series)", "MAE", "best single", "ML-Poly, square",
            "ML-Poly, absolute", "gap", "RMSE", "best single", "ML-Poly", "gap",
        ),
        lines,
    )  # fmt: skip


def own_slots_table(cells: Cells) -> str:
    """Our ratios on the same slots, and with each method on all the slots it has."""
    lines = []
    for (cell, horizon), series in cells.items():
        same, own = cell_ratio(series, OURS), cell_ratio(series, OURS, own_slots=True)
        anchor = ANCHORS.get((cell, horizon))
        if same is None or own is None or anchor is None:
            continue
        lines.append(
            [
                f"{cell} {horizon}",
                mark(same.mae, anchor.mae, best_mlpoly_mae(anchor)),
                mark(own.mae, anchor.mae, best_mlpoly_mae(anchor)),
                mark(same.rmse, anchor.rmse, anchor.mlpoly_rmse),
                mark(own.rmse, anchor.rmse, anchor.mlpoly_rmse),
            ]
        )
    return markdown(
        ("set, slots ahead", "MAE, same slots", "own slots", "RMSE, same slots", "own slots"), lines
    )


def best_mlpoly_mae(anchor: Anchor) -> float:
    """The better of the two ML-Poly columns."""
    return min(anchor.mlpoly_square_mae, anchor.mlpoly_mae)


def mark(ours: float, single: float, mlpoly: float) -> str:
    """Show a ratio: bold where it is no more than both reference values."""
    text = f"{ours:.3f}"
    return f"**{text}**" if round(ours, 3) <= min(single, mlpoly) else text


def median_ratio(cells: Cells, method: str) -> Error:
    """Median over the cells that have reference values."""
    ratios = [
        ratio
        for key, series in cells.items()
        if key in ANCHORS and (ratio := cell_ratio(series, method)) is not None
    ]
    return Error(median(r.mae for r in ratios), median(r.rmse for r in ratios))


def worst_series(cells: Cells, method: str) -> tuple[int, int, float, Scored]:
    """How many series of how many are above the limit, the worst one's MAE ratio, and that one.

    Only those with more than four weeks of data count.
    """
    everyone = [
        (one.ratio(method).mae, one)
        for key, series in cells.items()
        for one in series
        if one.days > AFTER_DAYS and key in ANCHORS
    ]
    worst, one = max(everyone, key=lambda pair: pair[0])
    return sum(ratio > NEVER_WORSE for ratio, _ in everyone), len(everyone), worst, one


def verdicts(cells: Cells) -> list[Verdict]:
    """Compare our default's errors with what was aimed at."""
    known = [
        (ANCHORS[key], cell_ratio(series, OURS)) for key, series in cells.items() if key in ANCHORS
    ]
    pairs = [(anchor, ours) for anchor, ours in known if ours is not None]
    n = len(pairs)
    found = []
    for loss, ours_of, single_of, mlpoly_of, limit in (
        ("MAE", lambda o: o.mae, lambda a: a.mae, best_mlpoly_mae, MEDIAN_MAE),
        ("RMSE", lambda o: o.rmse, lambda a: a.rmse, lambda a: a.mlpoly_rmse, MEDIAN_RMSE),
    ):
        # Rounded as the reference values are.
        three = [(round(ours_of(o), 3), single_of(a), mlpoly_of(a)) for a, o in pairs]
        reached = sum(ours <= single for ours, single, _ in three)
        within = sum(ours <= WITHIN * mlpoly for ours, _, mlpoly in three)
        better = sum(ours < mlpoly for ours, _, mlpoly in three)
        middle = median(ours for ours, _, _ in three)
        for aim, count, enough in (
            ("at or below the best single method in all cells", reached, reached == n),
            ("within 2 % of ML-Poly in all cells", within, within == n),
            ("better than ML-Poly in a third of the cells", better, 3 * better >= n),
        ):
            found.append((f"{loss}: {aim}", f"{count} of {n}", enough))
        found.append(
            (f"{loss}: median ratio over all cells at most {limit:.2f}", f"{middle:.3f}",
             middle <= limit)
        )  # fmt: skip
    found.append(never_worse(cells, OURS, "no series with more than four weeks of data"))
    return found


def never_worse(cells: Cells, method: str, which: str) -> Verdict:
    """Compare the worst series of one of our presets with its best naive forecast."""
    over, count, worst, one = worst_series(cells, method)
    return (
        f"MAE: {which} above {NEVER_WORSE} times its best naive forecast",
        f"{over} of {count} above; worst {worst:.3f} ({one.cell} {one.series}, "
        f"{one.horizon} ahead)",
        over == 0,
    )


def interval_verdicts(calibrations: Sequence[Calibration]) -> list[Verdict]:
    """The same for the intervals, over all series, horizons and fortnights."""
    mine = [one for one in calibrations if (one.cell, one.horizon) in ANCHORS]
    off = np.abs(np.concatenate([one.windows for one in mine]) - LEVEL)
    middle, near = float(np.median(off)), float(np.mean(off <= FAR))
    width = median(one.width / one.fixed_width for one in mine)
    return [
        (
            f"intervals: median distance from {LEVEL:.0%} by series and fortnight at most "
            f"{100 * MIDDLE:.1f} points",
            f"{100 * middle:.1f}",
            middle <= MIDDLE,
        ),
        (f"intervals: 95 % of the fortnights within {100 * FAR:.0f} points", f"{near:.0%}",
         near >= 0.95),
        (f"intervals: width at most {WIDER} times the best fixed one's", f"{width:.2f}",
         width <= WIDER),
    ]  # fmt: skip


def worst_table(cells: Cells, shown: int = 10) -> str:
    """The series that fare worst against their best naive forecast."""
    everyone = [
        (one.ratio(OURS), one)
        for series in cells.values()
        for one in series
        if one.days > AFTER_DAYS
    ]
    everyone.sort(key=lambda pair: -pair[0].mae)
    return markdown(
        ("series", "slots ahead", "MAE ratio", "RMSE ratio", "best naive", "slots scored"),
        [
            [
                f"{one.cell} {one.series}", str(one.horizon), f"{ratio.mae:.3f}",
                f"{ratio.rmse:.3f}", one.best_naive[0], f"{one.slots:,}",
            ]
            for ratio, one in everyone[:shown]
        ],
    )  # fmt: skip


def peer_table(cells: Cells, methods: Sequence[str]) -> str:
    """MAE and RMSE ratios of every method by cell.

    At the end the medians over cells with reference values, and the cells, all of them, in which
    our default errs no more than a method.
    """
    lines, columns, ours = [], {name: {} for name in methods}, {}
    for key, everyone in cells.items():
        run = [name for name in methods if any(name in one.errors for one in everyone)]
        series = [one for one in everyone if all(name in one.errors for name in run)]
        ours[key] = cell_ratio(series, OURS)
        line = [f"{key[0]} {key[1]}", f"{sum(one.slots for one in series):,}"]
        for name in methods:
            ratio = cell_ratio(series, name)
            line.append("–" if ratio is None else f"{ratio.mae:.3f} / {ratio.rmse:.3f}")
            if ratio is not None:
                columns[name][key] = ratio
        lines.append(line)
    middle, won = ["**median over cells**", ""], ["**hedgerow errs no more in**", ""]
    for name, ratios in columns.items():
        known = [ratio for key, ratio in ratios.items() if key in ANCHORS]
        middle.append(
            f"{median(r.mae for r in known):.3f} / {median(r.rmse for r in known):.3f}"
            if len(ratios) == len(cells) and known  # others' medians would be over other cells
            else "–"
        )
        mae = sum(ours[key].mae <= ratio.mae for key, ratio in ratios.items())
        rmse = sum(ours[key].rmse <= ratio.rmse for key, ratio in ratios.items())
        won.append("" if name == OURS else f"{mae} / {rmse} of {len(ratios)}")
    return markdown(("set, slots ahead", "forecasts scored", *methods), [*lines, middle, won])


def naive_and(methods: Sequence[str]) -> list[str]:
    """Our presets first, then the naive methods, then the others."""
    return [OURS, LEAN, *NAIVE, *methods]


def interval_table(calibrations: Sequence[Calibration]) -> str:
    """Coverage by cell, in all and by fortnight, and width beside the fixed one."""
    cells: dict[tuple[str, int], list[Calibration]] = {}
    for one in calibrations:
        cells.setdefault((one.cell, one.horizon), []).append(one)
    lines = []
    for (cell, horizon), series in [*cells.items(), (("**all**", 0), list(calibrations))]:
        off = np.abs(np.concatenate([one.windows for one in series]) - LEVEL)
        lines.append(
            [
                f"{cell} {horizon}" if horizon else cell,
                f"{median(one.coverage for one in series):.1%}",
                f"{100 * np.median(off):.1f}",
                f"{np.mean(off <= FAR):.0%}",
                f"{median(one.width / one.fixed_width for one in series):.2f}",
            ]
        )
    return markdown(
        (
            "set, slots ahead", "coverage", "median distance from 90 %, points, by fortnight",
            "fortnights within 4 points", "width / best fixed width",
        ),
        lines,
    )  # fmt: skip


def regret_table(regrets: Sequence[Regret]) -> str:
    """Regret by cell, against each comparator."""
    cells: dict[tuple[str, int], list[Regret]] = {}
    for one in regrets:
        cells.setdefault((one.cell, one.horizon), []).append(one)
    lines = []
    for (cell, horizon), series in [*cells.items(), (("**all series**", 0), list(regrets))]:
        best = Counter(one.expert for one in series).most_common(1)[0]
        lines.append(
            [
                f"{cell} {horizon}" if horizon else cell,
                f"{best[0]} ({best[1]} of {len(series)})",
                *(
                    f"{median(values):+.1%}"
                    for values in (
                        [one.against_expert for one in series],
                        [one.against_mix for one in series],
                        [one.against_weekly for one in series],
                        [one.against_expert_rmse for one in series],
                        [one.against_mix_rmse for one in series],
                    )
                ),
            ]
        )
    return markdown(
        (
            "set, slots ahead", "best expert", "MAE: best expert", "best mixture",
            "best expert of each week", "RMSE: best expert", "best mixture",
        ),
        lines,
    )  # fmt: skip
