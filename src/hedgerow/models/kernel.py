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

from hedgerow.models import anomaly
from hedgerow.models.aggregation import Flags, forget, learn, table_size, weigh
from hedgerow.models.arithmetic import Array, clamp, jit
from hedgerow.models.conformal import (
    conformal_ends,
    conformal_learn,
    conformal_scale,
    usual_error,
)
from hedgerow.models.drift import QUIET, drift_learn, drift_offset, is_rival
from hedgerow.models.ensemble import Place, Team, ask, forget_roots, freeze, stand, teach
from hedgerow.models.episodes import (
    Events,
    Outlook,
    Reading,
    Rules,
    watch_drift,
    watch_forecasts,
    watch_reading,
    watch_run,
)
from hedgerow.models.features import (
    CLIP_Z,
    pattern_bin,
    remember,
    standardise_reading,
    write_common,
)
from hedgerow.models.hold import LEAST_REPEATS, is_stuck, note_repeat
from hedgerow.models.layout import (
    ABSOLUTE_ERROR,
    BLOCK_HEAD,
    CONTEXT,
    CONTEXTS,
    COVERED,
    DAY_SHARE,
    DRIFT_STATE,
    ENTRY_HEAD,
    EXPECTED,
    EXTREMES,
    INTERVAL,
    LABELS,
    LOWER,
    NEGATIVE,
    ORIGIN,
    PERSISTENCE,
    PHASE,
    PREDICTED,
    PUBLISHED,
    REFERENCES,
    REPEATS_SLOW,
    ROOT_SHIFT,
    RUN,
    SCALE,
    SCALE_ABSOLUTE,
    SHIFT,
    SLOT,
    SQUARED_ERROR,
    UNIT,
    UPPER,
    WEIGHED,
    WEIGHED_MEAN,
    WIDTH_SUM,
    WITH_INTERVAL,
    Layout,
    N,
)
from hedgerow.models.least_squares import Single, gain_step
from hedgerow.models.zone import ZoneTable, is_holiday, local_time

LEARNED, LATE, DUPLICATE, REJECTED, USED, IGNORED = range(6)  # the last two of forecasts
READING = -1  # in place of an outside expert's number

# Values beyond this are learned as this: fourth powers of them stay finite.
LARGEST = 1e60
SCALE_MEMORY = 0.02  # weight of the newest loss in the running one
MOST_OFF = 50.0  # running errors
SETTLED = 20.0  # labels before an error counts as far off
FORGOTTEN = 0.3  # what a drift leaves of all regrets
DRIFT_MEMORY = 0.995  # λ of least squares for a while after a drift
DRIFT_VISITS = 2.0  # as if the weekly pattern had been seen so often


class Setup(NamedTuple):
    """What all rows of a bank have in common.

    ``absent_absolute`` and ``absent_squared`` name the experts that a loss does without: a
    median says nothing about a mean, nor the other way round.
    """

    sizes: Layout
    horizons: NDArray[np.int64]
    blocks: NDArray[np.int64]
    single_blocks: NDArray[np.int64]
    memories: Array
    team: Team
    river: int
    rule: int
    absent_absolute: Flags
    absent_squared: Flags
    drift: bool
    rules: Rules
    zone: ZoneTable


class Rows(NamedTuple):
    """One series' row on both planes."""

    exact: Array
    single: Single


class Scratch(NamedTuple):
    """Room that a step overwrites."""

    predictions: Array
    weights: Array
    rivals: Array
    features: Single
    nobody: Array  # what no plug-ins predict


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


def scratch(sizes: Layout) -> Scratch:
    """Make room for the steps of a bank."""
    return Scratch(
        predictions=np.empty(sizes.experts),
        weights=np.empty(sizes.experts),
        rivals=np.empty(REFERENCES),
        features=np.empty(max(sizes.padded, 8), np.float32),
        nobody=np.empty((sizes.horizons, 0)),
    )


@jit
def _score(row: Array, sizes: Layout, block: int, entry: int, value: float) -> None:
    """Add the error of a published forecast, and of what it is measured against."""
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
    for i in range(sizes.experts):
        theirs = row[entry + ENTRY_HEAD + i]
        if not math.isnan(theirs):
            row[block + sizes.regrets + i] += ours - abs(value - theirs)
    lower, upper = row[entry + LOWER], row[entry + UPPER]
    if not math.isnan(lower):
        row[block + WITH_INTERVAL] += 1.0
        row[block + WIDTH_SUM] += upper - lower
        if lower <= value <= upper:
            row[block + COVERED] += 1.0


@jit
def context_table(sizes: Layout, block: int, context: int) -> int:
    """Return where the table of the absolute loss for a context stands."""
    return block + sizes.tables_absolute + context * table_size(sizes.experts)


