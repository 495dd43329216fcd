"""Copying a bank's changed rows bit by bit, while stepping goes on. Compiled.

Before: ``Learner.begin_capture`` says which rows changed. After: ``encode_chunk`` makes bytes of
the copies. A row about to be stepped is copied first, so that all copies are of one moment: the
one at which the capture began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import jit
from hedgerow.models.snapshot.chunks import Array

if TYPE_CHECKING:
    from hedgerow.models.bank.bank import Bank

COPIED = -1


class Planes(NamedTuple):
    """Rows on both planes."""

    exact: NDArray[np.float64]
    single: NDArray[np.float32]


class RowCopy:
    """The rows of some chunks of a bank, as they stand when this is made.

    Parameters
    ----------
    bank : Bank
        It must show every row to `before_step` before it changes it.
    chunks : sequence of int
        Which chunks, in ascending order.
    chunk_rows : int
        Rows of a chunk; the last one of a bank may be shorter.
    """

    def __init__(self, bank: Bank, chunks: Sequence[int], chunk_rows: int) -> None:
        self._bank = bank
        spans = [range(n * chunk_rows, min((n + 1) * chunk_rows, bank.count)) for n in chunks]
        ends = np.cumsum([0, *map(len, spans)]).tolist()
        self._spans = dict(zip(chunks, zip(ends, ends[1:], strict=False), strict=True))
        self._wanted = np.concatenate([np.arange(span.start, span.stop) for span in spans])
        self._place = np.full(bank.count, COPIED)
        self._place[self._wanted] = np.arange(len(self._wanted))
        self._into = Planes(
            np.empty((len(self._wanted), bank.rows.shape[1])),
            np.empty((len(self._wanted), bank.singles.shape[1]), np.float32),
        )
        self._reached = 0

    def planes(self, chunk: int) -> Mapping[str, Array]:
        """Return where the two planes of a chunk are copied to."""
        span = slice(*self._spans[chunk])
        return {"rows": self._into.exact[span], "singles": self._into.single[span]}

    def before_step(self, where: NDArray[np.int64]) -> None:
        """Copy those of these rows that have yet to be copied."""
        _copy(where, self._place, Planes(self._bank.rows, self._bank.singles), self._into)

    def go_on(self, most_bytes: int) -> bool:
        """Copy about so many bytes more; tell whether every row has been copied."""
        first, rows = self._reached, max(1, most_bytes // self._bank.row_bytes)
        self._reached += rows
        self.before_step(self._wanted[first : self._reached])
        return self._reached >= len(self._wanted)


@jit
def _copy(where: NDArray[np.int64], place: NDArray[np.int64], held: Planes, into: Planes) -> None:
    for row in where:
        if row >= place.size or place[row] == COPIED:
            continue  # a row that was added since is no part of the copy
        to = place[row]
        for at in range(held.exact.shape[1]):
            into.exact[to, at] = held.exact[row, at]
        for at in range(held.single.shape[1]):
            into.single[to, at] = held.single[row, at]
        place[row] = COPIED
