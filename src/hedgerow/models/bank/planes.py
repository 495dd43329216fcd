"""Laying out the rows of a profile's series: which run of numbers follows which on either plane.

Before: `layout` has the numbers that all rows share, and what a layout says. After: `bank` makes
rows by it, and the kernel walks them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hedgerow.models import conformal
from hedgerow.models.aggregation import RULES, TABLE_HEAD, table_size
from hedgerow.models.alerts import anomaly, drift
from hedgerow.models.bank.layout import (
    ALERT_SIZE,
    ALERTS,
    BASE,
    BLOCK_HEAD,
    BREACH_BY_LIMIT,
    CLUES,
    CONTEXTS,
    DAY_MS,
    DEVIATION,
    DRIFT_STATE,
    ENTRY_HEAD,
    EXTREMES,
    HEAD,
    HOUR_FEATURES,
    INTERVAL,
    LABELS,
    LONGEST_RUN,
    NEVER,
    ORIGIN,
    PATTERN_SIZE,
    SCORES,
    SEEN,
    SLOT,
    STUCK,
    WEEK_MS,
    Field,
    Layout,
    RowLayout,
    company_features,
    feature_names,
    slots_in,
)
from hedgerow.models.experts.catalogue import Plan, plan
from hedgerow.models.experts.least_squares import small_size
from hedgerow.models.profile import Profile

MAX_RING = 12_000
MOST_PATTERN_BINS = 336  # half hours of a week
MOST_OUTSIDE = 600  # slots ahead that forecasts of outside experts are kept for


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
    exact = _ExactPlane(profile, experts, ring_size, max(day, 1), standard=2 if linear else 0)
    single = _SinglePlane(profile, experts, bins, features, places)
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


class _ExactPlane:
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


class _SinglePlane:
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
