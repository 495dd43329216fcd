"""The experts of one horizon: what each predicts, and how each learns from its label. Compiled.

``kernel`` freezes the features of a forecast in its pending entry, asks the experts through
``ask``, and comes back with the label to ``teach`` them.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import Array, clamp, jit
from hedgerow.models.bank.layout import (
    CHANCE,
    CHANGE_DISTANCE,
    CHANGES,
    CLUES,
    DAY,
    DAY_MS,
    ENTRY_HEAD,
    HOLT_LEVEL,
    HOLT_TREND,
    HOUR_FEATURES,
    MEAN,
    NEGATIVE,
    PERSISTENCE,
    REPEATS_SLOW,
    ROOT_MEAN,
    ROOT_SCALE,
    ROOT_SHIFT,
    ROOT_SPREAD,
    ROOT_VARIANCE,
    SCALE,
    SHIFT,
    SURPRISE,
    VARIANCE,
    WEEK,
    Layout,
)
from hedgerow.models.experts.catalogue import POISSON
from hedgerow.models.experts.features import (
    CLIP_Z,
    damped_sum,
    look_back,
    look_back_season,
    pattern_bin,
    root,
    standard,
    time_of,
    unroot,
    usual_in,
    write_hour,
)
from hedgerow.models.experts.gradient import gradient_learn, gradient_predict
from hedgerow.models.experts.hold import (
    LEAST_REPEATS,
    held_median,
    learn_chance,
    learn_distance,
    repeat_chance,
    write_clues,
)
from hedgerow.models.experts.least_squares import (
    Single,
    correct,
    predict,
    small_learn,
    small_predict,
    small_reset,
    small_size,
)
from hedgerow.models.zone import ZoneTable, is_holiday, is_weekend, local_from

SMALL = small_size(HOUR_FEATURES)
HOUR_MEMORY = 0.995
HOLD_MEMORY = 0.9995
ROOT_SPREAD_MEMORY = 0.01


class Team(NamedTuple):
    """Where the families of experts stand and what they are set to."""

    pattern: int
    levels: int
    holt: int
    rls: int
    gradient: int
    hour: int
    hold: int
    outside: int
    kinds: NDArray[np.int64]
    rates: Array
    minimum: float
    maximum: float


class Place(NamedTuple):
    """One horizon of one row: where its parts lie."""

    horizon: int
    depth: int  # among the pending ones
    entry: int  # on the exact plane
    block: int
    single: int  # its block on the other plane
    origin: int  # features and gains of the reading it was made at
    slot: int  # of that reading


# Where things lie on the single-precision plane. Offsets, not slices: a compiled function that
# returns an array counts references; without that a step takes a third less time.


@jit
def hour_features_at(sizes: Layout, at: Place) -> int:
    """Return where the frozen features of the ``hour`` and ``hold`` experts begin."""
    return at.single + sizes.hour_pending + at.depth * HOUR_FEATURES


@jit
def clues_at(sizes: Layout, at: Place) -> int:
    """Return where the frozen clues of the ``hold`` expert begin."""
    behind = at.single + sizes.hour_pending + at.horizon * HOUR_FEATURES
    return behind + at.depth * CLUES


@jit
def hour_model_at(sizes: Layout, at: Place, day_ms: int) -> int:
    """Return where the small model of the part of the day around a local time begins."""
    return at.single + sizes.hour + day_ms * sizes.hour_bins // DAY_MS * SMALL


@jit
def hold_model_at(sizes: Layout, at: Place) -> int:
    """Return where the small model of the changes begins."""
    return at.single + sizes.hold


@jit
def forget_roots(single: Single, sizes: Layout, block: int) -> None:
    """Start the small models of a horizon anew: the scale they were learned on is gone."""
    for start in range(block + sizes.hour, block + sizes.chance, SMALL):
        small_reset(single[start : start + SMALL], HOUR_FEATURES)


@jit
def standing_at(sizes: Layout, outsider: int, slot: int) -> int:
    """Return where an outside expert's forecast for a slot stands: the slot, then the value."""
    return sizes.outside + 2 * (outsider * sizes.outside_slots + slot % sizes.outside_slots)


