"""Least squares stay sound over a year at 5 minutes, on series that excite next to nothing."""

from __future__ import annotations

import numpy as np
import pytest
from models.logs import START, one_series, run
from numpy.typing import NDArray

from hedgerow.models import CityModel, Learner, Profile
from hedgerow.models.bank.bank import Bank
from hedgerow.models.estimators import RecursiveLeastSquares
from hedgerow.models.experts.least_squares import MOST_VARIANCE

YEAR = 105_120
MEMORIES = (0.999, 0.98, 0.9)
STEPS = np.arange(YEAR)
SERIES = {
    "constant": np.full(YEAR, 7.5),
    "zero": np.zeros(YEAR),
    "a pure sine, whose lags are collinear": np.sin(2 * np.pi * STEPS / 288),
    "a sine of two steps": np.where(STEPS % 2, 1.0, -1.0),
    "a ramp": 1.0 * STEPS,
    "constant but for one wild reading": np.where(STEPS == 50_000, 1e9, 20.0),
    "constant, then random": np.where(
        STEPS < 80_000, 5.0, 5.0 + np.random.default_rng(1).normal(size=YEAR)
    ),
}


def covariances(bank: Bank) -> list[NDArray[np.float32]]:
    sizes, single = bank.layout.sizes, bank.singles[0]
    d = sizes.padded
    return [
        single[sizes.covariances + i * d * d : sizes.covariances + (i + 1) * d * d].reshape(d, d)
        for i in range(sizes.memories)
    ]


@pytest.mark.parametrize("period_seconds", [300, 2220], ids=["5 minutes", "no day, no week"])
@pytest.mark.parametrize("kind", SERIES)
def test_a_year_leaves_the_covariance_sound(kind: str, period_seconds: int) -> None:
    names = tuple(f"rls_{memory}" for memory in MEMORIES)
    profile = Profile("all", period_seconds=period_seconds, horizons=(1, 12), experts=names)
    learner = Learner(CityModel((profile,)))
    log = one_series(SERIES[kind].tolist(), period_ms=period_seconds * 1000, start_ms=START)
    known: NDArray[np.bool_] | None = None
    for start in range(0, YEAR, 8760):
        result = run(learner, log.part(start, start + 8760))
        assert np.isfinite(result.predicted).all()
        assert np.isfinite(result.mean).all()
        bank = learner.banks[0]
        if known is None:  # what the grid cannot know has no variance from the beginning on
            names_of = bank.layout.features
            known = np.array([
                bool(bank.layout.sizes.day) or not f.startswith(("day_ago", "day_at", "week_a"))
                for f in names_of
            ])  # fmt: skip
        for p in covariances(bank):
            variance = np.diag(p)[: len(known)]
            assert np.isfinite(p).all()
            assert (variance[known] > 0).all()
            assert (variance <= MOST_VARIANCE * (1 + 1e-5)).all()
            assert (p == p.T).all()
            assert np.abs(p).max() <= MOST_VARIANCE * (1 + 1e-5)


@pytest.mark.parametrize("forgetting", MEMORIES)
def test_after_a_year_of_nothing_it_still_learns(forgetting: float) -> None:
    model = RecursiveLeastSquares(forgetting, scale=False)
    for _ in range(YEAR // 4):
        model.learn_one({"a": 0.5, "b": 0.5, "c": 0.0}, 1.0)
    rng = np.random.default_rng(3)
    for _ in range(round(15 / (1 - forgetting))):  # until the year is forgotten
        a, b, c = rng.normal(size=3)
        model.learn_one({"a": a, "b": b, "c": c}, a - 2 * b + 0.5 * c)
    assert model.predict_one({"a": 1.0, "b": 1.0, "c": 2.0}) == pytest.approx(0.0, abs=1e-3)
