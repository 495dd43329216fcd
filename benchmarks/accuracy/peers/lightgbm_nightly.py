"""LightGBM, fitted again and again on all labels so far: what a city's batch job would do.

One model for the median and one for the mean, 80 trees each, on the features of `design`;
fitted at local midnight of every ``every_days``-th day on all pairs whose label has arrived.
"""

from __future__ import annotations

import lightgbm
import numpy as np

from benchmarks.accuracy.forecasts import Floats, Forecast, blank
from benchmarks.accuracy.peers.design import design
from benchmarks.accuracy.sets import Series

TREES = 80
FIRST_DAYS = 12  # a day or two before the first slot that is scored
PARAMETERS = {"num_leaves": 31, "learning_rate": 0.1, "verbose": -1, "seed": 0, "num_threads": 1}


def forecast(series: Series, horizon: int, timezone: str, *, every_days: int) -> Forecast:
    """Forecast from every origin with the model last fitted before it."""
    table = design(series, horizon, timezone)
    label = blank(series)
    label[: len(label) - horizon] = series.values[horizon:]
    usable = np.isfinite(series.values)
    found = []
    for objective in ("regression_l1", "regression"):
        found.append(_walk(series, horizon, table, label, usable, objective, every_days))
    return Forecast(*found)


def _walk(
    series: Series, horizon: int, table: Floats, label: Floats, usable: np.ndarray,
    objective: str, every_days: int,
) -> Floats:  # fmt: skip
    made = blank(series)
    slots = len(series.values)
    for begin in range(FIRST_DAYS * series.day, slots, every_days * series.day):
        known = np.flatnonzero(usable[: begin - horizon] & np.isfinite(label[: begin - horizon]))
        ahead = np.arange(begin, min(begin + every_days * series.day, slots))
        ahead = ahead[usable[ahead]]
        if len(known) < 100 or not len(ahead):
            continue
        model = lightgbm.train(
            PARAMETERS | {"objective": objective},
            lightgbm.Dataset(table[known], label[known]),
            num_boost_round=TREES,
        )
        made[ahead] = model.predict(table[ahead])
    return made