@jit
def stand(row: Array, sizes: Layout, outsider: int, slot: int, predicted: float) -> None:
    """Keep an outside expert's forecast for a slot until it is needed or replaced."""
    at = standing_at(sizes, outsider, slot)
    row[at] = slot
    row[at + 1] = predicted


@jit
def standing(row: Array, sizes: Layout, outsider: int, slot: int) -> float:
    """Return an outside expert's forecast for a slot, NaN if there is none."""
    at = standing_at(sizes, outsider, slot)
    predicted: float = row[at + 1]
    return predicted if row[at] == slot else math.nan


@jit
def freeze(
    row: Array, single: Single, sizes: Layout, team: Team, zone: ZoneTable, stretch: int, at: Place,
    k: int,
) -> int:  # fmt: skip
    """Freeze what the forecast of a horizon is made of, and return its target's time of day.

    Writes the naive predictions, the pattern's and the levels', and the features that depend on
    the target; ``k`` is the horizon's number, ``stretch`` the zone's at the reading.
    """
    entry, first = at.entry, at.entry + ENTRY_HEAD
    value = look_back(row, sizes, at.slot, 0)
    target_ms = local_from(zone, stretch, time_of(row, sizes, at.slot + at.horizon))
    day_ms = target_ms % DAY_MS
    holiday = is_holiday(zone, target_ms)
    usual = usual_in(row, single, sizes, pattern_bin(sizes, target_ms, holiday))
    day = look_back_season(row, sizes, at.slot, at.horizon, sizes.day)
    week = look_back_season(row, sizes, at.slot, at.horizon, sizes.week)
    row[first + PERSISTENCE], row[first + DAY], row[first + WEEK] = value, day, week
    if team.pattern >= 0:
        row[first + team.pattern] = usual
    if team.levels >= 0:
        for i in range(3):
            row[first + team.levels + i] = usual + row[SURPRISE + i]
    if team.holt >= 0:
        row[first + team.holt] = row[HOLT_LEVEL] + damped_sum(at.horizon) * row[HOLT_TREND]
    row[entry + ROOT_SHIFT], row[entry + ROOT_SCALE] = row[ROOT_MEAN], math.sqrt(row[ROOT_VARIANCE])
    for i in range(sizes.outsiders):
        # As all others, within what the series may do: one wild forecast among the first would
        # else outweigh all that follow.
        off = standing(row, sizes, i, at.slot + at.horizon) - row[MEAN]
        reach = CLIP_Z * math.sqrt(row[VARIANCE])
        row[first + team.outside + i] = row[MEAN] + clamp(off, reach)
    if sizes.features > 0:
        standardised = entry + sizes.standard
        row[standardised + SHIFT], row[standardised + SCALE] = row[MEAN], math.sqrt(row[VARIANCE])
        x = single[at.origin : at.origin + sizes.padded]
        usual_z = standard(row, usual, 0.0)
        common = sizes.features - 3 * sizes.horizons + 3 * k
        x[common] = np.float32(standard(row, day, usual_z))
        x[common + 1] = np.float32(standard(row, week, usual_z))
        x[common + 2] = np.float32(usual_z)
    if team.hour < 0 and team.hold < 0:
        return day_ms
    before = look_back(row, sizes, at.slot, 1)
    rest = holiday or is_weekend(target_ms)
    features = hour_features_at(sizes, at)
    frozen = single[features : features + HOUR_FEATURES]
    write_hour(row, frozen, value, before, usual, rest)
    if team.hold >= 0:
        chance = entry + sizes.held + CHANCE
        row[chance] = math.nan
        if row[REPEATS_SLOW] >= LEAST_REPEATS:
            angle = 2.0 * math.pi * day_ms / DAY_MS
            start = clues_at(sizes, at)
            write_clues(row, single[start : start + CLUES], angle)
            row[chance] = 0.0
    return day_ms


