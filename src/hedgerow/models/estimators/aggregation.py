"""Any of the bank's aggregation rules over any of River's regressors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from river import base

from hedgerow.models.aggregation import RULES, learn, standing_weights, table_size, weigh
from hedgerow.models.arithmetic import Array
from hedgerow.models.estimators.gradient_descent import OnlineGradientDescent
from hedgerow.models.estimators.standardised import Features, finite

LOSSES = ("squared", "absolute")


class Aggregation(base.Ensemble, base.Regressor):  # type: ignore[misc]  # River ships no types
    """Experts weighed by a rule that needs no learning rate, sleeping ones allowed.

    Every rule works on the regrets r_i = g (p − f_i), g the slope of the loss at the forecast p.
    ML-Poly: w_i ∝ η_i Rᵢ⁺ with R = Σ r and 1 / η_i = Σ r_i² + max r² [1]_. BOA: w_i ∝ exp(η_i
    Σ (r_i − η_i r_i²)) [2]_. AdaHedge [3]_, Hedge [4]_ and Fixed Share [5]_ as in
    `hedgerow.models.aggregation`. An expert that predicts NaN sleeps: it has no weight then,
    and its standing is kept [6]_. One that wakes for the first time looks on under ML-Poly, until
    it has been better than the forecasts and all begin anew, or for ten labels.

    Parameters
    ----------
    models : list of Regressor
        The experts.
    rule : str
        One of ``ml-poly``, ``boa``, ``ada-hedge``, ``hedge``, ``fixed-share``.
    loss : str
        ``squared`` to aim at the mean, ``absolute`` at the median.

    References
    ----------
    .. [1] P. Gaillard, G. Stoltz and T. van Erven, "A second-order bound with excess losses",
       COLT 2014.
    .. [2] O. Wintenberger, "Optimal learning with Bernstein online aggregation", Machine
       Learning 106, 2017.
    .. [3] S. de Rooij, T. van Erven, P. Grünwald and W. Koolen, "Follow the leader if you can,
       hedge if you must", JMLR 15, 2014.
    .. [4] Y. Freund and R. E. Schapire, "A decision-theoretic generalization of on-line
       learning and an application to boosting", JCSS 55(1), 1997.
    .. [5] M. Herbster and M. K. Warmuth, "Tracking the best expert", Machine Learning 32, 1998.
    .. [6] Y. Freund, R. E. Schapire, Y. Singer and M. K. Warmuth, "Using and combining
       predictors that specialize", STOC 1997.

    Examples
    --------
    >>> from hedgerow.models.estimators import Aggregation, NormalisedLMS
    >>> model = Aggregation([NormalisedLMS(0.001), NormalisedLMS(0.5)], rule="ml-poly")
    >>> for hour in range(100):
    ...     model.learn_one({"rush": hour % 2}, 5.0 * (hour % 2))
    >>> [round(weight, 2) for weight in model.weights]
    [0.01, 0.99]
    """

    def __init__(
        self, models: list[base.Regressor], rule: str = "ml-poly", loss: str = "squared"
    ) -> None:
        super().__init__(models)
        if rule not in RULES:
            raise ValueError(f"rule is {rule!r}; it must be one of {', '.join(RULES)}")
        if loss not in LOSSES:
            raise ValueError(f"loss is {loss!r}; it must be one of {', '.join(LOSSES)}")
        self.rule = rule
        self.loss = loss
        self._table = np.zeros(table_size(RULES.index(rule), len(models)))

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        for rule in RULES:
            yield {
                "models": [OnlineGradientDescent(rate, scale=True) for rate in (0.01, 0.001)],
                "rule": rule,
            }

    @property
    def weights(self) -> list[float]:
        """Weight of each expert if all that have a part are awake, summing to 1."""
        weights, absent = np.empty(len(self)), np.zeros(len(self), bool)
        rule = RULES.index(self.rule)
        standing_weights(self._table, rule, absent, np.empty(len(self)), weights)
        return [float(weight) for weight in weights]

    def _weigh(self, predictions: Array) -> tuple[float, Array]:
        weights, absent = np.empty(len(self)), np.zeros(len(self), bool)
        rule = RULES.index(self.rule)
        return weigh(self._table, rule, predictions, absent, weights), weights

    def _ask(self, x: Features) -> Array:
        return np.array([finite(model.predict_one(x)) for model in self], np.float64)

    def learn_one(self, x: Features, y: base.typing.RegTarget) -> None:
        """Reweigh the experts by their regrets, then let each learn.

        Parameters
        ----------
        x : dict
            Features by name.
        y : float
            The label.
        """
        predictions = self._ask(x)
        forecast, scratch = self._weigh(predictions)
        if not math.isnan(forecast):
            off = forecast - finite(y)
            slope = 2.0 * off if self.loss == "squared" else float(np.sign(off))
            absent = np.zeros(len(self), bool)
            rule = RULES.index(self.rule)
            learn(self._table, rule, predictions, absent, forecast, off, slope, scratch)
        for model in self:
            model.learn_one(x, y)

    def predict_one(self, x: Features) -> base.typing.RegTarget:
        """Return the weighted mean of the experts that are awake, NaN if none is."""
        return self._weigh(self._ask(x))[0]
