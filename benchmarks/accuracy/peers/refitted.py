"""What a batch job does: fit in the night on all labels so far, forecast from the day's slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.accuracy.forecasts import Floats, Forecast, blank
from benchmarks.accuracy.peers.design import design
from benchmarks.accuracy.peers.nights import Night
from benchmarks.accuracy.sets import Series

LEAST_PAIRS = 100
# Features in; forecasts for the absolute and for the squared error out.
Fitted = Callable[[Floats], tuple[Floats, Floats]]


def forecast(
    fit: Callable[[Floats, Floats], Fitted],
    series: Series,
    horizon: int,
    timezone: str,
    nights: Sequence[Night],
    done: Callable[[], None] = lambda: None,
) -> Forecast:
    """Forecast from every origin of the days after some nights.

    Parameters
    ----------
    fit : callable
        Fits features to labels.
    done : callable
        Called after every night.
    """
    table = design(series, horizon, timezone)
    label = blank(series)
    label[: len(label) - horizon] = series.values[horizon:]
    usable = np.isfinite(series.values)
    made = Forecast(blank(series), blank(series))
    for night in nights:
        arrived = slice(0, max(night.begin - horizon, 0))
        known = np.flatnonzero(usable[arrived] & np.isfinite(label[arrived]))
        ahead = night.begin + np.flatnonzero(usable[night.begin : night.end])
        if len(known) >= LEAST_PAIRS and len(ahead):
            fitted = fit(table[known], label[known])
            made.predicted[ahead], made.mean[ahead] = fitted(table[ahead])
        done()
    return made
