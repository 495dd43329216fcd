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

from hedgerow.models.aggregation import weigh
from hedgerow.models.alerts import anomaly
from hedgerow.models.alerts.drift import QUIET, drift_offset
from hedgerow.models.alerts.episodes import (
    Events,
    Outlook,
    Reading,
    Rules,
    rules_of,
    watch_drift,
    watch_forecasts,
    watch_reading,
    watch_run,
)
from hedgerow.models.arithmetic import LARGEST, Array, clamp, jit
from hedgerow.models.bank.layout import (
    BLOCK_HEAD,
    CONTEXT,
    DAY_MS,
    DRIFT_STATE,
    ENTRY_HEAD,
    EXPECTED,
    EXTREMES,
    INTERVAL,
    LOWER,
    ORIGIN,
    PERSISTENCE,
    PHASE,
    PREDICTED,
    PUBLISHED,
    REPEATS_SLOW,
    ROOT_SHIFT,
    RUN,
    SLOT,
    UNIT,
    UPPER,
    WEIGHED,
    WEIGHED_MEAN,
    Layout,
)
from hedgerow.models.bank.prefetch import fetch
from hedgerow.models.bank.rows import (
    Rows,
    Scratch,
    Setup,
    context_table,
    due,
    origin_of,
    place,
    slot_of,
)
from hedgerow.models.bank.settle import settle
from hedgerow.models.conformal import (
    conformal_ends,
    conformal_scale,
    usual_error,
)
from hedgerow.models.experts import companions
from hedgerow.models.experts.companions import Company, show
from hedgerow.models.experts.ensemble import (
    SMALL,
    Place,
    ask,
    floor_of,
    forget_roots,
    freeze,
    hour_model_at,
    stand,
)
from hedgerow.models.experts.features import (
    pattern_bin,
    remember,
    standardise_reading,
    time_of,
    usual_in,
    write_common,
)
from hedgerow.models.experts.hold import LEAST_REPEATS, is_stuck, note_repeat
from hedgerow.models.experts.least_squares import Single, gain_step
from hedgerow.models.zone import is_holiday, local_from, stretch_of

LEARNED, LATE, DUPLICATE, REJECTED, USED, IGNORED = range(6)  # the last two of forecasts
READING = -1  # in place of an outside expert's number