@jit
def _within(value: float, middle: float, reach: float) -> float:
    return min(max(value, middle - reach), middle + reach)


@jit
def _reweigh(
    row: Array, setup: Setup, block: int, entry: int, value: float, scratch: Scratch
) -> None:
    """Let both aggregations learn how far each expert was off.

    Nothing counts as further off than ``MOST_OFF`` times the running error, or one wild reading
    would outweigh all others for good.
    """
    sizes = setup.sizes
    size = table_size(sizes.experts)
    scale = row[block + SCALE_ABSOLUTE]
    reach = MOST_OFF * scale if row[block + LABELS] > SETTLED and scale > 0.0 else LARGEST
    for squared in range(2):
        forecast = row[entry + (WEIGHED_MEAN if squared else WEIGHED)]
        off = forecast - _within(value, forecast, reach)
        for i in range(sizes.experts):
            prediction = row[entry + ENTRY_HEAD + i]
            if not math.isnan(prediction):
                prediction = _within(prediction, forecast, reach)
            scratch.predictions[i] = prediction
        if squared:
            at = block + sizes.table_squared
            learn(
                row[at : at + size], setup.rule, scratch.predictions, setup.absent_squared,
                forecast, 2.0 * off, scratch.weights,
            )  # fmt: skip
        else:
            slope = 1.0 if off > 0.0 else (-1.0 if off < 0.0 else 0.0)
            at = context_table(sizes, block, int(row[entry + CONTEXT]))
            learn(
                row[at : at + size], setup.rule, scratch.predictions, setup.absent_absolute,
                forecast, slope, scratch.weights,
            )  # fmt: skip


@jit
def _learn_scale(row: Array, block: int, entry: int, value: float) -> None:
    """Let an error into the running one, in which the aggregations measure what is far off."""
    memory = max(SCALE_MEMORY, 1.0 / (row[block + LABELS] + 1.0))
    scale = row[block + SCALE_ABSOLUTE]
    error = abs(value - row[entry + WEIGHED])
    if row[block + LABELS] > SETTLED and scale > 0.0:
        error = min(error, MOST_OFF * scale)
    row[block + SCALE_ABSOLUTE] += memory * (error - scale)
    row[block + LABELS] += 1.0


@jit
def _floor(row: Array, team: Team) -> float:
    """Return the least value the series can have, as far as is known."""
    return max(-math.inf if row[NEGATIVE] == 1.0 else 0.0, team.minimum)


@jit
def _learn_interval(row: Array, team: Team, block: int, entry: int, value: float) -> None:
    state = row[block + INTERVAL : block + DRIFT_STATE]
    conformal_learn(
        state, value, row[entry + PREDICTED], row[entry + LOWER], row[entry + UPPER],
        row[entry + UNIT], row[entry + DAY_SHARE], _floor(row, team), team.maximum,
    )  # fmt: skip


@jit
def _learn_drift(
    row: Array, setup: Setup, block: int, entry: int, value: float, rivals: Array
) -> bool:
    """Show a residual to the drift charts; forget regrets if a naive forecast was better.

    Returns whether the alarm sounded.
    """
    if not setup.drift:
        return False
    unit = usual_error(row[block + INTERVAL : block + DRIFT_STATE], row[entry + DAY_SHARE])
    if unit <= 0.0:
        return False
    for i in range(REFERENCES):
        rivals[i] = abs(value - row[entry + ENTRY_HEAD + PERSISTENCE + i]) / unit
    state = row[block + DRIFT_STATE : block + BLOCK_HEAD]
    if not drift_learn(state, (value - row[entry + WEIGHED]) / unit, rivals):
        return False
    if is_rival(state):
        size = table_size(setup.sizes.experts)
        for table in range(CONTEXTS + 1):
            at = block + setup.sizes.tables_absolute + table * size
            forget(row[at : at + size], FORGOTTEN)
    return True


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
def place(setup: Setup, k: int, slot: int) -> Place:
    """Return where the forecast made at ``slot`` for the ``k``-th horizon lies."""
    sizes = setup.sizes
    horizon, block = setup.horizons[k], setup.blocks[k]
    return Place(
        horizon,
        entry_of(sizes, block, horizon, slot),
        block,
        setup.single_blocks[k],
        origin_of(sizes, slot),
        slot,
    )


