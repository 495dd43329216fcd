"""One reading meets one row: score, learn, alert, forecast. Compiled, one series at a time.

``bank`` hands whole batches to ``step_rows``, which walks the readings in log order; a bank
with River plug-ins calls the same ``take`` and ``forecast`` per reading with the plug-ins'
predictions in between. The order inside a step is what keeps scoring honest: a forecast is
scored as it was published, then learned from on the features frozen when it was made, and only
then does the new reading enter the features of the next forecast.

Compiled code is cached by this file's own time stamp: after a change in ``arithmetic`` or
``layout`` alone, touch this file (``make clean`` does).
"""

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
    welford,
)
from hedgerow.models.layout import (
    ABSOLUTE_ERROR,
    ALERT_SIZE,
    ALERTS,
    ANOMALY,
    BAD_RUN,
    BOUND,
    COVERED,
    CUSUM,
    DAY,
    DAY_MS,
    END_SCALED,
    ENTRY_HEAD,
    EXPECTED,
    FIRST_SCALED,
    FORECAST_BREACH,
    LABELS,
    LOWER,
    MEAN,
    NEGATIVE,
    OFFSET_LOWER,
    OFFSET_UPPER,
    OPEN,
    OPENED_MS,
    OPENING_OFFSET,
    ORIGIN,
    PERSISTENCE,
    PHASE,
    PREDICTED,
    PUBLISHED,
    QUIET,
    REFERENCES,
    SCALE_ABSOLUTE,
    SCALE_SQUARED,
    SEEN,
    SLOT,
    SQUARED_ERROR,
    STATS,
    UPPER,
    VARIANCE,
    WEEK,
    WEEK_MS,
    WIDTH_SUM,
    WITH_INTERVAL,
    Layout,
    N,
)
from hedgerow.models.zone import ZoneTable

LEARNED, LATE, DUPLICATE, REJECTED = range(4)

# Values beyond this are learned as this: their squares still add up without overflow.
LARGEST = 1e100
CLIP_Z = 10.0  # standard deviations beyond which features and gradients are cut
WINSOR_AFTER = 50  # readings after which one reading cannot move the standardiser at will
WINSOR_Z = 20.0
HEDGE_RATE = 0.5
HEDGE_SHARE = 0.002
SCALE_MEMORY = 0.02
CALIBRATED_AFTER = 50  # labels before an interval is published
INTERVAL_STEP = 0.1

CUSUM_SLACK = 1.5  # half-widths of the interval that one reading may be off without suspicion
CUSUM_MOST = 3.0
CUSUM_OPENS = 4.0
CUSUM_CAP = 8.0
QUIET_CLOSES = 3  # readings within bounds that end an episode

# Columns of an event.
(
    EVENT_POSITION,
    EVENT_KIND,
    EVENT_OPEN,
    EVENT_OFFSET,
    EVENT_OPENED_MS,
    EVENT_EXPECTED,
    EVENT_LOWER,
    EVENT_UPPER,
    EVENT_HORIZON,
    EVENT_COUNT,
    EVENT_SIZE,
) = range(11)


class Rules(NamedTuple):
    """What a profile asks for, for the kernel; bounds are NaN where there is none."""

    bound_lower: float
    bound_upper: float
    tail: float
    bound: int
    forecast_breach: int
    anomaly: int


class Outputs(NamedTuple):
    """Where a step writes: one line per reading of the batch, one column per horizon."""

    outcomes: NDArray[np.int8]
    horizons: NDArray[np.int32]
    target_ms: NDArray[np.int64]
    predicted: Array
    mean: Array
    lower: Array
    upper: Array
    events: Array


@jit
def _clip_reading(value: float) -> float:
    return min(max(value, -LARGEST), LARGEST)


@jit
def _score(row: Array, block: int, entry: int, value: float) -> None:
    """Add the error of a published forecast, and of the references it is measured against."""
    ours = abs(value - row[entry + PREDICTED])
    squared = (value - row[entry + EXPECTED]) ** 2
    row[block + N] += 1.0
    row[block + ABSOLUTE_ERROR] += ours
    row[block + SQUARED_ERROR] += squared
    for reference in range(REFERENCES):
        theirs = row[entry + ENTRY_HEAD + PERSISTENCE + reference]
        if theirs == theirs:
            at = block + SQUARED_ERROR + 1 + 3 * reference
            row[at] += 1.0
            row[at + 1] += ours
            row[at + 2] += abs(value - theirs)
    lower, upper = row[entry + LOWER], row[entry + UPPER]
    if lower == lower:
        row[block + WITH_INTERVAL] += 1.0
        row[block + WIDTH_SUM] += upper - lower
        if lower <= value <= upper:
            row[block + COVERED] += 1.0


