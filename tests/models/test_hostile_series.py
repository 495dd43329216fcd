"""Whatever a sensor sends, the state stays finite and learning goes on."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from models.logs import HOUR, START, Log, daily, one_series, run

from hedgerow.models import CityModel, Learner, Profile
from hedgerow.models.bank import layout as at

EVERY = ("accurate", "holt", "ogd_1", "adagrad_1", "nlms_1", "median_1", "poisson_1")
CITY = CityModel((Profile("all", period_seconds=3600, experts=EVERY, horizons=(1, 2, 7)),))
LARGEST = sys.float_info.max
TINY = 5e-324
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, 1e9, -1e9, LARGEST, -LARGEST, TINY, -TINY, 1e-160]),
)


def learned_numbers(learner: Learner) -> np.ndarray:
    """All state that may not be NaN: everything but missing slots and sleeping experts."""
    bank = learner.banks[0]
    sizes, row = bank.layout.sizes, bank.rows[0]
    parts = [row[: at.HEAD]]
    for block in bank.layout.blocks:
        parts.append(row[block : block + sizes.pending])
    parts.append(bank.singles[0])
    return np.concatenate(parts)


@settings(max_examples=150, deadline=None)
@given(
    readings=st.lists(st.tuples(st.sampled_from([1, 1, 1, 2, 200, 10**4]), values), max_size=120)
)
@example(readings=[(1, LARGEST), (1, -LARGEST)] * 40)
@example(readings=[(1, TINY), (1, 0.0)] * 40)
@example(readings=[(1, 0.0)] * 60 + [(1, 1e9)] + [(1, 0.0)] * 40)
def test_no_series_breaks_the_state(readings: list[tuple[int, float]]) -> None:
    slots = np.cumsum([gap for gap, _ in readings], dtype=np.int64)
    log = Log(
        ["s"] * len(readings),
        [""] * len(readings),
        START + slots * HOUR,
        np.array([value for _, value in readings], np.float64),
    )
    learner = Learner(CITY)
    result = run(learner, log)

    assert len(result.learned) == len(readings)
    assert np.isfinite(result.predicted).all()
    assert np.isfinite(result.mean).all()
    assert (np.isnan(result.lower) | (result.lower <= result.predicted)).all()
    assert (np.isnan(result.upper) | (result.upper >= result.predicted)).all()
    if readings:
        assert np.isfinite(learned_numbers(learner)).all()


def test_a_single_wild_reading_is_forgotten_soon() -> None:
    values = daily(24 * 40)
    values[24 * 20] = 1e9
    learner = Learner(CityModel((Profile("all", period_seconds=3600),)))
    result = run(learner, one_series(values))

    last_week = slice(24 * 33, 24 * 40 - 1)
    errors = np.abs(result.predicted[last_week, 0] - np.array(values[24 * 33 + 1 :]))
    assert errors.mean() < 4.0


def test_a_series_never_negative_gets_no_negative_forecast() -> None:
    rng = np.random.default_rng(5)
    result = run(
        Learner(CityModel((Profile("all", period_seconds=3600),))),
        one_series(rng.poisson(0.3, 1000).tolist()),
    )
    assert result.predicted.min() >= 0.0
    assert result.mean.min() >= 0.0
    assert np.nanmin(result.lower) >= 0.0


@pytest.mark.parametrize("constant", [0.0, 7.5, -3.0])
def test_a_constant_series_is_forecast_exactly(constant: float) -> None:
    result = run(
        Learner(CityModel((Profile("all", period_seconds=3600),))), one_series([constant] * 300)
    )
    assert result.predicted[-1].tolist() == pytest.approx([constant] * 3, abs=1e-12)
    assert result.upper[-1].tolist() == pytest.approx([constant] * 3, abs=1e-12)


def test_a_meter_far_from_zero_loses_no_digits() -> None:
    profile = Profile("all", period_seconds=3600, experts=("pattern", "levels"), naive=False)
    values = [float(round(v)) for v in daily(24 * 30)]
    near = run(Learner(CityModel((profile,))), one_series(values))
    far = run(Learner(CityModel((profile,))), one_series([1e8 + v for v in values]))
    assert far.predicted - 1e8 == pytest.approx(near.predicted, abs=1e-3)
