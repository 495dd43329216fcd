"""Recursive least squares with forgetting, compiled, in single precision.

Two forms. The large one has one covariance for all horizons: they share their features, so the
gain of a reading is found once, when the features are, and kept until each horizon's label
arrives. The small one, of a few features, learns in one go when the label is there.

θ ← θ + k (y − θ·x), k = P x / (λ + x·P x), P ← (P − k x·P) / λ [1]_. Directions that nothing
excites would grow without bound under λ < 1; here a coefficient's variance stops at
``MOST_VARIANCE`` times its prior: row and column are scaled down together, which keeps P
positive definite but for rounding, and correlations are kept within ±1. Single precision is
enough at that condition: measured on the public sets, errors differ from double precision in
the fourth digit, at half the memory traffic.

References
----------
.. [1] L. Ljung and T. Söderström, "Theory and Practice of Recursive Identification", MIT Press,
   1983, chapter 2.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import clamp, jit

Single = NDArray[np.float32]

MOST_VARIANCE = 10.0
MOST_ERROR = 10.0  # standard deviations at which an error counts no more
_BROKEN = 1e9  # x·P x that only rounding can bring forth


@jit
def reset(covariance: Single, size: int) -> None:
    """Put the prior, 1 on the diagonal, in place of a covariance."""
    covariance[:] = np.float32(0.0)
    for i in range(size):
        covariance[i * size + i] = np.float32(1.0)


@jit
def gain_step(covariance: Single, x: Single, gain: Single, scratch: Single, memory: float) -> None:
    """Find the gain of a reading's features and let them into the covariance.

    Parameters
    ----------
    covariance : ndarray of float32, shape (d · d,)
        P, row by row.
    x : ndarray of float32, shape (d,)
        Features.
    gain : ndarray of float32, shape (d,)
        Written: k.
    scratch : ndarray of float32, shape (d,)
        Overwritten.
    memory : float
        λ.
    """
    size = len(x)
    for i in range(size):
        scratch[i] = np.float32(0.0)
    for j in range(size):
        xj = x[j]
        if xj != np.float32(0.0):
            row = covariance[j * size : (j + 1) * size]
            for i in range(size):
                scratch[i] += row[i] * xj
    spread = 0.0
    for i in range(size):
        spread += float(scratch[i]) * float(x[i])
    if not 0.0 <= spread < _BROKEN:
        reset(covariance, size)
        for i in range(size):
            gain[i] = np.float32(0.0)
        return
    # k x·P as the product of one vector with itself: rounded alike on both sides of the diagonal,
    # for what is not symmetric in P grows by 1 / λ a step.
    share = np.float32(1.0 / (memory + spread))
    half = np.float32(math.sqrt(1.0 / (memory + spread)))
    grow = np.float32(1.0 / memory)
    for i in range(size):
        gain[i] = scratch[i] * share
        scratch[i] *= half
    for i in range(size):
        qi = scratch[i]
        row = covariance[i * size : (i + 1) * size]
        for j in range(size):
            row[j] = (row[j] - qi * scratch[j]) * grow
    _keep_sound(covariance, size)


@jit
def _keep_sound(covariance: Single, size: int) -> None:
    """Bound every variance; start anew where rounding has made one negative."""
    for i in range(size):
        variance = covariance[i * size + i]
        if variance < np.float32(0.0):
            reset(covariance, size)
            return
        if variance > np.float32(MOST_VARIANCE):
            _bound(covariance, size, i, np.float32(math.sqrt(MOST_VARIANCE / variance)))


@jit
def _bound(covariance: Single, size: int, i: int, scale: np.float32) -> None:
    """Scale down row and column of a coefficient, and keep it correlated by at most 1."""
    for j in range(size):
        covariance[i * size + j] *= scale
        covariance[j * size + i] *= scale
    for j in range(size):
        if j != i:
            at = covariance[i * size + j]
            most = np.float32(MOST_VARIANCE) * covariance[j * size + j]
            if at * at > most:
                bounded = np.float32(math.copysign(math.sqrt(max(most, 0.0)), at))
                covariance[i * size + j] = bounded
                covariance[j * size + i] = bounded


@jit
def predict(theta: Single, x: Single) -> float:
    """Return θ·x, summed in order."""
    total = np.float32(0.0)
    for i in range(len(x)):
        total += theta[i] * x[i]
    return float(total)


@jit
def correct(theta: Single, gain: Single, error: float) -> None:
    """θ ← θ + k · error, the error cut at ``MOST_ERROR``."""
    step = np.float32(clamp(error, MOST_ERROR))
    for i in range(len(theta)):
        theta[i] += gain[i] * step


def small_size(features: int) -> int:
    """Return how many numbers a small model takes: P's lower triangle and θ.

    Examples
    --------
    >>> small_size(7)
    35
    """
    return features * (features + 1) // 2 + features


@jit
def small_reset(model: Single, size: int) -> None:
    """Put the prior, 1 on the diagonal and θ = 0, in place of a small model."""
    model[:] = np.float32(0.0)
    at = 0
    for i in range(size):
        model[at + i] = np.float32(1.0)
        at += i + 1


@jit
def small_predict(model: Single, x: Single) -> float:
    """Return θ·x of a small model."""
    theta = model[len(model) - len(x) :]
    total = np.float32(0.0)
    for i in range(len(x)):
        total += theta[i] * x[i]
    return float(total)


@jit
def small_learn(model: Single, x: Single, label: float, memory: float, scratch: Single) -> None:
    """Learn one label; ``scratch`` has room for the features."""
    size = len(x)
    theta = model[len(model) - size :]
    for i in range(size):
        scratch[i] = np.float32(0.0)
    at = 0
    for i in range(size):
        for j in range(i):
            scratch[i] += model[at + j] * x[j]
            scratch[j] += model[at + j] * x[i]
        scratch[i] += model[at + i] * x[i]
        at += i + 1
    spread = 0.0
    for i in range(size):
        spread += float(scratch[i]) * float(x[i])
    if not 0.0 <= spread < _BROKEN:
        small_reset(model, size)
        return
    share = np.float32(1.0 / (memory + spread))
    step = np.float32(clamp(label - small_predict(model, x), MOST_ERROR)) * share
    for i in range(size):
        theta[i] += scratch[i] * step
    grow = np.float32(1.0 / memory)
    at = 0
    for i in range(size):
        ki = scratch[i] * share
        for j in range(i + 1):
            model[at + j] = (model[at + j] - ki * scratch[j]) * grow
        at += i + 1
    _bound_small(model, size)


@jit
def _bound_small(model: Single, size: int) -> None:
    """Scale down row and column of every coefficient whose variance is over the most."""
    at = 0
    for i in range(size):
        variance = model[at + i]
        if variance > np.float32(MOST_VARIANCE):
            scale = np.float32(math.sqrt(MOST_VARIANCE / variance))
            for j in range(i + 1):
                model[at + j] *= scale
            model[at + i] *= scale
            below = at + i + 1
            for k in range(i + 1, size):
                model[below + i] *= scale
                below += k + 1
        at += i + 1