@jit
def _reweigh(
    row: Array, sizes: Layout, block: int, entry: int, value: float, losses: Array
) -> None:
    """Move both weight vectors by the experts' losses, in units of the running loss."""
    predictions = row[entry + ENTRY_HEAD : entry + ENTRY_HEAD + sizes.experts]
    for squared in range(2):
        ours = row[entry + EXPECTED] if squared else row[entry + PREDICTED]
        error = abs(value - ours)
        loss = error * error if squared else error
        scale_at = block + (SCALE_SQUARED if squared else SCALE_ABSOLUTE)
        labels = row[block + LABELS]
        memory = max(SCALE_MEMORY, 1.0 / (labels + 1.0))
        row[scale_at] += memory * (loss - row[scale_at])
        scale = row[scale_at]
        for i in range(sizes.experts):
            off = abs(value - predictions[i])
            theirs = off * off if squared else off
            losses[i] = min(theirs / scale, 50.0) if scale > 0.0 else 0.0
            if predictions[i] != predictions[i]:
                losses[i] = math.nan
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
        # A step beyond this would overshoot its own label, and diverge.
        gradient_step(theta, x, slope, min(rates[i], 0.5 / norm))


@jit
def _learn_interval(row: Array, block: int, entry: int, value: float, tail: float) -> None:
    """Move both ends of the interval by the residual of ``predicted``."""
    residual = value - row[entry + PREDICTED]
    step = INTERVAL_STEP * row[block + SCALE_ABSOLUTE]
    row[block + LABELS] += 1.0
    # Decreasing steps until calibrated: the ends reach their place within the first labels.
    step *= max(1.0, 10.0 - 0.2 * row[block + LABELS])
    row[block + OFFSET_UPPER] = quantile_step(row[block + OFFSET_UPPER], residual, tail, step)
    row[block + OFFSET_LOWER] = -quantile_step(-row[block + OFFSET_LOWER], -residual, tail, step)


@jit
def due(row: Array, sizes: Layout, block: int, horizon: int, slot: int) -> int:
    """Return where in the row the forecast for ``slot`` is pending, -1 if there is none."""
    entry: int = block + sizes.pending + (slot % horizon) * sizes.entry
    return entry if row[entry + ORIGIN] == slot - horizon else -1


@jit
def _record_event(
    row: Array, kind: int, position: int, horizon: int, facts: Array, events: Array, used: int
) -> int:
    """Write an opening or resolving event; ``facts``: expected, lower, upper, count."""
    state = ALERTS + kind * ALERT_SIZE
    event = events[used]
    event[EVENT_POSITION] = position
    event[EVENT_KIND] = kind
    event[EVENT_OPEN] = row[state + OPEN]
    event[EVENT_OFFSET] = row[state + OPENING_OFFSET]
    event[EVENT_OPENED_MS] = row[state + OPENED_MS]
    event[EVENT_EXPECTED] = facts[0]
    event[EVENT_LOWER] = facts[1]
    event[EVENT_UPPER] = facts[2]
    event[EVENT_HORIZON] = horizon
    event[EVENT_COUNT] = facts[3]
    return used + 1


@jit
def _episode(
    row: Array,
    kind: int,
    bad: bool,
    closes_after: int,
    position: int,
    time_ms: int,
    offset: int,
    horizon: int,
    facts: Array,
    events: Array,
    used: int,
) -> int:
    """Open an episode at the first bad reading, resolve it after enough good ones."""
    state = ALERTS + kind * ALERT_SIZE
    if bad:
        row[state + QUIET] = 0.0
        if row[state + OPEN] == 0.0:
            row[state + OPEN] = 1.0
            row[state + OPENING_OFFSET] = offset
            row[state + OPENED_MS] = time_ms
            return _record_event(row, kind, position, horizon, facts, events, used)
    elif row[state + OPEN] == 1.0:
        row[state + QUIET] += 1.0
        if row[state + QUIET] >= closes_after:
            row[state + OPEN] = 0.0
            used = _record_event(row, kind, position, horizon, facts, events, used)
            row[state + QUIET] = 0.0
    return used


