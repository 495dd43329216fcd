"""What a series remembers of itself, and the features made of it. Compiled.

``kernel`` puts every reading into the row's ring, weekly pattern and smoothed levels through
here, and freezes the features of the forecasts made at it: one vector for all horizons. A
feature that cannot be known (the ring does not reach back, or the slot was missing) stands at
the nearest thing that is: the reading after it, the pattern, the mean.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math

import numpy as np

from hedgerow.models.arithmetic import Array, clamp, jit, standardise, welford
from hedgerow.models.bank.layout import (
    BASE,
    DAY_MS,
    DEVIATION,
    DEVIATION_BEFORE,
    HOLT_LEVEL,
    HOLT_TREND,
    LEVEL,
    MEAN,
    NEGATIVE,
    OFF_BASE,
    PATTERN_SIZE,
    PHASE,
    ROOT_MEAN,
    ROOT_VARIANCE,
    SEEN,
    SLOT,
    SURPRISE,
    USUAL_OFF,
    VARIANCE,
    VISITS,
    WEEK_MS,
    Layout,
)
from hedgerow.models.experts.catalogue import LEVEL_RATES
from hedgerow.models.experts.least_squares import Single

CLIP_Z = 10.0  # standard deviations at which features, labels and slopes are cut
WINSOR_AFTER = 50  # values after which a single one no longer moves a standardiser at will
WINSOR_Z = 20.0
USUAL_RATE, MOST_USUAL = 0.02, 8.0
PATTERN_RATE = 0.2  # weight of the newest week in the pattern
HOLT_RATE, HOLT_TREND_RATE, HOLT_DAMPING = 0.3, 0.05, 0.9
_MONDAY_MS = 3 * DAY_MS  # 1970 began on a Thursday


@jit
def winsorise(count: float, mean: float, variance: float, value: float) -> float:
    """Return the value a standardiser should learn from: a wild one only so far out."""
    if count <= WINSOR_AFTER or variance <= 0.0:
        return value
    reach = WINSOR_Z * math.sqrt(variance)
    return min(max(value, mean - reach), mean + reach)


@jit
def root(row: Array, value: float) -> float:
    """Return the value on the scale where the noise of counts is even: its square root.

    Series that have been negative stay on their own scale (Anscombe 1948).
    """
    return value if row[NEGATIVE] == 1.0 else math.sqrt(max(value, 0.0))


@jit
def unroot(row: Array, value: float) -> float:
    """Undo `root`."""
    return value if row[NEGATIVE] == 1.0 else max(value, 0.0) ** 2


@jit
def standardise_reading(row: Array, value: float) -> bool:
    """Let a reading into the running means and variances of the value and of its root.

    Returns whether it is the first negative one: from then on there is no root, and what was
    learned on that scale means nothing.
    """
    first_negative = value < 0.0 and row[NEGATIVE] == 0.0
    if first_negative:
        row[NEGATIVE] = 1.0
        row[ROOT_MEAN], row[ROOT_VARIANCE] = row[MEAN], row[VARIANCE]
    row[SEEN] += 1.0
    kept = winsorise(row[SEEN], row[MEAN], row[VARIANCE], value)
    row[MEAN], row[VARIANCE] = welford(row[SEEN], row[MEAN], row[VARIANCE], kept)
    rooted = root(row, value)
    kept = winsorise(row[SEEN], row[ROOT_MEAN], row[ROOT_VARIANCE], rooted)
    row[ROOT_MEAN], row[ROOT_VARIANCE] = welford(
        row[SEEN], row[ROOT_MEAN], row[ROOT_VARIANCE], kept
    )
    return bool(first_negative)


@jit
def put(row: Array, sizes: Layout, slot: int, value: float) -> None:
    """Write a reading into the ring, the slots skipped since the last one as missing."""
    missing = min(slot - int(row[SLOT]) - 1, sizes.ring_size)
    for age in range(1, missing + 1):
        row[sizes.ring + (slot - age) % sizes.ring_size] = math.nan
    row[sizes.ring + slot % sizes.ring_size] = value
    row[SLOT] = slot


@jit
def look_back(row: Array, sizes: Layout, slot: int, age: int) -> float:
    """Return the value ``age`` slots before ``slot``, NaN if missing or out of the ring."""
    if age >= sizes.ring_size:
        return math.nan
    value: float = row[sizes.ring + (slot - age) % sizes.ring_size]
    return value


@jit
def look_back_season(row: Array, sizes: Layout, slot: int, horizon: int, season: int) -> float:
    """Return the value a season before ``slot + horizon``, or as many as it takes to be known."""
    if season == 0:
        return math.nan
    seasons = max((horizon + season - 1) // season, 1)
    return look_back(row, sizes, slot, seasons * season - horizon)


@jit
def pattern_bin(sizes: Layout, local_ms: int, holiday: bool) -> int:
    """Return the bin of the weekly pattern at a local time, a holiday's being a Sunday's."""
    sunday = 6 * DAY_MS + local_ms % DAY_MS
    in_week = sunday if holiday else (local_ms + _MONDAY_MS) % WEEK_MS
    return in_week * sizes.bins // WEEK_MS


@jit
def usual_in(row: Array, single: Single, sizes: Layout, bin_: int) -> float:
    """Return the weekly pattern's mean in a bin, NaN where it has seen none."""
    at = sizes.pattern + PATTERN_SIZE * bin_
    usual: float = row[BASE] + float(single[at + OFF_BASE])
    return usual if single[at + VISITS] > np.float32(0.0) else math.nan


