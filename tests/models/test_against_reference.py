"""The compiled engine forecasts what the formulas say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from models.formulas import LeastSquares, MlPoly
from models.logs import HOUR, START, Log, run
from models.reference import Reference
from numpy.typing import NDArray

from hedgerow.models import CityModel, Learner, Profile
from hedgerow.models.bank import layout as at

HORIZONS = (1, 3)
EXPERTS = ("pattern", "levels", "holt", "rls_0.995", "rls_0.98", "hour_24", "hold")
# Single precision, through a few hundred steps of least squares.
CLOSE = 1e-3


@dataclass(frozen=True)
class Readings:
    slots: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def times(self) -> NDArray[np.int64]:
        return START + HOUR * self.slots


def readings(kind: str) -> Readings:
    rng = np.random.default_rng(11)
    n = 1100 if kind == "six weeks" else 500
    slots = np.arange(n)
    values = 60 + 40 * np.sin(slots * np.pi / 12) + 10 * (slots % 168 > 120) + rng.normal(size=n)
    # Where all experts say the same, rounding alone would choose between them: the first value
    # is a square, and all have few digits.
    values = np.round(values * 8) / 8
    values[0] = 64
    if kind == "small and skewed":
        values = rng.gamma(values / 40)
    if kind == "gaps and jumps":
        values[250:270] += 25
        values[300] = 1e6
        kept = (rng.random(500) > 0.05) & ~((slots > 200) & (slots < 230))
        return Readings(slots[kept], values[kept])
    if kind == "held":
        # A label on the forecast would let rounding choose the sign: with this share none is.
        for i in np.flatnonzero(rng.random(500) < 0.35)[1:]:
            values[i] = values[i - 1]
    if kind == "below zero from the middle on":
        values[250:] -= 60
    return Readings(slots, values)


KINDS = (
    "six weeks",
    "small and skewed",
    "gaps and jumps",
    "held",
    "below zero from the middle on",
)


@cache
def engine(kind: str) -> NDArray[np.float64]:
    """Forecasts before the correction of a drift, a line per reading."""
    shown = readings(kind)
    profile = Profile("all", period_seconds=3600, horizons=HORIZONS, experts=EXPERTS)
    learner = Learner(CityModel((profile,)))
    n = len(shown.slots)
    log = Log(["s"] * n, [""] * n, shown.times, shown.values)
    lines = []
    for i in range(n):
        run(learner, log.part(i, i + 1))
        lines.append(told(learner, 0))
    return np.array(lines)


def told(learner: Learner, row: int) -> list[float]:
    """The last forecasts of a row before the correction of a drift, horizon by horizon."""
    bank = learner.banks[0]
    values, sizes, line = bank.rows[row], bank.layout.sizes, list[float]()
    for h, block in zip(HORIZONS, bank.layout.blocks, strict=True):
        entry = block + sizes.pending + int(values[at.SLOT]) % h * sizes.entry
        line += [values[entry + at.WEIGHED], values[entry + at.WEIGHED_MEAN]]
    return line


def reference(kind: str) -> NDArray[np.float64]:
    shown = readings(kind)
    model = Reference(HORIZONS, (0.995, 0.98))
    return np.array(
        [
            [v for pair in model.step(int(t), float(value)).values() for v in pair]
            for t, value in zip(shown.times, shown.values, strict=True)
        ]
    )


COMPANIONS = ("near", "far")


@dataclass(frozen=True)
class Street:
    """Three sensors; what is seen of ``s`` follows the others, who fall silent for a while."""

    sensors: list[str]
    slots: NDArray[np.int64]
    values: NDArray[np.float64]


@cache
def street(kind: str) -> Street:
    rng = np.random.default_rng(3)
    n, rows = 400, []
    wave = rng.normal(size=n + 2).cumsum() * 0.4 + rng.normal(size=n + 2)
    for slot in range(n):
        usual = 60 + 40 * math.sin(slot * math.pi / 12)
        values = {"near": usual + 5 * wave[slot + 1], "s": usual + 6 * wave[slot] + rng.normal()}
        values |= {"far": 2 * usual - 8 * wave[slot + 2]}
        silent = {"near": 150 <= slot < 170, "far": slot < 90 or 160 <= slot < 240, "s": False}
        for sensor in rng.permutation(["near", "s", "far"]).tolist():
            if not silent[sensor] and rng.random() > 0.05:
                below = 70 if kind == "below zero" and slot >= 250 else 0
                rows.append((sensor, slot, round(8 * values[sensor]) / 8 - below))
    sensors, slots, readings_of = zip(*rows, strict=True)
    return Street(list(sensors), np.array(slots), np.array(readings_of))


@cache
def engine_on(kind: str) -> NDArray[np.float64]:
    log = street(kind)
    profile = Profile(
        "all", period_seconds=3600, horizons=HORIZONS, experts=EXPERTS, drift=False,
        neighbours={"s": COMPANIONS},
    )  # fmt: skip
    learner, n = Learner(CityModel((profile,))), len(log.sensors)
    whole = Log(log.sensors, [""] * n, START + HOUR * log.slots, log.values)
    lines = []
    for i, sensor in enumerate(log.sensors):
        run(learner, whole.part(i, i + 1))
        lines.append(told(learner, int(learner.series.rows[learner.series.find(sensor, "")])))
    return np.array(lines)


def reference_on(kind: str) -> NDArray[np.float64]:
    log, lines = street(kind), []
    models = {name: Reference(HORIZONS, (0.995, 0.98), 2) for name in ("near", "s", "far")}
    for sensor, slot, value in zip(log.sensors, log.slots, log.values, strict=True):
        seen = tuple(models[name].signal() for name in COMPANIONS) if sensor == "s" else ()
        forecasts = models[sensor].step(START + HOUR * int(slot), float(value), seen)
        lines.append([v for pair in forecasts.values() for v in pair])
    return np.array(lines)


@pytest.mark.parametrize("kind", ["above zero", "below zero"])
def test_every_forecast_with_companions_is_that_of_the_formulas(kind: str) -> None:
    np.testing.assert_allclose(engine_on(kind), reference_on(kind), rtol=CLOSE, atol=60 * CLOSE)


def test_a_signal_kept_too_long_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reference, "stale_after", 4)
    ours, theirs = engine_on("above zero"), reference_on("above zero")
    assert not np.allclose(ours, theirs, rtol=CLOSE, atol=60 * CLOSE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_forecast_is_that_of_the_formulas(kind: str) -> None:
    spread = np.median(np.abs(readings(kind).values))
    np.testing.assert_allclose(engine(kind), reference(kind), rtol=CLOSE, atol=CLOSE * spread)


@pytest.mark.parametrize(
    ("owner", "constant", "wrong", "kind"),
    [
        (Reference, "pattern_rate", 0.25, "six weeks"),
        (Reference, "most_usual", 6.0, "gaps and jumps"),
        (Reference, "hour_memory", 0.9, "six weeks"),
        (Reference, "most_off", 25.0, "gaps and jumps"),
        (Reference, "damping", 0.8, "six weeks"),
        (Reference, "contexts", 3, "held"),
        (MlPoly, "look_on", 3, "six weeks"),
        (LeastSquares, "most_variance", 20.0, "below zero from the middle on"),
    ],
)
def test_a_wrong_formula_is_noticed(
    owner: type, constant: str, wrong: float, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, constant, wrong)
    spread = np.median(np.abs(readings(kind).values))
    assert not np.allclose(engine(kind), reference(kind), rtol=CLOSE, atol=CLOSE * spread)
