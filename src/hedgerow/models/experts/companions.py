"""The expert on companions: least squares on what other series last read. Compiled.

Every reading leaves a signal for those whose companion its series is: where it stands, how far
from what is usual at this time, and the same before, on the scale of roots as all features here
are. A forecast is made from the series' own state and the signals that stand when its reading
comes, in the order of the log; a signal older than a few of its periods is none. Where there is
none at all the expert sleeps. One covariance serves all horizons, as in the large least squares.

Before: ``signals`` says who looks at whom. After: ``kernel`` calls ``show``, ``look`` and ``ask``
on the way of a reading, ``settle`` comes back to ``teach``.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import Array, clamp, jit
from hedgerow.models.bank.layout import (
    COMPANIONS_OWN,
    DEVIATION,
    DEVIATION_BEFORE,
    ENTRY_HEAD,
    LEVEL,
    NEGATIVE,
    NEVER,
    ROOT_SCALE,
    ROOT_SHIFT,
    SIGNAL_FEATURES,
    SLOT,
    SURPRISE,
    Layout,
)
from hedgerow.models.bank.rows import Rows, Setup
from hedgerow.models.experts.ensemble import Place
from hedgerow.models.experts.features import (
    CLIP_Z,
    look_back,
    pattern_bin,
    root,
    rooted,
    time_of,
    unroot,
    usual_in,
)
from hedgerow.models.experts.least_squares import Single, correct, gain_step, predict, reset
from hedgerow.models.zone import is_holiday, local_from

MEMORY = 0.9995  # λ
SPREAD_MEMORY = 0.01
STALE_AFTER = 3  # periods of the companion

# A signal: when, the length of its slots, and the features it gives.
AT_MS, PERIOD_MS, STANDS, SIGNAL_SIZE = 0, 1, 2, 2 + SIGNAL_FEATURES
NO_SIGNAL = (NEVER, 1.0, 0.0, 0.0, 0.0)


class Company(NamedTuple):
    """Who looks at whom, and what there is to see.

    Attributes
    ----------
    series : ndarray of int64, shape (n,)
        Number of the series of each reading of a batch.
    links : ndarray of int64, shape (series, most companions)
        Numbers of a series' companions, negative where a place is empty.
    signals : ndarray of float64, shape (series, 5)
        Each series' signal. No line at all where nobody names companions.
    """

    series: NDArray[np.int64]
    links: NDArray[np.int64]
    signals: Array


@jit
def show(row: Array, sizes: Layout, signal: Array) -> None:
    """Write the signal of a row's last reading."""
    slot = int(row[SLOT])
    if row[SLOT] == NEVER:
        return
    value = look_back(row, sizes, slot, 0)
    z = rooted(row, value, 0.0)
    before = look_back(row, sizes, slot, 1)
    signal[AT_MS] = time_of(row, sizes, slot)
    signal[PERIOD_MS] = sizes.period_ms
    signal[STANDS] = z
    signal[STANDS + 1] = z - rooted(row, value - row[DEVIATION], z)
    z = rooted(row, before, 0.0)
    signal[STANDS + 2] = z - rooted(row, before - row[DEVIATION_BEFORE], z)


@jit
def company_at(sizes: Layout, slot: int) -> int:
    """Return where the features frozen at a slot begin; the gain follows."""
    return sizes.company_origins + (slot % sizes.longest) * 2 * sizes.company


@jit
def look(
    rows: Rows, setup: Setup, company: Company, position: int, silent: bool, stretch: int,
    memory: float, scratch: Single,
) -> None:  # fmt: skip
    """Freeze the features of the forecasts made at the row's last reading, and find their gain.

    ``stretch`` is the zone's at the reading. A first feature of 0 says that there was no
    companion to look at.
    """
    row, single, sizes = rows.exact, rows.single, setup.sizes
    slot, size = int(row[SLOT]), sizes.company
    start = company_at(sizes, slot)
    x = single[start : start + size]
    gain = single[start + size : start + 2 * size]
    x[:] = np.float32(0.0)
    gain[:] = np.float32(0.0)
    if silent or not _write_signals(x, row, setup, company, company.series[position]):
        return
    _write_own(x, row, single, setup, slot, stretch)
    at = sizes.company_covariance
    gain_step(single[at : at + size * size], x, gain, scratch, memory)


