"""Which number of a series' row means what.

A row is everything learned about one series: one contiguous run of float64, integers stored
exactly. ``Layout`` holds the offsets and sizes the compiled kernel needs; ``fields`` names every
run of a row, so that a snapshot can be read by name when a profile has changed. ``profile``
comes before, ``kernel`` and ``bank`` stand on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.profile import Profile

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
MAX_RING = 12_000
NEVER = -1e15  # a slot that no reading has

# Head of a row: offsets common to all layouts.
SLOT, PHASE, SEEN, MEAN, VARIANCE, NEGATIVE = range(6)

# One alert rule's state, KINDS of them from ALERTS on; the anomaly's CUSUM follows.
ALERTS = 6
OPEN, OPENING_OFFSET, OPENED_MS, QUIET, ALERT_SIZE = range(5)
BOUND, FORECAST_BREACH, ANOMALY, KINDS = range(4)
CUSUM, BAD_RUN, HEAD = range(ALERTS + KINDS * ALERT_SIZE, ALERTS + KINDS * ALERT_SIZE + 3)

# Scores at the start of a horizon's block.
N, ABSOLUTE_ERROR, SQUARED_ERROR = range(3)
REFERENCES = 3  # per reference: paired n, our absolute error, the reference's
COVERED, WITH_INTERVAL, WIDTH_SUM = range(12, 15)
SCORES = 15
# Interval and scales, after the scores.
LABELS, OFFSET_UPPER, OFFSET_LOWER, SCALE_ABSOLUTE, SCALE_SQUARED = range(SCORES, SCORES + 5)
TRACKERS = 5
BLOCK_HEAD = SCORES + TRACKERS

# A pending forecast.
ORIGIN, PUBLISHED, PREDICTED, EXPECTED, LOWER, UPPER, ENTRY_HEAD = range(7)

PERSISTENCE, DAY, WEEK = range(3)
NAIVE_EXPERTS = ("persistence", "day", "week")
FEATURES = (
    "bias",
    "lag_0",
    "lag_0_change",
    "lag_1_change",
    "day_at_target",
    "week_at_target",
    "change_since_day",
    "change_since_week",
    "day_sin_1",
    "day_cos_1",
    "day_sin_2",
    "day_cos_2",
    "week_sin_1",
    "week_cos_1",
    "week_sin_2",
    "week_cos_2",
)
FIRST_SCALED, END_SCALED = 1, 8  # these are standardised online, the rest have a known scale
STATS = 3  # of a standardised feature: count, mean, variance


class Layout(NamedTuple):
    """Integer offsets and sizes for the kernel; offsets in a block count from its start."""

    period_ms: int
    day: int  # slots in a day, 0 where a day does not fit the grid or the ring
    week: int
    ring: int
    ring_size: int
    horizons: int
    experts: int
    rates: int
    features: int
    weights_absolute: int
    weights_squared: int
    theta: int
    feature_stats: int
    pending: int
    entry: int
    width: int


@dataclass(frozen=True, slots=True)
class Field:
    """A named run of a row."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The layout of all rows of a (profile, period).

    Attributes
    ----------
    sizes : Layout
        For the kernel.
    horizons, blocks : ndarray of int64
        Each horizon and the offset of its block in a row.
    experts : tuple of str
        Names of the experts, in the order of every weight vector.
    fields : tuple of Field
        Every run of a row by name.
    blank : ndarray of float64
        A row that has seen nothing.
    """

    sizes: Layout
    horizons: NDArray[np.int64]
    blocks: NDArray[np.int64]
    experts: tuple[str, ...]
    fields: tuple[Field, ...]
    blank: NDArray[np.float64]


def slots_in(span_ms: int, period_ms: int) -> int:
    """Return how many slots a day or week has, 0 if the grid misses it by half an hour."""
    count = round(span_ms / period_ms)
    return count if count > 0 and abs(count * period_ms - span_ms) <= DAY_MS // 48 else 0


def expert_names(profile: Profile) -> tuple[str, ...]:
    """Name the experts of a profile in the order of their weights."""
    rates = tuple(f"ogd_{rate:g}" for rate in profile.learning_rates)
    river = tuple(f"{i}:{r.name}" for i, r in enumerate(profile.river))
    return NAIVE_EXPERTS + rates + river


def row_layout(profile: Profile, period_ms: int) -> RowLayout:
    """Lay out the rows of a profile's series of one period."""
    experts = expert_names(profile)
    n_experts, n_rates, n_features = len(experts), len(profile.learning_rates), len(FEATURES)
    day, week = slots_in(DAY_MS, period_ms), slots_in(WEEK_MS, period_ms)
    if week + 1 > MAX_RING:
        week = 0
    if day + 1 > MAX_RING:
        day = 0
    ring_size = max(day, week, 3) + 1

    fields = [
        Field("clock", SLOT, SEEN - SLOT),
        Field("standardiser", SEEN, ALERTS - SEEN),
        Field("alerts", ALERTS, HEAD - ALERTS),
        Field("ring", HEAD, ring_size),
    ]
    weights_absolute = BLOCK_HEAD
    weights_squared = weights_absolute + n_experts
    theta = weights_squared + n_experts
    stats = theta + n_rates * n_features
    n_stats = STATS * (END_SCALED - FIRST_SCALED)
    pending = stats + n_stats
    entry = ENTRY_HEAD + n_experts + n_features
    at = HEAD + ring_size
    blocks = []
    for horizon in profile.horizons:
        blocks.append(at)
        h = f"h{horizon}"
        fields.append(Field(f"{h}.scores", at, SCORES))
        fields.append(Field(f"{h}.interval@{profile.interval_level!r}", at + LABELS, 3))
        fields.append(Field(f"{h}.scales", at + SCALE_ABSOLUTE, 2))
        for offset, loss in ((weights_absolute, "absolute"), (weights_squared, "squared")):
            for i, expert in enumerate(experts):
                fields.append(Field(f"{h}.weight.{loss}.{expert}", at + offset + i, 1))
        for i in range(n_rates):
            name = experts[len(NAIVE_EXPERTS) + i]
            fields.append(Field(f"{h}.theta.{name}", at + theta + i * n_features, n_features))
        fields.append(Field(f"{h}.feature_stats", at + stats, n_stats))
        frozen = f"{h}.pending[{','.join(experts)}]"
        fields.append(Field(frozen, at + pending, horizon * entry))
        at += pending + horizon * entry

    sizes = Layout(
        period_ms, day, week, HEAD, ring_size, len(profile.horizons), n_experts, n_rates,
        n_features, weights_absolute, weights_squared, theta, stats, pending, entry, at,
    )  # fmt: skip
    return RowLayout(
        sizes,
        np.array(profile.horizons, np.int64),
        np.array(blocks, np.int64),
        experts,
        tuple(fields),
        _blank(sizes, profile.horizons, blocks),
    )


def _blank(sizes: Layout, horizons: tuple[int, ...], blocks: list[int]) -> NDArray[np.float64]:
    row = np.zeros(sizes.width)
    row[SLOT] = NEVER
    row[sizes.ring : sizes.ring + sizes.ring_size] = np.nan
    for horizon, block in zip(horizons, blocks, strict=True):
        for weights in (sizes.weights_absolute, sizes.weights_squared):
            row[block + weights : block + weights + sizes.experts] = 1.0 / sizes.experts
        for depth in range(horizon):
            row[block + sizes.pending + depth * sizes.entry + ORIGIN] = NEVER
    return row
