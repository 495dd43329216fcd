"""Prediction intervals that keep their promise while the series changes. Compiled.

Before: a forecast whose label has arrived, with the interval it was published with. After: the
interval of the next forecast. ``kernel`` keeps one state per series and horizon, a run of ``SIZE``
float64; ``estimators`` of River's kind stand beside it in ``conformal_interval``.

Three parts, each measured by itself in ADR 6:

1. *Scale.* A residual is judged in units of how large errors usually are at that time of day
   (``BUCKETS`` knots over the local day, read between the knots) and of how large they have been
   lately, over tens and over hundreds of labels (Papadopoulos et al. 2008 call such scores
   normalised; Lei et al. 2018 locally weighted).
2. *Shape.* Quantiles of the scaled residuals are tracked on both sides by subgradient steps on the
   pinball loss (Gibbs & Candès 2021), for three ways to divide the misses between the sides; the
   way whose intervals have been narrowest is published. A count near zero needs no lower end.
3. *Coverage.* Two leaky integrals of the misses widen or narrow the whole interval: a slow one of
   what was published, and a quick one of what today's interval would have missed, which knows no
   label delay. Both are the "I" of conformal PID (Angelopoulos, Candès & Tibshirani 2023), with
   saturation.

Every rate is a number without a unit, so nothing depends on the series' own; where labels are
late (long horizons) gains shrink, because feedback that acts on old news overshoots.
Intervals are closed: a label that ties with an end is covered.

References
----------
I. Gibbs & E. Candès, "Adaptive conformal inference under distribution shift", NeurIPS 2021.
A. Angelopoulos, E. Candès & R. Tibshirani, "Conformal PID control for time series prediction",
NeurIPS 2023.
J. Lei, M. G'Sell, A. Rinaldo, R. Tibshirani & L. Wasserman, "Distribution-free predictive
inference for regression", JASA 113, 2018.
H. Papadopoulos, A. Gammerman & V. Vovk, "Normalized nonconformity measures for regression
conformal prediction", AIA 2008.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math

from hedgerow.models.arithmetic import Array, clamp, jit

BUCKETS = 8
SPLITS = 3

# The state.
TAIL, POWER, DAMPING = range(3)  # what it was reset with: the share to miss, the horizon's gains
LABELS, ERROR, CHOICE, SLOW, QUICK, GAIN, LATELY, OF_LATE = range(3, 11)
PROFILE = 11  # BUCKETS mean absolute errors, by local time of day
UPPER_SCORES = PROFILE + BUCKETS  # SPLITS each
LOWER_SCORES = UPPER_SCORES + SPLITS
WIDTHS = LOWER_SCORES + SPLITS
SIZE = WIDTHS + SPLITS

CALIBRATED_AFTER = 50  # labels before an interval is published
# Share of the misses that belongs above, for each way to divide them.
SHARE_ABOVE = (0.5, 0.9, 0.1)
CHOOSE_AFTER = 200  # labels before the middle way is left
CHOOSE_GAIN = 0.99  # and how much narrower another must be
WIDTH_MEMORY = 0.005

ERROR_MEMORY = 0.002
PROFILE_MEMORY = 0.015
PROFILE_FLOOR = 0.7  # of the overall error: a quiet hour must not promise silence
MOST_ERROR = 20.0  # times the mean: further out an error teaches no more
LATELY_MEMORY, LATELY_POWER = 0.25, 0.3
OF_LATE_MEMORY, OF_LATE_POWER = 0.02, 0.3
POWER_DECAY = 0.1  # powers shrink with the horizon to this power
MOST_LATELY = 1.5  # logarithms of recent errors are cut here
SCORE_STEP = 0.006
MOST_SCORE = 100.0
SLOW_GAIN, SLOW_LEAK, MOST_SLOW = 0.045, 0.001, 0.5
QUICK_GAIN, QUICK_LEAK = 0.03, 0.02


@jit
def conformal_reset(state: Array, tail: float, horizon: int) -> None:
    """Write a state that has seen nothing.

    Parameters
    ----------
    state : ndarray of float64
        ``SIZE`` numbers.
    tail : float
        Half the share of labels to miss: 0.05 for 90 %.
    horizon : int
        Slots until a label arrives.
    """
    state[:] = 0.0
    state[TAIL] = tail
    state[POWER] = horizon**-POWER_DECAY
    state[DAMPING] = 1.0 / math.sqrt(horizon)
    state[GAIN] = 1.0
    state[LATELY] = 1.0
    state[OF_LATE] = 1.0
    for i in range(SPLITS):
        # As if scores were Laplace with mean absolute value 1.
        above = 2.0 * tail * SHARE_ABOVE[i]
        state[UPPER_SCORES + i] = max(-math.log(2.0 * above), 0.0)
        state[LOWER_SCORES + i] = max(-math.log(2.0 * (2.0 * tail - above)), 0.0)


@jit
def usual_error(state: Array, day_share: float) -> float:
    """Return the mean absolute error at a time of day, from 0 to below 1."""
    place = day_share * BUCKETS
    left = int(place)
    part = place - left
    here = state[PROFILE + left % BUCKETS]
    there = state[PROFILE + (left + 1) % BUCKETS]
    usual: float = max(here + part * (there - here), PROFILE_FLOOR * state[ERROR])
    return usual


@jit
def conformal_scale(state: Array, day_share: float) -> float:
    """Return the unit in which the next residual will be judged.

    Parameters
    ----------
    state : ndarray of float64
        ``SIZE`` numbers.
    day_share : float
        The label's local time of day, from 0 to below 1.

    Returns
    -------
    float
        To be kept with the pending forecast: ``conformal_ends`` and ``conformal_learn`` take it.
    """
    lately = clamp(math.log(state[LATELY] + 1e-3), MOST_LATELY)
    of_late = clamp(math.log(state[OF_LATE] + 1e-3), MOST_LATELY)
    recent = state[POWER] * (LATELY_POWER * lately + OF_LATE_POWER * of_late)
    scale: float = usual_error(state, day_share) * math.exp(recent)
    return scale


@jit
def conformal_ends(
    state: Array, predicted: float, scale: float, floor: float, ceiling: float
) -> tuple[float, float]:
    """Return the interval around a forecast, NaN until calibrated.

    ``floor`` and ``ceiling`` are what the series can be at all, infinite where unknown.
    """
    if state[LABELS] < CALIBRATED_AFTER:
        return math.nan, math.nan
    chosen = int(state[CHOICE])
    unit = scale * state[GAIN]
    lower = predicted - unit * max(state[LOWER_SCORES + chosen], 0.0)
    upper = predicted + unit * max(state[UPPER_SCORES + chosen], 0.0)
    return max(lower, min(floor, predicted)), min(upper, max(ceiling, predicted))


@jit
def conformal_learn(
    state: Array,
    label: float,
    predicted: float,
    lower: float,
    upper: float,
    scale: float,
    day_share: float,
    floor: float,
    ceiling: float,
) -> None:
    """Learn from a label: first what its interval is to be blamed for, then shape, then scale.

    Parameters
    ----------
    state : ndarray of float64
        ``SIZE`` numbers, changed in place.
    label, predicted : float
        What came, and the forecast that was published for it.
    lower, upper : float
        The interval that was published with it, NaN if none was.
    scale : float
        What ``conformal_scale`` said when the forecast was made.
    day_share : float
        As it was given to ``conformal_scale``.
    floor, ceiling : float
        As in ``conformal_ends``.

    Examples
    --------
    >>> import numpy as np
    >>> from hedgerow.models.conformal import SIZE
    >>> from hedgerow.models.conformal import conformal_ends, conformal_learn, conformal_reset
    >>> from hedgerow.models.conformal import conformal_scale
    >>> state, inf = np.empty(SIZE), float("inf")
    >>> conformal_reset(state, 0.05, 1)
    >>> covered = 0
    >>> for label in np.random.default_rng(7).normal(size=5_000):
    ...     scale = conformal_scale(state, 0.0)
    ...     lower, upper = conformal_ends(state, 0.0, scale, -inf, inf)
    ...     covered += bool(lower <= label <= upper)
    ...     conformal_learn(state, label, 0.0, lower, upper, scale, 0.0, -inf, inf)
    >>> round(covered / 4_950, 2)
    0.9
    """
    residual = label - predicted
    _learn_coverage(state, label, predicted, lower, upper, scale, floor, ceiling)
    _learn_shape(state, residual, predicted, scale, floor, ceiling)
    _learn_scale(state, abs(residual), day_share)


@jit
def _learn_coverage(
    state: Array,
    label: float,
    predicted: float,
    lower: float,
    upper: float,
    scale: float,
    floor: float,
    ceiling: float,
) -> None:
    if math.isnan(lower) or math.isnan(upper):
        return
    wanted = 2.0 * state[TAIL]
    now_lower, now_upper = conformal_ends(state, predicted, scale, floor, ceiling)
    missed = 0.0 if lower <= label <= upper else 1.0
    would_miss = 0.0 if now_lower <= label <= now_upper else 1.0
    slow = (1.0 - SLOW_LEAK) * state[SLOW] + SLOW_GAIN * (missed - wanted)
    state[SLOW] = clamp(slow, MOST_SLOW)
    damping = state[DAMPING]
    kept = 1.0 - QUICK_LEAK * damping
    state[QUICK] = kept * state[QUICK] + QUICK_GAIN * damping * (would_miss - wanted)
    state[GAIN] = math.exp(state[SLOW] + state[QUICK])


@jit
def _learn_shape(
    state: Array,
    residual: float,
    predicted: float,
    scale: float,
    floor: float,
    ceiling: float,
) -> None:
    labels = state[LABELS] + 1.0
    state[LABELS] = labels
    if scale <= 0.0:  # not one error was known: there is no unit to judge this one in
        return
    score = residual / scale
    step = max(SCORE_STEP * state[DAMPING], min(2.0, 4.0 / (labels + 1.0)))
    wanted = 2.0 * state[TAIL]
    chosen = int(state[CHOICE])
    best = chosen
    narrowest = math.inf
    for i in range(SPLITS):
        above = wanted * SHARE_ABOVE[i]
        below = wanted - above
        up, low = state[UPPER_SCORES + i], state[LOWER_SCORES + i]
        up = min(up + step * ((1.0 if score > up else 0.0) - above), MOST_SCORE)
        low = min(low + step * ((1.0 if -score > low else 0.0) - below), MOST_SCORE)
        # Ends never cross the forecast; a little below zero keeps a tie from being forgotten.
        state[UPPER_SCORES + i], state[LOWER_SCORES + i] = max(up, -0.1), max(low, -0.1)
        upwards = min(scale * max(up, 0.0), max(ceiling - predicted, 0.0))
        downwards = min(scale * max(low, 0.0), max(predicted - floor, 0.0))
        memory = max(WIDTH_MEMORY, 1.0 / labels)
        state[WIDTHS + i] += memory * (upwards + downwards - state[WIDTHS + i])
        width = state[WIDTHS + i] * (CHOOSE_GAIN if i == chosen else 1.0)
        if width < narrowest:
            narrowest, best = width, i
    if labels > CHOOSE_AFTER:
        state[CHOICE] = best


@jit
def _learn_scale(state: Array, error: float, day_share: float) -> None:
    labels = state[LABELS]
    usual = usual_error(state, day_share)
    relative = min(error / usual, 10.0) if usual > 0.0 else 1.0
    state[LATELY] += LATELY_MEMORY * (relative - state[LATELY])
    state[OF_LATE] += OF_LATE_MEMORY * (relative - state[OF_LATE])
    state[ERROR] += max(ERROR_MEMORY, 1.0 / labels) * (error - state[ERROR])
    place = day_share * BUCKETS
    left = int(place)
    part = place - left
    here, there = PROFILE + left % BUCKETS, PROFILE + (left + 1) % BUCKETS
    value = state[here] + part * (state[there] - state[here])
    off = min(error, MOST_ERROR * state[ERROR]) - value
    rate = max(PROFILE_MEMORY, 1.0 / (1.0 + 0.7 * labels / BUCKETS))
    state[here] = max(state[here] + rate * (1.0 - part) * off, 0.0)
    state[there] = max(state[there] + rate * part * off, 0.0)
