"""Logs to learn from, and ways to run a learner over them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedgerow.models import (
    AlertEvent,
    CityModel,
    Learner,
    Profile,
    StepResult,
    encode_chunk,
)

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_767_225_600_000  # 2026-01-01


@dataclass(frozen=True)
class Log:
    """Readings in log order, one message each."""

    sensor_ids: list[str]
    quantities: list[str]
    time_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    first_offset: int = 0

    def __len__(self) -> int:
        return len(self.sensor_ids)

    def part(self, start: int, end: int) -> Log:
        return Log(
            self.sensor_ids[start:end],
            self.quantities[start:end],
            self.time_ms[start:end],
            self.values[start:end],
            self.first_offset + start,
        )


def one_series(
    values: Sequence[float], *, period_ms: int = HOUR, start_ms: int = START, sensor: str = "s1"
) -> Log:
    """A series without a gap."""
    n = len(values)
    times = start_ms + period_ms * np.arange(n, dtype=np.int64)
    return Log([sensor] * n, [""] * n, times, np.array(values, np.float64))


def daily(n: int, *, noise: float = 1.0, seed: int = 1) -> list[float]:
    """Hourly values with a rush hour."""
    rng = random.Random(seed)
    return [
        60.0 + 40.0 * math.sin(2 * math.pi * hour / 24) + rng.gauss(0, noise) for hour in range(n)
    ]


def city_log(seed: int, readings: int) -> Log:
    """Several series of several periods, with gaps, jitter, late and repeated readings."""
    rng = random.Random(seed)
    series = [
        (f"road-{i}", "flow" if i % 2 else "", rng.choice((60_000, 300_000, HOUR)))
        for i in range(rng.randint(1, 6))
    ]
    clocks = [START + rng.randint(0, DAY) for _ in series]
    rows = []
    for _ in range(readings):
        i = rng.randrange(len(series))
        sensor, quantity, period = series[i]
        kind = rng.random()
        if kind < 0.9:
            clocks[i] += period
        elif kind < 0.94:
            clocks[i] += period * rng.randint(2, 40)
        elif kind < 0.97:
            pass  # the same slot again
        time_ms = clocks[i] + rng.randint(-period // 8, period // 8)
        if kind >= 0.97:
            time_ms -= period * rng.randint(1, 5)
        value = 50 + 30 * math.sin(clocks[i] / DAY * 2 * math.pi) + rng.gauss(0, 3)
        rows.append((sensor, quantity, time_ms, 400.0 if rng.random() < 0.02 else value))
    columns = list(zip(*rows, strict=True))
    return Log(
        list(columns[0]),
        list(columns[1]),
        np.array(columns[2], np.int64),
        np.array(columns[3], np.float64),
    )


def company_log(seed: int, readings: int) -> Log:
    """Sensors with several quantities of two periods, some in one message, with all faults."""
    rng = random.Random(seed)
    clock, rows = START, list[tuple[str, str, int, float]]()
    while len(rows) < readings:
        clock += HOUR if rng.random() < 0.97 else rng.randint(2, 30) * HOUR
        load = math.sin(clock / DAY * 2 * math.pi) + rng.gauss(0, 0.3)
        for sensor in rng.sample(["a", "b", "c"], k=rng.randint(1, 3)):
            own = load + rng.gauss(0, 0.1)
            late = rng.random() < 0.03
            time_ms = clock - 2 * HOUR if late else clock + rng.randint(0, HOUR // 8)
            rows.append((sensor, "flow", time_ms, 50 + 20 * own))
            if rng.random() < 0.8:
                rows.append((sensor, "speed", time_ms, 60 - 10 * own))
            if rng.random() < 0.3:
                rows.append((sensor, "heat", time_ms, 5 * own))
    columns = list(zip(*rows[:readings], strict=True))
    return Log(
        list(columns[0]),
        list(columns[1]),
        np.array(columns[2], np.int64),
        np.array(columns[3], np.float64),
    )


def quiet_log(seed: int, readings: int) -> Log:
    """Weeks of sensors that fall silent, one by one or all at once, get stuck, or run ahead."""
    rng = random.Random(seed)
    series = [(f"road-{i}", q) for i, q in enumerate(("flow", "", "flow", "", "flow"))]
    series.append(("road-0", "speed"))
    off_until = [0] * len(series)
    clock = START
    rows: list[tuple[str, str, int, float]] = []
    while len(rows) < readings:
        clock += 6 * HOUR if rng.random() < 0.99 else 3 * DAY
        settled = clock > START + 15 * DAY
        for i, (sensor, quantity) in enumerate(series):
            if settled and rng.random() < 0.02:
                off_until[i] = clock + rng.randint(4, 16) * DAY
            if clock < off_until[i]:
                continue
            ahead = DAY if rng.random() < 0.005 else rng.randint(-HOUR, HOUR)
            value = 7.0 if i == 1 and len(rows) > readings * 3 // 4 else rng.gauss(50, 3)
            rows.append((sensor, quantity, clock + ahead, value))
    columns = list(zip(*rows[:readings], strict=True))
    return Log(
        list(columns[0]),
        list(columns[1]),
        np.array(columns[2], np.int64),
        np.array(columns[3], np.float64),
    )


CITY = CityModel(
    profiles=(
        Profile("flows", match=("*/flow",), horizons=(1, 4), bound_upper=100.0),
        Profile("roads", match=("road-[02]",), period_seconds=300.0, bound_lower=0.0),
    ),
    timezone="Europe/Vienna",
)


COMPANY = CityModel(
    profiles=(
        Profile(
            "flows", match=("*/flow",), horizons=(1, 4), period_seconds=3600.0,
            experts=("pattern",), companions=("speed", "heat"),
            neighbours={"a": ("b", "c/speed"), "b/flow": ("a",), "c": ("nobody", "b/heat")},
        ),
        Profile("speeds", match=("*/speed",), companions=("flow",), experts=("pattern",)),
        Profile("heats", match=("*/heat",), period_seconds=3 * 3600.0, experts=("pattern",)),
    )
)  # fmt: skip


def run(learner: Learner, log: Log) -> StepResult:
    """Step a whole log as one batch."""
    offsets = np.arange(log.first_offset, log.first_offset + len(log))
    return learner.step(log.sensor_ids, log.quantities, log.time_ms, log.values, offsets)


def state(learner: Learner) -> dict[str, bytes]:
    """All chunks of a learner's state, encoded."""
    learner.recapture_all()
    capture = learner.capture()
    return {name: encode_chunk(capture.chunks[name]) for name in capture.names}


@dataclass(frozen=True)
class Published:
    """One forecast as it left the learner, and the log position of the reading it came with."""

    at: int
    sensor_id: str
    quantity: str
    horizon: int
    target_ms: int
    predicted: float
    mean: float
    lower: float
    upper: float


def published(log: Log, result: StepResult) -> list[Published]:
    """List the forecasts of a result."""
    return [
        Published(
            log.first_offset + p,
            log.sensor_ids[p],
            log.quantities[p],
            int(result.horizons[line, k]),
            int(result.target_ms[line, k]),
            float(result.predicted[line, k]),
            float(result.mean[line, k]),
            float(result.lower[line, k]),
            float(result.upper[line, k]),
        )
        for line, p in enumerate(result.learned.tolist())
        for k in range(result.horizons.shape[1])
        if result.horizons[line, k]
    ]


def kinds(alerts: list[AlertEvent]) -> list[tuple[str, str]]:
    """Kind and state of each alert."""
    return [(alert.kind, alert.state) for alert in alerts]
