"""The aggregation rules against published algorithms and a published result."""

from __future__ import annotations

import csv
import gzip
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hedgerow.models.aggregation import RULES, learn, table_size, weigh

Array = NDArray[np.float64]


def aggregated(rule: str, experts: Array, labels: Array, *, squared: bool = True) -> Array:
    """Forecasts of a rule, a line of ``experts`` per label, NaN where one sleeps."""
    count = experts.shape[1]
    table = np.zeros(table_size(RULES.index(rule), count))
    weights, absent = np.empty(count), np.zeros(count, bool)
    forecasts = np.empty(len(labels))
    for t, label in enumerate(labels):
        p = forecasts[t] = weigh(table, RULES.index(rule), experts[t], absent, weights)
        slope = 2.0 * (p - label) if squared else float(np.sign(p - label))
        learn(table, RULES.index(rule), experts[t], absent, p, slope, weights)
    return forecasts


def published_ml_poly(experts: Array, labels: Array) -> Array:
    """Gaillard, Stoltz & van Erven 2014, figure 2, with the range of the losses unknown."""
    count = experts.shape[1]
    awake, experts = ~np.isnan(experts), np.nan_to_num(experts)
    regret, inverse_rate, most = np.zeros(count), np.zeros(count), 0.0
    forecasts = np.empty(len(labels))
    for t, label in enumerate(labels):
        w = np.ones(count)
        if (awake[t] * regret).max() > 0:
            w = np.where(regret > 0, regret / np.maximum(inverse_rate, 1e-300), 0.0)
        w = awake[t] * w
        p = forecasts[t] = experts[t] @ w / w.sum()
        r = awake[t] * 2 * (p - label) * (p - experts[t])
        largest = max(most, (r**2).max())
        regret, inverse_rate, most = regret + r, inverse_rate + r**2 + largest - most, largest
    return forecasts


def published_boa(experts: Array, labels: Array) -> Array:
    """Wintenberger 2017 with a rate for each expert, as the R package opera has it."""
    count = experts.shape[1]
    awake, experts = ~np.isnan(experts), np.nan_to_num(experts)
    most, squares, exponent, rate = np.zeros(count), np.zeros(count), np.zeros(count), 0.0
    forecasts = np.empty(len(labels))
    for t, label in enumerate(labels):
        w = awake[t] * np.exp(rate * exponent - np.max((rate * exponent)[awake[t]]))
        p = forecasts[t] = experts[t] @ w / w.sum()
        r = awake[t] * 2 * (p - label) * (p - experts[t])
        most, squares = np.maximum(most, abs(r)), squares + r**2
        with np.errstate(divide="ignore"):
            rate = np.minimum(0.5 / most, np.sqrt(math.log(count) / squares))
        rate = np.where(most > 0, rate, 0.0)
        exponent = exponent + r - rate * r**2
    return forecasts


def sleepy_experts(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    labels = 50 + np.cumsum(rng.normal(size=400))
    experts = labels[:, None] + rng.normal(size=(400, 6)) * [1, 2, 3, 4, 5, 9] + [0, 1, -4, 2, 9, 0]
    experts[rng.random(experts.shape) < 0.2] = np.nan
    experts[:, 0] = np.where(np.isnan(experts[:, 0]), labels + 7, experts[:, 0])
    return experts, labels


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("rule", "published"), [("ml-poly", published_ml_poly), ("boa", published_boa)]
)
def test_a_rule_is_the_published_algorithm(rule: str, published: object, seed: int) -> None:
    experts, labels = sleepy_experts(seed)
    ours = aggregated(rule, experts, labels)
    assert ours == pytest.approx(published(experts, labels), rel=1e-9)  # type: ignore[operator]


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_a_rule_needs_no_unit(rule: str, squared: bool, unit: float) -> None:
    experts, labels = sleepy_experts(7)
    plain = aggregated(rule, experts, labels, squared=squared)
    scaled = aggregated(rule, unit * experts, unit * labels, squared=squared)
    assert scaled / unit == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_ends_no_worse_than_the_best_expert_and_some_regret(rule: str) -> None:
    rng = np.random.default_rng(3)
    labels = rng.normal(size=2000)
    experts = labels[:, None] + rng.normal(size=(2000, 5)) * [0.3, 1, 1, 2, 3]
    ours = ((aggregated(rule, experts, labels) - labels) ** 2).mean()
    best = ((experts - labels[:, None]) ** 2).mean(axis=0).min()
    assert ours < (1.5 if rule == "fixed-share" else 1.1) * best  # the share has its price


@pytest.mark.parametrize("rule", RULES)
def test_all_asleep_gives_no_forecast_and_no_weight(rule: str) -> None:
    table, weights = np.zeros(table_size(RULES.index(rule), 2)), np.empty(2)
    asleep = np.array([math.nan, math.nan])
    assert math.isnan(weigh(table, RULES.index(rule), asleep, np.zeros(2, bool), weights))
    assert weights.tolist() == [0.0, 0.0]


@dataclass(frozen=True)
class Load:
    """French national load at 20:00, 2020-01-06 to 2021-04-29, and 65 forecasts of it."""

    dates: NDArray[np.str_]
    labels: Array
    experts: Array

    def figures(self, forecasts: Array) -> list[float]:
        """MAPE in % over all, before, in and after the first lockdown; RMSE in MW."""
        off = forecasts - self.labels
        share = 100 * abs(off) / self.labels
        before, after = self.dates < "2020-03-16", self.dates > "2020-04-15"
        parts = [share, share[before], share[~before & ~after], share[after]]
        return [*(float(part.mean()) for part in parts), math.sqrt((off**2).mean())]


@pytest.fixture(scope="module")
def load() -> Load:
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("HEDGEROW_DATA", beside)) / "opera_fr_load"
    if not folder.is_dir():
        pytest.skip(f"missing: {folder}, made from the R package opera; set HEDGEROW_DATA")
    try:
        with gzip.open(folder / "regional_load.csv.gz", "rt") as file:
            days = list(csv.DictReader(file))[-398:]
        experts = np.loadtxt(folder / "regional_experts.csv", delimiter=",", skiprows=1)
    except OSError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"missing: {error}")
    assert experts.shape == (398, 65)
    return Load(
        np.array([day["Date"][:10] for day in days]),
        np.array([float(day["Load"]) for day in days]),
        experts,
    )


def test_ml_poly_gives_operas_published_errors(load: Load) -> None:
    # P. Gaillard & Y. Goude, vignette "regional_forecasting" of the R package opera:
    # 1.38 % in all, 1.33 before, 2.71 in and 1.28 after the lockdown.
    figures = load.figures(aggregated("ml-poly", load.experts, load.labels))
    assert figures[:4] == pytest.approx([1.383, 1.330, 2.708, 1.276], abs=5e-4)
    assert figures[4] == pytest.approx(1057, abs=0.5)


@pytest.mark.parametrize("rule", ["ml-poly", "boa"])
def test_rules_are_operas_on_its_own_experts(load: Load, rule: str) -> None:
    published = {"ml-poly": published_ml_poly, "boa": published_boa}[rule]
    ours = aggregated(rule, load.experts, load.labels)
    assert ours == pytest.approx(published(load.experts, load.labels), rel=1e-9)
