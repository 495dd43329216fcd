"""Linear experts that descend a gradient on the common features, compiled.

One state for each: θ, and for AdaGrad the sums of squared slopes after it. ``kernel`` asks and
teaches them one label at a time, ``estimators`` offers them as models of River's kind.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math

import numpy as np

from hedgerow.models.arithmetic import clamp, jit
from hedgerow.models.experts.catalogue import ADAGRAD, MEDIAN, NLMS, OGD, POISSON
from hedgerow.models.experts.least_squares import Single, predict

CLIP_SLOPE = 10.0  # of the loss, in standard deviations
MOST_LOG = 8.0  # a count is forecast at most exp(8) times its mean
_TINY = 1e-8


@jit
def gradient_predict(kind: int, theta: Single, x: Single) -> float:
    """Return the prediction: in standard deviations, of ``POISSON`` as a multiple of the mean."""
    z = predict(theta, x)
    return math.exp(clamp(z, MOST_LOG)) if kind == POISSON else z


@jit
def gradient_learn(kind: int, rate: float, state: Single, x: Single, label: float) -> None:
    """Take one step against the gradient.

    Parameters
    ----------
    kind : int
        ``OGD``: θ ← θ − η·2(θ·x − y)·x (Zinkevich 2003). ``ADAGRAD``: the step of coordinate i
        divided by √Σ g_i² (Duchi, Hazan & Singer 2011). ``NLMS``: θ ← θ + μ (y − θ·x) x / x·x
        (Nagumo & Noda 1967). ``MEDIAN``: slope sign(θ·x − y). ``POISSON``: slope exp(θ·x) − y
        of the Poisson deviance, y a multiple of the mean (McCullagh & Nelder 1989).
    rate : float
        η or μ.
    state : ndarray of float32, shape (2 d,)
        θ, then what AdaGrad sums.
    x : ndarray of float32, shape (d,)
        Features.
    label : float
        y in the unit of `gradient_predict`.
    """
    size = len(x)
    theta = state[:size]
    norm = 0.0
    for i in range(size):
        norm += float(x[i]) * float(x[i])
    if norm <= 0.0:
        return
    error = gradient_predict(kind, theta, x) - label
    if kind == NLMS:
        slope = clamp(error, CLIP_SLOPE) / norm
    elif kind == MEDIAN:
        slope = 1.0 if error > 0.0 else (-1.0 if error < 0.0 else 0.0)
    elif kind == POISSON:
        slope = clamp(error, CLIP_SLOPE)
    else:
        slope = clamp(2.0 * error, CLIP_SLOPE)
    if kind == ADAGRAD:
        for i in range(size):
            g = slope * float(x[i])
            total = float(state[size + i]) + g * g
            state[size + i] = np.float32(total)
            theta[i] -= np.float32(rate * g / math.sqrt(total + _TINY))
        return
    # A longer step would overshoot its own label, and diverge.
    most = 0.5 / norm if kind in (OGD, POISSON) else math.inf
    step = np.float32(min(rate, most) * slope)
    for i in range(size):
        theta[i] -= step * x[i]
