"""Which number of a series' state means what.

What is learned about one series is a row on each of two planes: float64 for what must be exact
(times, sums, scores, weights, values) and float32 for what is large and approximate (the
coefficients and covariances of least squares, features waiting for their label). ``Layout``
holds the offsets and sizes the compiled kernel needs; ``fields`` names every run of a row, so
that a snapshot can be read by name when a profile has changed. ``profile`` comes before,
``kernel`` and ``bank`` stand on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models import conformal
from hedgerow.models.aggregation import RULES, TABLE_HEAD, table_size
from hedgerow.models.alerts import anomaly, drift
from hedgerow.models.experts.catalogue import LEVEL_RATES, Plan, plan
from hedgerow.models.experts.least_squares import small_size
from hedgerow.models.profile import Profile

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
MAX_RING = 12_000
MOST_PATTERN_BINS = 336  # half hours of a week
MOST_OUTSIDE = 600  # slots ahead that forecasts of outside experts are kept for
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


def row_layout(profile: Profile, period_ms: int, places: int | None = None) -> RowLayout:
    """Lay out the rows of a profile's series of one period.

    ``places`` is for how many companions there is room, the profile's where left out.
    """
    places = profile.places if places is None else places
    experts = plan(
        profile.experts,
        profile.outside,
        tuple(expert.name for expert in profile.river),
        companions=places > 0,
    )
    day, week = slots_in(DAY_MS, period_ms), slots_in(WEEK_MS, period_ms)
    week = week if week < MAX_RING else 0
    day = day if day < MAX_RING else 0
    ring_size = max(day, week, 3) + 1
    linear = bool(experts.memories or experts.linear or profile.river)
    features = feature_names(profile.horizons) if linear else ()
    bins = min(max(week, 1), MOST_PATTERN_BINS)
    exact = _Exact(profile, experts, ring_size, max(day, 1), standard=2 if linear else 0)
    single = _Single(profile, experts, bins, features, places)
    sizes = Layout(
        period_ms=period_ms,
        day=day,
        week=week,
        bins=bins,
        ring=exact.ring,
        ring_size=ring_size,
        outside=exact.outside,
        outside_slots=exact.outside_slots,
        outsiders=len(profile.outside),
        horizons=len(profile.horizons),
        longest=max(profile.horizons),
        experts=len(experts.names),
        features=len(features),
        padded=single.padded,
        memories=len(experts.memories),
        gradients=len(experts.linear),
        hour_bins=experts.bins,
        places=places,
        company=single.company,
        regrets=BLOCK_HEAD,
        contexts=exact.contexts,
        table=exact.table,
        tables_absolute=exact.tables_absolute,
        table_squared=exact.table_squared,
        pending=exact.pending,
        entry=exact.entry,
        standard=exact.standard,
        held=exact.held,
        width=exact.width,
        hours=0,
        pattern=single.pattern,
        covariances=single.covariances,
        origins=single.origins,
        origin=single.origin,
        company_covariance=single.company_covariance,
        company_origins=single.company_origins,
        theta=0,
        gradient=single.gradient,
        hour=single.hour,
        hold=single.hold,
        chance=single.chance,
        hour_pending=single.hour_pending,
        company_theta=single.company_theta,
        single_width=single.width,
    )
    return RowLayout(
        sizes,
        experts,
        np.array(profile.horizons, np.int64),
        np.array(exact.blocks, np.int64),
        np.array(single.blocks, np.int64),
        features,
        tuple(exact.fields + single.fields),
        _blank(sizes, profile, exact.blocks),
        _blank_single(sizes, features, single.blocks),
    )


class _Exact:
    """Lays out the exact plane."""

    def __init__(
        self, profile: Profile, experts: Plan, ring_size: int, day: int, *, standard: int
    ) -> None:
        count = len(experts.names)
        self.contexts = CONTEXTS if experts.hold >= 0 else 1
        self.table = table_size(RULES.index(profile.aggregation), count)
        self.tables_absolute = BLOCK_HEAD + count
        self.table_squared = self.tables_absolute + self.contexts * self.table
        self.pending = self.table_squared + self.table
        self.standard = ENTRY_HEAD + count
        self.held = self.standard + standard
        self.entry = self.held + (2 if experts.hold >= 0 else 0)
        self.blocks: list[int] = []
        self.fields = [
            Field("clock", SLOT, SEEN - SLOT),
            Field("standardiser", SEEN, DEVIATION - SEEN),
            Field("smoothed", DEVIATION, LONGEST_RUN - DEVIATION),
            Field("longest_run", LONGEST_RUN, 1),
            Field("breach", BREACH_BY_LIMIT, BASE - BREACH_BY_LIMIT),
            Field("base", BASE, 1),
            Field("alerts", ALERTS, STUCK * ALERT_SIZE),
            Field("alerts_stuck", ALERTS + STUCK * ALERT_SIZE, ALERT_SIZE),
        ]
        if profile.alerts.anomaly:
            self.fields.append(Field("extremes", EXTREMES, anomaly.SIZE))
        self.ring = HEAD if profile.alerts.anomaly else EXTREMES
        self.fields.append(Field("ring", self.ring, ring_size))
        at = self.outside = self.ring + ring_size
        self.outside_slots = 0
        if profile.outside:
            # Two days ahead, or as far as the longest horizon.
            self.outside_slots = max(*profile.horizons, min(2 * day, MOST_OUTSIDE)) + 1
        for expert in profile.outside:
            self.fields.append(Field(f"outside.{expert}", at, 2 * self.outside_slots))
            at += 2 * self.outside_slots
        named = ",".join(experts.names)
        for horizon in profile.horizons:
            self.blocks.append(at)
            h = f"h{horizon}"
            self.fields += [
                Field(f"{h}.scores", at, SCORES),
                Field(f"{h}.distances", at + LABELS, INTERVAL - LABELS),
                Field(f"{h}.interval@{profile.interval_level!r}", at + INTERVAL, conformal.SIZE),
                Field(f"{h}.drift", at + DRIFT_STATE, drift.SIZE),
                *(
                    Field(f"{h}.regret.{expert}", at + BLOCK_HEAD + i, 1)
                    for i, expert in enumerate(experts.names)
                ),
                *self._tables(f"{h}.{profile.aggregation}", at, experts.names),
                Field(f"{h}.pending[{named}]", at + self.pending, horizon * self.entry),
            ]
            at += self.pending + horizon * self.entry
        self.width = at

    def _tables(self, name: str, block: int, experts: tuple[str, ...]) -> list[Field]:
        """Name the parts of a horizon's tables: the head and each expert's numbers."""
        fields = []
        at = block + self.tables_absolute
        for table in (*(f"absolute_{context}" for context in range(self.contexts)), "squared"):
            fields.append(Field(f"{name}.{table}", at, TABLE_HEAD))
            end = at + self.table
            at += TABLE_HEAD
            for part in ("regret", "squares", "weight"):
                if at < end:
                    for expert in experts:
                        fields.append(Field(f"{name}.{table}.{part}.{expert}", at, 1))
                        at += 1
        return fields


class _Single:
    """Lays out the single-precision plane."""

    def __init__(
        self, profile: Profile, experts: Plan, bins: int, features: tuple[str, ...], places: int
    ) -> None:
        self.padded = (len(features) + 7) // 8 * 8
        d, memories = self.padded, len(experts.memories)
        hour, hold = small_size(HOUR_FEATURES), 0
        if experts.hold >= 0:
            hold = small_size(HOUR_FEATURES)
        hours = anomaly.HOURS_SIZE if profile.alerts.anomaly else 0
        self.pattern = hours
        self.covariances = self.pattern + bins * PATTERN_SIZE
        self.origins = self.covariances + memories * d * d
        self.origin = (1 + memories) * d
        longest = max(profile.horizons)
        names = ",".join(features)
        parts = [
            *([("extremes.hours", 0, hours)] if hours else []),
            ("pattern", self.pattern, bins * PATTERN_SIZE),
            *(
                (f"covariance.rls_{m:g}[{names}]", self.covariances + i * d * d, d * d)
                for i, m in enumerate(experts.memories)
            ),
            (f"origins[{experts.memories}{names}]", self.origins, longest * self.origin),
        ]
        at = self.origins + longest * self.origin
        self.company = (company_features(len(profile.horizons), places) + 7) // 8 * 8
        # Not the neighbours' names: those of one more sensor would start all others anew.
        company = f"companions[{profile.horizons}{profile.companions}{places}]"
        self.company_covariance, self.company_origins = at, at + self.company**2
        parts += [
            (f"covariance.{company}", at, self.company**2),
            (f"origins.{company}", self.company_origins, longest * 2 * self.company),
        ]
        at = self.company_origins + longest * 2 * self.company
        self.fields = [Field(n, o, size, single=True) for n, o, size in parts if size]
        self.gradient = memories * d
        self.hour = self.gradient + len(experts.linear) * 2 * d
        self.hold = self.hour + experts.bins * hour
        self.chance = self.hold + hold
        self.company_theta = self.chance + (CLUES if hold else 0)
        self.hour_pending = self.company_theta + (self.company + 1 if self.company else 0)
        self.blocks: list[int] = []
        for horizon in profile.horizons:
            self.blocks.append(at)
            h = f"h{horizon}"
            end = self.hour_pending + horizon * (HOUR_FEATURES + (CLUES if hold else 0))
            parts = [
                *((f"theta.rls_{m:g}[{names}]", i * d, d) for i, m in enumerate(experts.memories)),
                *(
                    (
                        f"{experts.names[experts.gradient + i]}[{names}]",
                        self.gradient + 2 * i * d,
                        2 * d,
                    )
                    for i in range(len(experts.linear))
                ),
                (f"hour_{experts.bins}", self.hour, experts.bins * hour),
                ("hold", self.hold, self.company_theta - self.hold),
                (
                    f"theta.{company}",
                    self.company_theta,
                    self.hour_pending - self.company_theta,
                ),
                (
                    f"waiting[hour_{experts.bins},{hold}]",
                    self.hour_pending,
                    end - self.hour_pending,
                ),
            ]
            self.fields += [
                Field(f"{h}.{name}", at + offset, size, single=True)
                for name, offset, size in parts
                if size
            ]
            at += end
        self.width = at


def company_features(horizons: int, places: int) -> int:
    """Return how many features the expert on companions has.

    Examples
    --------
    >>> company_features(3, 1)
    12
    """
    return COMPANIONS_OWN + horizons + SIGNAL_FEATURES * places if places else 0


def _blank(sizes: Layout, profile: Profile, blocks: list[int]) -> NDArray[np.float64]:
    row = np.zeros(sizes.width)
    row[SLOT] = NEVER
    row[sizes.ring : sizes.ring + sizes.ring_size] = np.nan
    row[sizes.outside : sizes.outside + 2 * sizes.outsiders * sizes.outside_slots] = NEVER
    tail = (1.0 - profile.interval_level) / 2.0
    for horizon, block in zip(profile.horizons, blocks, strict=True):
        conformal.conformal_reset(row[block + INTERVAL : block + DRIFT_STATE], tail, horizon)
        drift.drift_reset(row[block + DRIFT_STATE : block + BLOCK_HEAD], DAY_MS / sizes.period_ms)
        for depth in range(horizon):
            row[block + sizes.pending + depth * sizes.entry + ORIGIN] = NEVER
    return row


def _blank_single(
    sizes: Layout, features: tuple[str, ...], blocks: list[int]
) -> NDArray[np.float32]:
    row = np.zeros(sizes.single_width, np.float32)
    prior = np.zeros(sizes.padded, np.float32)
    prior[: len(features)] = 1.0
    for i, name in enumerate(features):
        # What is never known gets no variance, or forgetting would let it grow for ever.
        if (
            name.startswith("day_a")
            and not sizes.day
            or name.startswith("week_a")
            and not sizes.week
        ):
            prior[i] = 0.0
    for memory in range(sizes.memories):
        at = sizes.covariances + memory * sizes.padded**2
        row[at : at + sizes.padded**2] = np.diag(prior).ravel()
    at = sizes.company_covariance
    used = np.arange(sizes.company) < company_features(sizes.horizons, sizes.places)
    row[at : at + sizes.company**2] = np.diag(used.astype(np.float32)).ravel()
    size = small_size(HOUR_FEATURES)
    model = np.zeros(size, np.float32)
    model[[i * (i + 3) // 2 for i in range(HOUR_FEATURES)]] = 1.0
    for block in blocks:
        for at in range(block + sizes.hour, block + sizes.chance, size):
            row[at : at + size] = model
    return row
