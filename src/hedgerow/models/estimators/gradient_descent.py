"""Plain online gradient descent in double precision, as River's users know it."""

from __future__ import annotations

import numpy as np
from river import base

from hedgerow.models.arithmetic import clamp, dot, gradient_step, standardise, welford
from hedgerow.models.estimators.standardised import Features, finite


class OnlineGradientDescent(base.Regressor):  # type: ignore[misc]  # River ships no types
    """Linear regression by online gradient descent on the squared loss.

    θ ← θ − η ∇ℓ(θ), where ℓ(θ) = (θ·x + b − y)² and the slope 2 (θ·x + b − y) is clipped
    [1]_. With ``scale=True`` every feature is first standardised by its running mean and
    variance [2]_, updated when it is learned.

    Parameters
    ----------
    learning_rate : float
        η, the length of a step.
    intercept_learning_rate : float
        η of the intercept b.
    clip_slope : float
        Largest absolute slope of the loss in the prediction.
    scale : bool
        Whether features are standardised online.

    References
    ----------
    .. [1] M. Zinkevich, "Online convex programming and generalized infinitesimal gradient
       ascent", ICML 2003.
    .. [2] B. P. Welford, "Note on a method for calculating corrected sums of squares and
       products", Technometrics 4(3), 1962.

    Examples
    --------
    >>> from hedgerow.models.estimators import OnlineGradientDescent
    >>> model = OnlineGradientDescent(learning_rate=0.1, intercept_learning_rate=0.1)
    >>> for hour in range(200):
    ...     model.learn_one({"rush": hour % 2}, 10.0 + 5.0 * (hour % 2))
    >>> round(model.predict_one({"rush": 1}), 2), round(model.predict_one({"rush": 0}), 2)
    (15.0, 10.0)
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        intercept_learning_rate: float = 0.01,
        clip_slope: float = 1e12,
        scale: bool = False,
    ) -> None:
        self.learning_rate = learning_rate
        self.intercept_learning_rate = intercept_learning_rate
        self.clip_slope = clip_slope
        self.scale = scale
        self.intercept = 0.0
        self._index: dict[base.typing.FeatureName, int] = {}
        self._theta = np.zeros(0)
        self._stats = np.zeros((0, 3))  # count, mean, variance

    @property
    def weights(self) -> dict[base.typing.FeatureName, float]:
        """Coefficient of each feature seen."""
        return {name: float(self._theta[i]) for name, i in self._index.items()}

    def _scaled(self, name: base.typing.FeatureName, value: float) -> float:
        if not self.scale:
            return finite(value)
        i = self._index.get(name)
        return standardise(finite(value), *self._stats[i, 1:]) if i is not None else 0.0

    def _learn_features(self, x: Features) -> None:
        for name, value in x.items():
            i = self._index.setdefault(name, len(self._index))
            if i == len(self._theta):
                room = max(4, 2 * i)
                self._theta = np.concatenate([self._theta, np.zeros(room - i)])
                self._stats = np.concatenate([self._stats, np.zeros((room - i, 3))])
            if self.scale:
                count, mean, variance = self._stats[i]
                moved = welford(count + 1.0, mean, variance, finite(value))
                self._stats[i] = (count + 1.0, *moved)

    def learn_one(self, x: Features, y: base.typing.RegTarget) -> None:
        """Take one step against the gradient.

        Parameters
        ----------
        x : dict
            Features by name.
        y : float
            The label.
        """
        self._learn_features(x)
        at = [self._index[name] for name in x]
        values = np.array([self._scaled(name, value) for name, value in x.items()], np.float64)
        theta = self._theta[at]
        error = dot(theta, values) + self.intercept - finite(y)
        slope = clamp(2.0 * error, self.clip_slope)
        gradient_step(theta, values, slope, self.learning_rate)
        self._theta[at] = theta
        self.intercept -= self.intercept_learning_rate * slope

    def predict_one(self, x: Features) -> base.typing.RegTarget:
        """Return θ·x + b; features never learned count nothing."""
        known = [name for name in x if name in self._index]
        values = np.array([self._scaled(name, x[name]) for name in known], np.float64)
        theta = self._theta[[self._index[name] for name in known]] if known else np.zeros(0)
        return float(dot(theta, values) + self.intercept)
