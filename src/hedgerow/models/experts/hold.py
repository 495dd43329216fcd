"""The expert for values that are often just repeated: sensors that report their last one.

Where the same value comes again with probability q, the median of what comes next is that very
value as long as q ≥ ½, and also when less than half of the rest lies on either side. Otherwise
the median lies between it and what a change would bring: with the changed values about m in
distance s, the level v solves (1 − q) Φ((v − m) / s) = ½. q is a logistic regression on how
often and how long the value has been repeated; m a small least-squares model that learns from
changes only; s the running distance from it. Compiled.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math

import numpy as np

from hedgerow.models.arithmetic import Array, clamp, jit
from hedgerow.models.bank.layout import LONGEST_RUN, REPEATS_FAST, REPEATS_SLOW, RUN, SEEN
from hedgerow.models.experts.least_squares import Single

CLUES = 9
LEAST_REPEATS = 0.05  # share of repeats below which the expert sleeps
FAST, SLOW = 0.15, 0.02  # weight of the newest reading in the two shares of repeats
_RATE = 0.02
_DISTANCE_MEMORY = 0.01
_LEAST_STUCK = 12.0  # repeats
_TIMES_LONGEST = 3.0
_LONGEST_FADES_MS = 12 * 7 * 86_400_000.0  # in which the longest run shrinks to 1/e
_LEARNED_MS = 14 * 86_400_000.0  # before a series has shown how long its runs can be
_LEARNED_READINGS = 100.0
_NORMAL = 1.2533141373155001  # √(π/2): standard deviation over mean distance


@jit
def note_repeat(row: Array, repeated: bool, period_ms: float) -> None:
    """Let a reading into the run length, the longest one and the two shares of repeats."""
    share = 1.0 if repeated else 0.0
    row[LONGEST_RUN] *= 1.0 - min(period_ms / _LONGEST_FADES_MS, 1.0)
    if not repeated:
        run = min(row[RUN], longest_usual(row)) if has_shown(row, period_ms) else row[RUN]
        row[LONGEST_RUN] = max(row[LONGEST_RUN], run)
    row[RUN] = row[RUN] + 1.0 if repeated else 0.0
    row[REPEATS_FAST] += FAST * (share - row[REPEATS_FAST])
    row[REPEATS_SLOW] += SLOW * (share - row[REPEATS_SLOW])


@jit
def longest_usual(row: Array) -> float:
    """Return how many repeats in a row are still like the series."""
    return float(max(_LEAST_STUCK, _TIMES_LONGEST * row[LONGEST_RUN]))


@jit
def has_shown(row: Array, period_ms: float) -> bool:
    """Tell whether the series was seen long enough, before the present run, to know its runs.

    On 67 of Aarhus' five-minute counters, whichever came first of two weeks and 500 readings
    gave ten episodes in 408 weeks; two weeks in any case two, both of sensors at 0 for days.
    """
    before = row[SEEN] - row[RUN]
    return bool(before >= _LEARNED_READINGS and before * period_ms >= _LEARNED_MS)


@jit
def is_stuck(row: Array, period_ms: float) -> bool:
    """Tell whether a value is repeated far longer than this series ever does."""
    return bool(row[RUN] >= longest_usual(row) and has_shown(row, period_ms))


@jit
def write_clues(row: Array, clues: Single, day_angle: float) -> None:
    """Write what the logistic regression goes by."""
    repeated = 1.0 if row[RUN] > 0.0 else 0.0
    lately = 2.0 * (row[REPEATS_FAST] - 0.5)
    clues[0] = np.float32(1.0)
    clues[1] = np.float32(repeated)
    clues[2] = np.float32(1.0 if row[RUN] >= 2.0 else 0.0)
    clues[3] = np.float32(1.0 if row[RUN] >= 4.0 else 0.0)
    clues[4] = np.float32(lately)
    clues[5] = np.float32(2.0 * (row[REPEATS_SLOW] - 0.5))
    clues[6] = np.float32(math.sin(day_angle))
    clues[7] = np.float32(math.cos(day_angle))
    clues[8] = np.float32(repeated * lately)


@jit
def repeat_chance(theta: Single, clues: Single) -> float:
    """Return q, the chance that the value at the target is the present one."""
    z = 0.0
    for i in range(CLUES):
        z += float(theta[i]) * float(clues[i])
    return 1.0 / (1.0 + math.exp(-clamp(z, 20.0)))


@jit
def learn_chance(theta: Single, clues: Single, repeated: bool) -> None:
    """One step of logistic regression."""
    error = repeat_chance(theta, clues) - (1.0 if repeated else 0.0)
    step = np.float32(_RATE * error)
    for i in range(CLUES):
        theta[i] -= step * clues[i]


@jit
def learn_distance(distance: float, changes: float, off: float) -> float:
    """Return the running distance of changed values from their forecast."""
    return distance + max(_DISTANCE_MEMORY, 1.0 / changes) * (off - distance)


@jit
def held_median(value: float, chance: float, changed: float, distance: float) -> float:
    """Return the median of: ``value`` with the chance, else about ``changed``.

    Parameters
    ----------
    value : float
        The present value.
    chance : float
        q.
    changed : float
        m, what is expected if it changes.
    distance : float
        Mean distance of changed values from m.

    Examples
    --------
    >>> held_median(10.0, 0.6, 4.0, 1.0)
    10.0
    >>> round(held_median(10.0, 0.1, 4.0, 1.0), 2)
    4.17
    """
    if chance >= 0.5:
        return value
    level = 0.5 / (1.0 - chance)
    above = _NORMAL * distance * normal_quantile(min(level, 1.0 - 1e-9))
    if changed < value:
        return min(changed + above, value)
    return max(changed - above, value)


@jit
def normal_quantile(level: float) -> float:
    """Return the standard normal quantile of a level from ½ up, to 4.5e-4 (Hastings 1955).

    Examples
    --------
    >>> round(normal_quantile(0.975), 2)
    1.96
    """
    t = math.sqrt(-2.0 * math.log(1.0 - level))
    top = 2.515517 + t * (0.802853 + t * 0.010328)
    bottom = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    return max(t - top / bottom, 0.0)
