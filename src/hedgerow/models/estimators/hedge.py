"""Exponentially weighted experts at a learning rate of the caller's choice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from river import base

from hedgerow.models.arithmetic import hedge_step, weighted_mean
from hedgerow.models.estimators.gradient_descent import OnlineGradientDescent
from hedgerow.models.estimators.standardised import Features, finite


class Hedge(base.Ensemble, base.Regressor):  # type: ignore[misc]  # as above
    """Exponentially weighted experts, sleeping ones allowed.

    w_i ← w_i · exp(−η ℓ_i) / Σ_j w_j · exp(−η ℓ_j) with ℓ the squared or absolute error [1]_.
    An expert that raises nothing but predicts NaN is asleep: it is left out of the forecast and
    keeps its weight [2]_. With ``share`` above 0 a part of the weight is spread evenly after
    each step, so that the best expert may change [3]_.

    Parameters
    ----------
    models : list of Regressor
        The experts.
    learning_rate : float
        η.
    loss : str
        ``squared`` or ``absolute``.
    share : float
        Part of the weight that is spread evenly, 0 for none.

    References
    ----------
    .. [1] Y. Freund and R. E. Schapire, "A decision-theoretic generalization of on-line
       learning and an application to boosting", JCSS 55(1), 1997.
    .. [2] Y. Freund, R. E. Schapire, Y. Singer and M. K. Warmuth, "Using and combining
       predictors that specialize", STOC 1997.
    .. [3] M. Herbster and M. K. Warmuth, "Tracking the best expert", Machine Learning 32, 1998.

    Examples
    --------
    >>> from hedgerow.models.estimators import Hedge, OnlineGradientDescent
    >>> model = Hedge([OnlineGradientDescent(0.001), OnlineGradientDescent(0.1)])
    >>> for hour in range(100):
    ...     model.learn_one({"rush": hour % 2}, 5.0 * (hour % 2))
    >>> [round(weight, 2) for weight in model.weights]
    [0.0, 1.0]
    """

    def __init__(
        self,
        models: list[base.Regressor],
        learning_rate: float = 0.5,
        loss: str = "squared",
        share: float = 0.0,
    ) -> None:
        super().__init__(models)
        self.learning_rate = learning_rate
        self.loss = loss
        self.share = share
        self._weights = np.full(len(models), 1.0 / len(models))

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {
            "models": [OnlineGradientDescent(scale=True), OnlineGradientDescent(0.001, scale=True)]
        }

    @property
    def weights(self) -> list[float]:
        """Weight of each expert, summing to 1."""
        return [float(weight) for weight in self._weights]

    def _ask(self, x: Features) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([model.predict_one(x) for model in self], np.float64)

    def learn_one(self, x: Features, y: base.typing.RegTarget) -> None:
        """Reweigh the experts by their losses, then let each learn.

        Parameters
        ----------
        x : dict
            Features by name.
        y : float
            The label.
        """
        errors = np.abs(self._ask(x) - finite(y))
        losses = errors if self.loss == "absolute" else errors * errors
        hedge_step(self._weights, losses, self.learning_rate, self.share)
        for model in self:
            model.learn_one(x, y)

    def predict_one(self, x: Features) -> base.typing.RegTarget:
        """Return the weighted mean of the experts that are awake."""
        return float(weighted_mean(self._weights, self._ask(x)))
