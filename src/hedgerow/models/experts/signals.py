"""What series tell each other: the last reading of each, for those whose companion it is.

Before: a profile names the companions of its series. After: ``learner`` sorts a batch by bank
such that a reading is stepped after what its series looks at and before what comes later there,
and the kernel reads and writes the table. All of it follows from the rows and the profiles, so
a snapshot does not hold it.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import jit
from hedgerow.models.bank.bank import Bank
from hedgerow.models.bank.series import NOWHERE, SeriesTable
from hedgerow.models.experts.companions import NO_SIGNAL, SIGNAL_SIZE, Company, show
from hedgerow.models.profile import MOST_COMPANIONS, CityModel, series_key
from hedgerow.models.registry import EMPTY, Registry

Call = tuple[int, NDArray[np.int64]]


class Signals:
    """The signals of a partition's series, and who looks at whom.

    Parameters
    ----------
    city : CityModel
        Its profiles name the companions,
    registry : Registry
        and what is declared of single sensors their neighbours.

    Attributes
    ----------
    active : bool
        Whether any profile names companions; nothing is kept otherwise.
    """

    def __init__(self, city: CityModel, registry: Registry = EMPTY) -> None:
        self._profiles = city.profiles
        self._registry = registry
        self.active = registry.has_neighbours or any(p.places for p in city.profiles)
        self._count = 0
        self._table = np.empty((0, SIGNAL_SIZE))
        self._links = np.empty((0, MOST_COMPANIONS), np.int64)
        self._by_key: dict[str, int] = {}
        self._awaited: dict[str, list[tuple[int, int]]] = {}

    def follow(self, table: SeriesTable, banks: Sequence[Bank] = ()) -> None:
        """Take in the series that are new in the table.

        Where ``banks`` are given, what the series had learned before is shown at once: they
        came from a snapshot or another partition.
        """
        if not self.active:
            return
        first, self._count = self._count, len(table)
        if self._count > len(self._table):
            room = max(16, 2 * len(self._table), self._count) - len(self._table)
            silent = np.tile(np.array(NO_SIGNAL), (room, 1))
            self._table = np.concatenate([self._table, silent])
            nobody = np.full((room, MOST_COMPANIONS), NOWHERE, np.int64)
            self._links = np.concatenate([self._links, nobody])
        for series in range(first, self._count):
            self._introduce(series, table)
            if banks and table.banks[series] != NOWHERE:
                bank = banks[table.banks[series]]
                row = bank.rows[table.rows[series]]
                show(row, bank.layout.sizes, self._table[series])

    def _introduce(self, series: int, table: SeriesTable) -> None:
        """Link a new series with those it looks at and those that were waiting for it."""
        sensor, quantity = table.name(series)
        key = series_key(sensor, quantity)
        if self._by_key.setdefault(key, series) == series:
            for reader, place in self._awaited.pop(key, ()):
                self._links[reader, place] = series
        profile = self._profiles[table.profiles[series]]
        facts = self._registry.of(sensor)
        for place, wanted in enumerate(profile.companions_of(sensor, quantity, facts)):
            if wanted in self._by_key:
                self._links[series, place] = self._by_key[wanted]
            else:
                self._awaited.setdefault(wanted, []).append((series, place))

    def company(self, ids: NDArray[np.int64]) -> Company:
        """Return the table for the kernel, with the series of each reading of a batch."""
        return Company(ids, self._links, self._table)

    def calls(
        self, ids: NDArray[np.int64], bank_of: NDArray[np.int64], banks: NDArray[np.int64]
    ) -> list[Call]:
        """Sort the readings of a batch into calls of a bank's step.

        Parameters
        ----------
        ids : ndarray of int64, shape (n,)
            Series of each reading.
        bank_of : ndarray of int64, shape (n,)
            Its bank, negative where it goes to none.
        banks : ndarray of int64, shape (series,)
            The bank of every series.

        Returns
        -------
        list of (int, ndarray of int64)
            Bank and positions, to be stepped in this order. Readings of series that look at
            each other keep the order of the log; others need not.
        """
        numbers = sorted(set(bank_of.tolist()) - {NOWHERE})
        if not self.active or len(numbers) <= 1:
            return [(number, (bank_of == number).nonzero()[0]) for number in numbers]
        turns = np.full(len(ids), NOWHERE)
        latest, after = np.full((2, self._count), NOWHERE)
        take_turns(ids, bank_of, banks, self._links, latest, after, turns)
        order = np.argsort(turns * (max(numbers) + 1) + bank_of, kind="stable")
        order = order[bank_of[order] >= 0]
        both = np.stack([turns[order], bank_of[order]])
        edges = np.flatnonzero((both[:, 1:] != both[:, :-1]).any(axis=0)) + 1
        return [(int(bank_of[part[0]]), part) for part in np.split(order, edges)]


@jit
def take_turns(
    ids: NDArray[np.int64],
    bank_of: NDArray[np.int64],
    banks: NDArray[np.int64],
    links: NDArray[np.int64],
    latest: NDArray[np.int64],
    after: NDArray[np.int64],
    turns: NDArray[np.int64],
) -> None:
    """Write the turn of each reading: in one turn each bank can be stepped once.

    A reading comes no earlier than what its series looks at, and what others look at no earlier
    than they; where that is in another bank, in a later turn. ``latest`` and ``after`` are
    scratch, -1 for every series: its last turn so far, and the least its next may have.
    """
    for p in range(len(ids)):
        bank, series = bank_of[p], ids[p]
        if bank < 0:
            continue
        turn = max(latest[series], after[series], 0)
        for other in links[series]:
            if other >= 0 and latest[other] >= 0:
                turn = max(turn, latest[other] + (1 if banks[other] != bank else 0))
        for other in links[series]:
            if other >= 0:
                after[other] = max(after[other], turn + (1 if banks[other] != bank else 0))
        latest[series] = turns[p] = turn
