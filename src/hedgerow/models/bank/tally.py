"""What the scores of many series add up to, read in one compiled walk over a bank's rows.

Before: the kernel keeps each series' scores in its row. After: metrics tell them by profile and
horizon. ``scores`` reads the same numbers series by series, for whoever wants to see each.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.aggregation import standing_weights
from hedgerow.models.arithmetic import Array, jit
from hedgerow.models.bank import layout as at
from hedgerow.models.bank.bank import Bank
from hedgerow.models.experts.catalogue import NAIVE_EXPERTS

Flags = NDArray[np.bool_]

# Columns of a walk's sums; per reference its error and ours follow.
SERIES, LABELS, ERROR, INSIDE, WITH_INTERVAL, PAIRED = range(6)
SUMS = PAIRED + 2 * at.REFERENCES


@dataclass(frozen=True, slots=True)
class Tally:
    """The scores of all series of a bank at one horizon, added up.

    Attributes
    ----------
    profile : str
        How these series are learned.
    horizon : int
        Slots ahead.
    series : int
        Series with a label at least.
    labels : int
        Published forecasts whose label arrived.
    absolute_error : float
        Sum of the absolute errors of ``predicted``.
    inside, with_interval : int
        Labels inside their interval, and labels that had one.
    interval_level : float
        Share of labels that the intervals promise to hold.
    paired : dict of str to tuple of float
        For each reference our error and its, on the labels for which both had a forecast.
    skills : dict of str to ndarray
        For each reference the skill of each series, without those for which it made no error.
    regrets : ndarray of float64, shape (series,)
        Regret of each series, as a share of its absolute error.
    weights : dict of str to float
        Each expert's weight for ``predicted``, summed over the series.
    """

    profile: str
    horizon: int
    series: int
    labels: int
    absolute_error: float
    inside: int
    with_interval: int
    interval_level: float
    paired: dict[str, tuple[float, float]]
    skills: dict[str, Array]
    regrets: Array
    weights: dict[str, float]


def tallies(bank: Bank) -> Iterator[Tally]:
    """Add up the scores of a bank's series, nearest horizon first."""
    layout, sizes, setup = bank.layout, bank.layout.sizes, bank.setup
    rows = bank.rows[: bank.count]
    for horizon, start in zip(layout.horizons.tolist(), layout.blocks.tolist(), strict=True):
        sums, weights = np.zeros(SUMS), np.zeros(len(layout.experts))
        skills, regrets = np.empty((at.REFERENCES, len(rows))), np.empty(len(rows))
        add_up(
            rows, start, sizes.regrets, sizes.tables_absolute, sizes.table, setup.rule,
            setup.absent_absolute, sums, weights, skills, regrets, np.empty((2, len(weights))),
        )  # fmt: skip
        series = int(sums[SERIES])
        if not series:
            continue
        of_series = dict(zip(NAIVE_EXPERTS, skills[:, :series], strict=True))
        pairs = sums[PAIRED:].reshape(at.REFERENCES, 2).tolist()
        yield Tally(
            profile=bank.profile.name,
            horizon=horizon,
            series=series,
            labels=int(sums[LABELS]),
            absolute_error=float(sums[ERROR]),
            inside=int(sums[INSIDE]),
            with_interval=int(sums[WITH_INTERVAL]),
            interval_level=bank.profile.interval_level,
            paired={
                name: (ours, theirs)
                for name, (ours, theirs) in zip(NAIVE_EXPERTS, pairs, strict=True)
            },
            skills={name: skill[~np.isnan(skill)] for name, skill in of_series.items()},
            regrets=regrets[:series],
            weights={
                expert: weight
                for expert, weight, out in zip(
                    layout.experts, weights.tolist(), setup.absent_absolute.tolist(), strict=True
                )
                if not out
            },
        )


@jit
def add_up(
    rows: Array,
    start: int,
    regrets_at: int,
    table_at: int,
    table_size: int,
    rule: int,
    absent: Flags,
    sums: Array,
    weights: Array,
    skills: Array,
    regrets: Array,
    scratch: Array,
) -> None:
    """Add the scores of the block at ``start`` over all rows that have one."""
    experts = len(weights)
    standing = scratch[1]
    used = 0
    for i in range(len(rows)):
        block = rows[i, start:]
        if block[at.N] == 0.0:
            continue
        error = block[at.ABSOLUTE_ERROR]
        sums[LABELS] += block[at.N]
        sums[ERROR] += error
        sums[INSIDE] += block[at.COVERED]
        sums[WITH_INTERVAL] += block[at.WITH_INTERVAL]
        for reference in range(at.REFERENCES):
            pair = at.SQUARED_ERROR + 1 + 3 * reference
            ours, theirs = block[pair + 1], block[pair + 2]
            sums[PAIRED + 2 * reference] += ours
            sums[PAIRED + 2 * reference + 1] += theirs
            skills[reference, used] = np.nan if theirs == 0.0 else 1.0 - ours / theirs
        largest, told = 0.0, False
        for expert in range(experts):
            regret = block[regrets_at + expert]
            if not absent[expert] and regret != 0.0 and (not told or regret > largest):
                largest, told = regret, True
        regrets[used] = largest / error if error != 0.0 else largest
        table = block[table_at : table_at + table_size]
        standing_weights(table, rule, absent, scratch[0], standing)
        for expert in range(experts):
            weights[expert] += standing[expert]
        used += 1
    sums[SERIES] = used
