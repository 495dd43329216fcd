"""Alerts are episodes: they open once, last, and resolve once."""

from __future__ import annotations

import numpy as np
from models.logs import HOUR, START, daily, kinds, one_series, run, state

from hedgerow.models import AlertEvent, AlertSwitches, CityModel, Learner, Profile


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


def stuck(values: list[float]) -> list[AlertEvent]:
    only = AlertSwitches(anomaly=False, drift=False, bound=False, forecast_breach=False)
    alerts = run(Learner(city(alerts=only)), one_series(values)).alerts
    return [alert for alert in alerts if alert.kind == "stuck"]


def test_a_value_repeated_far_longer_than_ever_is_stuck_until_another_comes() -> None:
    values = daily(24 * 20)
    opened, resolved = stuck(values + [42.5] * 30 + values[:5])

    assert (opened.state, opened.severity, opened.observed) == ("open", "warning", 42.5)
    assert opened.position == len(values) + 12
    assert opened.message == (
        "42.5 again and again for 12 h: 13 readings in a row, where 1 used to be the most"
    )
    assert (resolved.state, resolved.position) == ("resolved", len(values) + 30)
    assert resolved.opening_offset == opened.position
    assert resolved.message.endswith("another value at last; open since 2026-01-21 12:00:00 UTC")


def test_nights_and_closed_weekends_are_not_stuck() -> None:
    def open_at(hour: int) -> bool:
        return 7 <= hour % 24 < 19 and hour // 24 % 7 < 5

    values = [v if open_at(hour) else 0.0 for hour, v in enumerate(daily(24 * 7 * 8))]
    assert stuck(values) == []


def test_a_series_that_was_never_otherwise_is_not_stuck() -> None:
    assert stuck([3.0] * 2000) == []


def test_a_new_series_is_not_stuck() -> None:
    assert stuck(daily(24 * 7) + [5.0] * 60) == []


def test_an_interval_that_reaches_beyond_a_bound_at_every_horizon_informs() -> None:
    only = AlertSwitches(anomaly=False, drift=False, bound=False, stuck=False)
    bound = 115.0
    profile = city(horizons=(1,), bound_upper=bound, alerts=only)
    result = run(Learner(profile), one_series(daily(24 * 60, noise=8.0)))
    opened = [a for a in result.alerts if a.state == "open" and a.severity == "info"]
    resolved = {a.opening_offset: a for a in result.alerts if a.state == "resolved"}

    assert opened
    for alert in opened:
        line, before = (list(result.learned).index(alert.position - i) for i in (0, 1))
        assert result.predicted[line, 0] <= bound < result.upper[line, 0]
        assert result.predicted[before, 0] <= bound < result.upper[before, 0]
        assert alert.expected == result.upper[line, 0]
        assert alert.message.startswith(f"it may reach {alert.expected:.6g} in 1 h, above the")
    # An episode keeps the severity it opened with.
    assert {resolved[a.opening_offset].severity for a in opened[:-1]} == {"info"}
