"""Forecasts by others: taken in the log's order, weighed with the rest, asleep when absent."""

from __future__ import annotations

import math
import random

import numpy as np
import opera
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.logs import DAY, HOUR, START, daily, state
from rig import Record
from stack.parts import require

from hedgerow.models import CityModel, Learner, Outcome, Profile, StepResult
from hedgerow.topics import ReadingDecoder

CITY = CityModel(
    profiles=(
        Profile("hourly", match=("s*",), period_seconds=3600, outside=("oracle", "fool")),
        Profile("learned", match=("late",), outside=("oracle",)),
    )
)

Row = tuple[str, str, int, float]  # series, expert, slot, value


def step(learner: Learner, rows: list[Row], first: int = 0) -> StepResult:
    n = len(rows)
    return learner.step(
        [sensor for sensor, _, _, _ in rows],
        [""] * n,
        np.array([START + HOUR * slot for _, _, slot, _ in rows], np.int64),
        np.array([value for _, _, _, value in rows], np.float64),
        np.arange(first, first + n),
        experts=[expert for _, expert, _, _ in rows],
    )


def outcomes(result: StepResult) -> list[Outcome]:
    return [Outcome(code) for code in result.outcomes.tolist()]


def weights(learner: Learner, horizon: int = 1) -> dict[str, float]:
    (score,) = [s for s in learner.scores() if s.horizon == horizon]
    return score.weights


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (("s1", "oracle", 6, 1.0), Outcome.USED),
        (("s1", "fool", 5 + 48, 1.0), Outcome.USED),
        (("s1", "oracle", 5 + 49, 1.0), Outcome.IGNORED),  # beyond two days
        (("s1", "oracle", 5, 1.0), Outcome.IGNORED),  # its reading is here already
        (("s1", "oracle", 2, 1.0), Outcome.IGNORED),
        (("s1", "nobody", 6, 1.0), Outcome.IGNORED),  # no profile names it
        (("s2", "oracle", 6, 1.0), Outcome.IGNORED),  # a series nobody has heard of
        (("late", "oracle", 6, 1.0), Outcome.IGNORED),  # waits until its period is known
    ],
)
def test_what_becomes_of_a_forecast(row: Row, outcome: Outcome) -> None:
    learner = Learner(CITY)
    readings = [(sensor, "", slot, 1.0) for slot in range(6) for sensor in ("s1", "late")]

    result = step(learner, [*readings, row])

    assert outcomes(result)[-1] is outcome
    assert result.refusals == []
    counts = learner.counts
    assert counts.readings == len(readings)
    assert (counts.forecasts_used, counts.forecasts_ignored) == (
        (1, 0) if outcome is Outcome.USED else (0, 1)
    )
    assert learner.series_count == 2


def test_a_forecast_may_follow_the_reading_that_makes_its_series_known() -> None:
    learner = Learner(CITY)
    rows = [("late", "", slot, float(slot)) for slot in range(20)]

    result = step(learner, [*rows, ("late", "oracle", 21, 3.0), ("s1", "oracle", 1, 3.0)])

    assert outcomes(result)[-2:] == [Outcome.USED, Outcome.IGNORED]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_forecast_that_is_no_number_is_refused_and_counts_as_no_reading(value: float) -> None:
    learner = Learner(CITY)

    result = step(learner, [("s1", "", 0, 1.0), ("s1", "oracle", 1, value)])

    assert [(refusal.position, refusal.reason) for refusal in result.refusals] == [(1, "value")]
    assert learner.counts.readings == 1
    assert learner.counts.forecasts_ignored == 1


def hours(values: list[float], until: int | None = None) -> list[Row]:
    """A log in which the oracle knows the next hour, up to some hour, and the fool nothing."""
    rows: list[Row] = []
    for slot, value in enumerate(values):
        ahead = slot + 1
        if ahead < len(values) and (until is None or ahead < until):
            rows += [("s1", "oracle", ahead, values[ahead]), ("s1", "fool", ahead, 1e9)]
        rows.append(("s1", "", slot, value))
    return rows


def test_the_better_expert_gets_the_weight_and_a_bad_one_costs_nothing_for_long() -> None:
    values = daily(400, noise=15.0)
    learner = Learner(CITY)

    result = step(learner, hours(values))

    (score,) = [s for s in learner.scores() if s.horizon == 1]
    assert score.weights["outside:oracle"] > 0.95
    assert score.weights["outside:fool"] < 0.01
    last = result.predicted[-101:-1, 0] - np.array(values[-100:])
    assert np.abs(last).mean() < 2.0  # the noise alone is 12 on the average


def test_absent_experts_sleep_and_the_others_go_on() -> None:
    values = daily(400, noise=1.0)
    learner = Learner(CITY)

    result = step(learner, hours(values, until=300))

    assert np.isfinite(result.predicted[:, 0]).all()
    last = result.predicted[-51:-1, 0] - np.array(values[-50:])
    assert np.abs(last).mean() < 4.0
    assert learner.counts.learned == 400


