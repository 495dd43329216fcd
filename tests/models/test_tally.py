"""The tally of a bank says the same as the scores of its series, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
import pytest

from hedgerow.models import CityModel, Learner, Profile, SeriesScore, Tally, encode_chunk

HOUR_MS = 3_600_000
START_MS = 1_767_225_600_000
SENSORS = ("a", "b", "flat", "new")


@pytest.fixture(scope="module")
def learner() -> Learner:
    """Four hourly series; one never moves, one has just begun."""
    profile = Profile("hourly", period_seconds=3600, experts=("lean",), interval_level=0.8)
    learner = Learner(CityModel(profiles=(profile,)))
    noise = np.random.default_rng(7)
    for slot in range(24 * 16):
        sensors = SENSORS if slot > 24 * 16 - 2 else SENSORS[:3]
        values = 20.0 + 5.0 * np.sin(slot * np.pi / 12) + noise.normal(size=len(sensors))
        values[2] = 1.0
        learner.step(
            sensors,
            [""] * len(sensors),
            np.full(len(sensors), START_MS + slot * HOUR_MS),
            values,
            np.arange(len(sensors)) + slot * len(SENSORS),
        )
    return learner


def at_horizon(learner: Learner, horizon: int) -> tuple[Tally, Sequence[SeriesScore]]:
    (tally,) = [t for t in learner.tallies() if t.horizon == horizon]
    return tally, [s for s in learner.scores() if s.horizon == horizon and s.n]


@pytest.mark.parametrize("horizon", [1, 3, 12])
def test_it_is_the_sum_of_the_scores(learner: Learner, horizon: int) -> None:
    tally, scores = at_horizon(learner, horizon)

    assert (tally.profile, tally.interval_level) == ("hourly", 0.8)
    assert tally.series == len(scores)
    assert tally.labels == sum(s.n for s in scores)
    assert tally.absolute_error == pytest.approx(sum(s.absolute_error for s in scores))
    assert tally.inside == sum(s.covered for s in scores)
    assert tally.with_interval == sum(s.with_interval for s in scores) > 0
    for expert in scores[0].weights:
        assert tally.weights[expert] == pytest.approx(sum(s.weights[expert] for s in scores))
    assert set(tally.weights) == set(scores[0].weights)


@pytest.mark.parametrize("horizon", [1, 3, 12])
def test_what_is_told_of_each_series_is_its_own(learner: Learner, horizon: int) -> None:
    tally, scores = at_horizon(learner, horizon)

    assert tally.regrets.tolist() == [s.regret / (s.absolute_error or 1.0) for s in scores]
    for reference, (ours, theirs) in tally.paired.items():
        of_scores = [r for s in scores for r in s.references if r.reference == reference]
        skills = [r.skill for r in of_scores if r.skill is not None]
        assert ours == pytest.approx(sum(r.absolute_error for r in of_scores))
        assert theirs == pytest.approx(sum(r.reference_absolute_error for r in of_scores))
        assert tally.skills[reference].tolist() == pytest.approx(skills)
        assert np.median(tally.skills[reference]) == pytest.approx(median(skills))
    # Persistence never errs on the series that does not move: it has no skill to tell.
    assert len(tally.skills["persistence"]) == tally.series - 1


def test_a_bank_that_nobody_has_scored_tells_nothing() -> None:
    learner = Learner(CityModel(profiles=(Profile("hourly", period_seconds=3600),)))
    learner.step(["a"], [""], np.array([START_MS]), np.array([1.0]), np.array([0]))
    assert learner.tallies() == []


def test_open_alerts_are_counted_until_they_are_resolved() -> None:
    profile = Profile("hourly", period_seconds=3600, bound_upper=10.0)
    learner = Learner(CityModel(profiles=(profile,)))

    def step(slot: int, **values: float) -> None:
        n = len(values)
        learner.step(
            list(values), [""] * n, np.full(n, START_MS + slot * HOUR_MS),
            np.array(list(values.values())), np.arange(n) + 4 * slot,
        )  # fmt: skip

    step(0, a=5.0, b=5.0, c=5.0)
    assert learner.open_alerts == dict.fromkeys(
        ("bound", "forecast-breach", "anomaly", "drift", "stuck", "silent"), 0
    )
    step(1, a=50.0, b=50.0, c=5.0)
    assert learner.open_alerts["bound"] == 2

    restored = Learner.restore(learner.city, _encoded(learner))
    assert restored.open_alerts == learner.open_alerts

    for slot in range(2, 8):
        step(slot, a=5.0, b=50.0, c=5.0)
    assert learner.open_alerts["bound"] == 1


def test_silent_series_are_counted_among_the_open_alerts() -> None:
    learner = Learner(CityModel(profiles=(Profile("hourly", period_seconds=3600),)))
    for slot in range(24 * 12):
        sensors = ["a", "b", "c"] if slot < 24 * 10 else ["a", "b"]
        n = len(sensors)
        learner.step(
            sensors, [""] * n, np.full(n, START_MS + slot * HOUR_MS),
            np.sin(np.arange(n) + slot / 4.0), np.arange(n) + 4 * slot,
        )  # fmt: skip
    assert learner.open_alerts["silent"] == 1


def _encoded(learner: Learner) -> dict[str, bytes]:
    return {name: encode_chunk(raw) for name, raw in learner.capture().chunks.items()}
