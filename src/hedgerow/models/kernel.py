"""One reading meets one row: score, learn, alert, forecast. Compiled, one series at a time.

``bank`` hands whole batches to ``step_rows``, which walks the readings in log order; a bank
with River plug-ins calls the same ``take`` and ``forecast`` per reading with the plug-ins'
predictions in between. The order inside a step is what keeps scoring honest: a forecast is
scored as it was published, then learned from on the features frozen when it was made, and only
then does the new reading enter the features of the next forecast.

Compiled code is cached by this file's own time stamp: after a change in a module it draws on,
touch this file (``make clean`` and the tests do).
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import (
    Array,
    clamp,
    dot,
    gradient_step,
    hedge_step,
    jit,
    quantile_step,
    standardise,
    weighted_mean,
)
from hedgerow.models.episodes import Events, Reading, Rules, watch_forecasts, watch_reading
from hedgerow.models.features import (
    CLIP_Z,
    local_time,
    look_back,
    look_back_season,
    put,
    standardise_reading,
    write_features,
)
from hedgerow.models.layout import (
    ABSOLUTE_ERROR,
    COVERED,
    DAY,
    ENTRY_HEAD,
    EXPECTED,
    LABELS,
    LOWER,
    MEAN,
    NEGATIVE,
    OFFSET_LOWER,
    OFFSET_UPPER,
    ORIGIN,
    PERSISTENCE,
    PHASE,
    PREDICTED,
    PUBLISHED,
    REFERENCES,
    SCALE_ABSOLUTE,
    SCALE_SQUARED,
    SLOT,
    SQUARED_ERROR,
    UPPER,
    VARIANCE,
    WEEK,
    WIDTH_SUM,
    WITH_INTERVAL,
    Layout,
    N,
)
from hedgerow.models.zone import ZoneTable

LEARNED, LATE, DUPLICATE, REJECTED = range(4)

# Values beyond this are learned as this: sums of their squares stay finite.
LARGEST = 1e100
# Losses are in units of the running loss. Measured on the same sets as the learning rates: mean
# error ratios stay within 1 % for rates of 0.05 to 0.1 with shares of 0.002 to 0.02; at a rate of
# 0.5 they are 1 % (absolute) and 4 % (squared) worse.
HEDGE_RATE = 0.1
HEDGE_SHARE = 0.01
MOST_LOSS = 50.0
SCALE_MEMORY = 0.02  # weight of the newest loss in the running one
CALIBRATED_AFTER = 50  # labels before an interval is published
INTERVAL_STEP = 0.1  # of the running absolute error


class Setup(NamedTuple):
    """What all rows of a bank have in common."""

    sizes: Layout
    horizons: NDArray[np.int64]
    blocks: NDArray[np.int64]
    rates: Array
    tail: float
    rules: Rules
    zone: ZoneTable


class Outputs(NamedTuple):
    """Where a step writes: one line per reading of the batch, one column per horizon."""

    outcomes: NDArray[np.int8]
    horizons: NDArray[np.int32]
    target_ms: NDArray[np.int64]
    predicted: Array
    mean: Array
    lower: Array
    upper: Array
    events: Events


@jit
def _score(row: Array, block: int, entry: int, value: float) -> None:
    """Add the error of a published forecast, and of the references it is measured against."""
    ours = abs(value - row[entry + PREDICTED])
    row[block + N] += 1.0
    row[block + ABSOLUTE_ERROR] += ours
    row[block + SQUARED_ERROR] += (value - row[entry + EXPECTED]) ** 2
    for reference in range(REFERENCES):
        theirs = row[entry + ENTRY_HEAD + PERSISTENCE + reference]
        if not math.isnan(theirs):
            at = block + SQUARED_ERROR + 1 + 3 * reference
            row[at] += 1.0
            row[at + 1] += ours
            row[at + 2] += abs(value - theirs)
    lower, upper = row[entry + LOWER], row[entry + UPPER]
    if not math.isnan(lower):
        row[block + WITH_INTERVAL] += 1.0
        row[block + WIDTH_SUM] += upper - lower
        if lower <= value <= upper:
            row[block + COVERED] += 1.0


@jit
def _reweigh(
    row: Array, sizes: Layout, block: int, entry: int, value: float, losses: Array
) -> None:
    """Move both weight vectors by the experts' losses, in units of our own running loss."""
    memory = max(SCALE_MEMORY, 1.0 / (row[block + LABELS] + 1.0))
    for squared in range(2):
        ours = abs(value - row[entry + (EXPECTED if squared else PREDICTED)])
        scale_at = block + (SCALE_SQUARED if squared else SCALE_ABSOLUTE)
        row[scale_at] += memory * ((ours * ours if squared else ours) - row[scale_at])
        scale = row[scale_at]
        for i in range(sizes.experts):
            error = abs(value - row[entry + ENTRY_HEAD + i])
            loss = error * error if squared else error
            if math.isnan(error):
                losses[i] = math.nan
            elif scale > 0.0:
                losses[i] = min(loss / scale, MOST_LOSS)
            else:
                losses[i] = 0.0
        at = block + (sizes.weights_squared if squared else sizes.weights_absolute)
        hedge_step(row[at : at + sizes.experts], losses, HEDGE_RATE, HEDGE_SHARE)


