"""The table of all series of a partition: who they are and where their rows lie.

``learner`` numbers series in the order of their first reading; ``capture`` writes the table in
chunks, of which only the last ones change as it grows.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import jit

CHUNK_SERIES = 1024
NOWHERE = -1
UNUSABLE = -2  # in place of a bank: the reading itself is not right


class SeriesTable:
    """Series by number.

    Attributes
    ----------
    sensor_ids, quantities : list of str
        Who the series is.
    profiles, banks, rows : ndarray of int64, shape (capacity,)
        Index of its profile; its bank (``NOWHERE`` while it waits in the nursery) and its row.
    sensors : ndarray of int64, shape (capacity,)
        Number of its sensor: that of the sensor's first series.
    watched_ms : ndarray of int64, shape (capacity,)
        Its period; 0 before it has a row, or where nobody wants to be told of its silence.
    """

    def __init__(self) -> None:
        self.sensor_ids: list[str] = []
        self.quantities: list[str] = []
        self.profiles = np.zeros(16, np.int64)
        self.banks = np.full(16, NOWHERE, np.int64)
        self.rows = np.full(16, NOWHERE, np.int64)
        self.sensors = np.full(16, NOWHERE, np.int64)
        self.watched_ms = np.zeros(16, np.int64)
        self.dirty: set[int] = set()
        self._index: dict[tuple[str, str], int] = {}
        self._sensor_numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.sensor_ids)

    def lookup(self, sensor_ids: Sequence[str], quantities: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of each series, ``NOWHERE`` for one not known yet."""
        keys = zip(sensor_ids, quantities, strict=True)
        found = map(self._index.get, keys, repeat(NOWHERE))
        return np.fromiter(found, np.int64, len(sensor_ids))

    def find(self, sensor_id: str, quantity: str) -> int:
        """Return the number of one series, ``NOWHERE`` if it is not known yet."""
        return self._index.get((sensor_id, quantity), NOWHERE)

    def name(self, series: int) -> tuple[str, str]:
        """Return sensor and quantity of a series."""
        return self.sensor_ids[series], self.quantities[series]

    def add(self, sensor_id: str, quantity: str, profile: int) -> int:
        """Give a new series its number and return it."""
        series = len(self.sensor_ids)
        if series == len(self.banks):
            grow = np.full(series, NOWHERE, np.int64)
            self.profiles = np.concatenate([self.profiles, grow])
            self.banks = np.concatenate([self.banks, grow])
            self.rows = np.concatenate([self.rows, grow])
            self.sensors = np.concatenate([self.sensors, grow])
            self.watched_ms = np.concatenate([self.watched_ms, np.zeros(series, np.int64)])
        self._index[sensor_id, quantity] = series
        self.sensor_ids.append(sensor_id)
        self.quantities.append(quantity)
        self.profiles[series] = profile
        self.sensors[series] = self._sensor_numbers.setdefault(sensor_id, series)
        self.dirty.add(series // CHUNK_SERIES)
        return series

    def place(self, series: int, bank: int, row: int, watched_ms: int) -> None:
        """Note where a series' row lies, and its period if its silence matters."""
        self.banks[series] = bank
        self.rows[series] = row
        self.watched_ms[series] = watched_ms
        self.dirty.add(series // CHUNK_SERIES)


@jit
def find_banks(
    ids: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    values: NDArray[np.float64],
    latest_ms: int,
    banks: NDArray[np.int64],
    found: NDArray[np.int64],
) -> int:
    """Write the bank of each reading of a batch; return it where all go to one and the same.

    ``NOWHERE`` is written for a series without a row, ``UNUSABLE`` for a reading whose value is not
    finite or whose time is not between 1970 and ``latest_ms``. What is returned is negative where
    not all of the batch go to one bank.
    """
    only = NOWHERE
    for p in range(len(ids)):
        usable = 0 <= time_ms[p] <= latest_ms and math.isfinite(values[p])
        found[p] = (banks[ids[p]] if ids[p] >= 0 else NOWHERE) if usable else UNUSABLE
        only = found[p] if p == 0 or found[p] == only else NOWHERE
    return only
