"""The anomaly score: what it finds, what it keeps quiet about, and that nothing breaks it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.models.alerts import anomaly
from hedgerow.models.alerts.anomaly_words import Finding, finding
from hedgerow.models.estimators.anomaly import ExtremesDetector

WEEK = 12 * anomaly.HOURS  # readings, one every five minutes


def city_day(weeks: int, seed: int = 0) -> np.ndarray:
    """A daily wave with noise, as any sensor of a city has it."""
    at = np.arange(weeks * WEEK)
    noise = np.random.default_rng(seed).normal(0.0, 2.0, len(at))
    return np.asarray(50.0 + 20.0 * np.sin(2.0 * math.pi * at / 288.0) + noise)


def blank() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(anomaly.SIZE), np.zeros(anomaly.HOURS_SIZE, np.float32)


def score_all(values: np.ndarray, slower: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    state, hours = blank()
    per_hour = round(12 * slower)
    scores = [
        anomaly.score(state, hours, value, row // per_hour % anomaly.HOURS, slower)
        for row, value in enumerate(values.tolist())
    ]
    return np.array(scores), state


def noise(seed: int) -> np.ndarray:
    """A series without any pattern."""
    return np.random.default_rng(seed).normal(50.0, 5.0, 4 * WEEK)


def found(
    values: np.ndarray, first: int, last: int, threshold: float = anomaly.THRESHOLD
) -> Finding | None:
    """What the first score between two rows was for; for more than a day before there is none."""
    state, hours = blank()
    for row, value in enumerate(values.tolist()):
        score = anomaly.score(state, hours, value, row // 12 % anomaly.HOURS, 1.0)
        if score >= threshold and row >= first - 400:
            assert first <= row <= last, f"a score of {score} at {row}: {finding(state).reason}"
            return finding(state)
    return None


def test_an_ordinary_series_is_left_in_peace_once_it_is_known() -> None:
    alerts = [score_all(city_day(4, seed))[0][WEEK:] >= anomaly.THRESHOLD for seed in range(10)]
    assert np.sum(alerts) <= 2


def test_a_value_never_seen_is_told_as_such() -> None:
    values = city_day(4)
    values[3 * WEEK + 700] = 200.0
    what = found(values, 3 * WEEK + 700, 3 * WEEK + 700)
    assert what is not None
    assert what.kind == "value"
    assert what.reason.startswith("observed 200, higher than any reading of the last weeks")


def test_a_common_value_at_the_wrong_hour_is_told_as_such() -> None:
    values = city_day(4)
    night = 3 * WEEK + 288 + 216  # the daily wave's lowest
    values[night : night + 6] = 65.0
    what = found(values, night, night + 6)
    assert what is not None
    assert what.kind == "distance"
    assert "usual at this hour of the week" in what.reason
    assert what.expected < 40.0 < what.observed


def test_being_slightly_off_for_hours_is_told_as_drift() -> None:
    values = noise(seed=1)
    values[3 * WEEK + 500 : 3 * WEEK + 560] += 12.0  # 2.4 deviations: nothing in one reading
    what = found(values, 3 * WEEK + 500, 3 * WEEK + 560, threshold=0.35)
    assert what is not None
    assert what.kind == "drift"
    assert "above what is usual at their hours, on average" in what.reason


@pytest.mark.parametrize("seed", range(3))
def test_becoming_restless_is_told_as_variation(seed: int) -> None:
    values = noise(seed)
    restless = slice(3 * WEEK + 500, 3 * WEEK + 800)
    values[restless] = 50.0 + np.clip(2.4 * (values[restless] - 50.0), -19.0, 19.0)
    what = found(values, 3 * WEEK + 500, 3 * WEEK + 800)
    assert what is not None
    assert what.kind == "variation"
    assert "more than at any time in the last weeks" in what.reason


def test_an_episode_is_told_once_unless_it_gets_twice_as_bad() -> None:
    values = city_day(4)
    at = 3 * WEEK + 700
    values[at : at + 20] = 150.0 + np.arange(20.0)  # each a little beyond the one before
    assert np.flatnonzero(score_all(values)[0][at : at + 100] >= anomaly.THRESHOLD).tolist() == [0]
    values[at + 10] = 1000.0
    again = np.flatnonzero(score_all(values)[0][at : at + 100] >= anomaly.THRESHOLD)
    assert again.tolist() == [0, 10]


def test_nothing_is_told_of_a_constant_and_something_when_it_moves() -> None:
    scores, state = score_all(np.append(np.full(1000, 7.0), 7.5))
    assert np.all(scores[:-1] == 0.0)
    assert scores[-1] >= anomaly.THRESHOLD
    assert finding(state).kind == "value"


def test_a_score_uses_nothing_that_comes_later() -> None:
    values = city_day(2)
    changed = values.copy()
    changed[1500:] = -1e6
    assert score_all(values)[0][:1500].tolist() == score_all(changed)[0][:1500].tolist()


def test_the_unit_of_the_value_does_not_matter() -> None:
    values = city_day(2)
    assert score_all(values * 1024.0)[0].tolist() == score_all(values)[0].tolist()
    assert score_all(-values)[0].tolist() == score_all(values)[0].tolist()
    moved = score_all(values + 1e4)[0]
    assert moved == pytest.approx(score_all(values)[0], abs=1e-6)


def test_a_reading_that_is_no_number_leaves_no_trace() -> None:
    state, hours = blank()
    for row, value in enumerate(city_day(1).tolist()):
        anomaly.score(state, hours, value, row // 12 % anomaly.HOURS, 1.0)
    before = state.tolist(), hours.tolist()
    for value in (math.nan, math.inf, -math.inf):
        assert anomaly.score(state, hours, value, 0, 1.0) == 0.0
    assert (state.tolist(), hours.tolist()) == before


def test_a_series_read_more_often_is_remembered_as_long() -> None:
    assert [anomaly.pace(seconds) for seconds in (60.0, 300.0, 3600.0)] == [5.0, 1.0, 1.0]
    values = city_day(1)
    values[[1300, 1390, 1410]] = 150.0, 250.0, 390.0  # the second within 100 readings of the first
    told = np.flatnonzero(score_all(values)[0][1000:] >= anomaly.THRESHOLD)
    often = np.flatnonzero(score_all(np.repeat(values, 5), 5.0)[0][5000:] >= anomaly.THRESHOLD)
    assert told.tolist() == [300, 410]
    assert (often / 5.0).tolist() == told.tolist()


hostile = st.lists(
    st.one_of(
        st.floats(width=64),
        st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1e-160, 1e154, 1.7e308, -1.7e308, math.nan]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(hostile, st.sampled_from([1.0, 300.0]))
def test_no_series_breaks_it(readings: list[float], slower: float) -> None:
    state, hours = blank()
    state[anomaly.COUNT] = 0.0
    for row, value in enumerate(readings * 5):
        score = anomaly.score(state, hours, value, row % anomaly.HOURS, slower)
        assert 0.0 <= score < 1.0
        assert np.all(np.isfinite(state))
        assert np.all(np.isfinite(hours))
        if score > 0.0:
            assert "nan" not in finding(state).reason


def test_the_state_is_small_and_starts_blank() -> None:
    assert 8 * anomaly.SIZE + 4 * anomaly.HOURS_SIZE <= 2048
    state, hours = np.full(anomaly.SIZE, 3.0), np.full(anomaly.HOURS_SIZE, 3.0, np.float32)
    anomaly.start(state, hours)
    assert not state.any()
    assert not hours.any()


def test_the_estimator_scores_what_the_compiled_function_scores() -> None:
    detector, (state, hours) = ExtremesDetector(), blank()
    thursday = datetime(2026, 1, 1, tzinfo=UTC)
    for row, value in enumerate(city_day(1)[:1000].tolist()):
        at = thursday + timedelta(minutes=5 * row)
        ours = anomaly.score(state, hours, value, row // 12 % anomaly.HOURS, 1.0)
        reason = finding(state).reason if ours > 0.0 else ""
        assert detector.score_one({"value": value, "time": at}) == ours
        assert detector.reason_one({"value": value, "time": at}) == reason
        detector.learn_one({"value": value, "time": at})
