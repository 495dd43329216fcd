"""A series' period and phase are found from its first readings."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models.logs import HOUR, START, daily, one_series, run

from hedgerow.models import CityModel, Learner, Profile
from hedgerow.models.period import NICE_PERIODS_MS, declared_grid, infer_grid, snap


def times(period_ms: int, *, jitter: float = 0.0, missing: float = 0.0, seed: int = 1) -> list[int]:
    rng = random.Random(seed)
    found, slot = [], 0
    while len(found) < 20:
        slot += 1
        if rng.random() >= missing:
            found.append(START + slot * period_ms + round(rng.uniform(-jitter, jitter) * period_ms))
    return found


@pytest.mark.parametrize("period_ms", [1000, 60_000, 300_000, 1_800_000, HOUR, 24 * HOUR])
@pytest.mark.parametrize("seed", range(5))
def test_a_jittery_series_with_holes_has_the_period_it_was_made_with(
    period_ms: int, seed: int
) -> None:
    grid = infer_grid(times(period_ms, jitter=0.04, missing=0.2, seed=seed))
    assert grid.period_ms == period_ms
    off = (grid.phase_ms + period_ms // 2) % period_ms - period_ms // 2
    assert abs(off) <= 0.04 * period_ms


def test_the_phase_is_the_readings_own() -> None:
    grid = infer_grid([t + 17_000 for t in times(60_000)])
    assert (grid.period_ms, grid.phase_ms) == (60_000, 17_000)


def test_of_two_equally_common_periods_the_smaller_is_taken() -> None:
    gaps = [60_000, 300_000] * 9 + [900_000]
    assert infer_grid(np.cumsum([START, *gaps]).tolist()).period_ms == 60_000


def test_irregular_readings_get_their_median_gap() -> None:
    gaps = [1000 * 7**k % 1_000_003 + 60_000 for k in range(1, 20)]
    assert len({snap(gap) for gap in gaps}) > 8
    period = infer_grid(np.cumsum([START, *gaps]).tolist()).period_ms
    assert period == snap(sorted(gaps)[9])


@given(st.integers(1, 10**14))
def test_snapping_is_bounded_and_leaves_few_periods(gap: int) -> None:
    period = snap(gap)
    assert 10 <= period <= 31 * 24 * HOUR
    assert period in NICE_PERIODS_MS or len(str(period).rstrip("0")) <= 2


def test_declared_periods_lie_on_whole_ones_unless_the_series_is_far_off() -> None:
    assert declared_grid(HOUR, START + 600_000).phase_ms == 0
    assert declared_grid(HOUR, START - 600_000).phase_ms == 0
    assert declared_grid(HOUR, START + 1_800_000).phase_ms == 1_800_000


def test_the_twentieth_reading_is_the_first_with_forecasts() -> None:
    result = run(Learner(CityModel((Profile("any"),))), one_series(daily(21)))
    assert (result.horizons != 0).all(axis=1).tolist() == [False] * 19 + [True, True]


def test_learning_starts_from_the_readings_that_waited() -> None:
    values = daily(200)
    waited = Learner(CityModel((Profile("any"),)))
    declared = Learner(CityModel((Profile("any", period_seconds=3600),)))
    late = run(waited, one_series(values))
    early = run(declared, one_series(values))
    np.testing.assert_array_equal(late.predicted[19:], early.predicted[19:])
