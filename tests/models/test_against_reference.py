"""The compiled kernel says what the formulas say, written out a second time."""

from __future__ import annotations

import random

import numpy as np
import pytest
from models.logs import HOUR, Log, run
from models.reference import SlowSeries

from hedgerow.models import CityModel, Learner, Profile

HORIZONS = (1, 3, 12)


def walk(seed: int, n: int, period_ms: int, *, signed: bool) -> list[tuple[int, float]]:
    """Slots and values with gaps, a jump and a wild reading."""
    rng = random.Random(seed)
    slot, level, rows = 500_000, 20.0, []
    for i in range(n):
        slot += 1 if rng.random() < 0.95 else rng.randint(2, 30)
        level += rng.gauss(0, 1) + (200 if i == n // 2 else 0)
        value = level + 10 * np.sin(slot * period_ms / 86_400_000 * 6.283)
        rows.append((slot, float(value if signed else abs(value)) * (1e6 if i == 400 else 1)))
    return rows


@pytest.mark.parametrize(
    ("seed", "period_ms", "signed"), [(1, HOUR, False), (2, HOUR, True), (3, HOUR // 2, True)]
)
def test_forecasts_equal_a_plain_reimplementation(seed: int, period_ms: int, signed: bool) -> None:
    rows = walk(seed, 900, period_ms, signed=signed)
    log = Log(
        ["s"] * len(rows),
        [""] * len(rows),
        np.array([slot * period_ms for slot, _ in rows], np.int64),
        np.array([value for _, value in rows]),
    )
    profile = Profile("all", period_seconds=period_ms / 1000, horizons=HORIZONS)
    result = run(Learner(CityModel((profile,))), log)

    slow = SlowSeries(period_ms, HORIZONS)
    expected = np.array([slow.step(slot, value) for slot, value in rows], np.float64)
    got = np.stack([result.predicted, result.mean, result.lower, result.upper], axis=2)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    assert np.isfinite(got[-1]).all()
