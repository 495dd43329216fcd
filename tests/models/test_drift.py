"""Drift is found soon, an outlier or a restless series is not drift, and nothing breaks a chart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.models.alerts.drift import (
    ALARMS,
    CAUSE,
    FIRST_RIVAL,
    LOSS,
    MOST_BIAS,
    RIVALS,
    SIZE,
    TOO_HIGH,
    TOO_LOW,
    drift_learn,
    drift_offset,
    drift_relearn,
    drift_reset,
)
from hedgerow.models.alerts.drift_words import explain_drift
from hedgerow.models.arithmetic import Array
from hedgerow.models.estimators.drift_detector import ResidualDrift

QUARTER = 24 * 91
NAMES = ("persistence", "day", "week")
NOBODY = np.full(RIVALS, np.nan)


def fresh(slots_per_day: float = 24) -> Array:
    state = np.empty(SIZE)
    drift_reset(state, slots_per_day)
    return state


def alarms(state: Array, residuals: Array, rivals: Array = NOBODY) -> list[int]:
    """Return which residuals sounded the alarm."""
    lines = np.broadcast_to(rivals, (len(residuals), RIVALS))
    return [i for i, r in enumerate(residuals) if drift_learn(state, r, lines[i])]


def noise(seed: int, n: int) -> Array:
    return np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize("seed", range(8))
def test_a_year_without_change_sounds_at_most_one_alarm(seed) -> None:
    assert len(alarms(fresh(), noise(seed, 4 * QUARTER))) <= 1


def test_heavy_tails_are_not_drift() -> None:
    residuals = np.random.default_rng(1).standard_t(2.5, 4 * QUARTER)
    assert len(alarms(fresh(), residuals)) <= 1


@pytest.mark.parametrize(
    ("break_up", "slots_per_day", "cause", "words"),
    [
        (lambda r: 5.0 * r, 24, LOSS, "errors were"),
        (lambda r: r + 1.5, 1, TOO_LOW, "too low by"),
        (lambda r: r - 1.5, 1, TOO_HIGH, "too high by"),
    ],
)
def test_a_break_is_found_within_days_and_named(break_up, slots_per_day, cause, words) -> None:
    at = 90 * slots_per_day
    residuals = 0.5 * noise(2, 2 * at).clip(-1.5, 1.5)
    residuals[at:] = break_up(residuals[at:])
    state = fresh(slots_per_day)
    found = alarms(state, residuals[: at + 5 * slots_per_day])
    assert found
    assert at <= found[0] < at + 5 * slots_per_day
    assert state[CAUSE] == cause
    assert words in explain_drift(state, NAMES)


def test_a_rival_that_stays_right_is_found_though_errors_grow_by_little() -> None:
    # Given errors that grow by 40 %, which no other chart minds.
    n = QUARTER
    residuals = np.where(np.arange(n) % 4 < 2, 0.2, 3.0) * np.where(np.arange(n) % 2 == 0, 1, -1)
    residuals[n // 2 :] *= 1.4
    rivals = np.full((n, RIVALS), np.nan)
    rivals[:, 2] = np.where(np.arange(n) < n // 2, np.abs(residuals), 0.0)
    alone, beaten = fresh(), fresh()
    assert alarms(alone, residuals) == []
    found = alarms(beaten, residuals, rivals)
    assert n // 2 <= found[0] < n // 2 + 5 * 24
    assert beaten[CAUSE] == FIRST_RIVAL + 2
    assert "'week' was better by" in explain_drift(beaten, NAMES)


def test_after_experts_joined_a_break_is_found_by_the_errors_since() -> None:
    # Given errors of a quarter from the two hundredth day on.
    residuals = np.where(np.arange(280) % 2 == 0, 1.0, -1.0)
    residuals[200:] *= 0.25
    residuals[270:] += 0.6
    old, new = fresh(1), fresh(1)
    for state in (old, new):
        assert alarms(state, residuals[:200]) == []
    drift_relearn(new)
    assert alarms(old, residuals[200:]) == []
    (found,) = alarms(new, residuals[200:])
    assert 70 <= found < 75


def test_one_outlier_of_any_size_is_no_drift() -> None:
    for slots_per_day in (1, 24):
        residuals = 0.5 * np.where(np.arange(1_000) % 2 == 0, 1.0, -1.0)
        residuals[700] = 1e100
        assert alarms(fresh(slots_per_day), residuals) == []


def test_days_need_fewer_labels_than_hours() -> None:
    residuals = noise(4, 1_000)
    residuals[600:] *= 6.0
    daily, hourly = alarms(fresh(1), residuals), alarms(fresh(24), residuals)
    assert daily[0] < hourly[0]
    assert daily[0] - 600 <= 10


def test_an_alarm_makes_the_next_one_harder() -> None:
    # Given a series that is restless every other week.
    n = 26 * 24 * 7
    loud = np.where((np.arange(n) // (24 * 7)) % 2 == 1, 4.0, 1.0)
    found = alarms(fresh(), loud * noise(5, n))
    assert 1 <= len(found) < 13


def test_a_standing_error_is_corrected_while_it_lasts_and_only_then() -> None:
    state = fresh(1)
    residuals = 0.5 * np.where(np.arange(400) % 2 == 0, 1.0, -1.0)
    residuals[200:220] += 2.0
    offsets = []
    for residual in residuals:
        offsets.append(drift_offset(state))
        drift_learn(state, residual, NOBODY)
    assert offsets[:200] == [0.0] * 200
    assert max(offsets[203:220]) > 0.5
    assert offsets[-100:] == [0.0] * 100


def test_the_offset_never_exceeds_what_one_error_may_count_for() -> None:
    state = fresh(1)
    residuals = noise(7, 300)
    residuals[200:] = 1e100
    for residual in residuals[:240]:
        drift_learn(state, residual, NOBODY)
    assert abs(drift_offset(state)) < 100 * MOST_BIAS


def test_a_perfect_series_never_drifts() -> None:
    state = fresh()
    assert alarms(state, np.zeros(QUARTER)) == []
    assert np.isfinite(state).all()


def test_nothing_depends_on_the_unit() -> None:
    residuals = noise(8, QUARTER)
    residuals[QUARTER // 2 :] *= 5.0
    assert alarms(fresh(), residuals) == alarms(fresh(), residuals * 1024.0)


def test_the_same_residuals_give_the_same_bits() -> None:
    first, again = fresh(), fresh()
    residuals = noise(9, QUARTER)
    alarms(first, residuals)
    alarms(again, residuals)
    np.testing.assert_array_equal(first, again)


WILD = st.one_of(
    st.sampled_from([0.0, 1e100, -1e100, 5e-324, math.inf, -math.inf, math.nan]),
    st.floats(-1e100, 1e100),
)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(WILD, WILD), min_size=1, max_size=40),
    st.floats(1e-3, 1e6),
)
def test_no_series_makes_a_state_that_is_not_a_number(pairs, slots_per_day) -> None:
    state = fresh(slots_per_day)
    for residual, rival in pairs * (1 + 600 // len(pairs)):
        drift_learn(state, residual, np.array([abs(rival), math.nan, 0.0]))
        assert np.isfinite(state).all()
        assert math.isfinite(drift_offset(state))


def test_the_detector_of_rivers_kind_finds_what_the_charts_find() -> None:
    residuals = noise(10, QUARTER)
    residuals[QUARTER // 2 :] *= 5.0
    detector, found = ResidualDrift(24), []
    for i, residual in enumerate(residuals):
        detector.update(residual)
        if detector.drift_detected:
            found.append(i)
    state = fresh()
    assert found == alarms(state, residuals)
    assert detector.n_detections == len(found) == state[ALARMS]
    assert detector.explanation == explain_drift(state, NAMES)
    assert detector.clone().n_detections == 0


def test_before_the_first_alarm_there_is_nothing_to_explain() -> None:
    assert explain_drift(fresh(), NAMES) == ""


def test_a_series_without_readings_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="above 0"):
        ResidualDrift(0)


def test_a_state_is_small() -> None:
    assert SIZE <= 32
