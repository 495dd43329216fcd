"""What every method hands over: a forecast for each origin and horizon of a series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.sets import Series

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Forecasts of one series at one horizon, by the slot they were made at; NaN where none was.

    Attributes
    ----------
    predicted : ndarray of float64, shape (slots,)
        For the absolute error.
    mean : ndarray of float64, shape (slots,)
        For the squared error.
    """

    predicted: Floats
    mean: Floats


def blank(series: Series) -> Floats:
    """Forecast nothing yet."""
    return np.full(len(series.values), np.nan)


def lagged(values: Floats, slots: int) -> Floats:
    """What stood so many slots before each slot."""
    moved = np.full(len(values), np.nan)
    moved[slots:] = values[: len(values) - slots]
    return moved


def naive(series: Series, horizon: int) -> dict[str, Floats]:
    """The three references, by origin: persistence, same slot yesterday, same slot last week.

    Where a day or week ahead is asked for, yesterday's and last week's slot are the latest
    ones that have been read at the origin.
    """
    references = {"persistence": series.values}
    for name, season in (("day", series.day), ("week", series.week)):
        back = -(-horizon // season) * season - horizon
        references[name] = np.where(np.isfinite(series.values), lagged(series.values, back), np.nan)
    return references
