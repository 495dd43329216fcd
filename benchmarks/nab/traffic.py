"""How often the detector speaks up on a city's road sensors, where nobody labelled anything."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab.ours import blank, hours_of_week, score_values
from hedgerow.models.alerts import anomaly

SENSORS = 20  # of 399, evenly
WEEK_SECONDS = 604_800
CEST_SECONDS = 7200  # the set is stamped in UTC


@dataclass(frozen=True, slots=True)
class Rate:
    """Episodes for each sensor and week, over sensors."""

    quantity: str
    median: float
    mean: float
    most: float
    microseconds: float  # CPU for each reading scored


def count_episodes(scores: NDArray[np.float64], threshold: float, quiet: float) -> int:
    """Count the alerts that come more than ``quiet`` readings after the last one."""
    rows = np.flatnonzero(scores >= threshold)
    return int(np.sum(np.diff(rows, prepend=-np.inf) > quiet))


def measure_rates(folder: Path, threshold: float = anomaly.THRESHOLD) -> list[Rate]:
    """Measure both quantities of the Aarhus road sensors (``aarhus_traffic_5min.npz``)."""
    with np.load(folder / "aarhus_traffic_5min.npz") as archive:
        step, start = int(archive["step_s"]), np.datetime64(str(archive["t0"]), "s")
        columns = {name: archive[name] for name in ("avg_speed", "vehicle_count")}
    return [_rate(name, column, int(start.astype(np.int64)), step, threshold)
            for name, column in columns.items()]  # fmt: skip


def _rate(name: str, column: NDArray[np.int16], start: int, step: int, threshold: float) -> Rate:
    sensors = np.round(np.linspace(0, column.shape[1] - 1, SENSORS)).astype(int)
    values = column[:, sensors].astype(np.float64)
    values[values < 0.0] = np.nan
    if name == "avg_speed":
        values[values == 0.0] = np.nan  # no vehicle
    hours = hours_of_week(start + CEST_SECONDS + step * np.arange(len(values)))
    slower = anomaly.pace(step)
    scored = np.zeros((len(sensors), len(values)))
    score_values(values[:9, 0].copy(), hours[:9], slower, blank(), scored[0])  # warm
    began = time.process_time()
    for i, scores in enumerate(scored):
        score_values(values[:, i].copy(), hours, slower, blank(), scores)
    spent = time.process_time() - began
    weeks = len(values) * step / WEEK_SECONDS
    quiet = anomaly.QUIET_FOR * slower
    rates = [count_episodes(scores, threshold, quiet) / weeks for scores in scored]
    return Rate(
        quantity=name,
        median=float(np.median(rates)),
        mean=float(np.mean(rates)),
        most=max(rates),
        microseconds=1e6 * spent / int(np.sum(np.isfinite(values))),
    )
