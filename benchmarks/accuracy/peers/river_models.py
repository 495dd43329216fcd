"""River's own regressors and its SNARIMAX, one reading at a time, label delay honoured."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan

import numpy as np
from river import ensemble, forest, linear_model, optim, preprocessing, time_series
from river.base import Regressor

from benchmarks.accuracy.forecasts import Forecast, blank
from benchmarks.accuracy.peers.design import design, filled
from benchmarks.accuracy.sets import Series


def linear() -> Regressor:
    """As in River's first page: StandardScaler | LinearRegression, at its own step size."""
    return preprocessing.StandardScaler() | linear_model.LinearRegression()


def careful_linear(step: float = 0.001) -> Regressor:
    """The same with a small step and clipped gradients: as shipped it diverges on such features."""
    return preprocessing.StandardScaler() | linear_model.LinearRegression(
        optimizer=optim.SGD(step), intercept_lr=step, clip_gradient=1.0
    )


def weighted() -> Regressor:
    """River's EWARegressor over linear regressions of several steps."""
    return preprocessing.StandardScaler() | ensemble.EWARegressor(
        [
            linear_model.LinearRegression(
                optimizer=optim.SGD(step), intercept_lr=step, clip_gradient=1.0
            )
            for step in (0.01, 0.003, 0.001, 0.0003)
        ],
        learning_rate=0.5,
    )


def adaptive_forest() -> Regressor:
    """Adaptive random forest of five trees."""
    return forest.ARFRegressor(n_models=5, seed=0)


def forecast_regressor(
    make: Callable[[], Regressor], series: Series, horizon: int, timezone: str
) -> Forecast:
    """Forecast one series with a regressor on standardised lags; the label by its own scale.

    The target is scaled by the mean and deviation of the readings so far, as River's
    TargetStandardScaler does, and the features of a forecast are kept until its label comes.
    """
    model = make()
    table = filled(design(series, horizon, timezone))
    names = [f"x{i}" for i in range(table.shape[1])]
    made = blank(series)
    pending: dict[int, tuple[dict[str, float], float, float]] = {}
    count, mean, square = 0, 0.0, 0.0
    for slot, value in enumerate(series.values.tolist()):
        waiting = pending.pop(slot, None)
        if isnan(value):
            continue
        if waiting is not None:
            x, center, scale = waiting
            model.learn_one(x, max(-10.0, min(10.0, (value - center) / scale)))
        count += 1
        delta = value - mean
        mean += delta / count
        square += delta * (value - mean)
        scale = (square / count) ** 0.5 or 1.0
        x = dict(zip(names, table[slot].tolist(), strict=True))
        said = model.predict_one(x)
        if said is not None and np.isfinite(said):
            made[slot] = mean + scale * max(-10.0, min(10.0, said))
        pending[slot + horizon] = (x, mean, scale)
    return Forecast(made, made)


def forecast_snarimax(series: Series, horizons: tuple[int, ...]) -> dict[int, Forecast]:
    """River's SNARIMAX on the differences to last week, one model iterated to every horizon.

    As it comes it diverges; of a handful of settings tried on one pedestrian counter this did
    best. It needs every slot, so a missing one repeats the last.
    """
    step = preprocessing.TargetStandardScaler(regressor=careful_linear(0.01))
    model = time_series.SNARIMAX(p=2, d=0, q=0, m=series.week, sp=1, sd=1, sq=0, regressor=step)
    made = {horizon: blank(series) for horizon in horizons}
    last = None
    for slot, value in enumerate(series.values.tolist()):
        there = not isnan(value)
        if there:
            last = value
        elif last is None:
            continue
        model.learn_one(last)
        if there and slot > 10 * series.day:
            ahead = model.forecast(horizon=max(horizons))
            for horizon in horizons:
                if np.isfinite(ahead[horizon - 1]):
                    made[horizon][slot] = ahead[horizon - 1]
    return {horizon: Forecast(values, values) for horizon, values in made.items()}
