"""How the experts of every series were weighed, noted now and then while this worker learns.

Before: the holdings, looked into beside the loop, a hundred rows at a time. After: a series that is
chosen for the first time has a past. There are never more than so many moments: when there are too
many, every second one is let go and the next ones come half as often, so that they always reach
back to when the worker began to learn. Nothing of it is stored.
"""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hedgerow.agents.holdings import Holdings
from hedgerow.app.console.background import Background
from hedgerow.app.console.views import Sample
from hedgerow.models import Learner
from hedgerow.models.bank.scores import weights_of_row
from hedgerow.models.bank.series import NOWHERE

FIRST_SECONDS = 5.0  # between two moments, at the beginning
MOST_MOMENTS, LEAST_MOMENTS = 32, 4
MOST_BYTES = 16 * 2**20  # of all moments together, as long as that leaves the fewest
ROWS_AT_ONCE = 100  # 1 ms


@dataclass(frozen=True, slots=True)
class _Noted:
    """One bank of a partition at one moment: where its rows stood, and their weights."""

    at_ms: NDArray[np.int64]
    weights: NDArray[np.float16]  # rows, horizons, experts


@dataclass(frozen=True, slots=True)
class _Moment:
    banks: dict[tuple[int, int], _Noted]  # by partition and bank

    @property
    def size(self) -> int:
        return sum(one.at_ms.nbytes + one.weights.nbytes for one in self.banks.values())


class Past(Background):
    """The weights of all series that are learned here, at some moments since the worker began.

    Examples
    --------
    A worker that holds nothing has nothing to tell:

    >>> from types import SimpleNamespace
    >>> past = Past(SimpleNamespace(all=list))
    >>> asyncio.run(past.note())
    >>> past.of("bridge-7", "") is None
    True
    """

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._moments: list[_Moment] = []
        self._learners: dict[int, weakref.ref[Learner]] = {}
        self.every_seconds = FIRST_SECONDS

    @property
    def pause_seconds(self) -> float:
        """Longer and longer."""
        return self.every_seconds

    async def once(self) -> None:
        """Note all series."""
        await self.note()

    def of(self, sensor_id: str, quantity: str) -> list[Sample] | None:
        """Return the weights of a series at the moments that were noted, the oldest first.

        ``None`` if it is not learned here.
        """
        for holding in self._holdings.all():
            learner, number = holding.learner, holding.claim.partition.number
            series = learner.series.find(sensor_id, quantity)
            if series == NOWHERE:
                continue
            if learner.series.banks[series] == NOWHERE or self._is_new(number, learner):
                return []
            bank, row = int(learner.series.banks[series]), int(learner.series.rows[series])
            layout, absent = learner.banks[bank].layout, learner.banks[bank].setup.absent_absolute
            taking_part = np.flatnonzero(~absent).tolist()
            samples: dict[int, Sample] = {}
            for moment in self._moments:
                noted = moment.banks.get((number, bank))
                if noted is None or row >= len(noted.at_ms):
                    continue
                at = int(noted.at_ms[row])
                horizons = zip(layout.horizons.tolist(), noted.weights[row].tolist(), strict=True)
                samples[at] = (
                    at,
                    {h: {layout.experts[i]: ws[i] for i in taking_part} for h, ws in horizons},
                )
            return list(samples.values())
        return None

    async def note(self) -> None:
        """Note all series as they are weighed now."""
        before = self._moments[-1].banks if self._moments else {}
        banks: dict[tuple[int, int], _Noted] = {}
        for holding in self._holdings.all():
            learner, number = holding.learner, holding.claim.partition.number
            if self._is_new(number, learner):  # what was noted is of other rows
                self._learners[number] = weakref.ref(learner)
                for moment in self._moments:
                    for place in [place for place in moment.banks if place[0] == number]:
                        del moment.banks[place]
            for bank in range(len(learner.banks)):
                place = number, bank
                banks[place] = await _noted(learner, bank, before.get(place))
        if any(before.get(place) is not noted for place, noted in banks.items()):
            self._moments.append(_Moment(banks))
            self._thin_out()

    def _is_new(self, number: int, learner: Learner) -> bool:
        known = self._learners.get(number)
        return known is None or known() is not learner

    def _thin_out(self) -> None:
        size = max(1, self._moments[-1].size)
        if len(self._moments) > max(LEAST_MOMENTS, min(MOST_MOMENTS, MOST_BYTES // size)):
            self._moments = self._moments[::2]
            self.every_seconds *= 2


async def _noted(learner: Learner, number: int, before: _Noted | None) -> _Noted:
    """Note a bank; of rows where nothing came, what was noted before stays."""
    bank = learner.banks[number]
    count, layout = bank.count, bank.layout
    at_ms = bank.reached_ms(count)
    weights = np.zeros((count, len(layout.horizons), len(layout.experts)), np.float16)
    known = 0 if before is None else len(before.at_ms)
    changed = np.ones(count, bool)
    if before is not None:
        weights[:known] = before.weights
        changed[:known] = at_ms[:known] != before.at_ms
        if not changed.any():
            return before
    rows = np.flatnonzero(changed)
    for first in range(0, len(rows), ROWS_AT_ONCE):
        for row in rows[first : first + ROWS_AT_ONCE].tolist():
            at_ms[row] = bank.reached_ms(row + 1, row)[0]
            weights[row] = weights_of_row(bank, row)
        await asyncio.sleep(0)
    return _Noted(at_ms, weights)
