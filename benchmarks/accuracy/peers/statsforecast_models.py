"""statsforecast's MSTL and DynamicOptimizedTheta, fitted anew at each of a few origins.

They learn nothing between two fits, so every scored origin costs a fit on the weeks before it.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from statsforecast.models import MSTL, AutoETS, DynamicOptimizedTheta

from benchmarks.accuracy.forecasts import Floats
from benchmarks.accuracy.sets import Series

NAMES = ("MSTL", "DynamicOptimizedTheta")
WEEKS = 8
# At 5-minute slots there are less than seven weeks. The decomposition takes all of them; a fit of
# Theta on all of them takes ten seconds.
THETA_WEEKS = {300_000: 2}


def weeks_of(name: str, period_ms: int) -> int:
    """How much history a method gets."""
    return THETA_WEEKS.get(period_ms, WEEKS) if name == "DynamicOptimizedTheta" else WEEKS


def forecast_at(name: str, past: Floats, day: int, ahead: int) -> Floats:
    """Fit a method on a history without holes and forecast the slots after it.

    MSTL's smoothers are evaluated at every tenth of their window and interpolated in between, as
    R's are by default: a fit takes 0.09 s for 0.31 s on eight weeks of hourly traffic, whose
    errors change by 0.3 % at most, and ends at all on weeks of 5-minute slots.
    """
    if name == "MSTL":
        jumps = {"trend_jump": ceil(1.5 * 7 * day / 10), "low_pass_jump": ceil(day / 10)}
        trend = AutoETS(model="ZZN")
        model = MSTL([day, 7 * day], trend_forecaster=trend, stl_kwargs=jumps)
    else:
        model = DynamicOptimizedTheta(season_length=day)
    return np.asarray(model.forecast(y=past, h=ahead)["mean"], np.float64)


def history(series: Series, origin: int, weeks: int) -> Floats:
    """The last weeks up to an origin, holes filled; these methods cannot do with any."""
    return whole(series.values[max(0, origin + 1 - weeks * series.week) : origin + 1])


def whole(values: Floats) -> Floats:
    """Fill missing slots with the last reading.

    Examples
    --------
    >>> whole(np.array([np.nan, 2.0, np.nan, 3.0])).tolist()
    [2.0, 2.0, 2.0, 3.0]
    """
    index = np.where(np.isfinite(values), np.arange(len(values)), -1)
    index = np.maximum.accumulate(index)
    first = int(np.flatnonzero(np.isfinite(values))[0])
    return values[np.where(index < 0, first, index)]
