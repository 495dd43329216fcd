"""Which number of a series' state means what.

What is learned about one series is a row on each of two planes: float64 for what must be exact
(times, sums, scores, weights, values) and float32 for what is large and approximate (the
coefficients and covariances of least squares, features waiting for their label). ``Layout``
holds the offsets and sizes the compiled kernel needs; ``fields`` names every run of a row, so
that a snapshot can be read by name when a profile has changed. ``profile`` comes before;
``planes`` lays rows out by it, ``kernel`` and ``bank`` stand on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models import conformal
from hedgerow.models.alerts import anomaly, drift
from hedgerow.models.experts.catalogue import LEVEL_RATES, Plan

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
NEVER = -1e15  # a slot that no reading has

# Head of a row: offsets common to all layouts.
SLOT, PHASE, SEEN, MEAN, VARIANCE, NEGATIVE = range(6)
ROOT_MEAN, ROOT_VARIANCE, DEVIATION, DEVIATION_BEFORE = range(6, 10)
LEVEL = 10  # smoothed value, one for each of LEVEL_RATES
SURPRISE = LEVEL + 3  # smoothed deviation from the pattern, likewise
HOLT_LEVEL, HOLT_TREND, RUN, REPEATS_FAST, REPEATS_SLOW, USUAL_OFF = range(
    SURPRISE + 3, SURPRISE + 9
)

LONGEST_RUN, BREACH_BY_LIMIT, LIMITS_BEYOND = range(SURPRISE + 9, SURPRISE + 12)
BASE = SURPRISE + 12  # first value: the weekly pattern counts from it

# One alert rule's state, KINDS of them from ALERTS on; what the anomaly score remembers follows.
ALERTS = SURPRISE + 13
OPEN, OPENING_OFFSET, OPENED_MS, QUIET, ALERT_SIZE = range(5)
BOUND, FORECAST_BREACH, ANOMALY, DRIFT, STUCK, KINDS = range(6)
SILENT = KINDS  # told from the other series, and not kept in the row
EXTREMES = ALERTS + KINDS * ALERT_SIZE
HEAD = EXTREMES + anomaly.SIZE  # without the rule about anomalies a row's head ends before them

# Scores at the start of a horizon's block.
N, ABSOLUTE_ERROR, SQUARED_ERROR = range(3)
REFERENCES = 3  # per reference: paired n, our absolute error, the reference's
COVERED, WITH_INTERVAL, WIDTH_SUM = range(12, 15)
SCORES = 15
# Scales, then the states of interval and drift, after the scores.
LABELS, SCALE_ABSOLUTE, ROOT_SPREAD, CHANGES, CHANGE_DISTANCE = range(SCORES, SCORES + 5)
INTERVAL = SCORES + 5
DRIFT_STATE = INTERVAL + conformal.SIZE
BLOCK_HEAD = DRIFT_STATE + drift.SIZE

# A pending forecast; the predictions of the experts follow, then what only some experts need.
ORIGIN, PUBLISHED, PREDICTED, EXPECTED, LOWER, UPPER, UNIT, WEIGHED, WEIGHED_MEAN = range(9)
ROOT_SHIFT, ROOT_SCALE, ENTRY_HEAD = range(9, 12)
SHIFT, SCALE = range(2)  # from ``Layout.standard`` on: of linear experts and plug-ins
CONTEXT, CHANCE = range(2)  # from ``Layout.held`` on: of ``hold``

# A bin of the weekly pattern: its mean less the base, and how often it was seen.
OFF_BASE, VISITS, PATTERN_SIZE = range(3)

PERSISTENCE, DAY, WEEK = range(3)
CONTEXTS = 4  # by how often the value has just been repeated, where ``hold`` is in the team
HOUR_FEATURES = 7
CLUES = 9
COMPANIONS_OWN = 6  # features of the series itself, its pattern at the targets excepted
SIGNAL_FEATURES = 3  # of each companion

COMMON_FEATURES = (
    "bias",
    *(f"lag_{k}" for k in range(4)),
    *(f"level_{rate:g}" for rate in LEVEL_RATES),
    "deviation",
    "deviation_before",
    "surprise",
    "day_ago",
    "week_ago",
    *(f"day_{f}_{k}" for k in range(1, 5) for f in ("sin", "cos")),
    "week_sin_1",
    "week_cos_1",
)
TARGET_FEATURES = ("day_at_target", "week_at_target", "pattern_at_target")


class Layout(NamedTuple):
    """Integer offsets and sizes for the kernel; offsets in a block count from its start."""

    period_ms: int
    day: int  # slots in a day, 0 where a day does not fit the grid or the ring
    week: int
    bins: int  # of the weekly pattern
    ring: int
    ring_size: int
    outside: int  # standing forecasts of outside experts
    outside_slots: int
    outsiders: int
    horizons: int
    longest: int  # horizon
    experts: int
    features: int  # used, 0 where nobody is there to use them
    padded: int  # stored: a multiple of eight
    memories: int
    gradients: int
    hour_bins: int
    places: int  # for companions, 0 without the expert
    company: int  # features of the expert on companions, stored: a multiple of eight
    # in a horizon's block of the exact plane
    regrets: int
    contexts: int
    table: int  # its size
    tables_absolute: int
    table_squared: int
    pending: int
    entry: int
    standard: int  # in a pending forecast, likewise the next
    held: int
    width: int
    # on the single-precision plane
    hours: int  # of the anomaly score
    pattern: int
    covariances: int
    origins: int
    origin: int
    company_covariance: int
    company_origins: int
    # in a horizon's block of the single-precision plane
    theta: int
    gradient: int
    hour: int
    hold: int
    chance: int
    hour_pending: int
    company_theta: int  # the running squared error on the scale of roots follows
    single_width: int


@dataclass(frozen=True, slots=True)
class Field:
    """A named run of a row.

    Attributes
    ----------
    name : str
    offset, size : int
    single : bool
        Whether it lies on the single-precision plane.
    """

    name: str
    offset: int
    size: int
    single: bool = False


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The layout of all rows of a (profile, period).

    Attributes
    ----------
    sizes : Layout
        For the kernel.
    plan : Plan
        Which expert stands where.
    horizons, blocks, single_blocks : ndarray of int64
        Each horizon and the offset of its block in a row, on either plane.
    features : tuple of str
        Names of the features, in their order.
    fields : tuple of Field
        Every run of a row by name.
    blank : ndarray of float64
        A row that has seen nothing.
    blank_single : ndarray of float32
        The same on the other plane.
    """

    sizes: Layout
    plan: Plan
    horizons: NDArray[np.int64]
    blocks: NDArray[np.int64]
    single_blocks: NDArray[np.int64]
    features: tuple[str, ...]
    fields: tuple[Field, ...]
    blank: NDArray[np.float64]
    blank_single: NDArray[np.float32]

    @property
    def experts(self) -> tuple[str, ...]:
        """Names of the experts, in the order of every weight vector."""
        return self.plan.names


def slots_in(span_ms: int, period_ms: int) -> int:
    """Return how many slots a day or week has, 0 if the grid misses it by half an hour."""
    count = round(span_ms / period_ms)
    return count if count > 0 and abs(count * period_ms - span_ms) <= DAY_MS // 48 else 0


def feature_names(horizons: tuple[int, ...]) -> tuple[str, ...]:
    """Name the features of a profile's linear experts.

    Examples
    --------
    >>> feature_names((1,))[-3:]
    ('day_at_target_1', 'week_at_target_1', 'pattern_at_target_1')
    """
    return COMMON_FEATURES + tuple(f"{f}_{h}" for h in horizons for f in TARGET_FEATURES)


def company_features(horizons: int, places: int) -> int:
    """Return how many features the expert on companions has.

    Examples
    --------
    >>> company_features(3, 1)
    12
    """
    return COMPANIONS_OWN + horizons + SIGNAL_FEATURES * places if places else 0
