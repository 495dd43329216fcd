"""Running scores: how good the published forecasts of each series have been so far.

Before: the compiled kernel adds every error to the series' row when its label arrives. After:
metrics, the demo's scoreboard and the backtest read them as ``SeriesScore``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.aggregation import standing_weights
from hedgerow.models.bank import layout as at
from hedgerow.models.bank.bank import Bank
from hedgerow.models.bank.series import SeriesTable
from hedgerow.models.experts.catalogue import NAIVE_EXPERTS
from hedgerow.models.profile import Profile


@dataclass(frozen=True, slots=True)
class ReferenceScore:
    """Our error and a reference's, summed over the labels for which both had a forecast.

    Attributes
    ----------
    reference : str
        ``persistence``, ``day`` or ``week``.
    n : int
        Number of those labels.
    absolute_error, reference_absolute_error : float
        Sums of absolute errors.
    """

    reference: str
    n: int
    absolute_error: float
    reference_absolute_error: float

    @property
    def skill(self) -> float | None:
        """1 − our error / the reference's; ``None`` while the reference made no error."""
        if self.reference_absolute_error == 0.0:
            return None
        return 1.0 - self.absolute_error / self.reference_absolute_error


@dataclass(frozen=True, slots=True)
class SeriesScore:
    """Progressive validation of one series at one horizon.

    Attributes
    ----------
    sensor_id, quantity, profile : str
        Which series, and how it is learned.
    horizon : int
        Slots ahead.
    period_ms : int
        Length of a slot.
    n : int
        Published forecasts whose label arrived.
    absolute_error : float
        Sum of the absolute errors of ``predicted``.
    squared_error : float
        Sum of the squared errors of ``mean``.
    references : tuple of ReferenceScore
        Paired with the naive forecasts.
    covered, with_interval : int
        Labels inside their interval, and labels that had one.
    width_sum : float
        Sum of the intervals' widths.
    regret : float
        Sum of the absolute errors of ``predicted`` less the best expert's, over the labels for
        which that expert was awake; below 0 where the ensemble is better than every expert.
    weights, mean_weights : dict of str to float
        Each expert's weight for ``predicted`` and for ``mean``, as if all were awake.
    """

    sensor_id: str
    quantity: str
    profile: str
    horizon: int
    period_ms: int
    n: int
    absolute_error: float
    squared_error: float
    references: tuple[ReferenceScore, ...]
    covered: int
    with_interval: int
    width_sum: float
    regret: float
    weights: dict[str, float]
    mean_weights: dict[str, float]


def bank_scores(
    series: SeriesTable, profiles: Sequence[Profile], banks: Sequence[Bank]
) -> list[SeriesScore]:
    """Read the scores of every series that has a row."""
    return [
        score
        for number in range(len(series))
        for score in series_scores(series, profiles, banks, number)
    ]


def series_scores(
    series: SeriesTable, profiles: Sequence[Profile], banks: Sequence[Bank], number: int
) -> list[SeriesScore]:
    """Read the scores of one series, nearest horizon first; none while it has no row."""
    if series.banks[number] < 0:
        return []
    bank = banks[series.banks[number]]
    layout, sizes = bank.layout, bank.layout.sizes
    row = bank.rows[series.rows[number]]
    scores = []
    for horizon, start in zip(layout.horizons.tolist(), layout.blocks.tolist(), strict=True):
        block = row[start:]
        scores.append(
            SeriesScore(
                sensor_id=series.sensor_ids[number],
                quantity=series.quantities[number],
                profile=profiles[series.profiles[number]].name,
                horizon=horizon,
                period_ms=sizes.period_ms,
                n=int(block[at.N]),
                absolute_error=float(block[at.ABSOLUTE_ERROR]),
                squared_error=float(block[at.SQUARED_ERROR]),
                references=_references(block),
                covered=int(block[at.COVERED]),
                with_interval=int(block[at.WITH_INTERVAL]),
                width_sum=float(block[at.WIDTH_SUM]),
                regret=_regret(bank, block),
                weights=_weights(bank, block, sizes.tables_absolute, absolute=True),
                mean_weights=_weights(bank, block, sizes.table_squared, absolute=False),
            )
        )
    return scores


def weights_of_row(bank: Bank, row: int) -> NDArray[np.float64]:
    """Return each expert's weight for ``predicted``, as if all were awake.

    Returns
    -------
    ndarray of float64, shape (horizons, experts)
        Nearest horizon first; what an expert without a part in ``predicted`` has is 0.
    """
    start, absent = bank.layout.sizes.tables_absolute, bank.setup.absent_absolute
    blocks = bank.layout.blocks.tolist()
    return np.array([_standing(bank, bank.rows[row, block:], start, absent) for block in blocks])


def _references(block: NDArray[np.float64]) -> tuple[ReferenceScore, ...]:
    paired = block[at.SQUARED_ERROR + 1 : at.COVERED].reshape(at.REFERENCES, 3).tolist()
    return tuple(
        ReferenceScore(name, int(n), ours, theirs)
        for name, (n, ours, theirs) in zip(NAIVE_EXPERTS, paired, strict=True)
    )


def _regret(bank: Bank, block: NDArray[np.float64]) -> float:
    sizes = bank.layout.sizes
    regrets = block[sizes.regrets : sizes.regrets + sizes.experts]
    awake = ~bank.setup.absent_absolute & (regrets != 0.0)  # 0: it has always slept
    return float(regrets[awake].max()) if awake.any() else 0.0


def _weights(
    bank: Bank, block: NDArray[np.float64], start: int, *, absolute: bool
) -> dict[str, float]:
    setup, experts = bank.setup, bank.layout.experts
    absent = setup.absent_absolute if absolute else setup.absent_squared
    weights = _standing(bank, block, start, absent)
    return {
        expert: weight
        for expert, weight, out in zip(experts, weights.tolist(), absent.tolist(), strict=True)
        if not out
    }


def _standing(
    bank: Bank, block: NDArray[np.float64], start: int, absent: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the weights by one table of a horizon's block."""
    table = block[start : start + bank.layout.sizes.table]
    weights, scratch = np.zeros((2, len(bank.layout.experts)))
    standing_weights(table, bank.setup.rule, absent, scratch, weights)
    return weights
