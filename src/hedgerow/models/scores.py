"""Running scores: how good the published forecasts of each series have been so far.

Before: the compiled kernel adds every error to the series' row when its label arrives. After:
metrics, the demo's scoreboard and the backtest read them as ``SeriesScore``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedgerow.models import layout as at
from hedgerow.models.bank import Bank
from hedgerow.models.layout import NAIVE_EXPERTS, RowLayout
from hedgerow.models.profile import Profile
from hedgerow.models.series import SeriesTable


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
    weights : dict of str to float
        Each expert's weight for the absolute loss.
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
    weights: dict[str, float]


def bank_scores(
    series: SeriesTable, profiles: Sequence[Profile], banks: Sequence[Bank]
) -> list[SeriesScore]:
    """Read the scores of every series that has a row."""
    scores = []
    for i in range(len(series)):
        if series.banks[i] < 0:
            continue
        bank = banks[series.banks[i]]
        row = bank.rows[series.rows[i]]
        for horizon, block in zip(
            bank.layout.horizons.tolist(), bank.layout.blocks.tolist(), strict=True
        ):
            scores.append(
                _score(
                    series.sensor_ids[i],
                    series.quantities[i],
                    profiles[series.profiles[i]].name,
                    horizon,
                    row[block:],
                    bank.layout,
                )
            )
    return scores


def _score(
    sensor_id: str,
    quantity: str,
    profile: str,
    horizon: int,
    block: NDArray[np.float64],
    layout: RowLayout,
) -> SeriesScore:
    paired = block[at.SQUARED_ERROR + 1 : at.COVERED].reshape(at.REFERENCES, 3).tolist()
    start = layout.sizes.weights_absolute
    weights = block[start : start + layout.sizes.experts]
    return SeriesScore(
        sensor_id=sensor_id,
        quantity=quantity,
        profile=profile,
        horizon=horizon,
        period_ms=layout.sizes.period_ms,
        n=int(block[at.N]),
        absolute_error=float(block[at.ABSOLUTE_ERROR]),
        squared_error=float(block[at.SQUARED_ERROR]),
        references=tuple(
            ReferenceScore(name, int(n), ours, theirs)
            for name, (n, ours, theirs) in zip(NAIVE_EXPERTS, paired, strict=True)
        ),
        covered=int(block[at.COVERED]),
        with_interval=int(block[at.WITH_INTERVAL]),
        width_sum=float(block[at.WIDTH_SUM]),
        weights=dict(zip(layout.experts, (weights / weights.sum()).tolist(), strict=True)),
    )