@jit
def _learn_gradient(
    row: Array, sizes: Layout, block: int, entry: int, label: float, rates: Array
) -> None:
    """Descend each OGD expert's squared loss on the frozen features."""
    x_at = entry + ENTRY_HEAD + sizes.experts
    x = row[x_at : x_at + sizes.features]
    norm = dot(x, x)
    for i in range(sizes.rates):
        at = block + sizes.theta + i * sizes.features
        theta = row[at : at + sizes.features]
        slope = clamp(2.0 * (dot(theta, x) - label), CLIP_Z)
        # A longer step would overshoot its own label, and diverge.
        gradient_step(theta, x, slope, min(rates[i], 0.5 / norm))


@jit
def _learn_interval(row: Array, block: int, entry: int, value: float, tail: float) -> None:
    """Move both ends of the interval by the residual of ``predicted``.

    Until calibrated the ends are in units of the running error, which still shrinks as the
    experts learn, and take long steps; from then on they are in the series' own unit.
    """
    row[block + LABELS] += 1.0
    labels = row[block + LABELS]
    residual = value - row[entry + PREDICTED]
    scale = row[block + SCALE_ABSOLUTE]
    step = INTERVAL_STEP * scale
    if labels <= CALIBRATED_AFTER:
        residual = residual / scale if scale > 0.0 else 0.0
        step = INTERVAL_STEP * max(1.0, 10.0 - 18.0 * labels / CALIBRATED_AFTER)
    upper = quantile_step(row[block + OFFSET_UPPER], residual, tail, step)
    lower = -quantile_step(-row[block + OFFSET_LOWER], -residual, tail, step)
    if labels == CALIBRATED_AFTER:
        upper, lower = upper * scale, lower * scale
    row[block + OFFSET_UPPER], row[block + OFFSET_LOWER] = upper, lower


@jit
def entry_of(sizes: Layout, block: int, horizon: int, slot: int) -> int:
    """Return where in the row the forecast made at ``slot`` is pending."""
    return block + sizes.pending + (slot % horizon) * sizes.entry


@jit
def due(row: Array, sizes: Layout, block: int, horizon: int, slot: int) -> int:
    """Return where in the row the forecast for ``slot`` is pending, -1 if there is none."""
    entry = entry_of(sizes, block, horizon, slot - horizon)
    return entry if row[entry + ORIGIN] == slot - horizon else -1


