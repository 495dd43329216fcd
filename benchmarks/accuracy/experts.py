"""What each expert of the ensemble said, read from the learner's rows after every slot.

The service publishes the ensemble's forecast alone. For regret the experts' own ones are needed:
they wait in a series' row until their label arrives, so the feed is stepped slot by slot here
and the newest ones are read from there. Nothing else in the benchmark looks into a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.forecasts import Floats
from benchmarks.accuracy.ours import learner_for, log_of
from benchmarks.accuracy.sets import Feed
from hedgerow.models import Learner
from hedgerow.models.bank.bank import Bank
from hedgerow.models.bank.layout import ENTRY_HEAD, SLOT

# By (index of the series, horizon): a line for each origin, a column for each expert.
Said = dict[tuple[int, int], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Panel:
    """The experts by name, and which of them take part under each loss."""

    names: tuple[str, ...] = ()
    absolute: tuple[bool, ...] = ()
    squared: tuple[bool, ...] = ()


def expert_forecasts(feed: Feed) -> tuple[Panel, Said]:
    """Step a fresh learner through the feed and note what every expert says.

    Returns
    -------
    panel : Panel
        The experts.
    said : dict
        Forecasts by origin, NaN where an expert sleeps.
    """
    learner = learner_for(feed)
    which, slots = log_of(feed)
    times = np.array([s.first_ms for s in feed.series])[which] + slots * feed.series[0].period_ms
    ends = np.append(np.flatnonzero(np.diff(times)) + 1, len(times))
    said: Said = {}
    panel = Panel()
    begin = 0
    for end in ends.tolist():
        series, slot = which[begin:end], slots[begin:end]
        _step(feed, learner, series, slot, times[begin:end], begin)
        begin = end
        ids = learner.series.lookup(
            [feed.series[i].sensor_id for i in series.tolist()],
            [feed.series[i].quantity for i in series.tolist()],
        )
        settled = learner.series.banks[ids] >= 0
        if not settled.any():
            continue
        (bank,) = learner.banks
        if not said:
            panel = Panel(
                bank.layout.experts,
                tuple((~bank.setup.absent_absolute).tolist()),
                tuple((~bank.setup.absent_squared).tolist()),
            )
            said = _blank(feed, len(panel.names))
        for horizon, values in newest(bank, learner.series.rows[ids[settled]]):
            for number, at, line in zip(series[settled], slot[settled], values, strict=True):
                said[number, horizon][at] = line
    return panel, said


def newest(bank: Bank, rows: NDArray[np.int64]) -> list[tuple[int, Floats]]:
    """Read, for each horizon, what the experts said at these rows' last slots."""
    layout = bank.layout
    found = []
    slots = bank.rows[rows, SLOT].astype(np.int64)
    experts = np.arange(len(layout.experts))
    for horizon, block in zip(layout.horizons.tolist(), layout.blocks.tolist(), strict=True):
        entries = block + layout.sizes.pending + (slots % horizon) * layout.sizes.entry
        at = entries[:, None] + ENTRY_HEAD + experts
        found.append((horizon, bank.rows[rows[:, None], at]))
    return found


def _blank(feed: Feed, experts: int) -> Said:
    return {
        (number, horizon): np.full((len(series.values), experts), np.nan, np.float32)
        for number, series in enumerate(feed.series)
        for horizon in feed.horizons
    }


def _step(
    feed: Feed,
    learner: Learner,
    series: Sequence[int],
    slot: NDArray[np.int64],
    times: NDArray[np.int64],
    offset: int,
) -> None:
    mine = [feed.series[i] for i in series]
    learner.step(
        [one.sensor_id for one in mine],
        [one.quantity for one in mine],
        times,
        np.array([one.values[k] for one, k in zip(mine, slot, strict=True)]),
        np.arange(offset, offset + len(mine)),
    )