@jit
def _watch_reading(
    row: Array,
    entry: int,
    rules: Rules,
    value: float,
    position: int,
    time_ms: int,
    offset: int,
    facts: Array,
    events: Array,
    used: int,
) -> int:
    """Alert rules on the observed value; ``entry`` is the shortest horizon's forecast of it."""
    facts[0] = row[entry + PREDICTED] if entry >= 0 else math.nan
    if rules.bound:
        facts[1], facts[2], facts[3] = rules.bound_lower, rules.bound_upper, 0.0
        bad = value < rules.bound_lower or value > rules.bound_upper
        used = _episode(
            row, BOUND, bad, QUIET_CLOSES, position, time_ms, offset, 0, facts, events, used
        )
    if rules.anomaly and entry >= 0 and row[entry + LOWER] == row[entry + LOWER]:
        lower, upper, middle = row[entry + LOWER], row[entry + UPPER], row[entry + PREDICTED]
        half = upper - middle if value > middle else middle - lower
        off = abs(value - middle)
        distance = 0.0
        if off > 0.0:
            distance = min(off / half, CUSUM_MOST) if half > 0.0 else CUSUM_MOST
        moved = row[CUSUM] + distance - CUSUM_SLACK
        row[CUSUM] = min(max(0.0, moved), CUSUM_CAP)
        row[BAD_RUN] = row[BAD_RUN] + 1.0 if distance > 1.0 else 0.0
        facts[1], facts[2], facts[3] = lower, upper, row[BAD_RUN]
        state = ALERTS + ANOMALY * ALERT_SIZE
        bad = row[CUSUM] >= CUSUM_OPENS or (row[state + OPEN] == 1.0 and row[CUSUM] > 0.0)
        used = _episode(row, ANOMALY, bad, 1, position, time_ms, offset, 0, facts, events, used)
    return used


@jit
def _at(row: Array, sizes: Layout, slot: int, age: int) -> float:
    """Return the value ``age`` slots before ``slot``, NaN if missing or out of the ring."""
    if age >= sizes.ring_size:
        return math.nan
    value: float = row[sizes.ring + (slot - age) % sizes.ring_size]
    return value


@jit
def _put(row: Array, sizes: Layout, slot: int, value: float) -> None:
    """Write the value into the ring, the slots skipped since the last one as missing."""
    missing = min(slot - int(row[SLOT]) - 1, sizes.ring_size)
    for age in range(1, missing + 1):
        row[sizes.ring + (slot - age) % sizes.ring_size] = math.nan
    row[sizes.ring + slot % sizes.ring_size] = value
    row[SLOT] = slot


@jit
def _standardise_reading(row: Array, value: float) -> None:
    """Let the reading into the series' mean and variance, a wild one only so far."""
    row[SEEN] += 1.0
    seen = row[SEEN]
    if value < 0.0:
        row[NEGATIVE] = 1.0
    deviation = math.sqrt(row[VARIANCE])
    if seen > WINSOR_AFTER and deviation > 0.0:
        reach = WINSOR_Z * deviation
        value = min(max(value, row[MEAN] - reach), row[MEAN] + reach)
    row[MEAN], row[VARIANCE] = welford(seen, row[MEAN], row[VARIANCE], value)


@jit
def local_time(zone: ZoneTable, time_ms: int) -> int:
    """Return the local wall-clock time of a UTC time, both in ms."""
    i = np.searchsorted(zone.starts, time_ms, side="right") - 1
    return int(time_ms + zone.offsets[max(i, 0)])