@jit
def _write_signals(x: Single, row: Array, setup: Setup, company: Company, series: int) -> bool:
    """Write the features that fresh signals give; return whether there are any."""
    now = time_of(row, setup.sizes, int(row[SLOT]))
    seen = False
    for i in range(setup.sizes.places):
        other = company.links[series, i]
        if other < 0:
            continue
        signal = company.signals[other]
        if abs(now - signal[AT_MS]) > STALE_AFTER * signal[PERIOD_MS]:
            continue
        seen = True
        to = COMPANIONS_OWN + len(setup.horizons) + SIGNAL_FEATURES * i
        for j in range(SIGNAL_FEATURES):
            x[to + j] = np.float32(signal[STANDS + j])
    return seen


@jit
def _write_own(
    x: Single, row: Array, single: Single, setup: Setup, slot: int, stretch: int
) -> None:
    """Write what the series itself gives."""
    sizes = setup.sizes
    value = look_back(row, sizes, slot, 0)
    z = rooted(row, value, 0.0)
    expected = value - row[DEVIATION]
    x[0] = np.float32(1.0)
    x[1] = np.float32(z)
    x[2] = np.float32(rooted(row, look_back(row, sizes, slot, 1), z))
    x[3] = np.float32(rooted(row, row[LEVEL], z))
    x[4] = np.float32(z - rooted(row, expected, z))
    x[5] = np.float32(rooted(row, expected + row[SURPRISE + 1], z) - rooted(row, expected, z))
    for k in range(len(setup.horizons)):
        target_ms = local_from(setup.zone, stretch, time_of(row, sizes, slot + setup.horizons[k]))
        bin_then = pattern_bin(sizes, target_ms, is_holiday(setup.zone, target_ms))
        usual = usual_in(row, single, sizes, bin_then)
        x[COMPANIONS_OWN + k] = np.float32(rooted(row, usual, 0.0))


@jit
def ask(rows: Rows, setup: Setup, at: Place) -> None:
    """Write the expert's median and mean into the pending entry, NaN where it sleeps.

    ``ensemble`` keeps them, as all others, within what the series can be.
    """
    row, single, sizes = rows.exact, rows.single, setup.sizes
    to = at.entry + ENTRY_HEAD + setup.companions
    row[to] = row[to + 1] = math.nan
    start = company_at(sizes, at.slot)
    if single[start] == np.float32(0.0):
        return
    theta = at.single + sizes.company_theta
    z = predict(single[theta : theta + sizes.company], single[start : start + sizes.company])
    middle = unroot(row, row[at.entry + ROOT_SHIFT] + row[at.entry + ROOT_SCALE] * clamp(z, CLIP_Z))
    spread = 0.0
    if row[NEGATIVE] == 0.0:
        spread = float(single[theta + sizes.company]) * row[at.entry + ROOT_SCALE] ** 2
    row[to], row[to + 1] = middle, middle + spread


@jit
def teach(row: Array, single: Single, setup: Setup, at: Place, value: float) -> None:
    """Learn from the label of a pending forecast."""
    sizes = setup.sizes
    start = company_at(sizes, at.slot)
    shift, scale = row[at.entry + ROOT_SHIFT], row[at.entry + ROOT_SCALE]
    if single[start] == np.float32(0.0) or math.isnan(shift):
        return
    x = single[start : start + sizes.company]
    gain = single[start + sizes.company : start + 2 * sizes.company]
    first = at.single + sizes.company_theta
    theta = single[first : first + sizes.company]
    label = clamp((root(row, value) - shift) / scale, CLIP_Z) if scale > 0.0 else 0.0
    off = label - clamp(predict(theta, x), CLIP_Z)
    spread = single[first + sizes.company]
    single[first + sizes.company] += np.float32(SPREAD_MEMORY * (off * off - spread))
    correct(theta, gain, label - predict(theta, x))


@jit
def forget(single: Single, setup: Setup) -> None:
    """Start anew: the scale of roots, on which all was learned, is gone."""
    sizes = setup.sizes
    at = sizes.company_covariance
    reset(single[at : at + sizes.company**2], sizes.company)
    for block in setup.single_blocks:
        theta = block + sizes.company_theta
        single[theta : theta + sizes.company + 1] = np.float32(0.0)
