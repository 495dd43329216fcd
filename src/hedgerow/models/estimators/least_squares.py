"""Recursive least squares, one model for all or one for each part of the day."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
from river import base

from hedgerow.models.estimators.standardised import Features, StandardisedRegressor
from hedgerow.models.experts.least_squares import (
    Single,
    correct,
    gain_step,
    predict,
    small_learn,
    small_predict,
    small_reset,
    small_size,
)


def _check(forgetting: float) -> None:
    if not 0.5 < forgetting <= 1.0:
        raise ValueError(f"forgetting is {forgetting!r}; it must lie above 0.5 and up to 1")


class RecursiveLeastSquares(StandardisedRegressor):
    """Linear least squares whose past fades: the bank's experts ``rls_λ``.

    θ ← θ + k (y − θ·x) with k = P x / (λ + x·P x) and P ← (P − k x·P) / λ [1]_. A coefficient's
    variance on the diagonal of P never passes 10 times its prior, so that directions that
    nothing excites cannot blow P up; an error counts at most as 10 standard deviations.

    Parameters
    ----------
    forgetting : float
        λ, above 0.5 and up to 1; the last 1 / (1 − λ) labels or so count.
    scale : bool
        Whether features and label are standardised online; else they are expected so.

    References
    ----------
    .. [1] L. Ljung and T. Söderström, "Theory and Practice of Recursive Identification", MIT
       Press, 1983, chapter 2.

    Examples
    --------
    >>> from hedgerow.models.estimators import RecursiveLeastSquares
    >>> model = RecursiveLeastSquares(forgetting=0.99)
    >>> for hour in range(200):
    ...     model.learn_one({"rush": hour % 2}, 10.0 + 5.0 * (hour % 2))
    >>> round(model.predict_one({"rush": 1}), 1), round(model.predict_one({"rush": 0}), 1)
    (15.0, 10.0)
    """

    def __init__(self, forgetting: float = 0.999, scale: bool = True) -> None:
        super().__init__(scale)
        _check(forgetting)
        self.forgetting = forgetting
        self._theta = np.zeros(1, np.float32)
        self._covariance = np.ones(1, np.float32)

    def _grow(self) -> None:
        before, size = len(self._theta), self._size
        if size > before:
            covariance = np.eye(size, dtype=np.float32)
            covariance[:before, :before] = self._covariance.reshape(before, before)
            self._covariance = covariance.ravel()
            self._theta = np.concatenate([self._theta, np.zeros(size - before, np.float32)])

    def learn_one(self, x: Features, y: base.typing.RegTarget) -> None:
        """Take one step of least squares.

        Parameters
        ----------
        x : dict
            Features by name.
        y : float
            The label.
        """
        vector = self._learn_features(x)
        self._grow()
        gain, scratch = np.empty_like(vector), np.empty_like(vector)
        gain_step(self._covariance, vector, gain, scratch, self.forgetting)
        correct(self._theta, gain, self._learn_label(y) - predict(self._theta, vector))

    def predict_one(self, x: Features) -> base.typing.RegTarget:
        """Return θ·x in the unit of the label."""
        return self._in_unit(predict(self._theta, self._vector(x)))


class HourlyLeastSquares(StandardisedRegressor):
    """One small least-squares model for each part of the day: the bank's expert ``hour_n``.

    What drives the next value differs by the hour, and a model of a few features learns from
    the few labels that each hour has. The formulas are those of `RecursiveLeastSquares` [1]_;
    splitting the day is usual in load forecasting [2]_.

    Parameters
    ----------
    part : str
        Feature that names the part of the day, or whatever else tells the models apart. It is
        no feature of theirs.
    forgetting : float
        λ of each model.
    scale : bool
        Whether features and label are standardised online; else they are expected so.

    References
    ----------
    .. [1] L. Ljung and T. Söderström, "Theory and Practice of Recursive Identification", MIT
       Press, 1983, chapter 2.
    .. [2] R. Ramanathan, R. Engle, C. W. J. Granger, F. Vahid-Araghi and C. Brace, "Short-run
       forecasts of electricity loads and peaks", International Journal of Forecasting 13, 1997.

    Examples
    --------
    >>> from hedgerow.models.estimators import HourlyLeastSquares
    >>> model = HourlyLeastSquares(part="hour")
    >>> for i in range(400):
    ...     morning, cars = i % 2, float(i % 7)
    ...     model.learn_one({"hour": morning, "cars": cars}, cars if morning else -cars)
    >>> round(model.predict_one({"hour": 1, "cars": 3.0}), 1)
    3.0
    >>> round(model.predict_one({"hour": 0, "cars": 3.0}), 1)
    -3.0
    """

    def __init__(self, part: str = "hour", forgetting: float = 0.995, scale: bool = True) -> None:
        super().__init__(scale)
        _check(forgetting)
        self.part = part
        self.forgetting = forgetting
        self._models: dict[Hashable, Single] = {}

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"forgetting": 0.999}

    def _split(self, x: Features) -> tuple[Hashable, Features]:
        return x.get(self.part), {name: value for name, value in x.items() if name != self.part}

    def _model(self, part: Hashable) -> Single:
        """Return the model of a part with room for all features."""
        size = self._size
        model = self._models.get(part)
        if model is None:
            model = np.empty(small_size(size), np.float32)
            small_reset(model, size)
            self._models[part] = model
        elif len(model) < small_size(size):
            model = self._models[part] = _wider(model, size)
        return model

    def learn_one(self, x: Features, y: base.typing.RegTarget) -> None:
        """Take one step of the least squares of this part of the day.

        Parameters
        ----------
        x : dict
            Features by name, and the part.
        y : float
            The label.
        """
        part, features = self._split(x)
        vector = self._learn_features(features)
        model = self._model(part)
        small_learn(model, vector, self._learn_label(y), self.forgetting, np.empty_like(vector))

    def predict_one(self, x: Features) -> base.typing.RegTarget:
        """Return θ·x of this part's model in the unit of the label; the mean if it has none."""
        part, features = self._split(x)
        model = self._models.get(part)
        if model is None:
            return self._in_unit(0.0)
        vector = self._vector(features)
        known = next(n for n in range(1, len(vector) + 1) if small_size(n) == len(model))
        return self._in_unit(small_predict(model, vector[:known]))


def _wider(model: Single, size: int) -> Single:
    """Return a model with more features, the new ones at their prior."""
    wider = np.empty(small_size(size), np.float32)
    small_reset(wider, size)
    before = next(n for n in range(size) if small_size(n) == len(model))
    triangle = len(model) - before
    wider[:triangle] = model[:triangle]
    wider[-size : len(wider) - size + before] = model[triangle:]
    return wider