@jit
def _write_features(
    row: Array, sizes: Layout, block: int, x_at: int, slot: int, horizon: int, local_ms: int
) -> None:
    """Freeze the features of a forecast into its pending entry."""
    value = _at(row, sizes, slot, 0)
    before = _at(row, sizes, slot, 1)
    row[x_at] = 1.0
    row[x_at + 1] = value
    row[x_at + 2] = value - before
    row[x_at + 3] = before - _at(row, sizes, slot, 2)
    row[x_at + 4] = seasonal(row, sizes, slot, horizon, sizes.day)
    row[x_at + 5] = seasonal(row, sizes, slot, horizon, sizes.week)
    row[x_at + 6] = value - seasonal(row, sizes, slot, 0, sizes.day)
    row[x_at + 7] = value - seasonal(row, sizes, slot, 0, sizes.week)
    for i in range(FIRST_SCALED, END_SCALED):
        raw = row[x_at + i]
        if raw != raw:  # missing: as if it were at its mean
            row[x_at + i] = 0.0
            continue
        stats = block + sizes.feature_stats + (i - FIRST_SCALED) * STATS
        row[stats] += 1.0
        deviation = math.sqrt(row[stats + 2])
        kept = raw
        if row[stats] > WINSOR_AFTER and deviation > 0.0:
            reach = WINSOR_Z * deviation
            kept = min(max(raw, row[stats + 1] - reach), row[stats + 1] + reach)
        row[stats + 1], row[stats + 2] = welford(row[stats], row[stats + 1], row[stats + 2], kept)
        row[x_at + i] = clamp(standardise(raw, row[stats + 1], row[stats + 2]), CLIP_Z)
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