DRIFT_MEMORY = 0.995  # λ of least squares for a while after a drift


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
def take(
    rows: Rows,
    setup: Setup,
    rules: Rules,
    reading: Reading,
    company: Company,
    silent: bool,
    scratch: Scratch,
    out: Outputs,
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
    fetch(rows.next_exact, 0, sizes.ring)
    value = clamp(reading.value, LARGEST)
    slot_ms = time_of(row, sizes, slot)
    stretch = stretch_of(setup.zone, min(reading.time_ms, slot_ms))
    local_ms = local_from(setup.zone, stretch, reading.time_ms)
    slot_ms = local_from(setup.zone, stretch, slot_ms)
    score = _strangeness(row, single, sizes, value, local_ms) if rules.anomaly else 0.0
    if not silent:
        entry = due(row, sizes, blocks[0], horizons[0], slot)
        watch_reading(row, entry, score, rules, reading, out.events)
    if standardise_reading(row, value):
        _leave_roots(row, single, setup)
    for k in range(len(horizons)):
        fetch(rows.next_exact, blocks[k], blocks[k] + sizes.pending)
        entry = due(row, sizes, blocks[k], horizons[k], slot)
        if entry >= 0:
            at = place(setup, k, slot - horizons[k])
            _fetch_model(rows, sizes, at, slot_ms % DAY_MS)
            settle(row, single, setup, at, value, slot_ms % DAY_MS, scratch)
    repeated = value == row[sizes.ring + int(row[SLOT]) % sizes.ring_size]
    note_repeat(row, repeated, sizes.period_ms)
    if not silent:
        watch_run(row, is_stuck(row, sizes.period_ms), rules, reading, out.events)
    now = pattern_bin(sizes, local_ms, is_holiday(setup.zone, local_ms))
    remember(row, single, sizes, slot, value, now)
    origin = origin_of(sizes, slot)
    x = single[origin : origin + sizes.padded]
    if sizes.features > 0:
        here = pattern_bin(sizes, slot_ms, is_holiday(setup.zone, slot_ms))
        write_common(row, sizes, x, slot, slot_ms, usual_in(row, single, sizes, here))
    for k in range(len(horizons)):
        at = place(setup, k, slot)
        row[at.entry + ORIGIN] = slot
        row[at.entry + PUBLISHED] = 0.0 if silent else 1.0
        scratch.day_ms[k] = freeze(row, single, sizes, setup.team, setup.zone, stretch, at, k)
    drifted = row[blocks[0] + DRIFT_STATE + QUIET] > 0.0
    if not silent:
        watch_drift(row, blocks[0] + DRIFT_STATE, rules, reading, out.events)
    _find_gains(rows, setup, slot, drifted, scratch.features)
    if sizes.company > 0:
        memory = DRIFT_MEMORY if drifted else companions.MEMORY
        companions.look(
            rows, setup, company, reading.position, silent, stretch, memory, scratch.features
        )
    return True


@jit
def _strangeness(row: Array, single: Single, sizes: Layout, value: float, local_ms: int) -> float:
    """Return the anomaly score of a reading, and let it into the score's memory."""
    extremes = row[EXTREMES : EXTREMES + anomaly.SIZE]
    hours = single[sizes.hours : sizes.hours + anomaly.HOURS_SIZE]
    hour = anomaly.hour_of_week(local_ms / 1000.0)
    return anomaly.score(extremes, hours, value, hour, anomaly.pace(sizes.period_ms / 1000.0))


@jit
def _find_gains(rows: Rows, setup: Setup, slot: int, drifted: bool, scratch: Single) -> None:
    """Let the common features of a reading into the covariances, and keep their gains."""
    single, sizes = rows.single, setup.sizes
    origin = origin_of(sizes, slot)
    x = single[origin : origin + sizes.padded]
    for i in range(sizes.memories):
        start = sizes.covariances + i * sizes.padded * sizes.padded
        gain = single[origin + (1 + i) * sizes.padded : origin + (2 + i) * sizes.padded]
        covariance = single[start : start + sizes.padded * sizes.padded]
        memory = min(setup.memories[i], DRIFT_MEMORY) if drifted else setup.memories[i]
        gain_step(covariance, x, gain, scratch, memory)


@jit
def _fetch_model(rows: Rows, sizes: Layout, at: Place, day_ms: int) -> None:
    """Ask for the next row's small model of a part of the day."""
    if sizes.hour_bins > 0:
        start = hour_model_at(sizes, at, day_ms)
        fetch(rows.next_single, start, start + SMALL)


@jit
def _leave_roots(row: Array, single: Single, setup: Setup) -> None:
    """Drop what was learned on the scale of roots, and what is pending on it."""
    sizes = setup.sizes
    for k in range(len(setup.horizons)):
        forget_roots(single, sizes, setup.single_blocks[k])
        for depth in range(setup.horizons[k]):
            entry = setup.blocks[k] + sizes.pending + depth * sizes.entry
            row[entry + ROOT_SHIFT] = math.nan
    if sizes.company > 0:
        companions.forget(single, setup)


@jit
def _aggregate(
    row: Array, setup: Setup, block: int, entry: int, day_ms: int, weights: Array
) -> None:
    """Weigh the experts' predictions and put the interval around them."""
    sizes = setup.sizes
    size = sizes.table
    day_share = day_ms / DAY_MS
    predictions = row[entry + ENTRY_HEAD : entry + ENTRY_HEAD + sizes.experts]
    context = 0
    if sizes.contexts > 1:
        if row[REPEATS_SLOW] >= LEAST_REPEATS:
            context = min(int(row[RUN]), sizes.contexts - 1)
        row[entry + sizes.held + CONTEXT] = context
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
    floor, ceiling = floor_of(row, setup.team), setup.team.maximum
    offset = drift_offset(row[block + DRIFT_STATE : block + BLOCK_HEAD])
    if offset != 0.0:
        offset *= usual_error(state, day_share)
        predicted = min(max(predicted + offset, floor), ceiling)
        mean = min(max(mean + offset, floor), ceiling)
    row[entry + PREDICTED], row[entry + EXPECTED] = predicted, mean
    row[entry + UNIT] = conformal_scale(state, day_share)
    row[entry + LOWER], row[entry + UPPER] = conformal_ends(
        state, predicted, row[entry + UNIT], floor, ceiling
    )


@jit
def forecast(
    rows: Rows,
    setup: Setup,
    rules: Rules,
    reading: Reading,
    silent: bool,
    external: Array,
    scratch: Scratch,
    out: Outputs,
) -> None:
    """Forecast every horizon from what ``take`` has just frozen, and watch the forecasts.

    ``external`` holds the plug-ins' predictions in standard deviations from the mean: a line
    per horizon, NaN where one sleeps.
    """
    row, single = rows.exact, rows.single
    sizes, horizons = setup.sizes, setup.horizons
    slot = int(row[SLOT])
    breach = 0
    breach_at = math.nan
    below = above = True  # the limits of all horizons beyond the bound on their side
    for k in range(len(horizons)):
        horizon = horizons[k]
        at = place(setup, k, slot)
        entry = at.entry
        fetch(rows.next_exact, entry, entry + sizes.entry)
        _fetch_model(rows, sizes, at, scratch.day_ms[k])
        day_ms = scratch.day_ms[k]
        if sizes.company > 0:
            companions.ask(rows, setup, at)
        ask(row, single, sizes, setup.team, at, day_ms, external[k], setup.river)
        _aggregate(row, setup, at.block, entry, day_ms, scratch.weights)
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
def show_last(row: Array, sizes: Layout, company: Company, position: int) -> None:
    """Leave the signal of the reading just taken for those whose companion its series is."""
    if len(company.signals) > 0:
        show(row, sizes, company.signals[company.series[position]])


@jit
def step_rows(
    exact: Array,
    single: Single,
    setup: Setup,
    bounds: Array,
    where: NDArray[np.int64],
    positions: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    values: Array,
    offsets: NDArray[np.int64],
    outside: NDArray[np.int64],
    company: Company,
    silent: bool,
    scratch: Scratch,
    out: Outputs,
) -> None:
    """Step many readings in log order: reading ``positions[i]`` belongs to row ``where[i]``.

    ``bounds`` has a line for each row: the least and the most that is right, NaN for none.
    Where ``outside`` is not negative, it is the number of an outside expert, and time and value
    are its forecast's.
    """
    for i in range(len(positions)):
        p = positions[i]
        after = where[min(i + 1, len(positions) - 1)]
        rows = Rows(exact[where[i]], single[where[i]], exact[after], single[after])
        if outside[p] >= 0:
            out.outcomes[p] = take_outside(
                rows.exact, setup.sizes, outside[p], time_ms[p], values[p]
            )
            continue
        reading = Reading(p, time_ms[p], values[p], offsets[p])
        rules = rules_of(rows.exact, setup.rules, bounds[where[i]])
        learned = take(rows, setup, rules, reading, company, silent, scratch, out)
        if not silent:
            show_last(rows.exact, setup.sizes, company, p)
        if learned:
            forecast(rows, setup, rules, reading, silent, scratch.nobody, scratch, out)
