"""All figures of the benchmark, as plain rows for the terminal and for docs/anomaly.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab.corpus import LabelledFile
from benchmarks.nab.ours import ours, ours_in_part
from benchmarks.nab.peers import (
    null,
    river_gaussian,
    river_half_space_trees,
    windowed_gaussian,
)
from benchmarks.nab.scoring import PROFILES, CostProfile, normalise, raw_total, score_corpus

Detector = Callable[[LabelledFile], NDArray[np.float64]]
OURS = "hedgerow"
MINUTES_OFF = tuple(range(0, 60, 10))

DETECTORS: dict[str, Detector] = {
    "null": null,
    "windowed Gaussian": windowed_gaussian,
    "River GaussianScorer": river_gaussian,
    "River HalfSpaceTrees": river_half_space_trees,
    OURS: ours,
}
RUNGS: dict[str, Detector] = {
    "value": lambda file: ours_in_part(file, "value"),
    "distance from the hour's usual value": lambda file: ours_in_part(file, "distance"),
    "its recent mean, the drift": lambda file: ours_in_part(file, "drift"),
    "variation": lambda file: ours_in_part(file, "variation"),
    "value, distance": lambda file: ours_in_part(file, "value", "distance"),
    "value, distance, drift": lambda file: ours_in_part(file, "value", "distance", "drift"),
    "all four": ours,
    "all four, every new extreme told": lambda file: ours_in_part(
        file, "value", "distance", "drift", "variation", remembers=False
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: a name and a figure for each profile."""

    name: str
    figures: tuple[float, ...]


def score_detectors(
    files: Sequence[LabelledFile], detectors: dict[str, Detector]
) -> tuple[list[Row], dict[str, list[NDArray[np.float64]]]]:
    """Score detectors at the threshold that is best for each; return their scores of rows too."""
    scores = {name: [detect(file) for file in files] for name, detect in detectors.items()}
    rows = [
        Row(name, tuple(score_corpus(files, scores[name], each).score for each in PROFILES))
        for name in detectors
    ]
    return rows, scores


def score_categories(
    files: Sequence[LabelledFile], scores: Sequence[NDArray[np.float64]]
) -> list[Row]:
    """Score each folder at the threshold that is best for all files together."""
    rows = []
    best = [score_corpus(files, scores, profile).threshold for profile in PROFILES]
    for category in sorted({file.category for file in files}):
        at = [i for i, file in enumerate(files) if file.category == category]
        part, parts = [files[i] for i in at], [scores[i] for i in at]
        figures = tuple(
            score_corpus(part, parts, profile, threshold).score
            for profile, threshold in zip(PROFILES, best, strict=True)
        )
        rows.append(Row(category, figures))
    return rows


def score_left_out(
    files: Sequence[LabelledFile], scores: Sequence[NDArray[np.float64]], profile: CostProfile
) -> float:
    """Score each folder at the threshold that is best for all the others, and add up."""
    total = 0.0
    for category in {file.category for file in files}:
        inside = [i for i, file in enumerate(files) if file.category == category]
        outside = [i for i in range(len(files)) if i not in inside]
        threshold = score_corpus(
            [files[i] for i in outside], [scores[i] for i in outside], profile
        ).threshold
        total += raw_total(
            [files[i] for i in inside], [scores[i] for i in inside], profile, threshold
        )
    return normalise(total, files, profile)


def score_shifted(files: Sequence[LabelledFile]) -> list[Row]:
    """Score ours with the hours of the week beginning some minutes off: mean, least, most."""
    figures = []
    for minutes in MINUTES_OFF:
        scores = [ours(file, minutes) for file in files]
        figures.append([score_corpus(files, scores, profile).score for profile in PROFILES])
    table = np.array(figures)
    return [
        Row("mean", tuple(table.mean(0).tolist())),
        Row("least", tuple(table.min(0).tolist())),
        Row("most", tuple(table.max(0).tolist())),
    ]
