"""Detectors to compare with, each given one file and returning a score for every row."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from river import anomaly as river_anomaly

from benchmarks.nab.corpus import LabelledFile

Scores = NDArray[np.float64]


def null(file: LabelledFile) -> Scores:
    """Say the same of every row."""
    return np.full(len(file.values), 0.5)


def windowed_gaussian(file: LabelledFile, window: int = 6400, step: int = 100) -> Scores:
    """Score by the tail of a Gaussian fitted to the last readings.

    As the benchmark's own detector of that name (github.com/numenta/NAB,
    ``windowedGaussian_detector.py``): the window grows to its length, then moves on by ``step``.
    """
    values = file.values
    scores = np.zeros(len(values))
    for row in range(1, len(values)):
        first = max(0, (row - window) // step * step)
        before = values[first : row if row <= window else first + window]
        deviation = float(np.std(before)) or 1e-6
        distance = abs(values[row] - float(np.mean(before))) / deviation
        scores[row] = 1.0 - 0.5 * math.erfc(distance / math.sqrt(2.0))
    return scores


def river_gaussian(file: LabelledFile) -> Scores:
    """River's GaussianScorer, silent while nothing has varied (it would score all that 1)."""
    model = river_anomaly.GaussianScorer()
    scores = np.zeros(len(file.values))
    for row, value in enumerate(file.values.tolist()):
        if model.gaussian.sigma > 0.0:
            scores[row] = model.score_one(None, value)
        model.learn_one(None, value)
    return scores


def river_half_space_trees(file: LabelledFile) -> Scores:
    """River's HalfSpaceTrees on the value, scaled by the range met so far."""
    model = river_anomaly.HalfSpaceTrees(n_trees=10, height=8, window_size=250, seed=42)
    scores = np.zeros(len(file.values))
    low = high = float(file.values[0])
    for row, value in enumerate(file.values.tolist()):
        low, high = min(low, value), max(high, value)
        x = {"value": (value - low) / (high - low) if high > low else 0.5}
        scores[row] = model.score_one(x)
        model.learn_one(x)
    return scores