@jit
def floor_of(row: Array, team: Team) -> float:
    """Return the least value the series can have, as far as is known."""
    return max(-math.inf if row[NEGATIVE] == 1.0 else 0.0, team.minimum)


@jit
def ask(
    row: Array, single: Single, sizes: Layout, team: Team, at: Place, day_ms: int, external: Array,
    river: int,
) -> None:  # fmt: skip
    """Write every expert's prediction into the pending entry, NaN where it sleeps.

    ``day_ms`` is the target's local time of day; ``external`` holds the River plug-ins'
    predictions in standard deviations from the mean. Forecasts stay within what the series can
    be: a count is never negative.
    """
    first = at.entry + ENTRY_HEAD
    mean = deviation = 0.0
    if sizes.features > 0:
        standardised = at.entry + sizes.standard
        mean, deviation = row[standardised + SHIFT], row[standardised + SCALE]
    x = single[at.origin : at.origin + sizes.padded]
    for i in range(sizes.memories):
        theta = single[at.single + i * sizes.padded : at.single + (i + 1) * sizes.padded]
        row[first + team.rls + i] = mean + deviation * clamp(predict(theta, x), CLIP_Z)
    for i in range(sizes.gradients):
        start = at.single + sizes.gradient + 2 * i * sizes.padded
        z = gradient_predict(team.kinds[i], single[start : start + sizes.padded], x)
        if team.kinds[i] == POISSON:
            row[first + team.gradient + i] = math.nan
            if row[NEGATIVE] == 0.0 and mean > 0.0:
                row[first + team.gradient + i] = min(z * mean, mean + CLIP_Z * deviation)
        else:
            row[first + team.gradient + i] = mean + deviation * clamp(z, CLIP_Z)
    if team.hour >= 0:
        model = hour_model_at(sizes, at, day_ms)
        start = hour_features_at(sizes, at)
        frozen = single[start : start + HOUR_FEATURES]
        z = clamp(small_predict(single[model : model + SMALL], frozen), CLIP_Z)
        middle = unroot(row, row[at.entry + ROOT_SHIFT] + row[at.entry + ROOT_SCALE] * z)
        row[first + team.hour] = middle
        spread = 0.0 if row[NEGATIVE] == 1.0 else row[at.block + ROOT_SPREAD]
        row[first + team.hour + 1] = middle + spread
    if team.hold >= 0:
        row[first + team.hold] = math.nan
        if not math.isnan(row[at.entry + sizes.held + CHANCE]):
            _ask_hold(row, single, sizes, at, first + team.hold)
    for i in range(len(external)):
        row[first + river + i] = mean + deviation * clamp(external[i], CLIP_Z)
    floor = floor_of(row, team)
    for i in range(first + WEEK + 1, first + sizes.experts):
        if not math.isnan(row[i]):
            row[i] = min(max(row[i], floor), team.maximum)


@jit
def _ask_hold(row: Array, single: Single, sizes: Layout, at: Place, to: int) -> None:
    model, start = hold_model_at(sizes, at), hour_features_at(sizes, at)
    frozen = single[start : start + HOUR_FEATURES]
    z = clamp(small_predict(single[model : model + SMALL], frozen), CLIP_Z)
    changed = unroot(row, row[at.entry + ROOT_SHIFT] + row[at.entry + ROOT_SCALE] * z)
    start = at.single + sizes.chance
    seen = clues_at(sizes, at)
    chance = repeat_chance(single[start : start + CLUES], single[seen : seen + CLUES])
    row[at.entry + sizes.held + CHANCE] = chance
    value = row[at.entry + ENTRY_HEAD + PERSISTENCE]
    row[to] = held_median(value, chance, changed, row[at.block + CHANGE_DISTANCE])


