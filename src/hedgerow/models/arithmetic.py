"""The formulas of online learning, each a few scalar lines, compiled.

``kernel`` composes them over the rows of a bank, ``estimators`` over one model of River's
kind, so that both are the same arithmetic. Nothing here knows of rows or slots.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba
from numpy import float64
from numpy.typing import NDArray

_P = ParamSpec("_P")
_R = TypeVar("_R")
Array = NDArray[float64]

# Values beyond this are learned as this: fourth powers of them stay finite, and single precision
# holds the distance of two.
LARGEST = 1e38
LEAST_WEIGHT = 1e-300  # a weight of 0 could never come back, and all of them together be 0


def jit(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile without relaxed arithmetic, cached on disk, the interpreter's lock released.

    Nothing compiled here makes an array or returns one, so references need not be counted
    (``_nrt``): measured, that takes a third off a step. Another third of what is left goes with
    ``forceinline``: what all rows have in common is some 150 numbers, and a call would hand over
    every one.
    """
    compiled: Callable[_P, _R] = numba.njit(
        cache=True,
        nogil=True,
        fastmath=False,
        error_model="numpy",
        no_cfunc_wrapper=True,
        _nrt=False,
        forceinline=True,
    )(function)
    return compiled


@jit
def welford(count: float, mean: float, variance: float, value: float) -> tuple[float, float]:
    """Return mean and variance after the ``count``-th value (Welford 1962, as River has it)."""
    moved = mean + (value - mean) / count
    return moved, variance + ((value - mean) * (value - moved) - variance) / count


@jit
def standardise(value: float, mean: float, variance: float) -> float:
    """Return the value in standard deviations from the mean; 0 while there is no deviation."""
    deviation = math.sqrt(variance)
    return (value - mean) / deviation if deviation > 0.0 else 0.0


@jit
def clamp(value: float, limit: float) -> float:
    """Return the value, cut at plus and minus the limit."""
    return min(max(value, -limit), limit)


@jit
def dot(a: Array, b: Array) -> float:
    """Return the inner product, summed in order."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@jit
def gradient_step(theta: Array, x: Array, gradient: float, rate: float) -> None:
    """θ ← θ − η ∇ℓ for a linear model: ∇ℓ is the loss's slope in the prediction times x."""
    for i in range(len(theta)):
        theta[i] -= rate * (gradient * x[i])


@jit
def weighted_mean(weights: Array, predictions: Array) -> float:
    """Return the mean of the awake experts' predictions (NaN sleeps) under their weights."""
    total = 0.0
    mass = 0.0
    for i in range(len(weights)):
        if predictions[i] == predictions[i]:
            total += weights[i] * predictions[i]
            mass += weights[i]
    return total / mass if mass > 0.0 else math.nan


@jit
def hedge_step(weights: Array, losses: Array, rate: float, share: float) -> None:
    """W ← w·exp(−η ℓ) / Σ over the awake, whose total mass stays what it was.

    A NaN loss is an expert that slept: its weight is kept (Freund, Schapire, Singer & Warmuth
    1997). Then ``share`` of the awake mass is spread evenly over the awake (Herbster & Warmuth
    1998), so that no weight is ever lost for good.
    """
    least = math.inf
    awake = 0
    before = 0.0
    for i in range(len(weights)):
        if losses[i] == losses[i]:
            least = min(least, losses[i])
            awake += 1
            before += weights[i]
    after = 0.0
    for i in range(len(weights)):
        if losses[i] == losses[i]:
            weights[i] *= math.exp(-rate * (losses[i] - least))
            after += weights[i]
    if after <= 0.0:
        return
    for i in range(len(weights)):
        if losses[i] == losses[i]:
            kept = (1.0 - share) * before * weights[i] / after + share * before / awake
            weights[i] = max(kept, LEAST_WEIGHT)
