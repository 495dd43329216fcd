"""Explaining every forecast of a batch as it is made, where the city asks for it.

Before: ``learner`` has sorted a batch by bank. After: the agent publishes what each forecast was
made of beside it. A row tells of its last reading alone, so that a bank is stepped from one
reading of a series to the next; what comes out does not depend on where a step ends. Where nobody
asks, nothing here runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.bank.bank import Bank
from hedgerow.models.bank.kernel import LEARNED
from hedgerow.models.experts.signals import Call
from hedgerow.models.explanation import ledger as ledgers
from hedgerow.models.explanation.inputs import INPUTS, InputMap, input_map, input_names
from hedgerow.models.explanation.ledger import empty_ledger

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Explained:
    """What the forecasts of m learned readings were made of; K experts at most, I inputs.

    Attributes
    ----------
    said : ndarray of float64, shape (m, H, K)
        What each expert said, NaN where it slept.
    weights : ndarray of float64, shape (m, H, 2, K)
        For ``predicted`` and for ``mean``; NaN where there is no forecast.
    sums : ndarray of float64, shape (m, H, 2, I)
        What each input brought; they sum to ``predicted`` and to ``mean``.
    experts, inputs : list of tuple of str, length m
        Their names.
    """

    said: Array
    weights: Array
    sums: Array
    experts: list[tuple[str, ...]]
    inputs: list[tuple[str, ...]]


class _Known(NamedTuple):
    inputs: InputMap
    ledger: ledgers.Ledger


class Explainer:
    """Makes room for a learner's batches, and knows its banks."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def room(self, readings: int, horizons: int, banks: Sequence[Bank]) -> Room:
        """Make room for a batch of so many readings."""
        for number in range(len(self._known), len(banks)):
            layout = banks[number].layout
            ledger = empty_ledger(layout.sizes.experts)
            self._known[number] = _Known(input_map(layout), ledger)
        experts = max((bank.layout.sizes.experts for bank in banks), default=0)
        return Room(self._known, readings, horizons, experts)


class Room:
    """Room for the explanations of one batch of n readings."""

    def __init__(
        self, known: Mapping[int, _Known], readings: int, horizons: int, experts: int
    ) -> None:
        self._known = known
        shape = (readings, horizons)
        self.said = np.full((*shape, experts), np.nan)
        self.weights = np.full((*shape, 2, experts), np.nan)
        self.sums = np.full((*shape, 2, INPUTS), np.nan)
        self.experts: list[tuple[str, ...]] = [()] * readings

    def cut(self, calls: Iterable[Call], rows: NDArray[np.int64]) -> Iterator[Call]:
        """Cut calls of banks' steps, given the row of each reading, where a row comes again."""
        for number, positions in calls:
            for part in runs(rows[positions]):
                yield number, positions[part]

    def take(
        self,
        number: int,
        bank: Bank,
        rows: NDArray[np.int64],
        positions: NDArray[np.int64],
        outcomes: NDArray[np.int8],
    ) -> None:
        """Explain what readings of different series have just brought."""
        positions = positions[outcomes[positions] == LEARNED]
        inputs, ledger = self._known[number]
        ledgers.explain_rows(
            bank.rows, bank.singles, bank.setup, inputs, rows[positions], positions, ledger,
            self.said, self.weights, self.sums,
        )  # fmt: skip
        for position in positions.tolist():
            self.experts[position] = bank.layout.experts

    def explained(
        self, learned: NDArray[np.int64], companions: Sequence[tuple[str, ...]]
    ) -> Explained:
        """Return the lines of the learned readings, whose series have these companions."""
        return Explained(
            self.said[learned],
            self.weights[learned],
            self.sums[learned],
            [self.experts[position] for position in learned.tolist()],
            [input_names(others) for others in companions],
        )


def runs(where: NDArray[np.int64]) -> Iterator[slice]:
    """Cut a call of a bank's step where a row comes a second time.

    Examples
    --------
    >>> import numpy as np
    >>> [where.indices(5)[:2] for where in runs(np.array([3, 1, 3, 1, 1]))]
    [(0, 2), (2, 4), (4, 5)]
    """
    start, seen = 0, set[int]()
    for i, row in enumerate(where.tolist()):
        if row in seen:
            yield slice(start, i)
            start, seen = i, set()
        seen.add(row)
    if start < len(where):
        yield slice(start, len(where))
