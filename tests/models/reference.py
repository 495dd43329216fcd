"""The engine's step once more, slow and plain, written from the formulas alone.

Shares no code with the package: lists and dictionaries, one object per series, UTC only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

RATES = (0.01, 0.003, 0.001, 0.0003)
TAIL = 0.05
DAY_MS, WEEK_MS = 86_400_000, 7 * 86_400_000


@dataclass
class Running:
    """Mean and variance; one wild value moves them only so far."""

    n: int = 0
    mean: float = 0.0
    var: float = 0.0

    def learn(self, x: float) -> None:
        self.n += 1
        if self.n > 50 and self.var > 0:
            reach = 20 * math.sqrt(self.var)
            x = min(max(x, self.mean - reach), self.mean + reach)
        old = self.mean
        self.mean += (x - old) / self.n
        self.var += ((x - old) * (x - self.mean) - self.var) / self.n

    def scale(self, x: float) -> float:
        if self.var <= 0:
            return 0.0
        return min(max((x - self.mean) / math.sqrt(self.var), -10.0), 10.0)


@dataclass
class Forecast:
    """What was frozen when a forecast was made."""

    x: list[float]
    experts: list[float | None]
    predicted: float
    mean: float


@dataclass
class Horizon:
    """One horizon's weights."""

    h: int
    w_abs: list[float] = field(default_factory=lambda: [1 / 7] * 7)
    w_sq: list[float] = field(default_factory=lambda: [1 / 7] * 7)
    theta: list[list[float]] = field(default_factory=lambda: [[0.0] * 16 for _ in RATES])
    stats: list[Running] = field(default_factory=lambda: [Running() for _ in range(7)])
    labels: int = 0
    scale_abs: float = 0.0
    scale_sq: float = 0.0
    up: float = 0.0
    low: float = 0.0
    pending: dict[int, Forecast] = field(default_factory=dict)


def hedge(w: list[float], losses: list[float | None]) -> list[float]:
    awake = [i for i, loss in enumerate(losses) if loss is not None]
    mass = sum(w[i] for i in awake)
    raised = {i: w[i] * math.exp(-0.1 * losses[i]) for i in awake}
    total = sum(raised.values())
    return [
        0.99 * mass * raised[i] / total + 0.01 * mass / len(awake) if i in raised else w[i]
        for i in range(len(w))
    ]


class SlowSeries:
    """One series on a grid of whole periods."""

    def __init__(self, period_ms: int, horizons: tuple[int, ...]) -> None:
        self.period = period_ms
        self.day, self.week = DAY_MS // period_ms, WEEK_MS // period_ms
        self.values: dict[int, float] = {}
        self.stats = Running()
        self.negative = False
        self.horizons = [Horizon(h) for h in horizons]

    def step(self, slot: int, y: float) -> list[tuple[float, float, float | None, float | None]]:
        """Learn a reading; return predicted, mean, lower, upper by horizon."""
        self.negative |= y < 0
        self.stats.learn(y)
        z = self.stats.scale(y)
        for hz in self.horizons:
            was = hz.pending.pop(slot, None)
            if was is not None:
                self.learn(hz, was, y, z)
        self.values[slot] = y
        return [self.forecast(hz, slot) for hz in self.horizons]

    def learn(self, hz: Horizon, was: Forecast, y: float, z: float) -> None:
        memory = max(0.02, 1 / (hz.labels + 1))
        hz.scale_abs += memory * (abs(y - was.predicted) - hz.scale_abs)
        hz.scale_sq += memory * ((y - was.mean) ** 2 - hz.scale_sq)

        def unit(loss: float, scale: float) -> float:
            return min(loss / scale, 50.0) if scale > 0 else 0.0

        hz.w_abs = hedge(
            hz.w_abs, [None if p is None else unit(abs(y - p), hz.scale_abs) for p in was.experts]
        )
        hz.w_sq = hedge(
            hz.w_sq, [None if p is None else unit((y - p) ** 2, hz.scale_sq) for p in was.experts]
        )
        norm = sum(v * v for v in was.x)
        for rate, theta in zip(RATES, hz.theta, strict=True):
            slope = 2 * (sum(t * v for t, v in zip(theta, was.x, strict=True)) - z)
            slope = min(max(slope, -10.0), 10.0)
            for i, v in enumerate(was.x):
                theta[i] -= min(rate, 0.5 / norm) * slope * v
        hz.labels += 1
        residual, step = y - was.predicted, 0.1 * hz.scale_abs
        if hz.labels <= 50:
            residual = residual / hz.scale_abs if hz.scale_abs > 0 else 0.0
            step = 0.1 * max(1.0, 10 - 18 * hz.labels / 50)
        hz.up += step * (1 - TAIL) if residual > hz.up else -step * TAIL
        hz.low -= step * (1 - TAIL) if residual < hz.low else -step * TAIL
        if hz.labels == 50:
            hz.up, hz.low = hz.up * hz.scale_abs, hz.low * hz.scale_abs

    def back(self, slot: int, span: int) -> float | None:
        """The newest known value whole spans before ``slot``; the ring holds a week."""
        newest = max(self.values)
        while slot > newest:
            slot -= span
        return self.values.get(slot)

    def features(self, hz: Horizon, slot: int) -> list[float]:
        y, v = self.values[slot], self.values
        one, two = v.get(slot - 1), v.get(slot - 2)
        day, week = v.get(slot - self.day), v.get(slot - self.week)
        raw = [
            y,
            None if one is None else y - one,
            None if one is None or two is None else one - two,
            self.back(slot + hz.h - self.day, self.day),
            self.back(slot + hz.h - self.week, self.week),
            None if day is None else y - day,
            None if week is None else y - week,
        ]
        x = [1.0]
        for stats, value in zip(hz.stats, raw, strict=True):
            if value is not None:
                stats.learn(value)
            x.append(0.0 if value is None else stats.scale(value))
        target = (slot + hz.h) * self.period
        for span in (DAY_MS, WEEK_MS):
            for harmonic in (1, 2):
                angle = 2 * math.pi * harmonic * (target % span) / span
                x += [math.sqrt(2) * math.sin(angle), math.sqrt(2) * math.cos(angle)]
        return x

    def forecast(self, hz: Horizon, slot: int) -> tuple[float, float, float | None, float | None]:
        x = self.features(hz, slot)
        floor = -math.inf if self.negative else 0.0
        experts: list[float | None] = [
            self.values[slot],
            self.back(slot + hz.h - self.day, self.day),
            self.back(slot + hz.h - self.week, self.week),
        ]
        for theta in hz.theta:
            z = sum(t * v for t, v in zip(theta, x, strict=True))
            z = min(max(z, -10.0), 10.0)
            experts.append(max(self.stats.mean + math.sqrt(self.stats.var) * z, floor))

        def weigh(w: list[float]) -> float:
            awake = [(wi, p) for wi, p in zip(w, experts, strict=True) if p is not None]
            return sum(wi * p for wi, p in awake) / sum(wi for wi, _ in awake)

        predicted, mean = weigh(hz.w_abs), weigh(hz.w_sq)
        hz.pending[slot + hz.h] = Forecast(x, experts, predicted, mean)
        if hz.labels < 50:
            return predicted, mean, None, None
        return (
            predicted,
            mean,
            max(predicted + min(hz.low, 0.0), floor),
            predicted + max(hz.up, 0.0),
        )
