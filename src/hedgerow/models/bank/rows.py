"""What all rows of a bank have in common, and where in a row things lie. Compiled.

``bank`` makes a ``Setup``; ``kernel`` and ``settle`` find the pending forecasts of a row through
here.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.aggregation import Flags
from hedgerow.models.alerts.episodes import (
    Rules,
)
from hedgerow.models.arithmetic import Array, jit
from hedgerow.models.bank.layout import (
    ORIGIN,
    PHASE,
    REFERENCES,
    SLOT,
    Layout,
)
from hedgerow.models.experts.ensemble import Place, Team
from hedgerow.models.experts.least_squares import Single
from hedgerow.models.zone import ZoneTable


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
    companions: int
    river: int
    rule: int
    absent_absolute: Flags
    absent_squared: Flags
    drift: bool
    rules: Rules
    zone: ZoneTable


class Rows(NamedTuple):
    """One series' row on both planes, and that of the series whose turn is next, or the same."""

    exact: Array
    single: Single
    next_exact: Array
    next_single: Single


class Scratch(NamedTuple):
    """Room that a step overwrites."""

    predictions: Array
    weights: Array
    rivals: Array
    features: Single
    day_ms: NDArray[np.int64]  # local time of day of each horizon's target
    nobody: Array  # what no plug-ins predict


def scratch(sizes: Layout) -> Scratch:
    """Make room for the steps of a bank."""
    return Scratch(
        predictions=np.empty(sizes.experts),
        weights=np.empty(sizes.experts),
        rivals=np.empty(REFERENCES),
        features=np.empty(max(sizes.padded, sizes.company, 8), np.float32),
        day_ms=np.zeros(sizes.horizons, np.int64),
        nobody=np.empty((sizes.horizons, 0)),
    )


@jit
def context_table(sizes: Layout, block: int, context: int) -> int:
    """Return where the table of the absolute loss for a context stands."""
    return block + sizes.tables_absolute + context * sizes.table


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
    depth = slot % horizon
    return Place(
        horizon,
        depth,
        block + sizes.pending + depth * sizes.entry,
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
    if sizes.origin == 0:
        return sizes.origins
    return sizes.origins + (slot % sizes.longest) * sizes.origin
