"""Adding up what a pending forecast was made of, from the row it stands in. Compiled.

Before: ``bank/kernel`` has forecast at a series' last reading; until its next one everything that
went into those forecasts still stands in its row. After: ``explain`` names the sums.

An expert's prediction is a level plus what each input adds. Where it is linear that is θ_j x_j, in
the unit of the series. Where a sum C = Σ c_j goes through a curve g (the square of the scale of
roots, the exponential of the Poisson expert), each part gets c_j (g(C) − g(0)) / C: its share by
the mean slope on the way, the Aumann–Shapley value [1]_. What a limit cuts off is a part of its
own, so that the parts always sum to what the expert said.

As with ``bank/kernel``: after a change in a module this draws on, touch this file.

References
----------
.. [1] R. Aumann and L. Shapley, "Values of Non-Atomic Games", Princeton 1974; on models of this
   kind M. Sundararajan, A. Taly & Q. Yan, "Axiomatic attribution for deep networks", ICML 2017.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.aggregation import weigh
from hedgerow.models.alerts.drift import drift_offset
from hedgerow.models.arithmetic import Array, clamp, jit
from hedgerow.models.bank.layout import (
    BLOCK_HEAD,
    CHANCE,
    CHANGE_DISTANCE,
    CONTEXT,
    DAY,
    DAY_MS,
    DRIFT_STATE,
    ENTRY_HEAD,
    EXPECTED,
    HOLT_LEVEL,
    HOLT_TREND,
    HOUR_FEATURES,
    INTERVAL,
    MEAN,
    NEGATIVE,
    ORIGIN,
    PERSISTENCE,
    PREDICTED,
    ROOT_SCALE,
    ROOT_SHIFT,
    ROOT_SPREAD,
    SCALE,
    SHIFT,
    SLOT,
    SURPRISE,
    WEEK,
    WEIGHED,
    WEIGHED_MEAN,
    Layout,
)
from hedgerow.models.bank.rows import Setup, context_table, place
from hedgerow.models.conformal import usual_error
from hedgerow.models.experts.catalogue import POISSON
from hedgerow.models.experts.companions import company_at
from hedgerow.models.experts.ensemble import (
    SMALL,
    Place,
    hold_model_at,
    hour_features_at,
    hour_model_at,
)
from hedgerow.models.experts.features import CLIP_Z, damped_sum, pattern_bin, time_of, usual_in
from hedgerow.models.experts.gradient import MOST_LOG
from hedgerow.models.experts.hold import held_median
from hedgerow.models.experts.least_squares import Single
from hedgerow.models.explanation import inputs as of
from hedgerow.models.explanation.inputs import InputMap
from hedgerow.models.zone import is_holiday, local_from, stretch_of

(
    LEVEL, LAST, SMOOTHED, DEVIATION, PATTERN, YESTERDAY, LAST_WEEK, TREND, REPEAT, SPREAD, OUTSIDE,
    MODEL, DRIFT, LIMITS, INPUTS,
) = (
    of.LEVEL, of.LAST, of.SMOOTHED, of.DEVIATION, of.PATTERN, of.YESTERDAY, of.LAST_WEEK, of.TREND,
    of.REPEAT, of.SPREAD, of.OUTSIDE, of.MODEL, of.DRIFT, of.LIMITS, of.INPUTS,
)  # fmt: skip
MEDIAN_OF, MEAN_OF = range(2)  # lines of weights and sums: for ``predicted`` and for ``mean``
ABSENT, OTHER_WEIGHTS, EXPLAINED = range(3)
_ROUNDING = 1e-12  # of the largest part


class Ledger(NamedTuple):
    """What the forecast of one horizon was made of; K experts, I inputs.

    Attributes
    ----------
    parts : ndarray of float64, shape (K, I)
        What each input brought to each expert; a line sums to what the expert said.
    weights : ndarray of float64, shape (2, K)
        For ``predicted`` and for ``mean``.
    sums : ndarray of float64, shape (2, I)
        The parts under those weights, the drift's correction and the limits with them: a line
        sums to the forecast.
    """

    parts: Array
    weights: Array
    sums: Array


def empty_ledger(experts: int) -> Ledger:
    """Make room for one horizon of a bank with so many experts."""
    return Ledger(np.zeros((experts, INPUTS)), np.zeros((2, experts)), np.zeros((2, INPUTS)))


@jit
def explain_horizon(
    row: Array, single: Single, setup: Setup, inputs: InputMap, k: int, ledger: Ledger
) -> int:
    """Fill the ledger of the ``k``-th horizon's forecast made at a row's last reading.

    Returns ``EXPLAINED``, or why it cannot be: ``ABSENT`` where there is no such forecast,
    ``OTHER_WEIGHTS`` where the weights in the row do not give what was forecast, since the
    profile has changed after it.
    """
    sizes = setup.sizes
    slot = int(row[SLOT])
    at = place(setup, k, slot)
    ledger.parts[:] = 0.0
    ledger.sums[:] = 0.0
    if row[at.entry + ORIGIN] != slot:
        return ABSENT
    stretch = stretch_of(setup.zone, time_of(row, sizes, slot))
    target_ms = local_from(setup.zone, stretch, time_of(row, sizes, slot + at.horizon))
    day_ms = target_ms % DAY_MS
    bin_then = pattern_bin(sizes, target_ms, is_holiday(setup.zone, target_ms))
    usual = usual_in(row, single, sizes, bin_then)
    _plain(row, setup, at, usual, ledger.parts)
    _linear(row, single, setup, inputs, at, k, ledger.parts)
    _by_hour(row, single, setup, inputs, at, day_ms, ledger.parts)
    _by_company(row, single, setup, inputs, at, k, ledger.parts)
    _cut(row, sizes, at, ledger.parts)
    return _weighed(row, setup, at, day_ms / DAY_MS, ledger)


@jit
def explain_rows(
    exact: Array,
    single: Single,
    setup: Setup,
    inputs: InputMap,
    where: NDArray[np.int64],
    positions: NDArray[np.int64],
    scratch: Ledger,
    said: Array,
    weights: Array,
    sums: Array,
) -> None:
    """Explain the last forecasts of several rows; ``said``, ``weights`` and ``sums`` are written.

    Their lines are those of ``positions``, then come horizon, loss (but not in ``said``) and
    expert or input. What cannot be explained is NaN.
    """
    for i in range(len(positions)):
        row, small = exact[where[i]], single[where[i]]
        for k in range(len(setup.horizons)):
            first = place(setup, k, int(row[SLOT])).entry + ENTRY_HEAD
            for j in range(setup.sizes.experts):
                said[positions[i], k, j] = row[first + j]
            verdict = explain_horizon(row, small, setup, inputs, k, scratch)
            for loss in range(2):
                for j in range(setup.sizes.experts):
                    weight = scratch.weights[loss, j]
                    weights[positions[i], k, loss, j] = weight if verdict == EXPLAINED else math.nan
                for j in range(INPUTS):
                    part = scratch.sums[loss, j]
                    sums[positions[i], k, loss, j] = part if verdict == EXPLAINED else math.nan


@jit
def _plain(row: Array, setup: Setup, at: Place, usual: float, parts: Array) -> None:
    """Write the parts of the experts that need no coefficients, from the mean of the series on."""
    sizes, team = setup.sizes, setup.team
    first, mean = at.entry + ENTRY_HEAD, row[MEAN]
    for i in range(WEEK + 1):
        parts[i, LEVEL] = mean
    parts[PERSISTENCE, LAST] = row[first + PERSISTENCE] - mean
    parts[DAY, YESTERDAY] = row[first + DAY] - mean
    parts[WEEK, LAST_WEEK] = row[first + WEEK] - mean
    if team.pattern >= 0:
        parts[team.pattern, LEVEL], parts[team.pattern, PATTERN] = mean, usual - mean
    if team.levels >= 0:
        for i in range(3):
            parts[team.levels + i, LEVEL] = mean
            parts[team.levels + i, PATTERN] = usual - mean
            parts[team.levels + i, DEVIATION] = row[SURPRISE + i]
    if team.holt >= 0:
        parts[team.holt, LEVEL], parts[team.holt, SMOOTHED] = mean, row[HOLT_LEVEL] - mean
        parts[team.holt, TREND] = damped_sum(at.horizon) * row[HOLT_TREND]
    for i in range(sizes.outsiders):
        outsider = team.outside + i
        parts[outsider, LEVEL], parts[outsider, OUTSIDE] = mean, row[first + outsider] - mean
    if setup.river >= 0:
        for i in range(setup.river, sizes.experts):
            shift = row[at.entry + sizes.standard + SHIFT]
            parts[i, LEVEL], parts[i, MODEL] = shift, row[first + i] - shift


@jit
def _add_up(theta: Single, x: Single, to: NDArray[np.int64], parts: Array) -> float:
    """Add what each feature adds to θ·x; return that, summed as ``predict`` does.

    A feature's part is by how much it moves the running sum in single precision, so that the
    parts sum to the very number that was predicted.
    """
    total = np.float32(0.0)
    for i in range(len(x)):
        before = np.float64(total)
        total += theta[i] * x[i]
        parts[to[i]] += np.float64(total) - before
    return float(total)


@jit
def _cut_z(parts: Array, z: float, limit: float) -> float:
    """Cut a sum as the experts do, what is cut off being a part."""
    kept = clamp(z, limit)
    parts[LIMITS] += kept - z
    return kept


@jit
def _stretch(parts: Array, slope: float, level: float) -> None:
    """Bring parts into the unit of the series, and put the level under them."""
    for j in range(INPUTS):
        parts[j] *= slope
    parts[LEVEL] = level


@jit
def _linear(
    row: Array, single: Single, setup: Setup, inputs: InputMap, at: Place, k: int, parts: Array
) -> None:
    """Write the parts of least squares and gradient learners."""
    sizes, team = setup.sizes, setup.team
    if sizes.features == 0:
        return
    standardised = at.entry + sizes.standard
    mean, deviation = row[standardised + SHIFT], row[standardised + SCALE]
    x = single[at.origin : at.origin + sizes.padded]
    for i in range(sizes.memories):
        theta = single[at.single + i * sizes.padded : at.single + (i + 1) * sizes.padded]
        mine = parts[team.rls + i]
        z = _add_up(theta, x, inputs.common[k], mine)
        _cut_z(mine, z, CLIP_Z)
        _stretch(mine, deviation, mean)
    for i in range(sizes.gradients):
        start = at.single + sizes.gradient + 2 * i * sizes.padded
        mine = parts[team.gradient + i]
        z = _add_up(single[start : start + sizes.padded], x, inputs.common[k], mine)
        if team.kinds[i] == POISSON:
            z = _cut_z(mine, z, MOST_LOG)
            _stretch(mine, mean * (math.expm1(z) / z if z != 0.0 else 1.0), mean)
        else:
            _cut_z(mine, z, CLIP_Z)
            _stretch(mine, deviation, mean)


@jit
def _unrooted(row: Array, at: Place, z: float, parts: Array) -> float:
    """Bring parts from standard deviations of roots into the unit of the series; return the sum.

    With s the mean of the roots and r the root forecast, r² = s² + (r − s)(s + r).
    """
    z = _cut_z(parts, z, CLIP_Z)
    shift, scale = row[at.entry + ROOT_SHIFT], row[at.entry + ROOT_SCALE]
    if row[NEGATIVE] == 1.0:
        _stretch(parts, scale, shift)
        return float(shift + scale * z)
    rooted = shift + scale * z
    kept: float = max(rooted, 0.0)
    _stretch(parts, scale * (shift + kept), shift * shift)
    parts[LIMITS] += (kept - rooted) * (shift + kept)
    return kept * kept


@jit
def _by_hour(
    row: Array, single: Single, setup: Setup, inputs: InputMap, at: Place, day_ms: int, parts: Array
) -> None:
    """Write the parts of the small models: of a part of the day, and of what a change brings."""
    sizes, team = setup.sizes, setup.team
    if team.hour < 0 and team.hold < 0:
        return
    start = hour_features_at(sizes, at)
    x = single[start : start + HOUR_FEATURES]
    if team.hour >= 0:
        end = hour_model_at(sizes, at, day_ms) + SMALL
        theta = single[end - HOUR_FEATURES : end]
        for i in range(2):
            mine = parts[team.hour + i]
            z = _add_up(theta, x, inputs.hour, mine)
            _unrooted(row, at, z, mine)
        spread = 0.0 if row[NEGATIVE] == 1.0 else row[at.block + ROOT_SPREAD]
        parts[team.hour + 1, SPREAD] = spread
    if team.hold < 0 or math.isnan(row[at.entry + sizes.held + CHANCE]):
        return
    mine = parts[team.hold]
    end = hold_model_at(sizes, at) + SMALL
    z = _add_up(single[end - HOUR_FEATURES : end], x, inputs.hour, mine)
    changed = _unrooted(row, at, z, mine)
    value = row[at.entry + ENTRY_HEAD + PERSISTENCE]
    chance, distance = row[at.entry + sizes.held + CHANCE], row[at.block + CHANGE_DISTANCE]
    held = held_median(value, chance, changed, distance)
    if held == value:
        for j in range(INPUTS):
            mine[j] = 0.0
        mine[LEVEL], mine[LAST] = row[MEAN], value - row[MEAN]
    else:
        mine[REPEAT] = held - changed


@jit
def _by_company(
    row: Array, single: Single, setup: Setup, inputs: InputMap, at: Place, k: int, parts: Array
) -> None:
    """Write the parts of the expert on companions, its median and its mean."""
    sizes = setup.sizes
    if sizes.company == 0:
        return
    start = company_at(sizes, at.slot)
    if single[start] == np.float32(0.0):
        return
    theta = at.single + sizes.company_theta
    for i in range(2):
        mine = parts[setup.companions + i]
        z = _add_up(
            single[theta : theta + sizes.company],
            single[start : start + sizes.company],
            inputs.company[k],
            mine,
        )
        _unrooted(row, at, z, mine)
    if row[NEGATIVE] == 0.0:
        spread = float(single[theta + sizes.company]) * row[at.entry + ROOT_SCALE] ** 2
        parts[setup.companions + 1, SPREAD] = spread


@jit
def _cut(row: Array, sizes: Layout, at: Place, parts: Array) -> None:
    """Let every expert's parts sum to what it said, within what the series can be."""
    first = at.entry + ENTRY_HEAD
    for i in range(sizes.experts):
        if math.isnan(row[first + i]):
            parts[i] = 0.0
            continue
        total = 0.0
        largest = abs(row[first + i])
        for j in range(INPUTS):
            total += parts[i, j]
            largest = max(largest, abs(parts[i, j]))
        off = row[first + i] - total
        if abs(off) > _ROUNDING * largest:  # else it is how the sum was rounded
            parts[i, LIMITS] += off


