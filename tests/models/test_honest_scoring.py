"""No forecast is scored, or made, with a label it could not have seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from models.honesty import dishonest
from models.logs import CITY, HOUR, START, Log, city_log, daily, one_series, published, run

from hedgerow.models import CityModel, Learner, Profile
from hedgerow.models.bank import layout as at
from hedgerow.models.bank.bank import Bank

HOURLY = CityModel((Profile("hourly", period_seconds=3600),))


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_the_published_forecasts(seed: int) -> None:
    log = city_log(seed, 1500)
    learner = Learner(CITY)
    result = run(learner, log)
    scores = learner.scores()

    assert sum(score.n for score in scores) > 500
    assert dishonest(log, result, published(log, result), scores) == []


def test_the_scores_of_one_series_are_those_among_all() -> None:
    learner = Learner(CITY)
    run(learner, city_log(3, 600))
    every = learner.scores()
    pairs = {(score.sensor_id, score.quantity) for score in every}

    assert len(pairs) > 1
    for sensor_id, quantity in pairs:
        mine = [s for s in every if (s.sensor_id, s.quantity) == (sensor_id, quantity)]
        assert learner.scores_of(sensor_id, quantity) == mine
    assert learner.scores_of("nobody", "") == []


@pytest.mark.parametrize("cut", [10, 177, 390])
def test_no_output_depends_on_a_later_label(cut: int) -> None:
    log = city_log(11, 400)
    altered = Log(
        log.sensor_ids,
        log.quantities,
        log.time_ms,
        np.where(np.arange(len(log)) < cut, log.values, 1e6 - log.values),
    )
    honest, other = run(Learner(CITY), log), run(Learner(CITY), altered)

    before = honest.learned < cut
    for column in ("target_ms", "predicted", "mean", "lower", "upper"):
        np.testing.assert_array_equal(
            getattr(honest, column)[before], getattr(other, column)[before]
        )
    assert [a for a in honest.alerts if a.position < cut] == [
        a for a in other.alerts if a.position < cut
    ]


def test_forecasts_made_silently_from_the_nursery_are_not_scored() -> None:
    learner = Learner(CityModel((Profile("hourly", horizons=(1, 3)),)))
    run(learner, one_series(daily(24)))

    assert {score.horizon: score.n for score in learner.scores()} == {1: 4, 3: 2}


def test_errors_are_paired_with_the_naive_forecasts_of_the_same_slots() -> None:
    values = daily(24 * 8)
    learner = Learner(HOURLY)
    run(learner, one_series(values))

    score = learner.scores()[0]
    paired = {reference.reference: reference for reference in score.references}
    assert [paired[name].n for name in ("persistence", "day", "week")] == [191, 168, 24]
    steps = np.abs(np.diff(values))
    assert paired["persistence"].reference_absolute_error == pytest.approx(steps.sum())
    assert paired["persistence"].absolute_error == pytest.approx(score.absolute_error)
    days = np.abs(np.array(values[24:]) - np.array(values[:-24]))
    assert paired["day"].reference_absolute_error == pytest.approx(days.sum())


def test_a_planted_leak_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that lets a label into its pending forecast before scoring it."""
    honest_step = Bank.step

    def leaky_step(self: Bank, where: Any, positions: Any, **columns: Any) -> None:
        for line, p in zip(where, positions, strict=True):
            row = self.rows[line]
            for block, horizon in zip(self.layout.blocks, self.layout.horizons, strict=True):
                slot = (int(columns["time_ms"][p]) - START) // HOUR + START // HOUR
                entry = block + self.layout.sizes.pending
                entry += slot % horizon * self.layout.sizes.entry
                if row[entry + at.ORIGIN] == slot - horizon:
                    label = columns["values"][p]
                    row[entry + at.PREDICTED] += 0.01 * (label - row[entry + at.PREDICTED])
            honest_step(self, np.array([line]), np.array([p]), **columns)

    monkeypatch.setattr(Bank, "step", leaky_step)
    log = one_series(daily(100))
    learner = Learner(HOURLY)
    result = run(learner, log)

    faults = dishonest(log, result, published(log, result), learner.scores())
    assert "s1 h1 absolute_error" in faults
