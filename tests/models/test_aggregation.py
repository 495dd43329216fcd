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

from hedgerow.models.aggregation import LOOK_ON, RULES, learn, standing_weights, table_size, weigh

Array = NDArray[np.float64]


class Rule:
    """A rule with a table of its own."""

    def __init__(self, rule: str, count: int) -> None:
        self.rule = RULES.index(rule)
        self.table = np.zeros(table_size(self.rule, count))
        self.absent = np.zeros(count, bool)
        self.weights = np.empty(count)

    def forecast(self, experts: Array) -> float:
        return weigh(self.table, self.rule, experts, self.absent, self.weights)

    def learn(self, experts: Array, forecast: float, label: float, *, squared: bool = True) -> bool:
        off = forecast - label
        slope = 2.0 * off if squared else float(np.sign(off))
        scratch = self.weights.copy()
        return learn(self.table, self.rule, experts, self.absent, forecast, off, slope, scratch)

    def standing(self) -> Array:
        weights = np.empty_like(self.weights)
        standing_weights(self.table, self.rule, self.absent, np.empty_like(weights), weights)
        return weights


def aggregated(rule: str, experts: Array, labels: Array, *, squared: bool = True) -> Array:
    """Forecasts of a rule, a line of ``experts`` per label, NaN where one sleeps."""
    model = Rule(rule, experts.shape[1])
    forecasts = np.empty(len(labels))
    for t, label in enumerate(labels):
        p = forecasts[t] = model.forecast(experts[t])
        model.learn(experts[t], p, label, squared=squared)
    return forecasts


def published_ml_poly(experts: Array, labels: Array, first: float | None = None) -> Array:
    """Gaillard, Stoltz & van Erven 2014, figure 2, with the range of the losses unknown.

    ``first`` is the first forecast if it is not the mean.
    """
    count = experts.shape[1]
    awake, experts = ~np.isnan(experts), np.nan_to_num(experts)
    regret, inverse_rate, most = np.zeros(count), np.zeros(count), 0.0
    forecasts = np.empty(len(labels))
    for t, label in enumerate(labels):
        w = np.ones(count)
        if (awake[t] * regret).max() > 0:
            w = np.where(regret > 0, regret / np.maximum(inverse_rate, 1e-300), 0.0)
        w = awake[t] * w
        p = first if t == 0 and first is not None else experts[t] @ w / w.sum()
        forecasts[t] = p
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
    experts[1:][rng.random(experts[1:].shape) < 0.2] = np.nan  # nobody joins later
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


JOIN = 100


def rough_and_late(late: float) -> tuple[Array, Array]:
    """Two experts that are far off, and from some label on two that err by ``late``."""
    rng = np.random.default_rng(5)
    labels = 50 + np.cumsum(rng.normal(size=2 * JOIN))
    experts = (
        labels[:, None] + rng.normal(size=(2 * JOIN, 4)) * [50, 60, late, late] + [20, 0, 0, 0]
    )
    experts[:JOIN, 2:] = np.nan
    return experts, labels


def joined(late: float, labels_seen: int) -> tuple[Rule, list[bool]]:
    """The rule and whether all began anew, for each label after the newcomers are there."""
    experts, labels = rough_and_late(late)
    model, anew = Rule("ml-poly", 4), []
    for line, label in zip(experts[: JOIN + labels_seen], labels, strict=False):
        anew.append(model.learn(line, model.forecast(line), label))
    assert not any(anew[:JOIN])
    return model, anew[JOIN:]


def test_newcomers_have_no_part_before_their_first_label() -> None:
    experts, _ = rough_and_late(1.0)
    model, _ = joined(1.0, 0)
    model.forecast(experts[JOIN])
    assert model.weights[2:].tolist() == [0.0, 0.0]
    assert model.standing().tolist() == model.weights.tolist()


def test_better_ones_begin_with_an_average_share_and_the_others_keep_their_proportions() -> None:
    before = joined(1.0, 0)[0].standing()
    model, anew = joined(1.0, 1)
    assert anew == [True]
    assert model.standing()[2:] == pytest.approx([0.25, 0.25])
    assert model.standing()[:2] == pytest.approx(0.5 * before[:2])


def test_from_then_on_the_rule_is_the_published_one_begun_there() -> None:
    experts, labels = rough_and_late(1.0)
    at = JOIN + 1

    ours = aggregated("ml-poly", experts, labels)[at:]

    begun_there = published_ml_poly(experts[at:], labels[at:], first=ours[0])
    assert ours == pytest.approx(begun_there, rel=1e-6)
    # Judged by what the rough ones had earned, the mixture would still be theirs.
    assert abs(ours[10:] - labels[at + 10 :]).mean() < 2.0
    published = published_ml_poly(experts, labels)[at + 10 :]
    assert abs(published - labels[at + 10 :]).mean() > 4.0


def test_a_fool_moves_nothing_while_it_looks_on_and_little_when_it_joins() -> None:
    alone = joined(1e9, 0)[0].standing()
    model, anew = joined(1e9, LOOK_ON)
    assert not any(anew)
    assert model.standing()[2:].tolist() == [0.0, 0.0]
    assert model.standing()[:2] == pytest.approx(alone[:2], abs=0.2)
    again, anew = joined(1e9, JOIN)
    assert not any(anew)
    assert again.standing()[2:].sum() < 0.5


def test_who_slept_when_another_joined_is_no_newcomer() -> None:
    model = Rule("ml-poly", 3)
    first, then = np.array([1.0, math.nan, 9.0]), np.array([math.nan, 2.0, 9.0])
    lines = LOOK_ON * (first,) + 3 * (then, first)
    anew = [model.learn(line, model.forecast(line), 2.0) for line in lines]
    assert anew == LOOK_ON * [False] + [True] + 5 * [False]


def test_who_joins_early_begins_with_the_others_at_once() -> None:
    experts, labels = rough_and_late(1.0)
    begin = JOIN - LOOK_ON + 1

    ours = aggregated("ml-poly", experts[begin:], labels[begin:])

    evenly = published_ml_poly(experts[JOIN:], labels[JOIN:])
    assert ours[JOIN - begin :] == pytest.approx(evenly, rel=1e-9)


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
