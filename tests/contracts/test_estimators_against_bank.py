"""An estimator and its expert in a row of the bank are the same arithmetic.

The bank learns a series; the features it froze and the labels that came are replayed to the
estimator. What is held in single precision must agree in every bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from contracts.estimators import daily
from models.logs import DAY, HOUR, START, one_series, run
from numpy.typing import NDArray
from river import base

from hedgerow.models import CityModel, Learner, Profile, estimators
from hedgerow.models.aggregation import RULES
from hedgerow.models.bank import layout as at
from hedgerow.models.bank.layout import CLUES, HOUR_FEATURES
from hedgerow.models.bank.rows import place
from hedgerow.models.experts.catalogue import LEVEL_RATES
from hedgerow.models.experts.companions import company_at
from hedgerow.models.experts.ensemble import (
    SMALL,
    Place,
    clues_at,
    hold_model_at,
    hour_features_at,
    hour_model_at,
)
from hedgerow.models.experts.least_squares import small_predict

EXPERTS = (
    "pattern", "levels", "holt", "rls_0.999", "rls_0.98", "ogd_0.05", "adagrad_0.3", "nlms_0.2",
    "median_0.01", "poisson_0.05", "hour_24", "hold",
)  # fmt: skip
LINEAR: dict[str, Callable[[], base.Regressor]] = {
    "rls_0.999": lambda: estimators.RecursiveLeastSquares(0.999, scale=False),
    "rls_0.98": lambda: estimators.RecursiveLeastSquares(0.98, scale=False),
    "ogd_0.05": lambda: estimators.CappedGradientDescent(0.05, scale=False),
    "adagrad_0.3": lambda: estimators.AdaGradRegressor(0.3, scale=False),
    "nlms_0.2": lambda: estimators.NormalisedLMS(0.2, scale=False),
    "median_0.01": lambda: estimators.MedianRegressor(0.01, scale=False),
    "poisson_0.05": lambda: estimators.PoissonRegressor(0.05, scale=False),
}
LENGTH = 300
SMOOTH = [v + 0.001 * i for i, v in enumerate(daily(LENGTH, seed=4))]


@dataclass(frozen=True)
class Step:
    """What a row held after a reading: the forecast pending for the next one."""

    value: float
    entry: NDArray[np.float64]
    standard: tuple[float, float]  # shift and scale of the linear experts
    features: NDArray[np.float32]
    hour: NDArray[np.float32]
    clues: NDArray[np.float32]
    changed: float  # in standard deviations, by the model inside ``hold``


@dataclass(frozen=True)
class Replay:
    """A series as a row saw it, and the row at the end."""

    steps: list[Step]
    experts: tuple[str, ...]
    row: NDArray[np.float64]
    single: NDArray[np.float32]
    sizes: at.Layout
    place: Place

    def told(self, step: Step, expert: str) -> float:
        return float(step.entry[at.ENTRY_HEAD + self.experts.index(expert)])


@cache
def replay(series: str = "held", rule: str = "ml-poly") -> Replay:
    values = daily(LENGTH) if series == "held" else SMOOTH
    profile = Profile("all", period_seconds=3600, horizons=(1,), experts=EXPERTS, aggregation=rule)
    learner, log = Learner(CityModel((profile,))), one_series(values)
    steps = []
    for i, value in enumerate(values):
        run(learner, log.part(i, i + 1))
        bank = learner.banks[0]
        sizes, row, single = bank.layout.sizes, bank.rows[0], bank.singles[0]
        here = place(bank.setup, 0, int(row[at.SLOT]))
        start = hour_features_at(sizes, here)
        hour = single[start : start + HOUR_FEATURES]
        standard = here.entry + sizes.standard
        clues, model = clues_at(sizes, here), hold_model_at(sizes, here)
        steps.append(
            Step(
                value,
                row[here.entry : here.entry + sizes.entry].copy(),
                (row[standard + at.SHIFT], row[standard + at.SCALE]),
                single[here.origin : here.origin + sizes.features].copy(),
                hour.copy(),
                single[clues : clues + CLUES].copy(),
                small_predict(single[model : model + SMALL], hour),
            )
        )
    assert len(steps) == LENGTH
    return Replay(steps, bank.layout.experts, row.copy(), single.copy(), sizes, here)


def cut(z: float) -> float:
    return min(max(z, -10.0), 10.0)


def named(vector: NDArray[np.float32]) -> dict[str, float]:
    """Name all features but the constant, which the estimator adds itself."""
    assert vector[0] == 1.0
    return {f"x{i}": float(value) for i, value in enumerate(vector[1:])}


def standardised(step: Step, label: float) -> float:
    shift, scale = step.standard
    return cut((label - shift) / scale) if scale > 0 else 0.0


@pytest.mark.parametrize("expert", LINEAR)
def test_a_linear_estimator_is_its_expert_in_every_bit(expert: str) -> None:
    bank, model = replay(), LINEAR[expert]()
    for step, after in zip(bank.steps, bank.steps[1:], strict=False):
        x = named(step.features)
        shift, scale = step.standard
        label = standardised(step, after.value)
        if expert.startswith("poisson"):
            ours = min(model.predict_one(x) * shift, shift + 10 * scale)
            label = min(after.value / shift, 1 + 10 * scale / shift)
        else:
            ours = shift + scale * model.predict_one(x)
        assert max(ours, 0.0) == bank.told(step, expert)
        model.learn_one(x, label)


def test_the_hourly_estimator_is_its_expert_in_every_bit() -> None:
    bank, model = replay(), estimators.HourlyLeastSquares("part", 0.995, scale=False)
    for i, (step, after) in enumerate(zip(bank.steps, bank.steps[1:], strict=False)):
        x = {**named(step.hour), "part": (START // HOUR + i + 1) % 24}
        shift, scale = step.entry[at.ROOT_SHIFT], step.entry[at.ROOT_SCALE]
        root = max(shift + scale * model.predict_one(x), 0.0)
        assert root**2 == bank.told(step, "hour")
        label = cut((math.sqrt(after.value) - shift) / scale) if scale > 0 else 0.0
        model.learn_one(x, label)
    for part in range(24):
        start = hour_model_at(bank.sizes, bank.place, part * HOUR)
        theirs = bank.single[start : start + SMALL]
        assert model._models[part].tobytes() == theirs.tobytes()


def test_the_estimator_on_companions_is_its_expert_in_every_bit() -> None:
    near_s1 = {"s1": ("s2", "s3")}
    profile = Profile("all", period_seconds=3600, horizons=(1,), neighbours=near_s1, drift=False)
    learner = Learner(CityModel((profile,)))
    log, near = one_series(SMOOTH), one_series(daily(LENGTH, seed=5), sensor="s2")
    names = [f"x{i}" for i in range(1, 13)]
    model = estimators.CompanionLeastSquares(names[6:], scale=False)
    frozen: dict[str, float] = {}
    shift = scale = 0.0
    awake = 0
    for i, value in enumerate(SMOOTH):
        if frozen:
            label = cut((math.sqrt(value) - shift) / scale) if scale > 0 else 0.0
            model.learn_one(frozen, label)
        if not 100 <= i < 120:
            run(learner, near.part(i, i + 1))
        run(learner, log.part(i, i + 1))
        bank = learner.banks[0]
        line = int(learner.series.rows[learner.series.find("s1", "")])
        row, single, sizes = bank.rows[line], bank.singles[line], bank.layout.sizes
        here = place(bank.setup, 0, int(row[at.SLOT]))
        start = company_at(sizes, here.slot)
        x = single[start : start + sizes.company]
        frozen = dict(zip(names, x[1:13].tolist(), strict=True)) if x[0] else {"x1": 0.0}
        shift, scale = row[here.entry + at.ROOT_SHIFT], row[here.entry + at.ROOT_SCALE]
        root = max(shift + scale * model.predict_one(frozen), 0.0)
        theirs = row[here.entry + at.ENTRY_HEAD + bank.setup.companions]
        assert theirs == root * root or math.isnan(theirs)
        assert math.isnan(theirs) == math.isnan(root) == (not x[0])
        awake += bool(x[0])
    assert awake == LENGTH - 17  # the last signal of the silent hours is fresh for three


class Told(base.Regressor):  # type: ignore[misc]
    """An expert whose forecast is a feature."""

    def __init__(self, name: str) -> None:
        self.name = name

    def predict_one(self, x: dict[str, float]) -> float:
        return x[self.name]

    def learn_one(self, x: dict[str, float], y: float) -> None:
        """There is nothing to learn."""


def test_the_hold_estimator_is_its_expert() -> None:
    bank, model = replay(), estimators.HoldMedian(Told("changed"))
    awake = 0
    for i, (step, after) in enumerate(zip(bank.steps, bank.steps[1:], strict=False)):
        z = cut(step.changed)
        root = max(step.entry[at.ROOT_SHIFT] + step.entry[at.ROOT_SCALE] * z, 0.0)
        angle = 2 * math.pi * ((START + (i + 1) * HOUR) % DAY) / DAY
        x = {"last": step.value, "day": angle, "changed": root**2}
        theirs = bank.told(step, "hold")
        if not math.isnan(theirs):
            awake += 1
            assert model.predict_one(x) == pytest.approx(theirs, rel=1e-9)
        model.learn_one(x, after.value)
    assert awake > LENGTH // 2
    chance = bank.place.single + bank.sizes.chance
    assert model._theta.tobytes() == bank.single[chance : chance + at.CLUES].tobytes()


@pytest.mark.parametrize(
    ("expert", "model"),
    [
        ("persistence", estimators.SeasonalNaive()),
        ("day", estimators.SeasonalNaive(24)),
        ("week", estimators.SeasonalNaive(168)),
        ("holt", estimators.Holt()),
        ("pattern", estimators.WeeklyPattern()),
        *((f"level_{rate:g}", estimators.LevelledPattern(rate)) for rate in LEVEL_RATES),
    ],
)
def test_a_forecaster_is_its_expert(expert: str, model: base.Estimator) -> None:
    if isinstance(model, estimators.WeeklyPattern):  # the series starts on a Thursday
        for _ in range(72):
            model.learn_one(math.nan)
    bank = replay()
    known = 0
    # From the second week on a row shows Holt no deviation from the pattern past the usual.
    for step in bank.steps[: 168 if expert == "holt" else LENGTH]:
        model.learn_one(step.value)
        theirs = bank.told(step, expert)
        if not math.isnan(theirs):
            known += 1
            assert model.forecast(1)[0] == pytest.approx(theirs, rel=1e-9)
    assert known > LENGTH // 3


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_an_aggregation_is_that_of_the_row(rule: str, loss: str) -> None:
    bank = replay("smooth", rule)
    names = bank.experts
    # A median says nothing about a mean, nor the other way round.
    absent = {"squared": ("hour", "hold"), "absolute": ("hour_mean",)}[loss]
    model = estimators.Aggregation([Told(name) for name in names], rule, loss)
    for step, after in zip(bank.steps, bank.steps[1:], strict=False):
        x = {name: math.nan if name in absent else bank.told(step, name) for name in names}
        theirs = step.entry[at.WEIGHED_MEAN if loss == "squared" else at.WEIGHED]
        assert model.predict_one(x) == pytest.approx(theirs, rel=1e-9)
        model.learn_one(x, after.value)