@jit
def _weighed(row: Array, setup: Setup, at: Place, day_share: float, ledger: Ledger) -> int:
    """Weigh the parts as the forecast was, and add what came after the weighing."""
    sizes, size = setup.sizes, setup.sizes.table
    first = at.entry + ENTRY_HEAD
    predictions = row[first : first + sizes.experts]
    context = int(row[at.entry + sizes.held + CONTEXT]) if sizes.contexts > 1 else 0
    table = context_table(sizes, at.block, context)
    if row[table] == 0.0:
        table = context_table(sizes, at.block, 0)
    weighed = weigh(
        row[table : table + size], setup.rule, predictions, setup.absent_absolute,
        ledger.weights[MEDIAN_OF],
    )  # fmt: skip
    table = at.block + sizes.table_squared
    weighed_mean = weigh(
        row[table : table + size], setup.rule, predictions, setup.absent_squared,
        ledger.weights[MEAN_OF],
    )  # fmt: skip
    if math.isnan(weighed) or math.isnan(weighed_mean):
        ledger.weights[:] = 0.0
        ledger.weights[MEDIAN_OF, PERSISTENCE] = ledger.weights[MEAN_OF, PERSISTENCE] = 1.0
        weighed = weighed_mean = predictions[PERSISTENCE]
    if weighed != row[at.entry + WEIGHED] or weighed_mean != row[at.entry + WEIGHED_MEAN]:
        return OTHER_WEIGHTS
    for loss in range(2):
        for i in range(sizes.experts):
            weight = ledger.weights[loss, i]
            if weight > 0.0:
                for j in range(INPUTS):
                    ledger.sums[loss, j] += weight * ledger.parts[i, j]
    offset = drift_offset(row[at.block + DRIFT_STATE : at.block + BLOCK_HEAD])
    if offset != 0.0:
        offset *= usual_error(row[at.block + INTERVAL : at.block + DRIFT_STATE], day_share)
        for loss in range(2):
            ledger.sums[loss, DRIFT] = offset
        cut = row[at.entry + PREDICTED] - (weighed + offset)
        ledger.sums[MEDIAN_OF, LIMITS] += cut
        ledger.sums[MEAN_OF, LIMITS] += row[at.entry + EXPECTED] - (weighed_mean + offset)
    return EXPLAINED
