"""A forecast is the sum of what its explanation names, to the last rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from models.logs import (
    CITY,
    COMPANY,
    HOUR,
    Log,
    city_log,
    company_log,
    daily,
    one_series,
    run,
    state,
)

from hedgerow.models import CityModel, Learner, Profile, RiverExpert, StepResult
from hedgerow.models.aggregation import RULES
from hedgerow.models.bank.scores import SeriesScore
from hedgerow.models.experts.catalogue import NAIVE_EXPERTS
from hedgerow.models.explanation.explain import (
    ExpertPart,
    Explanation,
    ForecastSum,
    NothingToExplain,
    Part,
    explain,
)
from hedgerow.models.explanation.inputs import NAMES

EXACT = 1e-12  # times the sum of the absolute parts
EVERYBODY = ("accurate", "holt", "ogd_0.01", "adagrad_0.1", "nlms_0.5", "median_0.01",
             "poisson_0.01")  # fmt: skip
ALL = Profile("all", period_seconds=3600, experts=EVERYBODY)


def city(profile: Profile = ALL, **changes: object) -> CityModel:
    return CityModel((replace(profile, **changes),))  # type: ignore[arg-type]


def sums_to(parts: Iterable[Part], wanted: float) -> bool:
    amounts = [part.amount for part in parts]
    return abs(math.fsum(amounts) - wanted) <= EXACT * math.fsum(map(abs, amounts))


def check(forecast: ForecastSum) -> None:
    assert sums_to(forecast.inputs, forecast.predicted)
    assert sums_to(forecast.mean_inputs, forecast.mean)
    awake = [one for one in forecast.experts if one.predicted is not None]
    assert math.isclose(sum(one.weight for one in forecast.experts), 1.0)
    assert math.isclose(sum(one.mean_weight for one in forecast.experts), 1.0)
    assert math.isclose(sum(one.weight * (one.predicted or 0) for one in awake), forecast.weighed,
                        rel_tol=1e-12, abs_tol=1e-9)  # fmt: skip
    for one in awake:
        assert sums_to(one.parts, one.predicted or 0.0), one
    for one in forecast.experts:
        assert one.predicted is not None or (one.weight, one.mean_weight, one.parts) == (0, 0, ())


def published(result: StepResult, line: int) -> list[tuple[float, ...]]:
    columns = (result.target_ms, result.predicted, result.mean, result.lower, result.upper)
    there = result.horizons[line] > 0
    return [tuple(row) for row in np.stack([c[line][there] for c in columns], axis=1).tolist()]


def told(found: Explanation) -> list[tuple[float, ...]]:
    nan = math.nan
    return [
        (one.target_ms, one.predicted, one.mean, nan if one.lower is None else one.lower,
         nan if one.upper is None else one.upper)
        for one in found.forecasts
    ]  # fmt: skip


def follow(learner: Learner, log: Log, *, check_from: int = 0) -> list[Explanation]:
    """Step readings one by one; whatever is published must be what its explanation sums to."""
    found = []
    run(learner, log.part(0, check_from))
    for p in range(check_from, len(log)):
        result = run(learner, log.part(p, p + 1))
        if not result.learned.size or not result.horizons.any():
            continue
        explanation = explain(learner, log.sensor_ids[p], log.quantities[p])
        np.testing.assert_array_equal(told(explanation), published(result, 0))
        for forecast in explanation.forecasts:
            check(forecast)
        found.append(explanation)
    assert found
    return found


def expert(forecast: ForecastSum, name: str) -> ExpertPart:
    return next(one for one in forecast.experts if one.expert == name)


def brought(parts: Iterable[Part], name: str) -> float:
    assert name in NAMES or name.startswith("last readings of ")
    return sum(part.amount for part in parts if part.input == name)


@pytest.mark.parametrize("seed", range(4))
def test_every_forecast_of_a_city_is_the_sum_of_its_parts(seed: int) -> None:
    follow(Learner(CITY), city_log(seed, 1_500))


@pytest.mark.parametrize("rule", RULES)
def test_whatever_the_rule_that_weighs(rule: str) -> None:
    profile = replace(ALL, aggregation=rule, horizons=(1, 2))
    follow(Learner(city(profile)), one_series(daily(400, noise=8.0)), check_from=150)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([max(v, 0.0) for v in daily(500, noise=30.0)], id="cut-at-zero"),
        pytest.param([v - 60.0 for v in daily(500)], id="negative"),
        pytest.param([round(v / 40) * 40.0 for v in daily(500, noise=5.0)], id="repeated"),
        pytest.param([7.0] * 300, id="constant"),
        pytest.param([0.0] * 150 + [5.0] * 5 + [0.0] * 150, id="mostly-zero"),
        pytest.param([1e30 * v for v in daily(200)], id="huge"),
        pytest.param([v + (80.0 if i > 300 else 0.0) for i, v in enumerate(daily(500))], id="step"),
        pytest.param([v if i % 90 else v + 5e4 for i, v in enumerate(daily(400))], id="wild"),
    ],
)
def test_of_values_of_every_kind(values: list[float]) -> None:
    follow(Learner(city()), one_series(values), check_from=2)


def test_limits_and_drift_are_parts_of_their_own() -> None:
    profile = replace(ALL, minimum=30.0, maximum=90.0)
    found = follow(Learner(city(profile)), one_series(daily(600, noise=20.0)), check_from=100)
    cut = [f for e in found for f in e.forecasts if brought(f.inputs, "limits") != 0.0]
    assert cut
    for one in cut:  # the naive experts repeat what was seen
        said = [e.predicted for e in one.experts if e.expert not in NAIVE_EXPERTS]
        assert all(30.0 <= value <= 90.0 for value in said if value is not None)
    values = [v + (4.0 if i > 1_500 else 0.0) for i, v in enumerate(daily(1_700, noise=2.0))]
    learner = Learner(city(experts=("pattern",), naive=False))
    found = follow(learner, one_series(values), check_from=1_500)
    moved = [f for e in found for f in e.forecasts if brought(f.inputs, "drift correction")]
    assert moved
    for one in moved:
        offset = brought(one.inputs, "drift correction")
        assert math.isclose(one.predicted, one.weighed + offset) or brought(one.inputs, "limits")


def test_where_all_sleep_it_is_the_last_reading() -> None:
    learner = Learner(city(experts=("hold",), naive=False))
    [*_, last] = follow(learner, one_series(daily(60)))
    for forecast in last.forecasts:
        assert forecast.predicted == last.observed
        assert expert(forecast, "persistence").weight == 1.0


def test_companions_bring_what_they_are_named_for() -> None:
    learner = Learner(COMPANY)
    found = follow(learner, company_log(3, 1_200))
    inputs = {
        part.input
        for e in found
        if (e.sensor_id, e.quantity) == ("a", "flow")
        for f in e.forecasts
        for part in expert(f, "companions").parts
    }
    assert {"last readings of a/speed", "last readings of b/flow"} <= inputs


def test_forecasts_by_others_and_plugins_bring_what_they_said() -> None:
    profile = Profile(
        "all",
        period_seconds=3600,
        experts=("pattern",),
        outside=("nightly",),
        river=(RiverExpert("river.linear_model.LinearRegression"),),
    )
    learner = Learner(CityModel((profile,), plugin_key=b"0123456789abcdef"))
    log = one_series(daily(160))
    n = len(log)
    for p in range(n):
        ahead = np.array([log.time_ms[p] + HOUR])
        at = np.array([p])
        learner.step(["s1"], [""], ahead, np.array([61.0 + p % 5]), at, experts=["nightly"])
        result = run(learner, log.part(p, p + 1))
        found = explain(learner, "s1")
        np.testing.assert_array_equal(told(found), published(result, 0))
        for forecast in found.forecasts:
            check(forecast)
    [nearest, *_] = found.forecasts
    said = expert(nearest, "outside:nightly")
    assert said.predicted == 61.0 + (n - 1) % 5
    assert {part.input for part in said.parts} == {"usual level", "forecast by others"}
    plugin = next(one for one in nearest.experts if one.expert.startswith("0:"))
    assert brought(plugin.parts, "plug-in model") != 0.0


def test_a_linear_expert_is_told_input_by_input() -> None:
    """By hand: θ·x in the unit of the series, the mean of the series under it."""
    learner = Learner(city(experts=("rls_0.999",)))
    run(learner, one_series(daily(300)))
    forecast = explain(learner, "s1").forecasts[0]
    bank = learner.banks[0]
    fields = {field.name: field for field in bank.layout.fields}
    theta = next(f for name, f in fields.items() if name.startswith("h1.theta.rls"))
    origin = next(f for name, f in fields.items() if name.startswith("origins["))
    sizes, row, single = bank.layout.sizes, bank.rows[0], bank.singles[0]
    x = single[origin.offset + int(row[0]) % sizes.longest * sizes.origin :]
    last = bank.layout.features.index("lag_0")
    deviation = math.sqrt(row[4])
    by_hand = deviation * float(single[theta.offset + last]) * float(x[last])
    parts = expert(forecast, "rls_0.999").parts
    assert parts[0] == Part("usual level", float(row[3]))
    assert math.isclose(brought(parts, "last reading"), by_hand, rel_tol=1e-4, abs_tol=1e-4)


def test_explaining_changes_nothing() -> None:
    learner = Learner(CITY)
    log = city_log(1, 800)
    run(learner, log)
    before = state(learner)
    for series in range(learner.series_count):
        explain(learner, *learner.series.name(series))
    assert state(learner) == before


def test_a_restored_learner_explains_the_same() -> None:
    learner = Learner(CITY)
    run(learner, city_log(2, 900))
    restored = Learner.restore(CITY, state(learner))
    for series in range(learner.series_count):
        name = learner.series.name(series)
        assert explain(restored, *name) == explain(learner, *name)


def test_weights_are_those_that_the_scores_show() -> None:
    learner = Learner(city(experts=("pattern", "levels")))
    run(learner, one_series(daily(300)))
    score: SeriesScore = learner.scores_of("s1", "")[0]
    forecast = explain(learner, "s1").forecasts[0]
    assert {one.expert: one.weight for one in forecast.experts} == score.weights


def test_what_cannot_be_explained_is_told() -> None:
    learner = Learner(CITY)
    with pytest.raises(NothingToExplain, match="nothing was learned of a series 'nobody'"):
        explain(learner, "nobody")
    run(learner, one_series([1.0, 2.0], sensor="s1"))
    with pytest.raises(NothingToExplain, match="waits until its period is known"):
        explain(learner, "s1")
    learner = Learner(city())
    run(learner, one_series(daily(100)))
    changed = Learner.restore(city(aggregation="boa"), state(learner))
    with pytest.raises(NothingToExplain, match="has changed since 's1' was forecast"):
        explain(changed, "s1")
    other = Learner.restore(city(experts=("lean",)), state(learner))
    with pytest.raises(NothingToExplain, match="has no forecast that the profile 'all' made"):
        explain(other, "s1")
