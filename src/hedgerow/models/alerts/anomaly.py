"""Anomaly score of a series: how far it is where it has not been for weeks. Compiled.

Before: a reading of known hour. After: ``anomaly_words`` says why; ``anomaly_estimator`` is the
same as a River estimator. All state is one slice of float64s and, for what the hours usually bring,
one of float32s that counts from the series' first value; nothing is allocated.

Four statistics of a series are followed: its value; its distance from what this hour of the week
usually brings; the recent mean of that distance; and how much it varies of late. Of each the
lowest and highest are remembered, fading over about four weeks. Where a reading takes a statistic
beyond them, the *excess* is how far, in units of the range plus ten typical steps of that
statistic: a noisy one has to go further. The largest excess of the four counts, and once it has
been told, only one twice as large is told for a while.

New extremes of a stationary series grow rare by themselves, whatever its distribution, which is
what makes one configuration do for all series [1]_. Standing out against the past extremes rather
than against a fitted Gaussian is the usual remedy against heavy tails [2]_; the mean of the
distances is a slow CUSUM [3]_.

References
----------
.. [1] B. C. Arnold, N. Balakrishnan and H. N. Nagaraja, "Records", Wiley 1998.
.. [2] A. Siffer, P.-A. Fouque, A. Termier and C. Largouet, "Anomaly detection in streams with
   extreme value theory", KDD 2017.
.. [3] E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import LARGEST, Array, clamp, jit

# All lengths are in readings of a series that is read every five minutes or more rarely; of one
# read more often they are as long in time (``pace``). Chosen as in docs/anomaly.md, where the
# figures of their neighbours stand.
MEMORY = 8000.0  # over which extremes fade: four weeks of five minutes
RECENT = 288.0  # of the level that stands in for an hour not met yet: a day of five minutes
DRIFTING = 36.0  # of the mean distance from the hour's usual value
VARYING = 192.0  # of the variance compared with the variance over MEMORY
HOUR_RATE = 0.05  # at which an hour's usual value follows
QUIET_FOR = 100.0  # after an excess was told, until a smaller one is told again
LOUDER = 2.0  # times the excess last told that is told all the same
WARM_UP = 144.0  # before anything is told: half a day of five minutes
STEPS = 10.0  # typical steps added to the range that an excess is measured in
LEAST_VARIANCE = 0.01  # of the long-term variance: below it all is equally still
VARIATION_WEIGHT = 0.7  # of the excess of the variation, a logarithm, beside the others
USUAL_EXCESS = 0.085  # scored 0.5: the median Aarhus road sensor stays below once a week
THRESHOLD = 0.5  # from which a score is an alert by default

MOST_EXCESS = 1e6
HOURS = 168  # of the week, then those of the day
DAY = 24

# The four statistics.
VALUE, DISTANCE, DRIFT, VARIATION = range(4)
KINDS = 4

# What is remembered of each statistic.
LOW, HIGH, LAST, STEP, TRACE_SIZE = range(5)

# Layout of a series' state. TOLD_… describe the latest reading that scored above 0.
(
    COUNT,
    LEVEL,
    MEAN_DISTANCE,
    NEAR_MEAN,
    NEAR_VARIANCE,
    FAR_MEAN,
    FAR_VARIANCE,
    TOLD,  # excess last told
    QUIET,  # readings since
    TOLD_KIND,
    TOLD_VALUE,
    TOLD_EXPECTED,
    TOLD_BASIS,  # what the expectation rests on
    TOLD_STATISTIC,
    TOLD_LOW,  # the statistic's range before
    TOLD_HIGH,
    BASE,  # first value
    TRACES,
) = range(18)
SIZE = TRACES + KINDS * TRACE_SIZE

# Of each hour of the week, then of the day: its usual value less the base, and how often it came.
OFF_BASE, TIMES, HOUR_SIZE = range(3)
HOURS_SIZE = (HOURS + DAY) * HOUR_SIZE
Hours = NDArray[np.float32]

# What an expectation rests on.
OF_WEEK, OF_DAY, OF_LATE = range(3)


@jit
def start(state: Array, hours: Hours) -> None:
    """Blank a series' state, arrays of ``SIZE`` and ``HOURS_SIZE``."""
    state[:] = 0.0
    hours[:] = np.float32(0.0)


