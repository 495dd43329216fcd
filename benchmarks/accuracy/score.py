"""The one scoring code: every method, every reference, the same slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.forecasts import Floats, Forecast, naive
from benchmarks.accuracy.sets import Series

UNSCORED_DAYS = 14
OURS = "hedgerow"
NAIVE = ("persistence", "day", "week")


@dataclass(frozen=True, slots=True)
class Error:
    """Mean absolute error of ``predicted`` and root mean squared error of ``mean``."""

    mae: float
    rmse: float


@dataclass(frozen=True, slots=True)
class Scored:
    """One series at one horizon.

    Attributes
    ----------
    slots : int
        Forecasts scored.
    days : float
        From the series' first reading to its last.
    errors : dict of str to Error
        By method; the naive ones are among them.
    borrowed : dict of str to int
        Slots at which a method had no forecast, and persistence took its place.
    """

    cell: str
    series: str
    horizon: int
    slots: int
    days: float
    errors: dict[str, Error]
    borrowed: dict[str, int]

    @property
    def best_naive(self) -> tuple[str, str]:
        """The naive method that won in hindsight, by MAE and by RMSE."""
        return (
            min(NAIVE, key=lambda name: self.errors[name].mae),
            min(NAIVE, key=lambda name: self.errors[name].rmse),
        )

    def ratio(self, method: str) -> Error:
        """A method's errors as a share of the best naive method's."""
        by_mae, by_rmse = self.best_naive
        mine = self.errors[method]
        return Error(mine.mae / self.errors[by_mae].mae, mine.rmse / self.errors[by_rmse].rmse)


def origins(series: Series, horizon: int) -> NDArray[np.int64]:
    """Origins that are scored.

    The reading of the origin, the label and all three references must be there, and the label
    must lie 14 days or more after the first reading.
    """
    slots = np.arange(len(series.values) - horizon)
    good = np.isfinite(series.values[slots + horizon])
    good &= slots + horizon >= UNSCORED_DAYS * series.day
    for reference in naive(series, horizon).values():
        good &= np.isfinite(reference[slots])
    return slots[good]


def score(
    series: Series,
    horizon: int,
    methods: Mapping[str, Forecast],
    *,
    among: NDArray[np.int64] | None = None,
) -> Scored:
    """Score methods and references on the same origins.

    Parameters
    ----------
    among : ndarray of int64, optional
        Only these origins, for methods that are too slow for all of them.
    """
    at = origins(series, horizon)
    if among is not None:
        at = np.intersect1d(at, among)
    if not len(at):
        raise ValueError(f"nothing of {series.name} can be scored {horizon} slots ahead")
    label = series.values[at + horizon]
    errors, borrowed = {}, {}
    references = naive(series, horizon)
    for name, values in references.items():
        errors[name] = Error(_mae(values[at], label), _rmse(values[at], label))
    for name, forecast in methods.items():
        missing = ~np.isfinite(forecast.predicted[at])
        borrowed[name] = int(missing.sum())
        instead = series.values[at]
        errors[name] = Error(
            _mae(np.where(missing, instead, forecast.predicted[at]), label),
            _rmse(np.where(missing, instead, forecast.mean[at]), label),
        )
    days = len(series.values) / series.day
    return Scored(series.cell, series.name, horizon, len(at), days, errors, borrowed)


def _mae(forecast: Floats, label: Floats) -> float:
    return float(np.abs(forecast - label).mean())


def _rmse(forecast: Floats, label: Floats) -> float:
    return float(np.sqrt(np.square(forecast - label).mean()))
