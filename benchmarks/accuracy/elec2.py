"""Elec2, a classic of online classification, beside the predictor that knows nothing.

A price is called UP when it lies above the mean of the last day. We forecast the price one
slot ahead and compare the forecast with the mean of the last day's prices known when it was
made; nothing ever sees a class. The no-change predictor says what the last class was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.ours import Run
from benchmarks.accuracy.score import origins
from benchmarks.accuracy.sets import Feed, elec2_classes

HORIZON = 1


@dataclass(frozen=True, slots=True)
class Elec2:
    """Share of the classes foreseen.

    Attributes
    ----------
    kappa, no_change_kappa : float
        Agreement beyond chance.
    kappa_temporal : float
        1 − our mistakes / those of the no-change predictor.
    """

    slots: int
    up: float
    accuracy: float
    kappa: float
    no_change_accuracy: float
    no_change_kappa: float
    kappa_temporal: float


def classify(feed: Feed, run: Run) -> Elec2:
    """Make classes of the forecasts and compare."""
    (series,) = feed.series
    at = origins(series, HORIZON)
    classes = elec2_classes()
    sums = np.cumsum(series.values)
    last_day = (sums[at] - sums[at - series.day]) / series.day
    ours = run.forecasts[0, HORIZON].predicted[at] > last_day
    actual, before = classes[at + HORIZON], classes[at]
    accuracy, unchanged = float((ours == actual).mean()), float((before == actual).mean())
    return Elec2(
        slots=len(at),
        up=float(actual.mean()),
        accuracy=accuracy,
        kappa=_kappa(ours, actual),
        no_change_accuracy=unchanged,
        no_change_kappa=_kappa(before, actual),
        kappa_temporal=1.0 - (1.0 - accuracy) / (1.0 - unchanged),
    )


def _kappa(said: NDArray[np.bool_], actual: NDArray[np.bool_]) -> float:
    """Cohen's kappa."""
    agreed = float((said == actual).mean())
    p, q = float(said.mean()), float(actual.mean())
    chance = p * q + (1 - p) * (1 - q)
    return (agreed - chance) / (1 - chance)
