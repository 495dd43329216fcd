"""What a step brings forth, and the accounting of a partition.

Before: ``learner`` steps a batch. After: the agent turns a ``StepResult`` into records.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.alerts.words import AlertEvent
from hedgerow.models.bank import kernel

if TYPE_CHECKING:
    from hedgerow.models.explanation.columns import Explained


class Outcome(IntEnum):
    """What became of a reading, or (the last two) of an outside forecast."""

    LEARNED = kernel.LEARNED
    LATE = kernel.LATE
    DUPLICATE = kernel.DUPLICATE
    REJECTED = kernel.REJECTED
    USED = kernel.USED
    IGNORED = kernel.IGNORED


@dataclass(slots=True)
class Counts:
    """Accounting of a partition since its first offset; part of the snapshot."""

    messages_decoded: int = 0
    messages_dead_lettered: int = 0
    learned: int = 0
    late: int = 0
    duplicate: int = 0
    rejected: int = 0
    forecasts_used: int = 0
    forecasts_ignored: int = 0

    @property
    def messages(self) -> int:
        """All messages: decoded and dead-lettered."""
        return self.messages_decoded + self.messages_dead_lettered

    @property
    def readings(self) -> int:
        """All readings, whatever became of them."""
        return self.learned + self.late + self.duplicate + self.rejected


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reading or outside forecast that could not be taken.

    Attributes
    ----------
    position : int
        Index in the batch.
    error : str
        What was wrong, and what would be right.
    reason : str
        ``series-limit``, ``time`` or ``value``; the last two only when the caller let through
        what the codec would have refused.
    """

    position: int
    error: str
    reason: str = "series-limit"


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a batch of n readings and outside forecasts, m of them learned, brought forth.

    H is the number of horizons.

    Attributes
    ----------
    outcomes : ndarray of int8, shape (n,)
        `Outcome` of each.
    learned : ndarray of int64, shape (m,)
        Positions of the learned readings, in log order; the lines of what follows.
    horizons : ndarray of int32, shape (m, H)
        Slots ahead, 0 where there is no forecast.
    target_ms : ndarray of int64, shape (m, H)
        Event time of the slot forecast.
    predicted, mean : ndarray of float64, shape (m, H)
        Forecasts for the absolute and the squared error.
    lower, upper : ndarray of float64, shape (m, H)
        Interval around ``predicted``; NaN until it is calibrated.
    models : list of str, length m
        Name of the profile each series is learned by.
    alerts : list of AlertEvent
        Episodes that opened or resolved, in log order.
    refusals : list of Refusal
        What was rejected, in log order.
    explained : Explained, optional
        What the forecasts were made of, where the city asks for it.
    """

    outcomes: NDArray[np.int8]
    learned: NDArray[np.int64]
    horizons: NDArray[np.int32]
    target_ms: NDArray[np.int64]
    predicted: NDArray[np.float64]
    mean: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    models: list[str]
    alerts: list[AlertEvent]
    refusals: list[Refusal]
    explained: Explained | None = None