@jit
def remember(
    row: Array, single: Single, sizes: Layout, slot: int, value: float, bin_now: int
) -> None:
    """Let a reading into ring, pattern, smoothed levels and trend."""
    gap = slot - int(row[SLOT])
    put(row, sizes, slot, value)
    if row[SEEN] <= 1.0:
        row[BASE] = value
    at = sizes.pattern + PATTERN_SIZE * bin_now
    expected = usual_in(row, single, sizes, bin_now)
    row[DEVIATION_BEFORE] = row[DEVIATION]
    single[at + VISITS] += np.float32(1.0)
    if math.isnan(expected):
        row[DEVIATION] = 0.0
        single[at + OFF_BASE] = np.float32(value - row[BASE])
    else:
        row[DEVIATION] = value - expected
        value = expected + _usual(row, row[DEVIATION])
        per_week = max(WEEK_MS // (sizes.period_ms * sizes.bins), 1)
        rate = max(PATTERN_RATE / per_week, 1.0 / single[at + VISITS])
        moved = expected + min(rate, 1.0) * (value - expected)
        single[at + OFF_BASE] = np.float32(moved - row[BASE])
    surprise = 0.0 if math.isnan(expected) else value - expected
    for i in range(len(LEVEL_RATES)):
        rate = max(LEVEL_RATES[i], 1.0 / row[SEEN])
        row[LEVEL + i] += rate * (value - row[LEVEL + i])
        row[SURPRISE + i] += LEVEL_RATES[i] * (surprise - row[SURPRISE + i])
    holt_step(row, value, gap)


@jit
def _usual(row: Array, deviation: float) -> float:
    """Return a deviation, cut at some times the usual one, and let it into that.

    A single wild reading would stay in the pattern for weeks; one that stays makes itself usual.
    """
    kept = deviation
    if row[SEEN] > WINSOR_AFTER and row[USUAL_OFF] > 0.0:
        kept = clamp(deviation, MOST_USUAL * row[USUAL_OFF])
    if row[USUAL_OFF] == 0.0:
        row[USUAL_OFF] = math.sqrt(row[VARIANCE])
    row[USUAL_OFF] += USUAL_RATE * (abs(kept) - row[USUAL_OFF])
    return kept


@jit
def holt_step(row: Array, value: float, gap: int) -> None:
    """One step of exponential smoothing with a damped trend (Gardner & McKenzie 1985)."""
    if row[SEEN] <= 1.0:
        row[HOLT_LEVEL], row[HOLT_TREND] = value, 0.0
        return
    ahead = row[HOLT_LEVEL] + damped_sum(gap) * row[HOLT_TREND]
    level = ahead + HOLT_RATE * (value - ahead)
    trend = row[HOLT_TREND] * HOLT_DAMPING**gap
    row[HOLT_TREND] = trend + HOLT_TREND_RATE * ((level - row[HOLT_LEVEL]) / gap - trend)
    row[HOLT_LEVEL] = level


@jit
def damped_sum(slots: int) -> float:
    """Return φ + φ² + … + φⁿ, what a damped trend adds up to over so many slots."""
    damping: float = HOLT_DAMPING
    return damping * (1.0 - damping**slots) / (1.0 - damping)


@jit
def standard(row: Array, value: float, fallback: float) -> float:
    """Return a value in standard deviations, ``fallback`` where it is missing, cut."""
    if math.isnan(value):
        return fallback
    return clamp(standardise(value, row[MEAN], row[VARIANCE]), CLIP_Z)


@jit
def rooted(row: Array, value: float, fallback: float) -> float:
    """Return a value's root in standard deviations of roots, likewise."""
    if math.isnan(value):
        return fallback
    z = standardise(root(row, value), row[ROOT_MEAN], row[ROOT_VARIANCE])
    return clamp(z, CLIP_Z)


@jit
def write_common(
    row: Array, sizes: Layout, x: Single, slot: int, local_ms: int, usual: float
) -> None:
    """Write the features that all horizons share, those of the targets excepted.

    The order is that of ``layout.COMMON_FEATURES``; ``local_ms`` is the slot's local time,
    ``usual`` the weekly pattern there.
    """
    x[0] = np.float32(1.0)
    z = 0.0
    for age in range(4):
        z = standard(row, look_back(row, sizes, slot, age), z)
        x[1 + age] = np.float32(z)
    deviation = math.sqrt(row[VARIANCE])
    scale = 1.0 / deviation if deviation > 0.0 else 0.0
    for i in range(3):
        x[5 + i] = np.float32(standard(row, row[LEVEL + i], 0.0))
    x[8] = np.float32(clamp(row[DEVIATION] * scale, CLIP_Z))
    x[9] = np.float32(clamp(row[DEVIATION_BEFORE] * scale, CLIP_Z))
    x[10] = np.float32(clamp(row[SURPRISE + 1] * scale, CLIP_Z))
    usual_z = standard(row, usual, 0.0)
    x[11] = np.float32(standard(row, look_back_season(row, sizes, slot, 0, sizes.day), usual_z))
    x[12] = np.float32(standard(row, look_back_season(row, sizes, slot, 0, sizes.week), usual_z))
    angle = 2.0 * math.pi * (local_ms % DAY_MS) / DAY_MS
    sine, cosine = math.sin(angle), math.cos(angle)
    s, c = sine, cosine
    for k in range(4):  # the next harmonic by the addition formulas
        x[13 + 2 * k] = np.float32(s)
        x[14 + 2 * k] = np.float32(c)
        s, c = s * cosine + c * sine, c * cosine - s * sine
    angle = 2.0 * math.pi * ((local_ms + _MONDAY_MS) % WEEK_MS) / WEEK_MS
    x[21] = np.float32(math.sin(angle))
    x[22] = np.float32(math.cos(angle))


@jit
def time_of(row: Array, sizes: Layout, slot: int) -> int:
    """Return the time of a slot's grid point."""
    return int(row[PHASE]) + slot * sizes.period_ms


@jit
def write_hour(
    row: Array, x: Single, value: float, before: float, usual: float, rest: bool
) -> None:
    """Write the few features of the model for one part of the day, on the scale of roots.

    ``usual`` is the pattern at the target, ``rest`` whether that lies on a rest day.
    """
    z = rooted(row, value, 0.0)
    x[0] = np.float32(1.0)
    x[1] = np.float32(1.0 if rest else 0.0)
    x[2] = np.float32(z)
    x[3] = np.float32(rooted(row, before, z))
    x[4] = np.float32(rooted(row, usual, 0.0))
    expected = value - row[DEVIATION]
    x[5] = np.float32(z - rooted(row, expected, z))
    x[6] = np.float32(rooted(row, row[LEVEL], z))
