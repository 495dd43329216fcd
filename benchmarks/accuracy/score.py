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
LEAN = "hedgerow lean"  # the other preset
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
    own_slots : dict of str to Error
        The same, each method on every slot that has a label and a forecast of its own.
    borrowed : dict of str to int
        Slots at which a method had no forecast, and persistence took its place.
    """

    cell: str
    series: str
    horizon: int
    slots: int
    days: float
    errors: dict[str, Error]
    own_slots: dict[str, Error]
    borrowed: dict[str, int]

    @property
    def best_naive(self) -> tuple[str, str]:
        """The naive method that won in hindsight, by MAE and by RMSE."""
        return (
            min(NAIVE, key=lambda name: self.errors[name].mae),
            min(NAIVE, key=lambda name: self.errors[name].rmse),
        )

    def ratio(self, method: str, *, own_slots: bool = False) -> Error:
        """Give a method's errors as a share of the best naive method's."""
        errors = self.own_slots if own_slots else self.errors
        mine = errors[method]
        return Error(
            mine.mae / min(errors[name].mae for name in NAIVE),
            mine.rmse / min(errors[name].rmse for name in NAIVE),
        )


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
    errors, own, borrowed = {}, {}, {}
    everything = {
        name: Forecast(values, values) for name, values in naive(series, horizon).items()
    } | dict(methods)
    for name, forecast in everything.items():
        own[name] = _own(series, horizon, forecast)
        missing = ~np.isfinite(forecast.predicted[at])
        borrowed[name] = int(missing.sum())
        instead = series.values[at]
        errors[name] = Error(
            _mae(np.where(missing, instead, forecast.predicted[at]), label),
            _rmse(np.where(missing, instead, forecast.mean[at]), label),
        )
    days = len(series.values) / series.day
    return Scored(series.cell, series.name, horizon, len(at), days, errors, own, borrowed)


def _own(series: Series, horizon: int, forecast: Forecast) -> Error:
    slots = np.arange(len(series.values) - horizon)
    label = series.values[slots + horizon]
    good = np.isfinite(label) & np.isfinite(forecast.predicted[slots])
    good &= slots + horizon >= UNSCORED_DAYS * series.day
    at = slots[good]
    if not len(at):
        return Error(np.nan, np.nan)
    return Error(_mae(forecast.predicted[at], label[at]), _rmse(forecast.mean[at], label[at]))


def _mae(forecast: Floats, label: Floats) -> float:
    return float(np.abs(forecast - label).mean())


def _rmse(forecast: Floats, label: Floats) -> float:
    return float(np.sqrt(np.square(forecast - label).mean()))
