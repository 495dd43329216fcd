"""Every estimator, ready to be held to the contract, and the series it is shown."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator

import numpy as np
from river import base
from river.time_series.base import Forecaster

from hedgerow.models.aggregation import RULES
from hedgerow.models.estimators import (
    AdaGradRegressor,
    Aggregation,
    CappedGradientDescent,
    CompanionLeastSquares,
    Hedge,
    HoldMedian,
    Holt,
    HourlyLeastSquares,
    LevelledPattern,
    MedianRegressor,
    NormalisedLMS,
    OnlineGradientDescent,
    PoissonRegressor,
    RecursiveLeastSquares,
    SeasonalNaive,
    WeeklyPattern,
)

Series = list[float]


def experts() -> list[base.Regressor]:
    return [RecursiveLeastSquares(), NormalisedLMS(), PoissonRegressor()]


ESTIMATORS: dict[str, Callable[[], base.Estimator]] = {
    "descent": OnlineGradientDescent,
    "descent, scaled": lambda: OnlineGradientDescent(scale=True),
    "capped descent": CappedGradientDescent,
    "capped descent, unscaled": lambda: CappedGradientDescent(scale=False),
    "AdaGrad": AdaGradRegressor,
    "normalised LMS": NormalisedLMS,
    "median": MedianRegressor,
    "Poisson": PoissonRegressor,
    "Poisson, unscaled": lambda: PoissonRegressor(scale=False),
    "least squares": RecursiveLeastSquares,
    "least squares, short memory": lambda: RecursiveLeastSquares(0.99),
    "least squares, unscaled": lambda: RecursiveLeastSquares(scale=False),
    "hourly least squares": HourlyLeastSquares,
    "companions": lambda: CompanionLeastSquares(["last", "gallup", "ordinal_date"]),
    "companions, unscaled": lambda: CompanionLeastSquares(("before", "last"), scale=False),
    "hold": HoldMedian,
    "persistence": SeasonalNaive,
    "seasonal naive": lambda: SeasonalNaive(7),
    "Holt": Holt,
    "weekly pattern": WeeklyPattern,
    "levelled pattern": LevelledPattern,
    "Hedge": lambda: Hedge(experts()),
    "Fixed Share by hand": lambda: Hedge(experts(), 0.1, loss="absolute", share=0.01),
    **{
        f"{rule}, {loss}": lambda rule=rule, loss=loss: Aggregation(experts(), rule, loss)
        for rule in RULES
        for loss in ("squared", "absolute")
    },
}

LARGEST = sys.float_info.max
TINY = 5e-324


def daily(hours: int, seed: int = 1) -> Series:
    """Hourly values with a rush hour, some of them repeated."""
    rng = np.random.default_rng(seed)
    values = 60 + 40 * np.sin(np.arange(hours) * math.pi / 12) + rng.normal(size=hours)
    for i in np.flatnonzero(rng.random(hours) < 0.3):
        values[i] = values[max(i - 1, 0)]
    return [float(value) for value in values]


HOSTILE: dict[str, Series] = {
    "largest": [1.0, LARGEST, -LARGEST] * 60,
    "largest, then calm": [1.0] * 60 + [LARGEST] + daily(100),
    "denormal": [TINY, 0.0, -TINY, 1e-160] * 40,
    "zero": [0.0] * 120,
    "constant": [7.5] * 120,
    "negative constant": [-7.5] * 120,
    "jumps": [1.0, 1e9, 2.0, 1e9 + 1.0] * 40,
    "far apart": [1e-300, 1e300] * 60,
    "calm, then wild, then calm": [*daily(100), 1e9, *daily(100, seed=2)],
    "constant, then not": [3.0] * 100 + daily(50),
}


def forecasts(model: base.Estimator, series: Series) -> Iterator[float]:
    """Show a model a series value by value and yield its forecast of the next."""
    before = 0.0
    last = 0.0
    for i, value in enumerate(series):
        if isinstance(model, Forecaster):
            model.learn_one(value)
            yield model.forecast(1)[0] if i >= 7 else 0.0
            continue
        x = {"last": last, "before": before, "hour": i % 24, "constant": 1.0}
        yield float(model.predict_one(x))
        model.learn_one(x, value)
        before, last = last, value
