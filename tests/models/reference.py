"""What the engine learns, once more: slowly, in plain double precision, from the formulas.

Shares no code with the package. Covers one hourly series in UTC without holidays: standardiser,
memory, weekly pattern, smoothed levels, features, least squares, the models by part of the day
on the scale of roots, the expert for held values, the one on companions, and ML-Poly in its
contexts. Intervals and drift have tests of their own and are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from models.formulas import LeastSquares, MlPoly, Standardiser, Vector, cut

HOUR = 3_600_000
RATES = (0.3, 0.1, 0.03)
ONLY_MEAN, ONLY_MEDIAN = {"hour_mean", "companions_mean"}, {"hour", "hold", "companions"}


@dataclass(frozen=True)
class Signal:
    """What a series shows those whose companion it is, roots in standard deviations."""

    slot: int
    stands: float
    off: float
    off_before: float


@dataclass
class Pending:
    """A forecast that waits for its label."""

    x: Vector
    gains: list[Vector]
    shift: float
    scale: float
    root_shift: float
    root_scale: float
    hour_x: Vector
    part: int
    clues: Vector | None
    context: int
    company_x: Vector | None
    company_gain: Vector | None
    told: dict[str, float] = field(default_factory=dict)
    predicted: float = 0.0
    mean: float = 0.0


class Horizon:
    """What is learned for one horizon."""

    def __init__(self, features: int, memories: tuple[float, ...], company: int) -> None:
        self.company = np.zeros(company)
        self.company_spread = 0.0
        self.thetas = [np.zeros(features) for _ in memories]
        self.hour = [LeastSquares(7, Reference.hour_memory) for _ in range(24)]
        self.hold = LeastSquares(7, 0.9995)
        self.chance = np.zeros(9)
        self.changes = 0
        self.distance = 0.0
        self.root_spread = 0.0
        self.absolute = [MlPoly() for _ in range(4)]
        self.squared = MlPoly()
        self.labels = 0
        self.usual_error = 0.0
        self.pending: dict[int, Pending] = {}


class Reference:
    """One series. The constants can be changed, to see that a test would notice."""

    pattern_rate = 0.2
    most_usual = 8.0
    hour_memory = 0.995
    most_off = 50.0
    damping = 0.9
    contexts = 4
    stale_after = 3

    def __init__(
        self, horizons: tuple[int, ...], memories: tuple[float, ...], places: int = 0
    ) -> None:
        self.memories = memories
        self.company = LeastSquares(6 + len(horizons) + 3 * places, 0.9995)
        self.features = 23 + 3 * len(horizons)
        self.values, self.roots = Standardiser(), Standardiser()
        self.negative = False
        self.ring: dict[int, float] = {}
        self.slot: int | None = None
        self.pattern: dict[int, float] = {}
        self.visits: dict[int, int] = {}
        self.usual_off = 0.0
        self.deviation = self.deviation_before = 0.0
        self.level, self.surprise = [0.0] * 3, [0.0] * 3
        self.holt_level = self.holt_trend = 0.0
        self.run = 0
        self.repeats_fast = self.repeats_slow = 0.0
        self.large = [LeastSquares(self.features, memory) for memory in memories]
        size = len(self.company.theta)
        self.horizons = {h: Horizon(self.features, memories, size) for h in horizons}

    def step(
        self, time_ms: int, value: float, signals: tuple[Signal | None, ...] = ()
    ) -> dict[int, tuple[float, float]]:
        """Learn a reading; return ``predicted`` and ``mean`` of every horizon."""
        slot = time_ms // HOUR
        self._standardise(value)
        for h, horizon in self.horizons.items():
            due = horizon.pending.pop(slot - h, None)
            if due is not None:
                self._reweigh(horizon, due, value)
                self._teach(horizon, due, value)
                self._measure(horizon, due, value)
        self._note_repeat(value)
        self._remember(slot, value)
        x = self._features(slot)
        for k, h in enumerate(self.horizons):
            x[23 + 3 * k : 26 + 3 * k] = self._target_features(slot, h)
        gains = [model.gain(x) for model in self.large]
        beside = self._company_features(slot, signals)
        company = (None, None) if beside is None else (beside, self.company.gain(beside))
        for h, horizon in self.horizons.items():
            horizon.pending[slot] = pending = self._freeze(slot, h, x, gains, company)
            self._ask(horizon, pending, slot, h)
        return {
            h: (horizon.pending[slot].predicted, horizon.pending[slot].mean)
            for h, horizon in self.horizons.items()
        }

    def root(self, value: float) -> float:
        return value if self.negative else math.sqrt(max(value, 0.0))

    def unroot(self, value: float) -> float:
        return value if self.negative else max(value, 0.0) ** 2

    def _standardise(self, value: float) -> None:
        if value < 0 and not self.negative:
            self.negative = True
            self.roots.start(self.values.kept)
            self.company = LeastSquares(len(self.company.theta), self.company.memory)
            for horizon in self.horizons.values():
                horizon.hour = [LeastSquares(7, self.hour_memory) for _ in range(24)]
                horizon.hold = LeastSquares(7, 0.9995)
                horizon.company = np.zeros_like(horizon.company)
                horizon.company_spread = 0.0
                for pending in horizon.pending.values():
                    pending.root_shift = math.nan
        self.values.learn(value)
        self.roots.learn(self.root(value))

    def _note_repeat(self, value: float) -> None:
        repeated = self.slot is not None and value == self.ring[self.slot]
        self.run = self.run + 1 if repeated else 0
        self.repeats_fast += 0.15 * (repeated - self.repeats_fast)
        self.repeats_slow += 0.02 * (repeated - self.repeats_slow)

    @staticmethod
    def hour_of_week(slot: int) -> int:
        return (slot + 3 * 24) % 168  # 1970 began on a Thursday

    def _remember(self, slot: int, value: float) -> None:
        gap = 1 if self.slot is None else slot - self.slot
        self.slot = slot
        self.ring[slot] = value
        n = len(self.values.kept)
        at = self.hour_of_week(slot)
        self.visits[at] = self.visits.get(at, 0) + 1
        self.deviation_before, self.deviation = self.deviation, 0.0
        off = 0.0
        if at not in self.pattern:
            self.pattern[at] = value
        else:
            usual = self.pattern[at]
            off = self.deviation = value - usual
            if n > 50 and self.usual_off > 0:
                off = cut(off, self.most_usual * self.usual_off)
            if self.usual_off == 0.0:
                self.usual_off = self.values.deviation
            self.usual_off += 0.02 * (abs(off) - self.usual_off)
            self.pattern[at] += max(self.pattern_rate, 1 / self.visits[at]) * off
            value = usual + off
        for i, rate in enumerate(RATES):
            self.level[i] += max(rate, 1 / n) * (value - self.level[i])
            self.surprise[i] += rate * (off - self.surprise[i])
        if n == 1:
            self.holt_level, self.holt_trend = value, 0.0
            return
        ahead = self.holt_level + self.damped(gap) * self.holt_trend
        level = ahead + 0.3 * (value - ahead)
        trend = self.holt_trend * self.damping**gap
        self.holt_trend = trend + 0.05 * ((level - self.holt_level) / gap - trend)
        self.holt_level = level

    def damped(self, slots: int) -> float:
        return sum(self.damping**i for i in range(1, slots + 1))

    def ago(self, slot: int) -> float | None:
        """The value at a slot, unless older than a week."""
        return self.ring.get(slot) if self.slot is not None and slot >= self.slot - 168 else None

    def _features(self, slot: int) -> Vector:
        x = [1.0]
        z = 0.0
        for age in range(4):
            z = self.values.z(self.ago(slot - age), z)
            x.append(z)
        x += [self.values.z(level, 0.0) for level in self.level]
        for off in (self.deviation, self.deviation_before, self.surprise[1]):
            x.append(cut(off / self.values.deviation, 10) if self.values.deviation > 0 else 0.0)
        usual = self.values.z(self.pattern[self.hour_of_week(slot)], 0.0)
        x += [self.values.z(self.ago(slot - 24), usual), self.values.z(self.ago(slot - 168), usual)]
        for k in range(1, 5):
            angle = 2 * math.pi * k * (slot % 24) / 24
            x += [math.sin(angle), math.cos(angle)]
        angle = 2 * math.pi * self.hour_of_week(slot) / 168
        x += [math.sin(angle), math.cos(angle)]
        return np.array(x + [0.0] * 3 * len(self.horizons))

    def _target_features(self, slot: int, h: int) -> list[float]:
        usual = self.values.z(self.pattern.get(self.hour_of_week(slot + h)), 0.0)
        day, week = self._seasons(slot, h)
        return [self.values.z(day, usual), self.values.z(week, usual), usual]

    def _seasons(self, slot: int, h: int) -> tuple[float | None, float | None]:
        days, weeks = max(math.ceil(h / 24), 1), max(math.ceil(h / 168), 1)
        return self.ago(slot + h - 24 * days), self.ago(slot + h - 168 * weeks)

    def rooted(self, what: float | None, fallback: float) -> float:
        return self.roots.z(None if what is None else self.root(what), fallback)

    def signal(self) -> Signal | None:
        if self.slot is None:
            return None
        off = []
        for slot, deviation in (
            (self.slot, self.deviation),
            (self.slot - 1, self.deviation_before),
        ):
            value = self.ring.get(slot)
            off.append(
                0.0
                if value is None
                else self.rooted(value, 0.0) - self.rooted(value - deviation, 0.0)
            )
        return Signal(self.slot, self.rooted(self.ring[self.slot], 0.0), off[0], off[1])

    def _company_features(self, slot: int, signals: tuple[Signal | None, ...]) -> Vector | None:
        """What the expert on companions goes by, nothing if there is no fresh signal."""
        fresh = [s if s and abs(slot - s.slot) <= self.stale_after else None for s in signals]
        if not any(fresh):
            return None
        value = self.ring[slot]
        usual = value - self.deviation
        z, z_usual = self.rooted(value, 0.0), self.rooted(usual, 0.0)
        x = [1.0, z, self.rooted(self.ago(slot - 1), z), self.rooted(self.level[0], 0.0)]
        x += [z - z_usual, self.rooted(usual + self.surprise[1], 0.0) - z_usual]
        x += [
            self.rooted(self.pattern.get(self.hour_of_week(slot + h)), 0.0) for h in self.horizons
        ]
        for s in fresh:
            x += [s.stands, s.off, s.off_before] if s else [0.0] * 3
        return np.array(x)

    def _freeze(
        self,
        slot: int,
        h: int,
        x: Vector,
        gains: list[Vector],
        company: tuple[Vector | None, Vector | None],
    ) -> Pending:
        target = self.hour_of_week(slot + h)
        value = self.ring[slot]
        z, rooted = self.rooted(value, 0.0), self.rooted
        hour_x = [
            1.0,
            1.0 if target >= 5 * 24 else 0.0,
            z,
            rooted(self.ago(slot - 1), z),
            rooted(self.pattern.get(target), 0.0),
            z - rooted(value - self.deviation, z),
            rooted(self.level[0], z),
        ]
        clues = None
        context = 0
        if self.repeats_slow >= 0.05:
            context = min(self.run, self.contexts - 1)
            angle = 2 * math.pi * (target % 24) / 24
            lately = 2 * (self.repeats_fast - 0.5)
            clues = np.array(
                [1, self.run > 0, self.run >= 2, self.run >= 4, lately]
                + [2 * (self.repeats_slow - 0.5), math.sin(angle), math.cos(angle)]
                + [lately if self.run > 0 else 0.0]
            )
        return Pending(
            x, gains, self.values.mean, self.values.deviation, self.roots.mean,
            self.roots.deviation, np.array(hour_x), target % 24, clues, context, *company,
        )  # fmt: skip

    def _ask(self, horizon: Horizon, p: Pending, slot: int, h: int) -> None:
        value = self.ring[slot]
        day, week = self._seasons(slot, h)
        usual = self.pattern.get(self.hour_of_week(slot + h))
        told: dict[str, float | None] = {"pattern": usual}
        for i, surprise in enumerate(self.surprise):
            told[f"level_{i}"] = None if usual is None else usual + surprise
        told["holt"] = self.holt_level + self.damped(h) * self.holt_trend
        for memory, theta in zip(self.memories, horizon.thetas, strict=True):
            told[f"rls_{memory}"] = p.shift + p.scale * cut(float(theta @ p.x), 10)
        middle = self._rooted_forecast(horizon.hour[p.part], p)
        told["hour"] = middle
        told["hour_mean"] = middle + (0.0 if self.negative else horizon.root_spread)
        if p.clues is not None:
            told["hold"] = self._held(horizon, p, value)
        if p.company_x is not None:
            z = cut(float(horizon.company @ p.company_x), 10)
            told["companions"] = middle = self.unroot(p.root_shift + p.root_scale * z)
            spread = 0.0 if self.negative else horizon.company_spread * p.root_scale**2
            told["companions_mean"] = middle + spread
        if not self.negative:
            told = {n: None if v is None else max(v, 0.0) for n, v in told.items()}
        told |= {"persistence": value, "day": day, "week": week}
        p.told = {name: v for name, v in told.items() if v is not None}
        table = horizon.absolute[p.context]
        if table.steps == 0:
            table = horizon.absolute[0]
        p.predicted = table.forecast(without(p.told, ONLY_MEAN))
        p.mean = horizon.squared.forecast(without(p.told, ONLY_MEDIAN))

    def _rooted_forecast(self, model: LeastSquares, p: Pending) -> float:
        z = cut(float(model.theta @ p.hour_x), 10)
        return self.unroot(p.root_shift + p.root_scale * z)

    def _held(self, horizon: Horizon, p: Pending, value: float) -> float:
        chance = 1 / (1 + math.exp(-float(horizon.chance @ p.clues)))
        if chance >= 0.5:
            return value
        changed = self._rooted_forecast(horizon.hold, p)
        sigma = horizon.distance * math.sqrt(math.pi / 2)
        above = sigma * NormalDist().inv_cdf(0.5 / (1 - chance))
        return min(changed + above, value) if changed < value else max(changed - above, value)

    def _reweigh(self, horizon: Horizon, p: Pending, value: float) -> None:
        reach = math.inf
        if horizon.labels > 20 and horizon.usual_error > 0:
            reach = self.most_off * horizon.usual_error
        for forecast, table, left_out, squared in (
            (p.predicted, horizon.absolute[p.context], ONLY_MEAN, False),
            (p.mean, horizon.squared, ONLY_MEDIAN, True),
        ):
            told = {
                name: forecast + cut(v - forecast, reach)
                for name, v in without(p.told, left_out).items()
            }
            off = -cut(value - forecast, reach)
            table.learn(told, forecast, off, 2 * off if squared else float(np.sign(off)))

    def _measure(self, horizon: Horizon, p: Pending, value: float) -> None:
        error = abs(value - p.predicted)
        if horizon.labels > 20 and horizon.usual_error > 0:
            error = min(error, self.most_off * horizon.usual_error)
        share = max(0.02, 1 / (horizon.labels + 1))
        horizon.usual_error += share * (error - horizon.usual_error)
        horizon.labels += 1

    def _teach(self, horizon: Horizon, p: Pending, value: float) -> None:
        label = cut((value - p.shift) / p.scale, 10) if p.scale > 0 else 0.0
        for i, gain in enumerate(p.gains):
            error = cut(label - float(horizon.thetas[i] @ p.x), 10)
            horizon.thetas[i] = horizon.thetas[i] + gain * error
        if math.isnan(p.root_shift):
            return
        root = self.root(value)
        label = cut((root - p.root_shift) / p.root_scale, 10) if p.root_scale > 0 else 0.0
        off = root - self.root(p.told["hour"])
        horizon.root_spread += 0.01 * (off * off - horizon.root_spread)
        horizon.hour[p.part].learn(p.hour_x, label)
        if p.company_x is not None:
            error = label - float(horizon.company @ p.company_x)
            off = label - cut(label - error, 10)
            horizon.company_spread += 0.01 * (off * off - horizon.company_spread)
            horizon.company = horizon.company + p.company_gain * cut(error, 10)
        if p.clues is None:
            return
        repeated = value == p.told["persistence"]
        chance = 1 / (1 + math.exp(-float(horizon.chance @ p.clues)))
        horizon.chance = horizon.chance - 0.02 * (chance - repeated) * p.clues
        if repeated:
            return
        off = abs(value - self._rooted_forecast(horizon.hold, p))
        horizon.changes += 1
        horizon.distance += max(0.01, 1 / horizon.changes) * (off - horizon.distance)
        horizon.hold.learn(p.hour_x, label)


def without(told: dict[str, float], names: set[str]) -> dict[str, float]:
    return {name: value for name, value in told.items() if name not in names}
