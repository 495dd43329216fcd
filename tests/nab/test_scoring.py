"""The benchmark's scorer: by its formula, and by what it gave known detectors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.nab.corpus import LabelledFile
from benchmarks.nab.scoring import (
    LOW_FN,
    LOW_FP,
    PROFILES,
    STANDARD,
    CostProfile,
    normalise,
    raw_curve,
    raw_total,
    row_worths,
    scaled_sigmoid,
    score_corpus,
)


def labelled(rows: int, *windows: tuple[int, int], name: str = "folder/file.csv") -> LabelledFile:
    seconds = np.arange(rows, dtype=np.int64) * 300
    return LabelledFile(name, seconds, np.zeros(rows), windows)


def raised(rows: int, *at: int) -> np.ndarray:
    scores = np.zeros(rows)
    scores[list(at)] = 1.0
    return scores


# From the comments of the published scorer, github.com/numenta/NAB nab/sweeper.py.
@pytest.mark.parametrize(
    ("position", "worth"),
    [(-1.0, 0.98661), (-0.5, 0.84828), (0.0, 0.0), (1.0, -0.98661), (3.0, -1.0), (50.0, -1.0)],
)
def test_a_detection_is_worth_what_was_published(position: float, worth: float) -> None:
    assert scaled_sigmoid(position) == pytest.approx(worth, abs=1e-5)


def test_silence_is_0_and_the_first_row_of_each_window_alone_is_100() -> None:
    file = labelled(1000, (300, 399), (700, 799))
    for profile in PROFILES:
        assert score_corpus([file], [np.zeros(1000)], profile).score == 0.0
        perfect = score_corpus([file], [raised(1000, 300, 700)], profile)
        assert perfect.score == pytest.approx(100.0)
        assert perfect.threshold == 1.0


def test_only_the_earliest_detection_of_a_window_counts() -> None:
    file = labelled(1000, (300, 399))
    late = score_corpus([file], [raised(1000, 360)], STANDARD, 1.0)
    both = score_corpus([file], [raised(1000, 330, 360)], STANDARD, 1.0)
    early = score_corpus([file], [raised(1000, 330)], STANDARD, 1.0)
    assert late.score < both.score == early.score < 100.0


@pytest.mark.parametrize(("profile", "cost"), [(STANDARD, 0.11), (LOW_FP, 0.22), (LOW_FN, 0.11)])
def test_a_false_detection_costs_less_shortly_after_a_window(
    profile: CostProfile, cost: float
) -> None:
    worths = row_worths(labelled(1000, (300, 399)), profile)
    assert worths[299] == worths[999] == -cost
    assert -cost < worths[410] < worths[400] < 0.0


def test_the_first_15_percent_are_not_scored_and_never_more_than_750_rows() -> None:
    assert labelled(1000).probation == 150
    assert labelled(20_000).probation == 750
    file = labelled(1000, (300, 399))
    assert raw_total([file], [raised(1000, 149)], STANDARD, 1.0) == -1.0
    assert raw_total([file], [raised(1000, 150)], STANDARD, 1.0) == -1.11


def test_a_threshold_is_reached_by_equal_scores() -> None:
    file = labelled(1000, (300, 399))
    scores = np.full(1000, 0.2)
    scores[300] = 0.7
    assert score_corpus([file], [scores], STANDARD).threshold == 0.7
    assert score_corpus([file], [scores], STANDARD, 0.7).score == pytest.approx(100.0)
    assert score_corpus([file], [scores], STANDARD, 0.71).score == 0.0


def test_files_without_windows_only_cost_and_have_no_score_of_their_own() -> None:
    quiet, loud = labelled(1000), labelled(1000, (300, 399))
    score = score_corpus([quiet, loud], [raised(1000, 500), raised(1000, 300)], STANDARD, 1.0)
    assert score.score == pytest.approx(100.0 - 100.0 * 0.11 / 2.0)
    assert math.isnan(normalise(0.0, [quiet], STANDARD))


def sigmoid(position: float) -> float:
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def slow_total(
    files: list[LabelledFile], scores: list[np.ndarray], profile: CostProfile, threshold: float
) -> float:
    """The definition again, one detection at a time, sharing no code with the scorer."""
    total = 0.0
    for file, each in zip(files, scores, strict=True):
        skipped = min(math.floor(0.15 * len(each)), 750)
        detected = [row for row in range(skipped, len(each)) if each[row] >= threshold]
        for first, last in file.windows:
            inside = [row for row in detected if first <= row <= last]
            length = last - first + 1
            total += max(
                (sigmoid(-(last - row + 1) / length) / sigmoid(-1.0) for row in inside),
                default=-profile.miss,
            )
        for row in detected:
            if any(first <= row <= last for first, last in file.windows):
                continue
            gone = [(first, last) for first, last in file.windows if last < row]
            worth = -1.0
            if gone:
                first, last = gone[-1]
                position = (row - last) / (last - first)
                worth = sigmoid(position) if position < 3.0 else -1.0
            total += profile.false_alarm * worth
    return total


@pytest.mark.parametrize("seed", range(5))
def test_every_threshold_totals_what_the_definition_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    files = [
        labelled(600, (40, 130), (200, 260), (261, 330)),
        labelled(400),
        labelled(500, (5, 60)),
    ]
    scores = [np.round(rng.random(len(file.values)), 2) for file in files]
    for profile in PROFILES:
        thresholds, totals = raw_curve(files, scores, profile)
        wanted = [slow_total(files, scores, profile, each) for each in thresholds]
        # A window that ends before scoring begins cannot be missed.
        wanted = [each + profile.miss for each in wanted]
        assert totals == pytest.approx(wanted)
