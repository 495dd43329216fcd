"""Alerts are episodes: they open once, last, and resolve once."""

from __future__ import annotations

import numpy as np
from models.logs import HOUR, START, daily, kinds, one_series, run, state

from hedgerow.models import AlertSwitches, CityModel, Learner, Profile


def city(**options: object) -> CityModel:
    return CityModel((Profile("all", period_seconds=3600, **options),))  # type: ignore[arg-type]


def test_a_bound_crossed_once_is_one_episode_that_resolves_after_three_readings() -> None:
    values = [10.0] * 5 + [60.0, 70.0, 10.0, 65.0] + [10.0] * 5
    switches = AlertSwitches(forecast_breach=False)
    result = run(Learner(city(bound_upper=50.0, alerts=switches)), one_series(values))

    opened, resolved = result.alerts
    assert (opened.kind, opened.state, opened.severity) == ("bound", "open", "critical")
    assert (opened.position, opened.opening_offset, opened.observed) == (5, 5, 60.0)
    assert (opened.lower, opened.upper) == (None, 50.0)
    assert opened.message == ("observed 60, above the declared upper bound 50; 10 was forecast")
    assert (resolved.state, resolved.position, resolved.opening_offset) == ("resolved", 11, 5)
    assert resolved.opened_ms == START + 5 * HOUR
    assert resolved.at_ms == START + 11 * HOUR
    assert resolved.message == (
        "observed 10, within the declared bounds again; open since 2026-01-01 05:00:00 UTC"
    )


def test_an_episode_survives_a_snapshot() -> None:
    profile = city(bound_lower=0.0, alerts=AlertSwitches(forecast_breach=False))
    learner = Learner(profile)
    run(learner, one_series([1.0, 2.0, -5.0]))
    learner = Learner.restore(profile, state(learner))
    result = run(learner, one_series([-6.0] + [1.0] * 4, start_ms=START + 3 * HOUR))

    assert kinds(result.alerts) == [("bound", "resolved")]
    assert result.alerts[0].opening_offset == 2


def test_a_forecast_beyond_a_bound_warns_before_it_happens() -> None:
    values = daily(24 * 30, noise=0.5)
    result = run(Learner(city(bound_upper=90.0)), one_series(values))

    last_day = [a for a in result.alerts if a.position >= 24 * 28]
    first = next(a for a in last_day if a.state == "open")
    assert (first.kind, first.severity) == ("forecast-breach", "warning")
    assert first.observed <= 90.0
    assert first.expected is not None
    assert first.expected > 90.0
    assert "is forecast in " in first.message
    # Then it happens, and the bound rule takes over.
    assert ("bound", "open") in kinds(last_day)


def test_readings_that_stand_out_are_one_anomaly_with_a_reason() -> None:
    values = daily(24 * 20)
    several = list(values)
    several[400:405] = [value + 300 for value in several[400:405]]
    quiet = run(Learner(city()), one_series(values)).alerts
    result = run(Learner(city()), one_series(several))

    assert [alert for alert in quiet if alert.position > 200] == []
    late = [alert for alert in result.alerts if alert.position >= 400]
    assert kinds(late)[:2] == [("anomaly", "open"), ("anomaly", "resolved")]
    opened, resolved = late[:2]
    assert opened.position == 400
    assert resolved.position > 405
    assert opened.upper is not None
    assert opened.observed > opened.upper
    assert "higher than any reading of the last weeks" in opened.message
    assert "was forecast" in opened.message


def test_an_ordinary_series_raises_less_than_one_anomaly_in_five_weeks() -> None:
    opened = 0
    for seed in range(10):
        result = run(Learner(city()), one_series(daily(24 * 7 * 10, noise=8.0, seed=seed)))
        opened += sum(alert.state == "open" for alert in result.alerts)
    assert opened <= 20


def test_rules_that_are_off_stay_silent() -> None:
    off = AlertSwitches(bound=False, forecast_breach=False, anomaly=False, drift=False)
    values = np.array(daily(500))
    values[300:320] += 1000
    learner = Learner(city(bound_upper=50.0, alerts=off))
    assert run(learner, one_series(values.tolist())).alerts == []


def test_alerts_of_many_series_come_in_log_order() -> None:
    learner = Learner(
        CityModel(
            (
                Profile("a", match=("a",), period_seconds=3600, bound_upper=5.0),
                Profile("b", match=("b",), period_seconds=60, bound_upper=5.0),
            )
        )
    )
    n = 40
    times = START + HOUR * np.arange(n, dtype=np.int64)
    values = np.where(np.arange(n) // 4 % 2, 10.0, 1.0)
    result = learner.step(["a", "b"] * (n // 2), [""] * n, times, values, np.arange(n))

    positions = [alert.position for alert in result.alerts]
    assert positions == sorted(positions)
    assert {alert.position % 2 for alert in result.alerts} == {0, 1}
