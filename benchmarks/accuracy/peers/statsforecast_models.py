"""statsforecast's MSTL and DynamicOptimizedTheta, fitted anew at each of a few origins.

They learn nothing between two fits, so every scored origin costs a fit on the weeks before it.
"""

from __future__ import annotations

import numpy as np
from statsforecast.models import MSTL, AutoETS, DynamicOptimizedTheta

from benchmarks.accuracy.forecasts import Floats, Forecast, blank
from benchmarks.accuracy.sets import Series


def coarse_origins(scored: np.ndarray, wanted: int) -> np.ndarray:
    """Take some origins, evenly over those that are scored."""
    return scored[np.unique(np.round(np.linspace(0, len(scored) - 1, wanted)).astype(int))]


def forecast(
    series: Series, horizons: tuple[int, ...], at: np.ndarray, *, name: str, weeks: int
) -> dict[int, Forecast]:
    """Forecast from each origin of ``at`` on the last ``weeks`` weeks."""
    made = {horizon: blank(series) for horizon in horizons}
    for origin in at.tolist():
        past = _whole(series.values[max(0, origin + 1 - weeks * series.week) : origin + 1])
        if name == "MSTL":
            model = MSTL([series.day, series.week], trend_forecaster=AutoETS(model="ZZN"))
        else:
            model = DynamicOptimizedTheta(season_length=series.day)
        said = model.forecast(y=past, h=max(horizons))["mean"]
        for horizon in horizons:
            made[horizon][origin] = said[horizon - 1]
    return {horizon: Forecast(values, values) for horizon, values in made.items()}


def _whole(values: Floats) -> Floats:
    """Fill missing slots with the last reading; these methods cannot do without."""
    index = np.where(np.isfinite(values), np.arange(len(values)), -1)
    index = np.maximum.accumulate(index)
    first = int(np.flatnonzero(np.isfinite(values))[0])
    return values[np.where(index < 0, first, index)]
