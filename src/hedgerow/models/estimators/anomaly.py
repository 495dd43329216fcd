"""The anomaly score as a River detector, for pipelines and notebooks.

The bank scores many series at once; this one watches a single series, through the same compiled
function of ``anomaly``, behind River's verbs ``score_one`` and ``learn_one``.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
from river import base

from hedgerow.models.alerts import anomaly
from hedgerow.models.alerts.anomaly_words import finding
from hedgerow.models.arithmetic import Array

Features = dict[base.typing.FeatureName, Any]  # River's own type of a feature value


class ExtremesDetector(base.AnomalyDetector):  # type: ignore[misc]  # River ships no types
    """Score a reading by how far it takes its series where it has not been for weeks.

    Of four statistics (the value, its distance from what the hour of the week usually brings, the
    recent mean of that distance, the recent variance) the range of the last weeks is kept; the
    score is ``e / (e + 0.085)`` with *e* the largest excess over such a range, in ranges. After a
    score above 0 smaller ones are 0 for a while, so that an episode is told once.

    Parameters
    ----------
    period_seconds : float
        Time between readings.
    value : str
        Name of the feature that holds the reading.
    time : str
        Name of the feature that holds its time, a datetime; local time is what matters. Without
        one, no hour of the week differs from another.

    References
    ----------
    See ``hedgerow.models.alerts.anomaly``; figures are in ``docs/anomaly.md``.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> from hedgerow.models.estimators.anomaly import ExtremesDetector
    >>> detector = ExtremesDetector(period_seconds=3600)
    >>> at = datetime(2026, 1, 5)
    >>> for hour in range(400):
    ...     detector.learn_one({"value": hour % 24, "time": at + timedelta(hours=hour)})
    >>> later = at + timedelta(hours=400)
    >>> detector.score_one({"value": 16, "time": later})
    0.0
    >>> round(detector.score_one({"value": 60, "time": later}), 2)
    0.97
    >>> print(detector.reason_one({"value": 60, "time": later}))  # doctest: +ELLIPSIS
    observed 60, higher than any reading of the last weeks, whose highest was 22.98; 16 is usual ...
    """

    def __init__(
        self, period_seconds: float = 300.0, value: str = "value", time: str = "time"
    ) -> None:
        self.period_seconds = period_seconds
        self.value = value
        self.time = time
        self._state = np.zeros(anomaly.SIZE)
        self._hours = np.zeros(anomaly.HOURS_SIZE, np.float32)

    def _step(self, state: Array, hours: anomaly.Hours, x: Features) -> float:
        value = float(x.get(self.value, math.nan))
        at = x.get(self.time)
        hour = 0
        if isinstance(at, datetime):
            hour = anomaly.hour_of_week(at.replace(tzinfo=UTC).timestamp())
        return anomaly.score(state, hours, value, hour, anomaly.pace(self.period_seconds))

    def learn_one(self, x: Features) -> None:
        """Let a reading into the memory.

        Parameters
        ----------
        x : dict
            The reading and its time; one without a finite value is passed over.
        """
        self._step(self._state, self._hours, x)

    def score_one(self, x: Features) -> float:
        """Return the score that a reading would have now, from 0 to below 1."""
        return self._step(self._state.copy(), self._hours.copy(), x)

    def reason_one(self, x: Features) -> str:
        """Return why a reading would score what it would, empty if that is 0."""
        state = self._state.copy()
        return finding(state).reason if self._step(state, self._hours.copy(), x) > 0.0 else ""
