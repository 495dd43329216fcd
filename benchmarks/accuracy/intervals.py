"""Are nine of ten labels inside their intervals, in every fortnight, and how wide are these?

The yardstick is the narrowest fixed interval: quantiles of our own residuals, chosen in
hindsight over all that is scored. It covers 90 % by construction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.forecasts import Floats, Forecast
from benchmarks.accuracy.ours import Interval
from benchmarks.accuracy.score import origins
from benchmarks.accuracy.sets import Series

LEVEL = 0.9
WINDOW_DAYS = 14
FEWEST = 0.5  # share of a window's slots that must be scored


@dataclass(frozen=True, slots=True)
class Calibration:
    """Intervals of one series at one horizon.

    Attributes
    ----------
    coverage : float
        Share of all labels inside.
    windows : list of float
        The same in each two weeks.
    width, fixed_width : float
        Mean width, and that of the narrowest fixed residual interval in hindsight.
    """

    cell: str
    series: str
    horizon: int
    coverage: float
    windows: list[float]
    width: float
    fixed_width: float


def calibration(
    series: Series, horizon: int, forecast: Forecast, interval: Interval
) -> Calibration:
    """Compare the intervals with the labels, on the slots that are scored."""
    at = origins(series, horizon)
    at = at[np.isfinite(interval.lower[at]) & np.isfinite(interval.upper[at])]
    label = series.values[at + horizon]
    inside = (interval.lower[at] <= label) & (label <= interval.upper[at])
    per_window = WINDOW_DAYS * series.day
    window = (at + horizon) // per_window
    sizes = np.bincount(window)
    covered = np.bincount(window, weights=inside)
    full = sizes >= FEWEST * per_window
    return Calibration(
        series.cell,
        series.name,
        horizon,
        float(inside.mean()),
        (covered[full] / sizes[full]).tolist(),
        float((interval.upper[at] - interval.lower[at]).mean()),
        narrowest(label - forecast.predicted[at]),
    )


def narrowest(residuals: Floats) -> float:
    """Width of the narrowest interval that holds nine of ten residuals.

    Examples
    --------
    >>> narrowest(np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 100]))
    8.0
    """
    ordered = np.sort(residuals)
    inside = int(np.ceil(LEVEL * len(ordered)))
    return float((ordered[inside - 1 :] - ordered[: len(ordered) - inside + 1]).min())