def test_of_two_forecasts_for_a_slot_the_later_counts() -> None:
    only = CityModel(
        profiles=(
            Profile(
                "only", period_seconds=3600, horizons=(1,), experts=(), naive=False,
                outside=("oracle",),
            ),
        )
    )  # fmt: skip
    learner = Learner(only)

    result = step(
        learner,
        [
            ("s1", "", 0, 5.0),
            ("s1", "oracle", 2, 7.0),
            ("s1", "oracle", 2, 8.0),
            ("s1", "", 1, 6.0),
            ("s1", "oracle", 2, 9.0),  # too late: the forecast for this slot is made
            ("s1", "", 2, 6.5),
        ],
    )

    # Where everybody sleeps, persistence stands in.
    assert result.predicted[:, 0].tolist() == [5.0, 8.0, 6.5]
    assert result.mean[:, 0].tolist() == [5.0, 8.0, 6.5]


def test_a_forecast_belongs_to_the_nearest_slot() -> None:
    learner = Learner(CITY)
    step(learner, [("s1", "", 0, 5.0)])

    result = learner.step(
        ["s1"], [""], np.array([START + 2 * HOUR - 60_000]), np.array([7.0]), np.array([1]),
        experts=["oracle"],
    )  # fmt: skip

    assert outcomes(result) == [Outcome.USED]


def mixed_log(seed: int, length: int) -> list[Row]:
    """Readings and forecasts of several series, known and unknown, in any order."""
    chance = random.Random(seed)
    clocks = dict.fromkeys(("s1", "s2", "late", "other"), 0)
    rows: list[Row] = []
    for _ in range(length):
        sensor = chance.choice(list(clocks))
        if chance.random() < 0.5:
            expert = chance.choice(("oracle", "oracle", "fool", "nobody"))
            rows.append((sensor, expert, clocks[sensor] + chance.randint(-2, 55), 40.0))
            continue
        clocks[sensor] += chance.choice((1, 1, 1, 1, 0, 3, 30))
        rows.append((sensor, "", clocks[sensor], 50 + chance.gauss(0, 9)))
    return rows


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 300), max_size=12))
def test_batches_and_restarts_do_not_show(seed: int, cuts: list[int]) -> None:
    rows = mixed_log(seed, 300)
    whole = Learner(CITY)
    at_once = step(whole, rows)

    learner, predicted, found = Learner(CITY), [], []
    edges = [0, *sorted(cuts), len(rows)]
    for start, end in zip(edges, edges[1:], strict=False):
        result = step(learner, rows[start:end], start)
        predicted += result.predicted.tolist()
        found += outcomes(result)
        if start % 3 == 0:
            learner = Learner.restore(CITY, state(learner))

    assert found == outcomes(at_once)
    assert repr(predicted) == repr(at_once.predicted.tolist())
    assert learner.counts == whole.counts
    assert state(learner) == state(whole)


def test_without_forecasts_the_column_changes_nothing() -> None:
    values = daily(100)
    with_column, without = Learner(CITY), Learner(CITY)
    rows = [("s1", "", slot, value) for slot, value in enumerate(values)]
    step(with_column, rows)
    without.step(
        ["s1"] * 100, [""] * 100, START + HOUR * np.arange(100), np.array(values), np.arange(100)
    )

    assert state(with_column) == state(without)


def test_the_65_experts_of_opera_come_to_the_published_numbers() -> None:
    """The rule alone: outside experts, no naive ones, drift not answered; see `opera`."""
    require(opera.missing())
    data = opera.load()
    profile = Profile(
        "load", period_seconds=DAY / 1000, horizons=(1,), experts=(), outside=data.experts,
        naive=False, drift=False, aggregation="ml-poly",
    )  # fmt: skip
    learner = Learner(CityModel(profiles=(profile,)))
    log = [Record(offset, value) for offset, value in enumerate(opera.messages(data))]

    batch = ReadingDecoder().decode(log)
    result = learner.step(
        batch.sensor_ids, batch.quantities, batch.time_ms, batch.values, batch.offsets,
        experts=batch.experts,
    )  # fmt: skip

    assert learner.counts.forecasts_used == 398 * 65
    assert learner.counts.learned == 398 + 28
    score = opera.score(data, result.mean[data.first : -1, 0].tolist())
    assert opera.rounded(score) == opera.PUBLISHED


@pytest.mark.parametrize("leading", [2, 8, 29, 92, 366])
def test_the_default_with_the_65_experts_is_no_worse(leading: int) -> None:
    """However long its own experts have been at it when the others join."""
    require(opera.missing())
    data = opera.load(leading)
    profile = Profile("load", period_seconds=DAY / 1000, horizons=(1,), outside=data.experts)
    learner = Learner(CityModel(profiles=(profile,)))
    batch = ReadingDecoder().decode(
        [Record(offset, value) for offset, value in enumerate(opera.messages(data))]
    )

    result = learner.step(
        batch.sensor_ids, batch.quantities, batch.time_ms, batch.values, batch.offsets,
        experts=batch.experts,
    )  # fmt: skip

    score = opera.score(data, result.mean[data.first : -1, 0].tolist())
    assert score.mape <= 1.38
    assert score.lockdown <= 2.71
