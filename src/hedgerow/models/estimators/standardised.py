"""What the linear estimators share: from River's named features to the bank's vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import base

from hedgerow.models.arithmetic import LARGEST, Array, clamp, standardise, welford
from hedgerow.models.experts.features import CLIP_Z, winsorise
from hedgerow.models.experts.least_squares import Single

Features = dict[base.typing.FeatureName, Any]  # River's own type of a feature value


def finite(value: float) -> float:
    """Return a value cut at ``LARGEST``."""
    return clamp(float(value), LARGEST)


class StandardisedRegressor(base.Regressor):  # type: ignore[misc]  # River ships no types
    """A linear model on single-precision features in standard deviations.

    Parameters
    ----------
    scale : bool
        Whether features and label are standardised here, by their running means and
        variances. Otherwise they are expected in standard deviations already. Either way they
        are cut at 10.

    Notes
    -----
    A constant stands before the features as the intercept's. Features are kept in the order in
    which they were first seen; one that is missing counts as its mean.
    """

    def __init__(self, scale: bool) -> None:
        self.scale = scale
        self._index: dict[base.typing.FeatureName, int] = {}
        self._features = np.zeros((0, 3))  # count, mean, variance
        self._labels = np.zeros(3)

    @property
    def _size(self) -> int:
        """Length of a vector."""
        return 1 + len(self._index)

    def _learn_features(self, x: Features) -> Single:
        """Let features into their standardisers and return their vector."""
        for name in x:
            self._index.setdefault(name, len(self._index))
        missing = len(self._index) - len(self._features)
        self._features = np.concatenate([self._features, np.zeros((missing, 3))])
        if self.scale:
            for name, value in x.items():
                _learn(self._features[self._index[name]], float(value))
        return self._vector(x)

    def _vector(self, x: Features) -> Single:
        vector = np.zeros(self._size, np.float32)
        vector[0] = 1.0
        for name, value in x.items():
            i = self._index.get(name)
            if i is None or math.isnan(value):
                continue
            known = finite(value)
            if self.scale:
                known = standardise(known, *self._features[i, 1:])
            vector[1 + i] = clamp(known, CLIP_Z)
        return vector

    def _learn_label(self, y: float) -> float:
        """Return the label as it is learned: standardised by those before it."""
        if not self.scale:
            return clamp(float(y), CLIP_Z)
        label = clamp(standardise(finite(y), *self._labels[1:]), CLIP_Z)
        _learn(self._labels, float(y))
        return label

    def _in_unit(self, z: float) -> float:
        """Return a prediction in the unit of the label."""
        z = clamp(z, CLIP_Z)
        if not self.scale:
            return z
        _, mean, variance = self._labels.tolist()
        return float(mean + math.sqrt(variance) * z)


def grown(state: NDArray[np.float32], parts: int, size: int) -> NDArray[np.float32]:
    """Return a state of that many vectors with room for ``size`` numbers in each."""
    before = len(state) // parts
    room = np.zeros((parts, size), np.float32)
    room[:, :before] = state.reshape(parts, before)
    return room.ravel()


def _learn(stats: Array, value: float) -> None:
    if math.isnan(value):
        return
    stats[0] += 1.0
    count, mean, variance = stats.tolist()
    stats[1:] = welford(count, mean, variance, winsorise(count, mean, variance, finite(value)))