@jit
def slot_of(row: Array, sizes: Layout, time_ms: int) -> int:
    """Return the slot whose grid point is nearest to a time."""
    return (time_ms - int(row[PHASE]) + sizes.period_ms // 2) // sizes.period_ms


@jit
def current_slot(row: Array) -> int:
    """Return the slot of the last reading learned."""
    return int(row[SLOT])


@jit
def origin_of(sizes: Layout, slot: int) -> int:
    """Return where on the single plane the features of the reading at ``slot`` are kept."""
    return sizes.origins + (slot % sizes.longest) * sizes.origin


@jit
def label_of(row: Array, entry: int, value: float) -> float:
    """Return a value as linear experts and plug-ins learn it: standardised as at the forecast."""
    deviation = row[entry + SCALE]
    off = clamp(value, LARGEST) - row[entry + SHIFT]
    return clamp(off / deviation, CLIP_Z) if deviation > 0.0 else 0.0


@jit
def take(
    rows: Rows, setup: Setup, reading: Reading, silent: bool, scratch: Scratch, out: Outputs
) -> bool:
    """Score and learn from a reading, then freeze the features of the next forecasts.

    Returns whether the reading was learned; if not, nothing has changed.
    """
    row, single = rows.exact, rows.single
    sizes, horizons, blocks = setup.sizes, setup.horizons, setup.blocks
    slot = slot_of(row, sizes, reading.time_ms)
    if slot <= row[SLOT]:
        out.outcomes[reading.position] = DUPLICATE if slot == row[SLOT] else LATE
        return False
    out.outcomes[reading.position] = LEARNED
    value = clamp(reading.value, LARGEST)
    local_ms = local_time(setup.zone, reading.time_ms)
    score = anomaly.score(
        row[EXTREMES : EXTREMES + anomaly.SIZE], value, anomaly.hour_of_week(local_ms / 1000.0),
        anomaly.pace(sizes.period_ms / 1000.0),
    )  # fmt: skip
    if not silent:
        entry = due(row, sizes, blocks[0], horizons[0], slot)
        watch_reading(row, entry, score, setup.rules, reading, out.events)
    if standardise_reading(row, value):
        _leave_roots(row, single, setup)
    for k in range(len(horizons)):
        entry = due(row, sizes, blocks[k], horizons[k], slot)
        if entry >= 0:
            _settle(row, single, setup, place(setup, k, slot - horizons[k]), value, scratch)
    repeated = value == row[sizes.ring + int(row[SLOT]) % sizes.ring_size]
    note_repeat(row, repeated, sizes.period_ms)
    if not silent:
        watch_run(row, is_stuck(row, sizes.period_ms), setup.rules, reading, out.events)
    now = pattern_bin(sizes, local_ms, is_holiday(setup.zone, local_ms))
    remember(row, single, sizes, slot, value, now, 1.0)
    origin = origin_of(sizes, slot)
    x = single[origin : origin + sizes.padded]
    write_common(row, sizes, x, slot, setup.zone)
    for k in range(len(horizons)):
        at = place(setup, k, slot)
        row[at.entry + ORIGIN] = slot
        row[at.entry + PUBLISHED] = 0.0 if silent else 1.0
        freeze(row, single, sizes, setup.team, setup.zone, at, k)
    drifted = row[blocks[0] + DRIFT_STATE + QUIET] > 0.0
    if not silent:
        watch_drift(row, blocks[0] + DRIFT_STATE, setup.rules, reading, out.events)
    for i in range(sizes.memories):
        start = sizes.covariances + i * sizes.padded * sizes.padded
        gain = single[origin + (1 + i) * sizes.padded : origin + (2 + i) * sizes.padded]
        covariance = single[start : start + sizes.padded * sizes.padded]
        memory = min(setup.memories[i], DRIFT_MEMORY) if drifted else setup.memories[i]
        gain_step(covariance, x, gain, scratch.features, memory)
    return True


@jit
def _settle(
    row: Array, single: Single, setup: Setup, at: Place, value: float, scratch: Scratch
) -> None:
    """Score a forecast whose label is here, then let everything learn from it."""
    sizes = setup.sizes
    if (
        _learn_drift(row, setup, at.block, at.entry, value, scratch.rivals)
        and at.block == setup.blocks[0]
    ):
        for i in range(sizes.bins):
            single[sizes.visits + i] = min(single[sizes.visits + i], np.float32(DRIFT_VISITS))
    if row[at.entry + PUBLISHED] == 1.0:
        _score(row, sizes, at.block, at.entry, value)
    _reweigh(row, setup, at.block, at.entry, value, scratch)
    teach(row, single, sizes, setup.team, at, setup.memories, value, scratch.features)
    _learn_scale(row, at.block, at.entry, value)
    _learn_interval(row, setup.team, at.block, at.entry, value)


@jit
def _leave_roots(row: Array, single: Single, setup: Setup) -> None:
    """Drop what was learned on the scale of roots, and what is pending on it."""
    sizes = setup.sizes
    for k in range(len(setup.horizons)):
        forget_roots(single, sizes, setup.single_blocks[k])
        for depth in range(setup.horizons[k]):
            entry = setup.blocks[k] + sizes.pending + depth * sizes.entry
            row[entry + ROOT_SHIFT] = math.nan


@jit
def _aggregate(row: Array, setup: Setup, block: int, entry: int, weights: Array) -> None:
    """Weigh the experts' predictions and put the interval around them."""
    sizes = setup.sizes
    size = table_size(sizes.experts)
    predictions = row[entry + ENTRY_HEAD : entry + ENTRY_HEAD + sizes.experts]
    context = 0
    if row[REPEATS_SLOW] >= LEAST_REPEATS:
        context = min(int(row[RUN]), CONTEXTS - 1)
    row[entry + CONTEXT] = context
    at = context_table(sizes, block, context)
    if row[at] == 0.0:  # nothing learned in this context yet
        at = context_table(sizes, block, 0)
    predicted = weigh(row[at : at + size], setup.rule, predictions, setup.absent_absolute, weights)
    at = block + sizes.table_squared
    mean = weigh(row[at : at + size], setup.rule, predictions, setup.absent_squared, weights)
    if math.isnan(predicted) or math.isnan(mean):  # all asleep but the naive, who are absent
        predicted = mean = predictions[PERSISTENCE]
    row[entry + WEIGHED], row[entry + WEIGHED_MEAN] = predicted, mean
    state = row[block + INTERVAL : block + DRIFT_STATE]
    floor, ceiling = _floor(row, setup.team), setup.team.maximum
    offset = drift_offset(row[block + DRIFT_STATE : block + BLOCK_HEAD])
    if offset != 0.0:
        offset *= usual_error(state, row[entry + DAY_SHARE])
        predicted = min(max(predicted + offset, floor), ceiling)
        mean = min(max(mean + offset, floor), ceiling)
    row[entry + PREDICTED], row[entry + EXPECTED] = predicted, mean
    row[entry + UNIT] = conformal_scale(state, row[entry + DAY_SHARE])
    row[entry + LOWER], row[entry + UPPER] = conformal_ends(
        state, predicted, row[entry + UNIT], floor, ceiling
    )


@jit
def forecast(
    rows: Rows,
    setup: Setup,
    reading: Reading,
    silent: bool,
    external: Array,
    scratch: Scratch,
    out: Outputs,
) -> None:
    """Forecast every horizon from the features ``take`` froze, and watch the forecasts.

    ``external`` holds the plug-ins' predictions in standard deviations from the mean: a line
    per horizon, NaN where one sleeps.
    """
    row, single = rows.exact, rows.single
    sizes, horizons = setup.sizes, setup.horizons
    slot = int(row[SLOT])
    breach = 0
    breach_at = math.nan
    rules = setup.rules
    below = above = True  # the limits of all horizons beyond the bound on their side
    for k in range(len(horizons)):
        horizon = horizons[k]
        at = place(setup, k, slot)
        entry = at.entry
        ask(row, single, sizes, setup.team, at, external[k], setup.river)
        _aggregate(row, setup, at.block, entry, scratch.weights)
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
        below = below and row[entry + LOWER] < rules.bound_lower
        above = above and row[entry + UPPER] > rules.bound_upper
        if breach == 0 and (predicted < rules.bound_lower or predicted > rules.bound_upper):
            breach = horizon
            breach_at = predicted
    if not silent:
        nearest = place(setup, 0, slot).entry
        limit = row[nearest + UPPER] if above else (row[nearest + LOWER] if below else math.nan)
        outlook = Outlook(breach, breach_at, limit, horizons[0])
        watch_forecasts(row, outlook, rules, reading, out.events)


@jit
def take_outside(row: Array, sizes: Layout, outsider: int, target_ms: int, predicted: float) -> int:
    """Keep the forecast of an outside expert if it is about a slot that is still to come.

    Returns its outcome.
    """
    slot = slot_of(row, sizes, target_ms)
    if row[SLOT] < slot < row[SLOT] + sizes.outside_slots:
        stand(row, sizes, outsider, slot, clamp(predicted, LARGEST))
        return USED
    return IGNORED


@jit
def step_rows(
    exact: Array,
    single: Single,
    setup: Setup,
    where: NDArray[np.int64],
    positions: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    values: Array,
    offsets: NDArray[np.int64],
    outside: NDArray[np.int64],
    silent: bool,
    scratch: Scratch,
    out: Outputs,
) -> None:
    """Step many readings in log order: reading ``positions[i]`` belongs to row ``where[i]``.

    Where ``outside`` is not negative, it is the number of an outside expert, and time and value
    are its forecast's.
    """
    for i in range(len(positions)):
        p = positions[i]
        rows = Rows(exact[where[i]], single[where[i]])
        if outside[p] >= 0:
            out.outcomes[p] = take_outside(
                rows.exact, setup.sizes, outside[p], time_ms[p], values[p]
            )
            continue
        reading = Reading(p, time_ms[p], values[p], offsets[p])
        if take(rows, setup, reading, silent, scratch, out):
            forecast(rows, setup, reading, silent, scratch.nobody, scratch, out)