@jit
def seasonal(row: Array, sizes: Layout, slot: int, horizon: int, season: int) -> float:
    """Return the value one season (or the fewest known) before ``slot + horizon``."""
    if season == 0:
        return math.nan
    seasons = max((horizon + season - 1) // season, 1)
    return _at(row, sizes, slot, seasons * season - horizon)


@jit
def take(
    row: Array,
    sizes: Layout,
    horizons: NDArray[np.int64],
    blocks: NDArray[np.int64],
    rates: Array,
    rules: Rules,
    zone: ZoneTable,
    position: int,
    time_ms: int,
    value: float,
    offset: int,
    silent: bool,
    scratch: Array,
    out: Outputs,
    used: int,
) -> int:
    """Score and learn from a reading, then freeze the features of the next forecasts.

    Returns the number of events written; ``out.outcomes[position]`` says what became of the
    reading, and nothing has changed unless it is ``LEARNED``.
    """
    value = _clip_reading(value)
    slot = (time_ms - int(row[PHASE]) + sizes.period_ms // 2) // sizes.period_ms
    if slot <= row[SLOT]:
        out.outcomes[position] = DUPLICATE if slot == row[SLOT] else LATE
        return used
    out.outcomes[position] = LEARNED
    if not silent:
        entry = due(row, sizes, blocks[0], horizons[0], slot)
        used = _watch_reading(
            row, entry, rules, value, position, time_ms, offset, scratch, out.events, used
        )
    _standardise_reading(row, value)
    label = clamp(standardise(value, row[MEAN], row[VARIANCE]), CLIP_Z)
    for k in range(len(horizons)):
        entry = due(row, sizes, blocks[k], horizons[k], slot)
        if entry >= 0:
            if row[entry + PUBLISHED] == 1.0:
                _score(row, blocks[k], entry, value)
            _reweigh(row, sizes, blocks[k], entry, value, scratch)
            _learn_gradient(row, sizes, blocks[k], entry, label, rates)
            _learn_interval(row, blocks[k], entry, value, rules.tail)
    _put(row, sizes, slot, value)
    for k in range(len(horizons)):
        target = int(row[PHASE]) + (slot + horizons[k]) * sizes.period_ms
        entry = blocks[k] + sizes.pending + (slot % horizons[k]) * sizes.entry
        row[entry + ORIGIN] = slot
        row[entry + PUBLISHED] = 0.0 if silent else 1.0
        x_at = entry + ENTRY_HEAD + sizes.experts
        local_ms = local_time(zone, target)
        _write_features(row, sizes, blocks[k], x_at, slot, horizons[k], local_ms)
    return used


@jit
def forecast(
    row: Array,
    sizes: Layout,
    horizons: NDArray[np.int64],
    blocks: NDArray[np.int64],
    rules: Rules,
    position: int,
    time_ms: int,
    value: float,
    offset: int,
    silent: bool,
    external: Array,
    scratch: Array,
    out: Outputs,
    used: int,
) -> int:
    """Forecast every horizon from the features ``take`` froze, and watch the forecasts.

    ``external`` holds the plug-ins' predictions in standard deviations from the mean, a line
    per horizon, NaN where one sleeps.
    """
    slot = int(row[SLOT])
    deviation = math.sqrt(row[VARIANCE])
    floor = -math.inf if row[NEGATIVE] == 1.0 else 0.0
    breach = -1
    for k in range(len(horizons)):
        horizon, block = horizons[k], blocks[k]
        entry = block + sizes.pending + (slot % horizon) * sizes.entry
        expert = entry + ENTRY_HEAD
        x = row[expert + sizes.experts : expert + sizes.experts + sizes.features]
        row[expert + PERSISTENCE] = _at(row, sizes, slot, 0)
        row[expert + DAY] = seasonal(row, sizes, slot, horizon, sizes.day)
        row[expert + WEEK] = seasonal(row, sizes, slot, horizon, sizes.week)
        for i in range(sizes.rates + external.shape[1]):
            if i < sizes.rates:
                at = block + sizes.theta + i * sizes.features
                z = dot(row[at : at + sizes.features], x)
            else:
                z = external[k, i - sizes.rates]
            if z == z:
                z = max(row[MEAN] + deviation * clamp(z, CLIP_Z), floor)
            row[expert + WEEK + 1 + i] = z
        predictions = row[expert : expert + sizes.experts]
        at = block + sizes.weights_absolute
        predicted = weighted_mean(row[at : at + sizes.experts], predictions)
        at = block + sizes.weights_squared
        mean = weighted_mean(row[at : at + sizes.experts], predictions)
        lower, upper = math.nan, math.nan
        if row[block + LABELS] >= CALIBRATED_AFTER:
            lower = max(predicted + min(row[block + OFFSET_LOWER], 0.0), floor)
            upper = predicted + max(row[block + OFFSET_UPPER], 0.0)
        row[entry + PREDICTED] = predicted
        row[entry + EXPECTED] = mean
        row[entry + LOWER] = lower
        row[entry + UPPER] = upper
        if not silent:
            out.horizons[position, k] = horizon
            out.target_ms[position, k] = int(row[PHASE]) + (slot + horizon) * sizes.period_ms
            out.predicted[position, k] = predicted
            out.mean[position, k] = mean
            out.lower[position, k] = lower
            out.upper[position, k] = upper
        if breach < 0 and (predicted < rules.bound_lower or predicted > rules.bound_upper):
            breach = k
    if rules.forecast_breach and not silent:
        seen_beyond = value < rules.bound_lower or value > rules.bound_upper
        horizon = 0
        scratch[0] = math.nan
        if breach >= 0:
            horizon = horizons[breach]
            scratch[0] = out.predicted[position, breach]
        scratch[1], scratch[2], scratch[3] = rules.bound_lower, rules.bound_upper, 0.0
        bad = breach >= 0 and not seen_beyond
        used = _episode(
            row, FORECAST_BREACH, bad, QUIET_CLOSES, position, time_ms, offset, horizon,
            scratch, out.events, used,
        )  # fmt: skip
    return used


@jit
def step_rows(
    rows: Array,
    sizes: Layout,
    horizons: NDArray[np.int64],
    blocks: NDArray[np.int64],
    rates: Array,
    rules: Rules,
    zone: ZoneTable,
    where: NDArray[np.int64],
    positions: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    values: Array,
    offsets: NDArray[np.int64],
    silent: bool,
    out: Outputs,
    used: int,
) -> int:
    """Step many readings in log order: reading ``positions[i]`` belongs to row ``where[i]``."""
    scratch = np.empty(max(sizes.experts, 4))
    external = np.empty((len(horizons), 0))
    for i in range(len(positions)):
        p = positions[i]
        row = rows[where[i]]
        used = take(
            row, sizes, horizons, blocks, rates, rules, zone, p, time_ms[p], values[p],
            offsets[p], silent, scratch, out, used,
        )  # fmt: skip
        if out.outcomes[p] == LEARNED:
            used = forecast(
                row, sizes, horizons, blocks, rules, p, time_ms[p], values[p], offsets[p],
                silent, external, scratch, out, used,
            )  # fmt: skip
    return used