@jit
def slot_of(row: Array, sizes: Layout, time_ms: int) -> int:
    """Return the slot whose grid point is nearest to a time."""
    return (time_ms - int(row[PHASE]) + sizes.period_ms // 2) // sizes.period_ms


@jit
def current_slot(row: Array) -> int:
    """Return the slot of the last reading learned."""
    return int(row[SLOT])


@jit
def label_of(row: Array, value: float) -> float:
    """Return a value as what linear experts and plug-ins learn: standardised and cut."""
    z = standardise(clamp(value, LARGEST), row[MEAN], row[VARIANCE])
    return clamp(z, CLIP_Z)


@jit
def take(
    row: Array, setup: Setup, reading: Reading, silent: bool, scratch: Array, out: Outputs
) -> bool:
    """Score and learn from a reading, then freeze the features of the next forecasts.

    Returns whether the reading was learned; if not, nothing has changed.
    """
    sizes, horizons, blocks = setup.sizes, setup.horizons, setup.blocks
    slot = slot_of(row, sizes, reading.time_ms)
    if slot <= row[SLOT]:
        out.outcomes[reading.position] = DUPLICATE if slot == row[SLOT] else LATE
        return False
    out.outcomes[reading.position] = LEARNED
    value = clamp(reading.value, LARGEST)
    if not silent:
        entry = due(row, sizes, blocks[0], horizons[0], slot)
        watch_reading(row, entry, setup.rules, reading, out.events)
    standardise_reading(row, value)
    label = label_of(row, value)
    for k in range(len(horizons)):
        entry = due(row, sizes, blocks[k], horizons[k], slot)
        if entry >= 0:
            if row[entry + PUBLISHED] == 1.0:
                _score(row, blocks[k], entry, value)
            _reweigh(row, sizes, blocks[k], entry, value, scratch)
            _learn_gradient(row, sizes, blocks[k], entry, label, setup.rates)
            _learn_interval(row, blocks[k], entry, value, setup.tail)
    put(row, sizes, slot, value)
    for k in range(len(horizons)):
        entry = entry_of(sizes, blocks[k], horizons[k], slot)
        row[entry + ORIGIN] = slot
        row[entry + PUBLISHED] = 0.0 if silent else 1.0
        x_at = entry + ENTRY_HEAD + sizes.experts
        target_ms = int(row[PHASE]) + (slot + horizons[k]) * sizes.period_ms
        local_ms = local_time(setup.zone, target_ms)
        write_features(row, sizes, blocks[k], x_at, slot, horizons[k], local_ms)
    return True


@jit
def _ask_experts(
    row: Array, sizes: Layout, block: int, entry: int, slot: int, horizon: int, external: Array
) -> None:
    """Write every expert's prediction into the pending entry, NaN where it sleeps.

    Series that were never negative get no negative forecasts.
    """
    floor = -math.inf if row[NEGATIVE] == 1.0 else 0.0
    deviation = math.sqrt(row[VARIANCE])
    first = entry + ENTRY_HEAD
    x = row[first + sizes.experts : first + sizes.experts + sizes.features]
    row[first + PERSISTENCE] = look_back(row, sizes, slot, 0)
    row[first + DAY] = look_back_season(row, sizes, slot, horizon, sizes.day)
    row[first + WEEK] = look_back_season(row, sizes, slot, horizon, sizes.week)
    for i in range(sizes.rates + len(external)):
        if i < sizes.rates:
            at = block + sizes.theta + i * sizes.features
            z = dot(row[at : at + sizes.features], x)
        else:
            z = external[i - sizes.rates]
        if not math.isnan(z):
            z = max(row[MEAN] + deviation * clamp(z, CLIP_Z), floor)
        row[first + WEEK + 1 + i] = z


@jit
def _aggregate(row: Array, sizes: Layout, block: int, entry: int) -> None:
    """Weigh the experts' predictions and put the interval around them."""
    experts = row[entry + ENTRY_HEAD : entry + ENTRY_HEAD + sizes.experts]
    weights = block + sizes.weights_absolute
    predicted = weighted_mean(row[weights : weights + sizes.experts], experts)
    weights = block + sizes.weights_squared
    row[entry + PREDICTED] = predicted
    row[entry + EXPECTED] = weighted_mean(row[weights : weights + sizes.experts], experts)
    row[entry + LOWER] = math.nan
    row[entry + UPPER] = math.nan
    if row[block + LABELS] >= CALIBRATED_AFTER:
        lower = predicted + min(row[block + OFFSET_LOWER], 0.0)
        row[entry + LOWER] = lower if row[NEGATIVE] == 1.0 else max(lower, 0.0)
        row[entry + UPPER] = predicted + max(row[block + OFFSET_UPPER], 0.0)


@jit
def forecast(
    row: Array, setup: Setup, reading: Reading, silent: bool, external: Array, out: Outputs
) -> None:
    """Forecast every horizon from the features ``take`` froze, and watch the forecasts.

    ``external`` holds the plug-ins' predictions in standard deviations from the mean: a line
    per horizon, NaN where one sleeps.
    """
    sizes, horizons, blocks = setup.sizes, setup.horizons, setup.blocks
    slot = int(row[SLOT])
    breach = 0
    breach_at = math.nan
    for k in range(len(horizons)):
        horizon = horizons[k]
        entry = entry_of(sizes, blocks[k], horizon, slot)
        _ask_experts(row, sizes, blocks[k], entry, slot, horizon, external[k])
        _aggregate(row, sizes, blocks[k], entry)
        if silent:
            continue
        line = reading.position
        predicted = row[entry + PREDICTED]
        out.horizons[line, k] = horizon
        out.target_ms[line, k] = int(row[PHASE]) + (slot + horizon) * sizes.period_ms
        out.predicted[line, k] = predicted
        out.mean[line, k] = row[entry + EXPECTED]
        out.lower[line, k] = row[entry + LOWER]
        out.upper[line, k] = row[entry + UPPER]
        rules = setup.rules
        if breach == 0 and (predicted < rules.bound_lower or predicted > rules.bound_upper):
            breach = horizon
            breach_at = predicted
    if not silent:
        watch_forecasts(row, breach, breach_at, setup.rules, reading, out.events)


@jit
def step_rows(
    rows: Array,
    setup: Setup,
    where: NDArray[np.int64],
    positions: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    values: Array,
    offsets: NDArray[np.int64],
    silent: bool,
    out: Outputs,
) -> None:
    """Step many readings in log order: reading ``positions[i]`` belongs to row ``where[i]``."""
    scratch = np.empty(setup.sizes.experts)
    external = np.empty((len(setup.horizons), 0))
    for i in range(len(positions)):
        p = positions[i]
        row = rows[where[i]]
        reading = Reading(p, time_ms[p], values[p], offsets[p])
        if take(row, setup, reading, silent, scratch, out):
            forecast(row, setup, reading, silent, external, out)
