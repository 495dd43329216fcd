"""Score a detector as the Numenta Anomaly Benchmark does, in code of our own.

A detection inside a labelled window earns the more the earlier it is, the first one of a window
only; outside it costs, less if shortly after a window; a window without one costs ``miss``. The
threshold is the one that scores best on the files scored; 0 is a detector that says nothing,
100 one that says the first row of every window and nothing else [1]_.

References
----------
.. [1] A. Lavin and S. Ahmad, "Evaluating real-time anomaly detection algorithms – the Numenta
   Anomaly Benchmark", ICMLA 2015; https://github.com/numenta/NAB, version 1.1: ``nab/sweeper.py``
   for the rows, ``nab/runner.py`` for the normalisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab.corpus import LabelledFile

Scores = Sequence[NDArray[np.float64]]
NOTHING = math.inf  # a threshold that no score reaches
FAR = 3.0  # window lengths behind a window after which a false detection costs all


@dataclass(frozen=True, slots=True)
class CostProfile:
    """What a false detection and a missed window cost, where a window found earns 1."""

    name: str
    false_alarm: float
    miss: float


STANDARD = CostProfile("standard", 0.11, 1.0)
LOW_FP = CostProfile("reward-low-FP", 0.22, 1.0)
LOW_FN = CostProfile("reward-low-FN", 0.11, 2.0)
PROFILES = (STANDARD, LOW_FP, LOW_FN)


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """A detector's score on some files: 0 to 100, or below, and the threshold it was had at."""

    score: float
    threshold: float


def scaled_sigmoid(position: float) -> float:
    """Return the worth of a detection, in window lengths from the window's right edge."""
    return -1.0 if position >= FAR else 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def row_worths(file: LabelledFile, profile: CostProfile) -> NDArray[np.float64]:
    """Return what a detection at each row earns (in a window) or costs (outside), unsummed."""
    worths = np.full(len(file.values), -profile.false_alarm)
    for place, (first, last) in enumerate(file.windows):
        length = last - first + 1
        inside = np.arange(first, last + 1)
        worths[inside] = _sigmoids(-(last - inside + 1) / length) / scaled_sigmoid(-1.0)
        until = file.windows[place + 1][0] if place + 1 < len(file.windows) else len(worths)
        after = np.arange(last + 1, until)
        lengths_on = (after - last) / (length - 1) if length > 1 else np.full(len(after), FAR)
        worths[after] = _sigmoids(lengths_on) * profile.false_alarm
    return worths


def _sigmoids(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(positions >= FAR, -1.0, -np.tanh(2.5 * positions))


def _steps(
    file: LabelledFile, scores: NDArray[np.float64], profile: CostProfile
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scores and what the raw total gains as the threshold sinks below each of them."""
    worths = row_worths(file, profile)
    inside = np.zeros(len(worths), bool)
    levels, gains = [], []
    for first, last in file.windows:
        inside[first : last + 1] = True
        rows = np.arange(max(first, file.probation), last + 1)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        best = np.maximum.accumulate(worths[rows])
        levels.append(scores[rows])
        gains.append(np.diff(best, prepend=-profile.miss))
    outside = ~inside
    outside[: file.probation] = False
    levels.append(scores[outside])
    gains.append(worths[outside])
    return np.concatenate(levels), np.concatenate(gains)


def _scored_windows(file: LabelledFile) -> int:
    return sum(last >= file.probation for _, last in file.windows)


def raw_curve(
    files: Sequence[LabelledFile], scores: Scores, profile: CostProfile
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each threshold, from the highest, and the raw total had by it.

    A row is a detection when its score reaches the threshold.
    """
    parts = [_steps(file, each, profile) for file, each in zip(files, scores, strict=True)]
    levels = np.concatenate([part[0] for part in parts])
    gains = np.concatenate([part[1] for part in parts])
    order = np.argsort(-levels, kind="stable")
    levels, totals = levels[order], np.cumsum(gains[order])
    ends = np.flatnonzero(np.append(levels[1:] != levels[:-1], True))
    nothing = -profile.miss * sum(_scored_windows(file) for file in files)
    return np.append(NOTHING, levels[ends]), nothing + np.append(0.0, totals[ends])


def normalise(raw: float, files: Sequence[LabelledFile], profile: CostProfile) -> float:
    """Return a raw total on the scale where silence is 0 and perfection 100."""
    windows = sum(len(file.windows) for file in files)
    if windows == 0:
        return math.nan
    null = -profile.miss * windows
    return 100.0 * (raw - null) / (windows - null)


def raw_total(
    files: Sequence[LabelledFile], scores: Scores, profile: CostProfile, threshold: float
) -> float:
    """Return the raw total at a threshold."""
    thresholds, totals = raw_curve(files, scores, profile)
    return float(totals[int(np.sum(thresholds >= threshold)) - 1])


def score_corpus(
    files: Sequence[LabelledFile],
    scores: Scores,
    profile: CostProfile,
    threshold: float | None = None,
) -> CorpusScore:
    """Score a detector on files, at a threshold given or at the best one for these files.

    Parameters
    ----------
    files : sequence of LabelledFile
        What was watched.
    scores : sequence of array
        The detector's score of every row of each file, higher is more anomalous.
    profile : CostProfile
        What mistakes cost.
    threshold : float, optional
        Where a score becomes a detection; by default the one that scores best.
    """
    if threshold is not None:
        total = raw_total(files, scores, profile, threshold)
        return CorpusScore(normalise(total, files, profile), threshold)
    thresholds, totals = raw_curve(files, scores, profile)
    best = int(np.argmax(totals))
    return CorpusScore(normalise(float(totals[best]), files, profile), float(thresholds[best]))
