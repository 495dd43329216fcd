"""A check of the scores that believes nothing but what was published and what was read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from models.logs import Log, Published

from hedgerow.models import Outcome, SeriesScore, StepResult


@dataclass
class Sums:
    """Scores of one series and horizon, summed in log order."""

    n: int = 0
    absolute_error: float = 0.0
    squared_error: float = 0.0
    covered: int = 0
    with_interval: int = 0
    width_sum: float = 0.0
    pending: dict[int, Published] = field(default_factory=dict)


def recompute(log: Log, result: StepResult, forecasts: list[Published]) -> dict[object, Sums]:
    """Score the published forecasts against the readings, each as it stood when published.

    The slot of a reading is taken from its own forecasts: their targets less their lead.
    """
    by_reading: dict[int, list[Published]] = defaultdict(list)
    for forecast in forecasts:
        by_reading[forecast.at - log.first_offset].append(forecast)
    sums: dict[object, Sums] = defaultdict(Sums)
    period = {(s, q): p for s, q, p in _periods(forecasts)}
    for p in np.flatnonzero(result.outcomes == Outcome.LEARNED).tolist():
        series = (log.sensor_ids[p], log.quantities[p])
        value = float(log.values[p])
        for made in by_reading[p]:
            score = sums[*series, made.horizon]
            slot_ms = made.target_ms - made.horizon * period[series]
            was = score.pending.pop(slot_ms, None)
            if was is not None:
                assert was.at < made.at, "a forecast must be older than its label"
                score.n += 1
                score.absolute_error += abs(value - was.predicted)
                score.squared_error += (value - was.mean) ** 2
                if was.lower == was.lower:
                    score.with_interval += 1
                    score.width_sum += was.upper - was.lower
                    score.covered += was.lower <= value <= was.upper
            score.pending[made.target_ms] = made
    return sums


def _periods(forecasts: list[Published]) -> list[tuple[str, str, int]]:
    found = []
    first: dict[tuple[str, str, int], Published] = {}
    for forecast in forecasts:
        key = (forecast.sensor_id, forecast.quantity, forecast.at)
        earlier = first.setdefault(key, forecast)
        if earlier is not forecast:
            gap = forecast.target_ms - earlier.target_ms
            found.append((*key[:2], gap // (forecast.horizon - earlier.horizon)))
    return found


def dishonest(
    log: Log, result: StepResult, forecasts: list[Published], scores: list[SeriesScore]
) -> list[str]:
    """Say which of a learner's scores are not those of its published forecasts."""
    sums = recompute(log, result, forecasts)
    faults = []
    for score in scores:
        true = sums[score.sensor_id, score.quantity, score.horizon]
        for name in ("n", "absolute_error", "squared_error", "covered", "with_interval"):
            if not np.isclose(getattr(score, name), getattr(true, name), rtol=1e-12, atol=0):
                faults.append(f"{score.sensor_id} h{score.horizon} {name}")
    return faults
