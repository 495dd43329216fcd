"""Estimators whose formula River has too agree with River's own models."""

from __future__ import annotations

import pytest
from river import base, datasets, ensemble, linear_model, optim, preprocessing

from hedgerow.models.estimators import Hedge, OnlineGradientDescent


def distance(ours: base.Regressor, theirs: base.Regressor, *, skip: int = 0) -> float:
    """Largest difference of two models' forecasts, progressively validated."""
    worst = 0.0
    for i, (x, y) in enumerate(datasets.TrumpApproval()):
        if i >= skip:
            worst = max(worst, abs(ours.predict_one(x) - theirs.predict_one(x)))
        ours.learn_one(x, y)
        theirs.learn_one(x, y)
    return worst


@pytest.mark.parametrize("rate", [0.05, 0.01, 0.001])
def test_gradient_descent_is_rivers_linear_regression(rate: float) -> None:
    def theirs() -> base.Regressor:
        model = linear_model.LinearRegression(optim.SGD(rate), intercept_lr=rate, clip_gradient=20)
        return preprocessing.StandardScaler() | model

    built_in = OnlineGradientDescent(rate, rate, clip_slope=20, scale=True)
    piped = preprocessing.StandardScaler() | OnlineGradientDescent(rate, rate, clip_slope=20)
    assert distance(built_in, theirs()) < 1e-9
    assert distance(piped, theirs()) < 1e-9


# At higher rates all of River's weights underflow to 0 together, and with them its forecast.
@pytest.mark.parametrize("rate", [0.01, 0.001])
def test_hedge_is_rivers_exponentially_weighted_average(rate: float) -> None:
    steps = (0.05, 0.01, 0.001)
    ours = preprocessing.StandardScaler() | Hedge(
        [OnlineGradientDescent(step, 0.1) for step in steps], learning_rate=rate
    )
    theirs = preprocessing.StandardScaler() | ensemble.EWARegressor(
        [linear_model.LinearRegression(optim.SGD(step), intercept_lr=0.1) for step in steps],
        learning_rate=rate,
    )
    # River's weights start at 1 each and are a distribution from the first label on.
    assert distance(ours, theirs, skip=1) < 1e-9


def test_an_expert_that_sleeps_is_left_out_and_keeps_its_weight() -> None:
    class Asleep(OnlineGradientDescent):
        def predict_one(self, x: object) -> float:
            return float("nan")

    awake = OnlineGradientDescent(0.1, 0.1)
    hedge = Hedge([awake, Asleep()])
    for _ in range(50):
        hedge.learn_one({"x": 1.0}, 3.0)
    assert hedge.predict_one({"x": 1.0}) == awake.predict_one({"x": 1.0})
    assert hedge.weights == [0.5, 0.5]
