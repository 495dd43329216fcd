"""What an alarm of the drift charts means in words.

Before: ``drift`` keeps the charts, in a row of a bank or by themselves. After: the alert's message.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.alerts import drift as at

_FOUND = {
    at.LOSS: "errors were {strength:.1f} usual errors above the usual one",
    at.TOO_LOW: "forecasts were too low by {strength:.1f} usual errors",
    at.TOO_HIGH: "forecasts were too high by {strength:.1f} usual errors",
}
_RIVAL = "the forecast of {rival!r} was better by {strength:.1f} usual errors"


def explain_drift(state: NDArray[np.float64], rivals: Sequence[str]) -> str:
    """Say in a sentence what the last alarm of a state was about.

    Parameters
    ----------
    state : ndarray of float64
        As ``drift_learn`` left it.
    rivals : sequence of str
        Names of the references, in the order of their charts.

    Returns
    -------
    str
        Empty before the first alarm.
    """
    cause = int(state[at.CAUSE])
    if cause < 0:
        return ""
    return say_drift(cause, float(state[at.STRENGTH]), float(state[at.LASTED]), rivals)


def say_drift(cause: int, strength: float, lasted: float, rivals: Sequence[str]) -> str:
    """Say in a sentence what an alarm was about.

    Examples
    --------
    >>> from hedgerow.models.alerts.drift import TOO_LOW
    >>> say_drift(TOO_LOW, 2.34, 12, ())
    'over 12 labels forecasts were too low by 2.3 usual errors'
    """
    if cause >= at.FIRST_RIVAL:
        found = _RIVAL.format(rival=rivals[cause - at.FIRST_RIVAL], strength=strength)
    else:
        found = _FOUND[cause].format(strength=strength)
    return f"over {int(lasted)} labels {found}"