@jit
def label_of(row: Array, standardised: int, value: float) -> float:
    """Return a value as linear experts and plug-ins learn it: standardised as at the forecast.

    ``standardised`` is where that one's mean and deviation stand.
    """
    shift, deviation = row[standardised + SHIFT], row[standardised + SCALE]
    return clamp((value - shift) / deviation, CLIP_Z) if deviation > 0.0 else 0.0


@jit
def teach(
    row: Array, single: Single, sizes: Layout, team: Team, at: Place, value: float, day_ms: int,
    scratch: Single,
) -> None:  # fmt: skip
    """Let every expert learn from the label of a pending forecast, of a local time of day."""
    if sizes.features > 0:
        _teach_linear(row, single, sizes, team, at, value)
    if team.hour >= 0 or team.hold >= 0:
        _teach_roots(row, single, sizes, team, at, value, day_ms, scratch)


@jit
def _teach_linear(
    row: Array, single: Single, sizes: Layout, team: Team, at: Place, value: float
) -> None:
    """Teach least squares and gradient learners, which work on the common features."""
    standardised = at.entry + sizes.standard
    mean, deviation = row[standardised + SHIFT], row[standardised + SCALE]
    label = label_of(row, standardised, value)
    x = single[at.origin : at.origin + sizes.padded]
    for i in range(sizes.memories):
        theta = single[at.single + i * sizes.padded : at.single + (i + 1) * sizes.padded]
        gain = single[at.origin + (1 + i) * sizes.padded : at.origin + (2 + i) * sizes.padded]
        correct(theta, gain, label - predict(theta, x))
    for i in range(sizes.gradients):
        start = at.single + sizes.gradient + 2 * i * sizes.padded
        state = single[start : start + 2 * sizes.padded]
        if team.kinds[i] != POISSON:
            gradient_learn(team.kinds[i], team.rates[i], state, x, label)
        elif row[NEGATIVE] == 0.0 and mean > 0.0:
            multiple = min(value / mean, 1.0 + CLIP_Z * deviation / mean)
            gradient_learn(team.kinds[i], team.rates[i], state, x, multiple)


@jit
def _teach_roots(
    row: Array, single: Single, sizes: Layout, team: Team, at: Place, value: float, day_ms: int,
    scratch: Single,
) -> None:  # fmt: skip
    """Teach the small models, which work on the scale of roots."""
    shift, scale = row[at.entry + ROOT_SHIFT], row[at.entry + ROOT_SCALE]
    if math.isnan(shift):  # made before the series was first negative
        return
    rooted = root(row, value)
    label = clamp((rooted - shift) / scale, CLIP_Z) if scale > 0.0 else 0.0
    start = hour_features_at(sizes, at)
    z = single[start : start + HOUR_FEATURES]
    if team.hour >= 0:
        start = hour_model_at(sizes, at, day_ms)
        model = single[start : start + SMALL]
        off = rooted - root(row, row[at.entry + ENTRY_HEAD + team.hour])
        row[at.block + ROOT_SPREAD] += ROOT_SPREAD_MEMORY * (
            off * off - row[at.block + ROOT_SPREAD]
        )
        small_learn(model, z, label, HOUR_MEMORY, scratch)
    if team.hold < 0 or math.isnan(row[at.entry + sizes.held + CHANCE]):
        return
    repeated = value == row[at.entry + ENTRY_HEAD + PERSISTENCE]
    start = at.single + sizes.chance
    seen = clues_at(sizes, at)
    learn_chance(single[start : start + CLUES], single[seen : seen + CLUES], repeated)
    if repeated:
        return
    start = hold_model_at(sizes, at)
    model = single[start : start + SMALL]
    changed = unroot(row, shift + scale * clamp(small_predict(model, z), CLIP_Z))
    row[at.block + CHANGES] += 1.0
    row[at.block + CHANGE_DISTANCE] = learn_distance(
        row[at.block + CHANGE_DISTANCE], row[at.block + CHANGES], abs(value - changed)
    )
    small_learn(model, z, label, HOLD_MEMORY, scratch)
