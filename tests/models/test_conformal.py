"""Intervals cover as they promise, whatever the series does, and nothing breaks them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.models.arithmetic import Array
from hedgerow.models.conformal import CALIBRATED_AFTER, SIZE
from hedgerow.models.estimators.conformal_interval import ConformalInterval

HOURS = 24 * 7 * 16
TWO_WEEKS = 24 * 14
LEVEL = 0.9


def intervals(
    labels: Array,
    predicted: Array,
    horizon: int = 1,
    level: float = LEVEL,
    floor: float = -math.inf,
) -> tuple[Array, Array]:
    """Return the ends that were published for each label, NaN where none was."""
    interval = ConformalInterval(level, horizon, floor)
    ends = np.full((2, len(labels)), np.nan)
    for slot in range(len(labels) - horizon):
        if slot >= horizon:
            interval.learn_one(labels[slot])
        target = slot + horizon
        ends[:, target] = interval.around(predicted[target], (target % 24) / 24)
    return ends[0], ends[1]


def windows(labels: Array, lower: Array, upper: Array) -> Iterator[float]:
    """Yield the coverage of each two weeks after the first two."""
    covered = (lower <= labels) & (labels <= upper)
    for start in range(TWO_WEEKS, len(labels) - TWO_WEEKS + 1, TWO_WEEKS):
        yield float(covered[start : start + TWO_WEEKS].mean())


def noise(seed: int, n: int = HOURS) -> Array:
    return np.random.default_rng(seed).normal(size=n)


def triple_halfway(n: int) -> Array:
    return np.where(np.arange(n) < n // 2, 1.0, 3.0)


def louder_by_day(n: int) -> Array:
    return 1.0 + 4.0 * (np.arange(n) % 24 >= 8)


def ever_louder(n: int) -> Array:
    return np.geomspace(1.0, 100.0, n)


@pytest.mark.parametrize("loudness", [np.ones, triple_halfway, louder_by_day, ever_louder])
@pytest.mark.parametrize("horizon", [1, 24])
def test_every_two_weeks_are_covered_at_the_level_promised(loudness, horizon) -> None:
    labels = loudness(HOURS) * noise(3)
    coverage = np.array(list(windows(labels, *intervals(labels, np.zeros(HOURS), horizon))))
    assert np.median(np.abs(coverage - LEVEL)) <= 0.015
    # Where the loudness jumps, labels that are a day late cost a day.
    assert np.all(np.abs(coverage - LEVEL) <= (0.04 if horizon == 1 else 0.08))


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_other_levels_are_kept_too(level) -> None:
    labels = noise(4)
    coverage = list(windows(labels, *intervals(labels, np.zeros(HOURS), level=level)))
    assert np.mean(coverage) == pytest.approx(level, abs=0.01)


def test_a_forecast_gone_wrong_is_covered_again_within_two_weeks() -> None:
    labels = noise(5)
    labels[HOURS // 2 :] += 6.0
    lower, upper = intervals(labels, np.zeros(HOURS))
    later = slice(HOURS // 2 + TWO_WEEKS, HOURS)
    covered = (lower[later] <= labels[later]) & (labels[later] <= upper[later])
    # An interval holds its forecast, so its lower side, which nothing misses any more, is let go
    # only as far as the forecast.
    assert LEVEL - 0.02 <= covered.mean() <= LEVEL + 0.05


def test_quiet_hours_get_narrow_intervals() -> None:
    labels = louder_by_day(HOURS) * noise(6)
    lower, upper = intervals(labels, np.zeros(HOURS))
    width = (upper - lower)[HOURS // 2 :].reshape(-1, 24).mean(axis=0)
    assert width[2:6].mean() < 0.6 * width[12:20].mean()
    best = np.subtract(*np.quantile(labels[HOURS // 2 :], [0.95, 0.05]))
    assert width.mean() <= best


def test_counts_near_zero_need_no_lower_end() -> None:
    # Of Poisson counts around 1, 92 % are 0, 1 or 2: an interval from 0 to a little over 2 will
    # do. To miss some above and some below as well takes one to 3.
    labels = np.random.default_rng(7).poisson(1.0, HOURS).astype(float)
    lower, upper = intervals(labels, np.ones(HOURS), floor=0.0)
    settled = slice(HOURS // 2, HOURS)
    assert (upper - lower)[settled].mean() < 2.7
    assert lower[settled].min() >= 0.0
    assert np.mean(list(windows(labels, lower, upper))) == pytest.approx(LEVEL, abs=0.015)


def test_a_held_value_is_covered_by_an_interval_that_closes_on_it() -> None:
    labels = np.full(HOURS, 7.0)
    lower, upper = intervals(labels, labels)
    assert lower[-1] == upper[-1] == 7.0


def test_integer_labels_that_tie_are_covered_at_the_level_promised() -> None:
    labels = np.random.default_rng(8).poisson(3.0, HOURS).astype(float)
    lower, upper = intervals(labels, np.full(HOURS, 3.0), floor=0.0)
    coverage = np.array(list(windows(labels, lower, upper)))
    assert np.median(np.abs(coverage - LEVEL)) <= 0.015


def test_nothing_depends_on_the_unit() -> None:
    labels = noise(9, 1_500)
    # A power of two, so that not even a rounding differs.
    ours = intervals(labels, np.zeros(1_500), 3)
    theirs = intervals(labels * 1024.0, np.zeros(1_500), 3)
    np.testing.assert_array_equal(ours[0] * 1024.0, theirs[0])
    np.testing.assert_array_equal(ours[1] * 1024.0, theirs[1])


def test_the_same_labels_give_the_same_bits() -> None:
    labels = noise(10, 1_500)
    first = intervals(labels, np.zeros(1_500), 3)
    again = intervals(labels, np.zeros(1_500), 3)
    np.testing.assert_array_equal(first, again)


def test_no_interval_is_published_before_it_is_calibrated() -> None:
    lower, _ = intervals(noise(11, 200), np.zeros(200))
    assert np.isnan(lower[: CALIBRATED_AFTER + 1]).all()
    assert not np.isnan(lower[CALIBRATED_AFTER + 2 :]).any()


def test_a_label_that_never_comes_teaches_nothing() -> None:
    interval = ConformalInterval()
    interval.around(1.0)
    before = interval._state.copy()
    interval.learn_one(math.nan)
    np.testing.assert_array_equal(interval._state, before)


WILD = st.one_of(
    st.sampled_from([0.0, 1e100, -1e100, 5e-324, -5e-324, 1e-300, 1.0]),
    st.floats(-1e100, 1e100),
)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(WILD, WILD), min_size=1, max_size=40),
    st.integers(1, 48),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_no_series_makes_a_state_or_an_interval_that_is_not_a_number(
    pairs, horizon, day_share
) -> None:
    interval = ConformalInterval(horizon=horizon, floor=0.0)
    pairs = pairs * (1 + 3 * CALIBRATED_AFTER // len(pairs))
    for i, (label, predicted) in enumerate(pairs):
        lower, upper = interval.around(predicted, day_share)
        interval.learn_one(label)
        assert np.isfinite(interval._state).all()
        if i > CALIBRATED_AFTER:
            assert lower <= predicted <= upper
            assert math.isfinite(lower)
            assert math.isfinite(upper)


def test_a_state_is_small() -> None:
    assert SIZE <= 32


@pytest.mark.parametrize(("level", "horizon"), [(1.0, 1), (0.0, 1), (0.9, 0)])
def test_what_cannot_be_asked_is_refused_in_words(level, horizon) -> None:
    with pytest.raises(ValueError, match="must"):
        ConformalInterval(level, horizon)


def test_a_label_without_a_forecast_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="call around"):
        ConformalInterval().learn_one(1.0)
