"""The formulas that `models.reference` is made of: standardiser, least squares, ML-Poly.

Plain double precision, straight from the papers; no code is shared with the package.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def cut(value: float, most: float) -> float:
    return max(-most, min(value, most))


class Standardiser:
    """Mean and variance of all values, wild ones moved to 20 standard deviations."""

    def __init__(self) -> None:
        self.start([])

    def start(self, kept: list[float]) -> None:
        self.kept = kept
        self.mean = float(np.mean(kept)) if kept else 0.0
        self.deviation = float(np.std(kept)) if kept else 0.0

    def learn(self, value: float) -> None:
        reach = 20 * self.deviation
        if len(self.kept) >= 50 and reach > 0:
            value = self.mean + cut(value - self.mean, reach)
        self.start([*self.kept, value])

    def z(self, value: float | None, fallback: float) -> float:
        if value is None:
            return fallback
        return cut((value - self.mean) / self.deviation, 10) if self.deviation > 0 else 0.0


class LeastSquares:
    """θ and P; a variance stops at ten times its prior."""

    most_variance = 10.0

    def __init__(self, size: int, memory: float) -> None:
        self.memory = memory
        self.theta = np.zeros(size)
        self.p = np.eye(size)

    def gain(self, x: Vector) -> Vector:
        px = self.p @ x
        gain: Vector = px / (self.memory + x @ px)
        self.p = (self.p - np.outer(gain, px)) / self.memory
        for i in range(len(x)):
            if self.p[i, i] > self.most_variance:
                scale = math.sqrt(self.most_variance / self.p[i, i])
                self.p[i, :] *= scale
                self.p[:, i] *= scale
        return gain

    def learn(self, x: Vector, label: float) -> None:
        error = cut(label - float(self.theta @ x), 10)
        self.theta = self.theta + self.gain(x) * error


class MlPoly:
    """Regrets and rates of one loss in one context."""

    look_on = 10

    def __init__(self) -> None:
        self.regret: dict[str, float] = {}
        self.squares: dict[str, float] = {}
        self.most = 0.0
        self.steps = 0
        self.joined: set[str] = set()
        self.lead: dict[str, float] = {}
        self.seen: dict[str, int] = {}

    def part(self, told: dict[str, float]) -> dict[str, float]:
        """Leave out who looks on: newcomers, unless there is nobody else."""
        joined = {name: value for name, value in told.items() if name in self.joined}
        return joined or told

    def standing(self, name: str) -> float:
        scale = self.most + self.squares.get(name, 0.0)
        return max(self.regret.get(name, 0.0), 0.0) / scale if scale > 0 else 0.0

    def forecast(self, told: dict[str, float]) -> float:
        early = self.steps < self.look_on and told.keys() - self.joined
        told = told if early else self.part(told)
        weights = {} if early else {name: self.standing(name) for name in told}
        if not any(weights.values()):
            weights = dict.fromkeys(told, 1.0)
        return sum(weights[n] * told[n] for n in told) / sum(weights.values())

    def learn(self, told: dict[str, float], forecast: float, off: float, slope: float) -> None:
        regrets = {name: slope * (forecast - told[name]) for name in told}
        if self.steps < self.look_on and told.keys() - self.joined:
            self.regret, self.squares, self.most, self.joined = {}, {}, 0.0, set()
        self.steps += 1
        if not self.joined and any(regrets.values()):
            self.joined = set(told)
        for name in told.keys() - self.joined if self.steps > self.look_on else ():
            if self.seen.get(name, 0) == self.look_on:
                self.joined.add(name)
                continue
            self.seen[name] = self.seen.get(name, 0) + 1
            better_by = abs(off) - abs(told[name] - forecast + off)
            self.lead[name] = self.lead.get(name, 0.0) + better_by
        better = {n for n, lead in self.lead.items() if lead > 0.01 * abs(off)} - self.joined
        if better:
            self.begin_anew(better)
            return
        regrets = {name: r for name, r in regrets.items() if name in self.joined}
        self.most = max(self.most, *(r * r for r in regrets.values()), 0.0)
        for name, r in regrets.items():
            self.regret[name] = self.regret.get(name, 0.0) + r
            self.squares[name] = self.squares.get(name, 0.0) + r * r

    def begin_anew(self, better: set[str]) -> None:
        standing = {name: self.standing(name) for name in self.joined}
        if not any(standing.values()):
            standing = dict.fromkeys(self.joined, 1.0)
        average = sum(standing.values()) / len(standing)
        standing |= dict.fromkeys(better, average)
        self.joined |= better
        self.regret = {name: 1e-12 * share / average for name, share in standing.items()}
        self.squares, self.most = {}, 1e-24
