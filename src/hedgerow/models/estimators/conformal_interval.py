"""The compiled conformal interval around one forecaster, behind River's verb ``learn_one``.

The kernel keeps many of these states in its rows (``conformal``); this keeps one, with the
forecasts that wait for their labels, for pipelines, notebooks and tests.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from river import base

from hedgerow.models.conformal import (
    SIZE,
    conformal_ends,
    conformal_learn,
    conformal_reset,
    conformal_scale,
)


class _Pending(NamedTuple):
    predicted: float
    lower: float
    upper: float
    scale: float
    day_share: float


class ConformalInterval(base.Base):  # type: ignore[misc]  # River ships no types
    """An interval around any forecast, which covers at the rate it promises.

    Parameters
    ----------
    level : float
        Share of the labels to cover, between 0 and 1.
    horizon : int
        Slots until a forecast's label arrives. Forecasts are kept, and met by their labels in
        the order in which they were made.
    floor, ceiling : float
        What the series can be at all.

    References
    ----------
    .. [1] A. Angelopoulos, E. Candès & R. Tibshirani, "Conformal PID control for time series
       prediction", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from hedgerow.models.estimators.conformal_interval import ConformalInterval
    >>> interval, rng = ConformalInterval(level=0.9), np.random.default_rng(7)
    >>> covered = 0
    >>> for i in range(4_000):
    ...     lower, upper = interval.around(predicted=20.0)
    ...     label = 20.0 + (3.0 if i > 2_000 else 1.0) * rng.normal()
    ...     covered += bool(lower <= label <= upper)
    ...     interval.learn_one(label)
    >>> round(covered / 4_000, 2)
    0.89
    """

    def __init__(
        self,
        level: float = 0.9,
        horizon: int = 1,
        floor: float = -math.inf,
        ceiling: float = math.inf,
    ) -> None:
        if not 0.0 < level < 1.0:
            raise ValueError(f"level is {level!r}; it must lie between 0 and 1, such as 0.9")
        if horizon < 1:
            raise ValueError(f"horizon is {horizon!r}; it must be 1 slot or more")
        self.level = level
        self.horizon = horizon
        self.floor = floor
        self.ceiling = ceiling
        self._state = np.empty(SIZE)
        conformal_reset(self._state, (1.0 - level) / 2.0, horizon)
        self._pending: deque[_Pending] = deque()

    def around(self, predicted: float, day_share: float = 0.0) -> tuple[float, float]:
        """Return the interval around a forecast, and keep both for the label.

        Parameters
        ----------
        predicted : float
            The forecast.
        day_share : float
            The label's local time of day, from 0 to below 1; 0 where that means nothing.

        Returns
        -------
        tuple of float
            Lower and upper end, NaN until calibrated.
        """
        scale = conformal_scale(self._state, day_share)
        lower, upper = conformal_ends(self._state, predicted, scale, self.floor, self.ceiling)
        self._pending.append(_Pending(predicted, lower, upper, scale, day_share))
        return lower, upper

    def learn_one(self, label: float) -> None:
        """Learn from the label of the oldest forecast that waits; NaN says it never came."""
        if not self._pending:
            raise ValueError("no forecast waits for a label; call around() before learn_one()")
        due = self._pending.popleft()
        if math.isnan(label):
            return
        conformal_learn(
            self._state,
            label,
            due.predicted,
            due.lower,
            due.upper,
            due.scale,
            due.day_share,
            self.floor,
            self.ceiling,
        )