@jit
def pace(period_seconds: float) -> float:
    """Return how many readings the lengths above count as one, at least 1."""
    return max(1.0, 300.0 / period_seconds)


@jit
def hour_of_week(local_seconds: float) -> int:
    """Return the hour, 0 to 167 from Thursday's midnight, of a local time since 1970."""
    return int(local_seconds // 3600.0) % HOURS


@jit
def basis(hours: Hours, hour: int) -> int:
    """Tell what is known of an hour of the week: itself, its hour of the day, or neither."""
    if hours[hour * HOUR_SIZE + TIMES] > 0.0:
        return OF_WEEK
    return OF_DAY if hours[(HOURS + hour % DAY) * HOUR_SIZE + TIMES] > 0.0 else OF_LATE


@jit
def expected(state: Array, hours: Hours, hour: int, known: int) -> float:
    """Return what is usual at an hour of the week, of which ``basis`` says how it is known."""
    if known == OF_LATE:
        return float(state[LEVEL])
    at = hour if known == OF_WEEK else HOURS + hour % DAY
    return float(state[BASE] + float(hours[at * HOUR_SIZE + OFF_BASE]))


@jit
def learn_hour(state: Array, hours: Hours, value: float, hour: int, slower: float) -> None:
    """Let the hour of the week, that of the day and the level learn a value."""
    for each in (hour, HOURS + hour % DAY):
        at = each * HOUR_SIZE
        hours[at + TIMES] += np.float32(1.0)
        rate = max(1.0 / hours[at + TIMES], HOUR_RATE / slower)
        off_base = float(hours[at + OFF_BASE])
        hours[at + OFF_BASE] = np.float32(off_base + rate * (value - state[BASE] - off_base))
    state[LEVEL] += max(1.0 / state[COUNT], 1.0 / (RECENT * slower)) * (value - state[LEVEL])


@jit
def variation(state: Array, value: float, slower: float) -> float:
    """Return the logarithm of the recent variance over the long-term one, 0 while there is none."""
    for mean, length in ((NEAR_MEAN, VARYING * slower), (FAR_MEAN, MEMORY * slower)):
        rate = max(1.0 / state[COUNT], 1.0 / length)
        off = value - state[mean]
        state[mean] += rate * off
        state[mean + 1] = (1.0 - rate) * (state[mean + 1] + rate * off * off)
    if state[FAR_VARIANCE] <= 0.0:
        return 0.0
    return 0.5 * math.log(state[NEAR_VARIANCE] / state[FAR_VARIANCE] + LEAST_VARIANCE)


@jit
def follow(
    state: Array, hours: Hours, value: float, hour: int, slower: float
) -> tuple[float, float, float, float]:
    """Return the four statistics at a reading, in the order of their kinds, and learn it."""
    if state[COUNT] == 0.0:
        state[BASE] = state[LEVEL] = state[NEAR_MEAN] = state[FAR_MEAN] = value
    state[COUNT] += 1.0
    distance = value - expected(state, hours, hour, basis(hours, hour))
    learn_hour(state, hours, value, hour, slower)
    rate = max(1.0 / state[COUNT], 1.0 / (DRIFTING * slower))
    state[MEAN_DISTANCE] += rate * (distance - state[MEAN_DISTANCE])
    return value, distance, float(state[MEAN_DISTANCE]), variation(state, value, slower)


@jit
def excess(state: Array, kind: int, statistic: float, slower: float) -> float:
    """Return how far a statistic goes beyond its range, and let the range learn it."""
    trace = TRACES + kind * TRACE_SIZE
    if state[COUNT] == 1.0:
        state[trace + LOW] = state[trace + HIGH] = state[trace + LAST] = statistic
        return 0.0
    low, high = state[trace + LOW], state[trace + HIGH]
    beyond = max(statistic - high, low - statistic)
    unit = high - low + STEPS * state[trace + STEP]
    over = 0.0
    if beyond > 0.0:
        over = min(beyond / unit, MOST_EXCESS) if unit > 0.0 else 1.0
        if kind == VARIATION:
            over *= VARIATION_WEIGHT
    fading = 0.5 * (high - low) / (MEMORY * slower)
    state[trace + LOW] = min(low + fading, statistic)
    state[trace + HIGH] = max(high - fading, statistic)
    rate = max(1.0 / state[COUNT], 1.0 / (MEMORY * slower))
    step = abs(statistic - state[trace + LAST])
    state[trace + STEP] += rate * (step - state[trace + STEP])
    state[trace + LAST] = statistic
    return over


@jit
def tell(state: Array, most: float, slower: float) -> bool:
    """Whether an excess is news: the first for a while, or clearly larger than the last."""
    if state[COUNT] <= WARM_UP * slower:
        return False
    if state[QUIET] >= QUIET_FOR * slower:
        state[TOLD] = 0.0
    if most > LOUDER * state[TOLD]:
        state[TOLD] = most
        state[QUIET] = 0.0
        return True
    state[QUIET] += 1.0
    return False


@jit
def score(state: Array, hours: Hours, value: float, hour: int, slower: float) -> float:
    """Score a reading against all before it, then learn it.

    Parameters
    ----------
    state : array of float, shape (SIZE,)
        The series' memory, blank or as the last call left it; changed in place.
    hours : array of float32, shape (HOURS_SIZE,)
        What it remembers of the hours, likewise.
    value : float
        The reading. One that is not finite scores 0 and is not learned.
    hour : int
        Hour of the week in local time, 0 to 167, as from ``hour_of_week``; which day the week
        starts at does not matter.
    slower : float
        ``pace`` of the series.

    Returns
    -------
    float
        From 0 to below 1: ``excess / (excess + USUAL_EXCESS)``, 0 where nothing is new. Its odds
        are a rate: on the road sensors that it was set by, scores of s or more come about
        (1 - s) / s times a week.

    Examples
    --------
    A day that repeats, and one reading that does not:

    >>> import numpy as np
    >>> from hedgerow.models.alerts import anomaly
    >>> state, hours = np.zeros(anomaly.SIZE), np.zeros(anomaly.HOURS_SIZE, np.float32)
    >>> day = [20.0] * 12 + [80.0] * 12
    >>> scores = [
    ...     anomaly.score(state, hours, day[h % 24], h % 168, 1.0) for h in range(28 * 24)
    ... ]
    >>> max(scores) < anomaly.THRESHOLD
    True
    >>> round(anomaly.score(state, hours, 140.0, 0, 1.0), 2)
    0.95
    """
    if not math.isfinite(value):
        return 0.0
    value = clamp(value, LARGEST)
    known = basis(hours, hour)
    now = follow(state, hours, value, hour, slower)
    most, kind, statistic, low, high = 0.0, 0, 0.0, 0.0, 0.0
    for each in range(KINDS):
        trace = TRACES + each * TRACE_SIZE
        was_low, was_high = state[trace + LOW], state[trace + HIGH]
        beyond = excess(state, each, now[each], slower)
        if beyond > most and most < USUAL_EXCESS:  # else something plainer tells enough
            kind, statistic, low, high = each, now[each], was_low, was_high
        most = max(most, beyond)
    if not tell(state, most, slower):
        return 0.0
    state[TOLD_KIND] = kind
    state[TOLD_VALUE] = value
    state[TOLD_EXPECTED] = value - now[DISTANCE]
    state[TOLD_BASIS] = known
    state[TOLD_STATISTIC] = statistic
    state[TOLD_LOW] = low
    state[TOLD_HIGH] = high
    return most / (most + USUAL_EXCESS)
