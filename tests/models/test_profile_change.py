"""When a profile changes, what still fits is kept and the rest starts anew, and it is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from models.logs import HOUR, START, daily, one_series, run, state

from hedgerow.models import CityModel, Learner, Profile

BEFORE = Profile("roads", period_seconds=3600)
VALUES = daily(24 * 20)


def learned(profile: Profile = BEFORE) -> Learner:
    learner = Learner(CityModel((profile,)))
    run(learner, one_series(VALUES))
    return learner


def restored(profile: Profile, before: Learner | None = None) -> Learner:
    return Learner.restore(CityModel((profile,)), state(before or learned()))


def next_forecasts(learner: Learner) -> dict[int, float]:
    after = one_series([70.0], start_ms=START + len(VALUES) * HOUR)
    result = run(learner, after)
    return dict(zip(result.horizons[0].tolist(), result.predicted[0].tolist(), strict=True))


def test_a_new_horizon_starts_anew_and_the_others_go_on() -> None:
    changed = restored(replace(BEFORE, horizons=(1, 3, 24)))
    (note,) = changed.notes
    assert note.endswith("h24") or "; h24;" in note
    assert "covariance" in note  # the common features belong to the horizons
    assert "h1.scores" not in note

    assert np.isfinite(list(next_forecasts(changed).values())).all()
    assert {s.horizon: s.n for s in changed.scores()} == {1: 480, 3: 478, 24: 0}


def test_a_new_expert_keeps_what_the_other_experts_learned() -> None:
    changed = restored(replace(BEFORE, experts=("accurate", "ogd_0.02")))
    (note,) = changed.notes
    assert "ogd_0.02" in note
    assert "theta" not in note
    weights, before = changed.scores()[0].weights, learned().scores()[0].weights
    assert {name: weights[name] for name in before} == pytest.approx(before)
    assert np.isfinite(list(next_forecasts(changed).values())).all()


def test_another_interval_level_starts_only_the_interval_anew() -> None:
    (note,) = restored(replace(BEFORE, interval_level=0.8)).notes
    assert note.count("interval@0.8") == 3
    assert "theta" not in note


def test_bounds_change_nothing_learned() -> None:
    changed = restored(replace(BEFORE, bound_upper=500.0))
    assert changed.notes == ["profile 'roads' changed: everything learned is kept"]
    assert next_forecasts(changed) == next_forecasts(learned())


def test_another_period_starts_the_series_anew() -> None:
    changed = restored(replace(BEFORE, period_seconds=1800))
    assert changed.notes == [
        "profile 'roads': period changed from 3600000 to 1800000 ms, its series start anew"
    ]
    assert changed.series_count == 1
    assert next_forecasts(changed) == pytest.approx({1: 70.0, 3: 70.0, 12: 70.0})


def test_a_series_that_falls_under_a_new_profile_moves_with_what_it_learned() -> None:
    city = CityModel((Profile("mine", match=("s1",), period_seconds=3600), BEFORE))
    changed = Learner.restore(city, state(learned()))
    assert [s.profile for s in changed.scores()] == ["mine"] * 3
    assert next_forecasts(changed) == next_forecasts(learned())


def test_a_changed_learner_is_captured_whole_and_restores_as_it_is() -> None:
    profile = replace(BEFORE, horizons=(1, 24))
    changed = restored(profile)
    capture = changed.capture()
    assert sorted(capture.chunks) == sorted(capture.names)
    again = Learner.restore(CityModel((profile,)), state(changed))
    assert again.notes == []
    assert state(again) == state(changed)


def test_a_new_time_zone_is_told() -> None:
    city = CityModel((BEFORE,), timezone="Europe/Vienna")
    (note,) = Learner.restore(city, state(learned())).notes
    assert note.startswith("time zone changed from UTC to Europe/Vienna")
