"""The product's detector on a file, whole or in part, through the product's own functions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab.corpus import LabelledFile
from hedgerow.models.alerts import anomaly
from hedgerow.models.arithmetic import jit

Scores = NDArray[np.float64]
KINDS = ("value", "distance", "drift", "variation")


class Memory(NamedTuple):
    """What the detector remembers of a series."""

    state: Scores
    hours: anomaly.Hours


def blank() -> Memory:
    """Return the memory of a series that nothing was seen of."""
    return Memory(np.zeros(anomaly.SIZE), np.zeros(anomaly.HOURS_SIZE, np.float32))


@jit
def score_values(
    values: Scores, hours: NDArray[np.int64], slower: float, memory: Memory, scores: Scores
) -> None:
    """Write the score of each reading of a series to ``scores``; NaN is a missing one."""
    for row in range(len(values)):
        scores[row] = anomaly.score(memory.state, memory.hours, values[row], hours[row], slower)


@jit
def _score_some(
    memory: Memory,
    values: Scores,
    hours: NDArray[np.int64],
    slower: float,
    kinds: NDArray[np.bool_],
    remembers: bool,
    scores: Scores,
) -> None:
    state = memory.state
    for row in range(len(values)):
        now = anomaly.follow(state, memory.hours, values[row], hours[row], slower)
        most = 0.0
        for kind in range(anomaly.KINDS):
            beyond = anomaly.excess(state, kind, now[kind], slower)
            if kinds[kind]:
                most = max(most, beyond)
        if not remembers:
            state[anomaly.TOLD] = 0.0
        if anomaly.tell(state, most, slower):
            scores[row] = most / (most + anomaly.USUAL_EXCESS)


def hours_of_week(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the hour of the week of each local time."""
    return seconds // 3600 % anomaly.HOURS


def ours(file: LabelledFile, minutes_off: int = 0) -> Scores:
    """Score a file as the service would; its hours may be made to begin some minutes off."""
    hours = hours_of_week(file.seconds + 60 * minutes_off)
    scores = np.zeros(len(file.values))
    score_values(file.values, hours, anomaly.pace(file.period_seconds), blank(), scores)
    return scores


def ours_in_part(file: LabelledFile, *kinds: str, remembers: bool = True) -> Scores:
    """Score a file by some of the statistics only, or telling every new extreme."""
    scores = np.zeros(len(file.values))
    _score_some(
        blank(),
        file.values,
        hours_of_week(file.seconds),
        anomaly.pace(file.period_seconds),
        np.array([kind in kinds for kind in KINDS]),
        remembers,
        scores,
    )
    return scores
