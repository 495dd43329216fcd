"""A label is here: its forecast is scored, and everything learns from it. Compiled.

Before: ``kernel.take`` found the pending forecasts that a reading is the label of. After: the
new reading enters the features of the next ones. A forecast is scored as it was published,
then learned from on what was frozen when it was made.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math

import numpy as np

from hedgerow.models.aggregation import forget, learn
from hedgerow.models.alerts.drift import drift_learn, drift_relearn, is_rival
from hedgerow.models.arithmetic import LARGEST, Array, jit
from hedgerow.models.bank.layout import (
    ABSOLUTE_ERROR,
    BLOCK_HEAD,
    CONTEXT,
    COVERED,
    DAY_MS,
    DRIFT_STATE,
    ENTRY_HEAD,
    EXPECTED,
    INTERVAL,
    LABELS,
    LOWER,
    PATTERN_SIZE,
    PERSISTENCE,
    PREDICTED,
    PUBLISHED,
    REFERENCES,
    SCALE_ABSOLUTE,
    SQUARED_ERROR,
    UNIT,
    UPPER,
    VISITS,
    WEIGHED,
    WEIGHED_MEAN,
    WIDTH_SUM,
    WITH_INTERVAL,
    Layout,
    N,
)
from hedgerow.models.bank.rows import (
    Scratch,
    Setup,
    context_table,
)
from hedgerow.models.conformal import (
    conformal_learn,
    usual_error,
)
from hedgerow.models.experts import companions
from hedgerow.models.experts.ensemble import Place, Team, floor_of, teach
from hedgerow.models.experts.least_squares import Single

SCALE_MEMORY = 0.02  # weight of the newest loss in the running one
MOST_OFF = 50.0  # running errors
SETTLED = 20.0  # labels before an error counts as far off
FORGOTTEN = 0.3  # what a drift leaves of all regrets
DRIFT_VISITS = 2.0  # as if the weekly pattern had been seen so often


@jit
def settle(
    row: Array, single: Single, setup: Setup, at: Place, value: float, day_ms: int, scratch: Scratch
) -> None:
    """Score a forecast whose label is here, then let everything learn from it.

    ``day_ms`` is the label's local time of day.
    """
    sizes = setup.sizes
    day_share = day_ms / DAY_MS
    if (
        _learn_drift(row, setup, at.block, at.entry, value, day_share, scratch.rivals)
        and at.block == setup.blocks[0]
    ):
        for i in range(sizes.bins):
            visits = sizes.pattern + PATTERN_SIZE * i + VISITS
            single[visits] = min(single[visits], np.float32(DRIFT_VISITS))
    if row[at.entry + PUBLISHED] == 1.0:
        _score(row, sizes, at.block, at.entry, value)
    _reweigh(row, setup, at.block, at.entry, value, scratch)
    teach(row, single, sizes, setup.team, at, value, day_ms, scratch.features)
    if sizes.company > 0:
        companions.teach(row, single, setup, at, value)
    _learn_scale(row, at.block, at.entry, value)
    _learn_interval(row, setup.team, at.block, at.entry, value, day_share)


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
    size = sizes.table
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
            anew = learn(
                row[at : at + size], setup.rule, scratch.predictions, setup.absent_squared,
                forecast, off, 2.0 * off, scratch.weights,
            )  # fmt: skip
            if anew:
                drift_relearn(row[block + DRIFT_STATE : block + BLOCK_HEAD])
        else:
            slope = 1.0 if off > 0.0 else (-1.0 if off < 0.0 else 0.0)
            context = int(row[entry + sizes.held + CONTEXT]) if sizes.contexts > 1 else 0
            at = context_table(sizes, block, context)
            learn(
                row[at : at + size], setup.rule, scratch.predictions, setup.absent_absolute,
                forecast, off, slope, scratch.weights,
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
def _learn_interval(
    row: Array, team: Team, block: int, entry: int, value: float, day_share: float
) -> None:
    state = row[block + INTERVAL : block + DRIFT_STATE]
    conformal_learn(
        state, value, row[entry + PREDICTED], row[entry + LOWER], row[entry + UPPER],
        row[entry + UNIT], day_share, floor_of(row, team), team.maximum,
    )  # fmt: skip


@jit
def _learn_drift(
    row: Array, setup: Setup, block: int, entry: int, value: float, day_share: float, rivals: Array
) -> bool:
    """Show a residual to the drift charts; forget regrets if a naive forecast was better.

    Returns whether the alarm sounded.
    """
    if not setup.drift:
        return False
    unit = usual_error(row[block + INTERVAL : block + DRIFT_STATE], day_share)
    if unit <= 0.0:
        return False
    for i in range(REFERENCES):
        rivals[i] = abs(value - row[entry + ENTRY_HEAD + PERSISTENCE + i]) / unit
    state = row[block + DRIFT_STATE : block + BLOCK_HEAD]
    if not drift_learn(state, (value - row[entry + WEIGHED]) / unit, rivals):
        return False
    if is_rival(state):
        size = setup.sizes.table
        for table in range(setup.sizes.contexts + 1):
            at = block + setup.sizes.tables_absolute + table * size
            forget(row[at : at + size], FORGOTTEN)
    return True
