"""Where series wait until their period is known.

Before: ``learner`` sends the first readings of a series with no declared period. After: once
``READINGS_NEEDED`` are here, ``period`` finds the grid and the readings move to a bank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hedgerow.models.bank import kernel
from hedgerow.models.period import READINGS_NEEDED
from hedgerow.models.snapshot.chunks import Array


@dataclass(slots=True)
class Infant:
    """The readings of one waiting series, in increasing time."""

    times_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def take(self, time_ms: int, value: float) -> int:
        """Keep a reading and return its outcome."""
        if self.times_ms and time_ms <= self.times_ms[-1]:
            return kernel.DUPLICATE if time_ms == self.times_ms[-1] else kernel.LATE
        self.times_ms.append(time_ms)
        self.values.append(value)
        return kernel.LEARNED

    @property
    def ready(self) -> bool:
        """Whether enough readings are here."""
        return len(self.times_ms) >= READINGS_NEEDED


class Nursery:
    """All waiting series of a partition, by series number."""

    def __init__(self) -> None:
        self.infants: dict[int, Infant] = {}
        self.dirty = True

    def take(self, series: int, time_ms: int, value: float) -> int:
        """Keep a reading of a waiting series and return its outcome."""
        outcome = self.infants.setdefault(series, Infant()).take(time_ms, value)
        self.dirty = True
        return outcome

    def leave(self, series: int) -> Infant:
        """Let a series go, with its readings."""
        self.dirty = True
        return self.infants.pop(series)

    def arrays(self) -> dict[str, Array]:
        """Return everything as arrays, in the order of the series' numbers."""
        order = sorted(self.infants)
        infants = [self.infants[series] for series in order]
        return {
            "series": np.array(order, np.int64),
            "counts": np.array([len(i.times_ms) for i in infants], np.int64),
            "times_ms": np.array([t for i in infants for t in i.times_ms], np.int64),
            "values": np.array([v for i in infants for v in i.values], np.float64),
        }

    def fill(self, arrays: Mapping[str, Array]) -> None:
        """Take back what `arrays` returned."""
        at = 0
        for series, count in zip(arrays["series"], arrays["counts"], strict=True):
            end = at + int(count)
            self.infants[int(series)] = Infant(
                arrays["times_ms"][at:end].tolist(), arrays["values"][at:end].tolist()
            )
            at = end
