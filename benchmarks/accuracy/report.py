"""``docs/accuracy.md``: what was measured, how, and what is lacking."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import fill

from benchmarks.accuracy.elec2 import Elec2
from benchmarks.accuracy.presets import (
    cost_verdicts,
    expert_verdict,
    lean_verdicts,
    preset_table,
)
from benchmarks.accuracy.run import LATER, Findings, Scope
from benchmarks.accuracy.score import LEAN, OURS, Error, Scored
from benchmarks.accuracy.tables import (
    Verdict,
    by_cell,
    cell_ratio,
    interval_table,
    interval_verdicts,
    main_table,
    markdown,
    naive_and,
    own_slots_table,
    peer_table,
    regret_table,
    verdicts,
    worst_table,
)

PACKAGES = ("hedgerow", "numpy", "numba", "river", "lightgbm", "statsforecast")

PROTOCOL = """\
Every series lies on a regular grid. At each slot with a reading a method forecasts the slot h
ahead from what was read up to then, and may learn from a pair only when its label has arrived;
every horizon is forecast directly. All methods are scored on the same slots: those whose origin,
label and all three naive forecasts are there, from 14 days after a series' first reading on.
MAE is scored on `predicted`, RMSE on `mean`. An error is given as a share of that of the best of
three naive forecasts (persistence, same slot yesterday, same slot last week), *chosen in
hindsight* for each series, horizon and loss; a cell shows the median over its series. Below 1 is
better. Ours is the product's own `Learner.step` with one configuration for all sets: horizons
and time zone are given, everything else is the default, the period is inferred. (*lean* names the
other preset besides.) The forecasts of a series' first 20 readings, from which that is done, do
not exist, and none of them is scored.
"""

SETS = """\
| set | series | slot | time zone | what was made of it |
|---|---:|---|---|---|
| au_solar_wind | 2 | 1 h | UTC | |
| vic_electricity | 1 | 30 min | Australia/Melbourne | demand alone |
| metro_i94 | 1 | 1 h | UTC: local stamps without a zone | the first row of an hour |
| melbourne_pedestrian | 4 | 1 h | Australia/Melbourne | |
| aarhus_speed, aarhus_count | 20 each | 5 min | Europe/Copenhagen | sensors \
`round(linspace(0, 398, 20))`, both quantities in one learner; speed 0 is missing |
| elec2 | 1 | 30 min | UTC | the price; see below |
"""


def write(findings: Findings, path: Path, command: str, cuts: Sequence[str]) -> None:
    """Write the report."""
    path.write_text(document(findings, command, cuts), "utf-8")


def document(findings: Findings, command: str, cuts: Sequence[str]) -> str:
    """Put the report together."""
    cells = by_cell(findings.scored)
    peers = others(findings.scored)
    parts = [
        "# Accuracy",
        "How good the forecasts are on public data, beside what others reach. Written by\n"
        f"`{command}`; do not edit by hand.",
        "## Protocol",
        PROTOCOL.strip(),
        SETS.strip(),
        versions(),
        "## What was aimed at",
        "Of the default preset, `accurate`:",
        aims(
            *verdicts(cells),
            *interval_verdicts(findings.calibrations[OURS]),
            *cost_verdicts("accurate", findings.costs),
        ),
        "Of `lean`, for banks of very many series:",
        aims(
            *lean_verdicts(cells),
            *interval_verdicts(findings.calibrations[LEAN]),
            expert_verdict("lean", findings.costs),
            *cost_verdicts("lean", findings.costs),
        ),
        "Medians over the cells with reference values. Size and time are those of an hourly series "
        "with\nhorizons of 1, 3 and 12 slots, alerts on, the median of 200 rounds on this machine; "
        "`make bench-cost`\nmeasures them alone.",
        preset_table(cells, findings.costs),
        "## Beside the best existing methods",
        "Reference values, measured before with this protocol on these files: *best single* is "
        "the best\nof recursive least squares (forgetting 0.999, 0.9998, 1), LightGBM refitted "
        "every 7 to 28 days on\nall past labels, LightGBM on the error of the former, and the "
        "naive ones; *ML-Poly* weighs all\nof them, by the gradient of the square or of the "
        "absolute loss. The gap is ours to the better\nML-Poly column. Bold: at or below every "
        "reference value.",
        main_table(cells),
        "The same of `lean`:",
        main_table(cells, LEAN),
        "Scored on the same slots, a method is not asked about a slot whose naive forecast is "
        "missing, after a\nhole for instance. The other way: each method on every slot that it has "
        "a forecast and a label for.",
        own_slots_table(cells),
        "## Beside naive and other methods, same run",
        "MAE ratio / RMSE ratio, medians over those series of a cell that all methods were run "
        "on;\n–: not run. First the methods that learn as they go, on all slots of all series.",
        peer_table(cells, naive_and(peers)),
        *groups(findings),
        *borrowed(findings),
        *(["Cuts made for time, and settings:", bullets(cuts)] if cuts else []),
        *spent(findings),
        "## The worst series",
        "Against the best naive forecast of each, chosen in hindsight.",
        worst_table(cells),
        *regret(findings),
        "## Intervals",
        "Asked for: 90 %. The width is compared with that of the narrowest fixed interval around\n"
        "our own forecasts that holds 90 % of the labels, chosen in hindsight.",
        interval_table(findings.calibrations[OURS]),
        *elec2(findings.elec2, cell_ratio(cells.get(("elec2", 1), []), OURS)),
    ]
    return "\n\n".join(parts) + "\n"


def aims(*verdicts: Verdict) -> str:
    """What was aimed at and found."""
    return markdown(
        ("aim", "found", ""),
        [[aim, found, "met" if met else "**missed**"] for aim, found, met in verdicts],
    )


def others(scored: Sequence[Scored]) -> list[str]:
    """Name the methods beside ours and the naive ones, in the order they were run."""
    names = {name: None for one in scored for name in one.errors}
    return [name for name in names if name not in naive_and([])]


GROUPS = {
    Scope.NIGHTS: "### Beside a model fitted again every night\n\n"
    "On the days after every n-th night (see the cuts). The best naive method is chosen on the "
    "slots\nscored in each table.",
    LATER: "The same on the later half of those days, where what is fitted again has most history "
    "to learn from:",
    Scope.ORIGINS: "### Beside statsforecast\n\n"
    "Its methods are fitted anew at each scored origin, so they are scored at some of the slots "
    "that\nLightGBM forecasts, everybody else with them. Where forecasts are few, expect noise.",
    Scope.FEW_SERIES: "### Beside River's adaptive forest\n\n"
    "Too slow for more than a few series; all slots of those:",
}


def groups(findings: Findings) -> list[str]:
    """Methods that were run on a few series or from a few origins."""
    return [
        part
        for group, words in GROUPS.items()
        if (scored := findings.groups.get(group))
        for part in (words, peer_table(by_cell(scored), naive_and(others(scored))))
    ]


def bullets(lines: Sequence[str]) -> str:
    """List them."""
    return "\n".join(
        fill(line, 100, initial_indent="- ", subsequent_indent="  ", break_long_words=False)
        for line in lines
    )


def borrowed(findings: Findings) -> list[str]:
    """How often a method had nothing to say at a slot that is scored."""
    counts = Counter[str]()
    for one in findings.scored:
        counts.update(one.borrowed)
    said = ", ".join(f"{name} {n:,}" for name, n in counts.items() if n)
    return [
        "Where a method has no forecast at a slot that is scored, persistence takes its place. "
        f"Of {sum(one.slots for one in findings.scored):,}\nin the first table: {said or 'none'}."
    ]


def spent(findings: Findings) -> list[str]:
    """What every method took."""
    feeds = list(findings.spent[OURS].seconds) if findings.spent else []
    lines = [
        [
            name,
            *(f"{spent.seconds[f]:,.0f}" if f in spent.seconds else "–" for f in feeds),
            f"{sum(spent.seconds.values()):,.0f}",
            f"{spent.fits:,}" if spent.fits else "–",
            f"{spent.overtime:,}" if spent.fits else "–",
        ]
        for name, spent in findings.spent.items()
    ]
    everything = sum(sum(each.seconds.values()) for each in findings.spent.values())
    return (
        [
            f"CPU seconds of each, on one core; {everything:,.0f} in all:",
            markdown(("", *feeds, "all", "fits", "ended by the limit"), lines),
        ]
        if lines
        else []
    )


def regret(findings: Findings) -> list[str]:
    """What was lost against the best that the ensemble's own experts could have given."""
    if not findings.regrets:
        return []
    return [
        "## Regret",
        "Our error over that of a comparator made of the ensemble's own experts, less one, medians "
        "over\nthe series. Comparators are chosen in hindsight on the slots that are scored: the "
        "best single\nexpert; the best fixed convex combination (minimised offline, for the "
        "absolute and for the squared\nerror); the best single expert of each week, which may "
        "switch 52 times a year. Below zero we beat\nwhat only hindsight could choose.",
        regret_table(findings.regrets),
    ]


