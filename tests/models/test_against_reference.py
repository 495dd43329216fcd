"""The compiled engine forecasts what the formulas say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from models.logs import HOUR, START, Log, run
from models.reference import LeastSquares, Reference
from numpy.typing import NDArray

from hedgerow.models import CityModel, Learner, Profile
from hedgerow.models import layout as at

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
        for i in np.flatnonzero(rng.random(500) < 0.4)[1:]:
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
        bank = learner.banks[0]
        row, line = bank.rows[0], []
        for h, block in zip(HORIZONS, bank.layout.blocks, strict=True):
            sizes = bank.layout.sizes
            entry = block + sizes.pending + int(row[at.SLOT]) % h * sizes.entry
            line += [row[entry + at.WEIGHED], row[entry + at.WEIGHED_MEAN]]
        lines.append(line)
    return np.array(lines)


def reference(kind: str) -> NDArray[np.float64]:
    shown = readings(kind)
    model = Reference(HORIZONS, (0.995, 0.98))
    return np.array(
        [
            [v for pair in model.step(int(t), float(value)).values() for v in pair]
            for t, value in zip(shown.times, shown.values, strict=True)
        ]
    )


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
        (LeastSquares, "most_variance", 20.0, "below zero from the middle on"),
    ],
)
def test_a_wrong_formula_is_noticed(
    owner: type, constant: str, wrong: float, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, constant, wrong)
    spread = np.median(np.abs(readings(kind).values))
    assert not np.allclose(engine(kind), reference(kind), rtol=CLOSE, atol=CLOSE * spread)
