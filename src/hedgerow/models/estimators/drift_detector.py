"""The compiled drift charts as a River drift detector.

The kernel keeps many of these states in its rows (``drift``); this keeps one.
"""

from __future__ import annotations

import numpy as np
from river import base

from hedgerow.models.alerts import drift as at
from hedgerow.models.alerts.drift_words import explain_drift


class ResidualDrift(base.DriftDetector):  # type: ignore[misc]  # River ships no types
    """Page–Hinkley charts on the size and the side of a forecaster's residuals [1]_.

    Parameters
    ----------
    slots_per_day : float
        Readings a day; the more there are, the more of them it takes.

    References
    ----------
    .. [1] E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954.

    Examples
    --------
    >>> import numpy as np
    >>> from hedgerow.models.estimators.drift_detector import ResidualDrift
    >>> detector = ResidualDrift(slots_per_day=1)
    >>> residuals = np.tile([0.5, -0.5], 150)
    >>> residuals[200:205] -= 1.0
    >>> for day, residual in enumerate(residuals):
    ...     detector.update(residual)
    ...     if detector.drift_detected:
    ...         print(f"day {day}: {detector.explanation}")
    day 203: over 3 labels forecasts were too high by 2.3 usual errors
    """

    def __init__(self, slots_per_day: float = 24) -> None:
        super().__init__()
        if not slots_per_day > 0:
            raise ValueError(f"slots_per_day is {slots_per_day!r}; it must be above 0")
        self.slots_per_day = slots_per_day
        self._state = np.empty(at.SIZE)
        self._nobody = np.full(at.RIVALS, np.nan)
        at.drift_reset(self._state, slots_per_day)

    def update(self, x: float) -> None:
        """Enter the residual of one forecast, label less forecast."""
        self._drift_detected = at.drift_learn(self._state, float(x), self._nobody)

    @property
    def n_detections(self) -> int:
        """Alarms so far."""
        return int(self._state[at.ALARMS])

    @property
    def explanation(self) -> str:
        """What the last alarm was about, empty before the first."""
        return explain_drift(self._state, ())