def versions() -> str:
    """The machine and the packages."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return (
        f"Python {platform.python_version()}, {', '.join(found)}; {platform.machine()}, "
        f"{os.cpu_count()} cores."
    )


def elec2(found: Elec2 | None, ratio: Error | None) -> list[str]:
    """Elec2, beside its trivial predictor."""
    if found is None or ratio is None:
        return []
    return [
        "## Elec2",
        f"The class of a half hour is UP ({found.up:.1%} of them) if the price lies above the "
        "mean of the\nlast day. The price is forecast one slot ahead and called UP if the "
        "forecast lies above the mean\nof the last 48 prices; no class is ever shown to the "
        "learner. Kappa-temporal is 1 − our mistakes /\nthose of the no-change predictor; "
        f"{found.slots:,} slots are scored. Price: MAE ratio {ratio.mae:.3f}, RMSE\nratio "
        f"{ratio.rmse:.3f} to the best naive forecast.",
        markdown(
            ("predictor", "accuracy", "kappa", "kappa-temporal"),
            [
                [
                    "no change", f"{found.no_change_accuracy:.2%}",
                    f"{found.no_change_kappa:.3f}", "0",
                ],
                [
                    "from the price forecast", f"{found.accuracy:.2%}", f"{found.kappa:.3f}",
                    f"{found.kappa_temporal:+.3f}",
                ],
            ],
        ),
    ]  # fmt: skip
