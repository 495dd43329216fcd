"""Linear models that descend a gradient, the bank's experts from ``ogd`` to ``poisson``."""

from __future__ import annotations

import math

import numpy as np
from river import base

from hedgerow.models.estimators.standardised import (
    Features,
    StandardisedRegressor,
    finite,
    grown,
)
from hedgerow.models.experts import catalogue as experts
from hedgerow.models.experts.features import CLIP_Z
from hedgerow.models.experts.gradient import gradient_learn, gradient_predict


class GradientRegressor(StandardisedRegressor):
    """What the models below share: θ, and beside it what AdaGrad sums."""

    _kind = experts.OGD

    def __init__(self, rate: float, scale: bool) -> None:
        super().__init__(scale)
        self._rate = rate
        self._state = np.zeros(2, np.float32)

    def _step(self, x: Features, y: float) -> None:
        vector = self._learn_features(x)
        if 2 * self._size > len(self._state):
            self._state = grown(self._state, 2, self._size)
        label = self._learn_label(y)
        if not math.isnan(label):
            gradient_learn(self._kind, self._rate, self._state, vector, label)

    def learn_one(self, x: Features, y: base.typing.RegTarget) -> None:
        """Take one step against the gradient.

        Parameters
        ----------
        x : dict
            Features by name.
        y : float
            The label.
        """
        self._step(x, y)

    def predict_one(self, x: Features) -> base.typing.RegTarget:
        """Return the prediction in the unit of the label."""
        theta = self._state[: len(self._state) // 2]
        return self._in_unit(gradient_predict(self._kind, theta, self._vector(x)))


class CappedGradientDescent(GradientRegressor):
    """Online gradient descent on the squared loss, never past its own label: ``ogd_η``.

    θ ← θ − min(η, 1 / (2 x·x)) 2 (θ·x − y) x [1]_. The cap keeps a step from overshooting,
    which is where plain gradient descent diverges.

    Parameters
    ----------
    learning_rate : float
        η.
    scale : bool
        Whether features and label are standardised online; else they are expected so.

    References
    ----------
    .. [1] M. Zinkevich, "Online convex programming and generalized infinitesimal gradient
       ascent", ICML 2003.

    Examples
    --------
    >>> from hedgerow.models.estimators import CappedGradientDescent
    >>> model = CappedGradientDescent(learning_rate=0.1)
    >>> for hour in range(200):
    ...     model.learn_one({"rush": hour % 2}, 10.0 + 5.0 * (hour % 2))
    >>> round(model.predict_one({"rush": 1}), 1)
    15.0
    """

    _kind = experts.OGD

    def __init__(self, learning_rate: float = 0.01, scale: bool = True) -> None:
        super().__init__(learning_rate, scale)
        self.learning_rate = learning_rate


class AdaGradRegressor(GradientRegressor):
    """Gradient descent with a step size for each coordinate: ``adagrad_η``.

    θ_i ← θ_i − η g_i / √Σ g_i² with g the gradient of the squared loss [1]_.

    Parameters
    ----------
    learning_rate : float
        η.
    scale : bool
        Whether features and label are standardised online; else they are expected so.

    References
    ----------
    .. [1] J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning
       and stochastic optimization", JMLR 12, 2011.

    Examples
    --------
    >>> from hedgerow.models.estimators import AdaGradRegressor
    >>> model = AdaGradRegressor(learning_rate=0.3)
    >>> for hour in range(400):
    ...     model.learn_one({"rush": hour % 2}, 10.0 + 5.0 * (hour % 2))
    >>> round(model.predict_one({"rush": 1}), 1)
    15.0
    """

    _kind = experts.ADAGRAD

    def __init__(self, learning_rate: float = 0.1, scale: bool = True) -> None:
        super().__init__(learning_rate, scale)
        self.learning_rate = learning_rate


class NormalisedLMS(GradientRegressor):
    """Normalised least mean squares: ``nlms_μ``.

    θ ← θ + μ (y − θ·x) x / x·x [1]_: whatever the size of the features, a step goes the share μ
    of the way to its label.

    Parameters
    ----------
    step : float
        μ, above 0 and below 2.
    scale : bool
        Whether features and label are standardised online; else they are expected so.

    References
    ----------
    .. [1] J. Nagumo and A. Noda, "A learning method for system identification", IEEE
       Transactions on Automatic Control 12(3), 1967.

    Examples
    --------
    >>> from hedgerow.models.estimators import NormalisedLMS
    >>> model = NormalisedLMS(step=0.5)
    >>> for hour in range(200):
    ...     model.learn_one({"rush": hour % 2}, 10.0 + 5.0 * (hour % 2))
    >>> round(model.predict_one({"rush": 1}), 1)
    15.0
    """

    _kind = experts.NLMS

    def __init__(self, step: float = 0.1, scale: bool = True) -> None:
        super().__init__(step, scale)
        self.step = step


class MedianRegressor(GradientRegressor):
    """Gradient descent on the absolute loss, which aims at the median: ``median_η``.

    θ ← θ − η sign(θ·x − y) x [1]_.

    Parameters
    ----------
    learning_rate : float
        η.
    scale : bool
        Whether features and label are standardised online; else they are expected so.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 1978.

    Examples
    --------
    >>> from hedgerow.models.estimators import MedianRegressor
    >>> model = MedianRegressor(learning_rate=0.01)
    >>> for i in range(2_000):  # one label in five is far off: the mean is 20, the median 0
    ...     model.learn_one({"x": 0.0}, 100.0 if i % 5 == 0 else 0.0)
    >>> abs(model.predict_one({"x": 0.0})) < 2.0
    True
    """

    _kind = experts.MEDIAN

    def __init__(self, learning_rate: float = 0.01, scale: bool = True) -> None:
        super().__init__(learning_rate, scale)
        self.learning_rate = learning_rate


class PoissonRegressor(GradientRegressor):
    """Gradient descent on the Poisson deviance with a log link, for counts: ``poisson_η``.

    The forecast is m exp(θ·x) with m the labels' running mean; θ ← θ − η (exp(θ·x) − y / m) x
    [1]_. A negative label counts as 0.

    Parameters
    ----------
    learning_rate : float
        η, capped as in `CappedGradientDescent`.
    scale : bool
        Whether features are standardised online and the label divided by its mean; else both
        are expected so.

    References
    ----------
    .. [1] P. McCullagh and J. A. Nelder, "Generalized Linear Models", 2nd edition, 1989.

    Examples
    --------
    >>> from hedgerow.models.estimators import PoissonRegressor
    >>> model = PoissonRegressor(learning_rate=0.1)
    >>> for hour in range(2_000):
    ...     model.learn_one({"rush": hour % 2}, 8 if hour % 2 else 2)
    >>> round(model.predict_one({"rush": 1})), round(model.predict_one({"rush": 0}))
    (8, 2)
    """

    _kind = experts.POISSON

    def __init__(self, learning_rate: float = 0.01, scale: bool = True) -> None:
        super().__init__(learning_rate, scale)
        self.learning_rate = learning_rate

    def _learn_label(self, y: float) -> float:
        """Return the label as a multiple of the mean before it, NaN while that is 0."""
        count = max(finite(y), 0.0)
        if not self.scale:
            return count
        _, mean, variance = self._labels.tolist()
        super()._learn_label(count)
        if mean <= 0.0:
            return math.nan
        return float(min(count / mean, 1.0 + CLIP_Z * math.sqrt(variance) / mean))

    def _in_unit(self, z: float) -> float:
        if not self.scale:
            return z
        _, mean, variance = self._labels.tolist()
        return float(min(z * mean, mean + CLIP_Z * math.sqrt(variance)))
