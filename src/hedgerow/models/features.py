"""What a series remembers of itself, and the features made of it. Compiled.

``kernel`` puts every reading into the row's ring and standardiser through here, and freezes the
features of a forecast into its pending entry. A feature that cannot be known (the ring does not
reach back, or the slot was missing) stands at its mean.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math

import numpy as np

from hedgerow.models.arithmetic import Array, clamp, jit, standardise, welford
from hedgerow.models.layout import (
    DAY_MS,
    END_SCALED,
    FIRST_SCALED,
    MEAN,
    NEGATIVE,
    SEEN,
    SLOT,
    STATS,
    VARIANCE,
    WEEK_MS,
    Layout,
)
from hedgerow.models.zone import ZoneTable

CLIP_Z = 10.0  # standard deviations at which features, labels and slopes are cut
WINSOR_AFTER = 50  # values after which a single one no longer moves a standardiser at will
WINSOR_Z = 20.0


@jit
def winsorise(count: float, mean: float, variance: float, value: float) -> float:
    """Return the value a standardiser should learn from: a wild one only so far out."""
    if count <= WINSOR_AFTER or variance <= 0.0:
        return value
    reach = WINSOR_Z * math.sqrt(variance)
    return min(max(value, mean - reach), mean + reach)


@jit
def standardise_reading(row: Array, value: float) -> None:
    """Let a reading into the series' mean and variance."""
    row[SEEN] += 1.0
    if value < 0.0:
        row[NEGATIVE] = 1.0
    kept = winsorise(row[SEEN], row[MEAN], row[VARIANCE], value)
    row[MEAN], row[VARIANCE] = welford(row[SEEN], row[MEAN], row[VARIANCE], kept)


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
def local_time(zone: ZoneTable, time_ms: int) -> int:
    """Return the local wall-clock time of a UTC time, both in ms."""
    i = int(np.searchsorted(zone.starts, time_ms, "right")) - 1
    return int(time_ms + zone.offsets[max(i, 0)])


@jit
def write_features(
    row: Array, sizes: Layout, block: int, x_at: int, slot: int, horizon: int, local_ms: int
) -> None:
    """Write the features of the forecast made at ``slot`` to ``x_at``, standardised online.

    ``local_ms`` is the local time of the target. The order is that of ``layout.FEATURES``.
    """
    value = look_back(row, sizes, slot, 0)
    before = look_back(row, sizes, slot, 1)
    row[x_at] = 1.0
    row[x_at + 1] = value
    row[x_at + 2] = value - before
    row[x_at + 3] = before - look_back(row, sizes, slot, 2)
    row[x_at + 4] = look_back_season(row, sizes, slot, horizon, sizes.day)
    row[x_at + 5] = look_back_season(row, sizes, slot, horizon, sizes.week)
    row[x_at + 6] = value - look_back_season(row, sizes, slot, 0, sizes.day)
    row[x_at + 7] = value - look_back_season(row, sizes, slot, 0, sizes.week)
    for i in range(FIRST_SCALED, END_SCALED):
        raw = row[x_at + i]
        if math.isnan(raw):
            row[x_at + i] = 0.0
            continue
        stats = block + sizes.feature_stats + (i - FIRST_SCALED) * STATS
        count, mean, variance = row[stats] + 1.0, row[stats + 1], row[stats + 2]
        mean, variance = welford(count, mean, variance, winsorise(count, mean, variance, raw))
        row[stats], row[stats + 1], row[stats + 2] = count, mean, variance
        row[x_at + i] = clamp(standardise(raw, mean, variance), CLIP_Z)
    # Unit variance over a cycle; the second harmonic by the double-angle formulas.
    root2 = math.sqrt(2.0)
    for cycle in range(2):
        span = WEEK_MS if cycle else DAY_MS
        angle = 2.0 * math.pi * (local_ms % span) / span
        sine, cosine = math.sin(angle), math.cos(angle)
        at = x_at + END_SCALED + 4 * cycle
        row[at] = root2 * sine
        row[at + 1] = root2 * cosine
        row[at + 2] = root2 * 2.0 * sine * cosine
        row[at + 3] = root2 * (cosine * cosine - sine * sine)
