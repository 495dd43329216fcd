"""Why a reading was scored as an anomaly, in words.

Before: ``anomaly.score`` left in the state what it found. After: the text of an alert. It depends
on the numbers alone: no locale, no clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hedgerow.models.alerts import anomaly
from hedgerow.models.arithmetic import Array

# What was beyond its range.
KIND_NAMES = ("value", "distance", "drift", "variation")

# What an expectation rests on.
BASES = ("at this hour of the week", "at this hour of the day", "of late")


@dataclass(frozen=True, slots=True)
class Finding:
    """What the latest reading that scored above 0 was scored for.

    Attributes
    ----------
    kind : str
        Which statistic went beyond its range: ``value``, ``distance``, ``drift``, ``variation``.
    observed : float
        The reading.
    expected : float
        What is usual.
    basis : str
        At what it is usual: ``at this hour of the week``, ``at this hour of the day`` while the
        former is not known, ``of late`` while neither is.
    statistic : float
        The statistic that went beyond.
    lowest, highest : float
        Between which it had been until then; extremes fade over about four weeks.
    """

    kind: str
    observed: float
    expected: float
    basis: str
    statistic: float
    lowest: float
    highest: float

    @property
    def reason(self) -> str:
        """What was seen, what was expected and how unusual that is, in a sentence."""
        if self.kind == "variation":
            return self._variation()
        above = self.statistic > self.highest
        seen = f"observed {_number(self.observed)}"
        if self.kind == "value":
            edge = self.highest if above else self.lowest
            extreme = f"{'higher' if above else 'lower'} than any reading of the last weeks"
            return (
                f"{seen}, {extreme}, whose {'highest' if above else 'lowest'} was {_number(edge)}; "
                f"{_number(self.expected)} is usual {self.basis}"
            )
        if self.kind == "distance":
            return (
                f"{seen}, {_number(abs(self.statistic))} {'above' if above else 'below'} the "
                f"{_number(self.expected)} usual {self.basis}; {self._so_far(above)}"
            )
        return (
            f"{seen}; the latest readings lie {_number(abs(self.statistic))} "
            f"{'above' if self.statistic > 0.0 else 'below'} what is usual at their hours, "
            f"on average; {self._so_far(above)}"
        )

    def _so_far(self, above: bool) -> str:
        edge = self.highest if above else self.lowest
        side = "above" if edge >= 0.0 else "below"
        limit = "most" if (edge >= 0.0) == above else "least"
        return f"in the last weeks it was at {limit} {_number(abs(edge))} {side}"

    def _variation(self) -> str:
        more = self.statistic > self.highest
        edge = math.exp(self.highest if more else self.lowest)
        return (
            f"observed {_number(self.observed)}; the latest readings vary "
            f"{_number(math.exp(self.statistic))} times as much as is usual, "
            f"{'more' if more else 'less'} than at any time in the last weeks, when it was at "
            f"{'most' if more else 'least'} {_number(edge)} times"
        )


def finding(state: Array) -> Finding:
    """Return what the latest score above 0 was for.

    Parameters
    ----------
    state : array of float, shape (anomaly.SIZE,)
        A series' state; at least one of its readings scored above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from hedgerow.models.alerts import anomaly
    >>> from hedgerow.models.alerts.anomaly_words import finding
    >>> state, hours = np.zeros(anomaly.SIZE), np.zeros(anomaly.HOURS_SIZE, np.float32)
    >>> for hour in range(400):
    ...     _ = anomaly.score(state, hours, 20.0 + hour % 7, hour % 168, 1.0)
    >>> anomaly.score(state, hours, 90.0, 64, 1.0) > anomaly.THRESHOLD
    True
    >>> print(finding(state).reason)
    observed 90, higher than any reading of the last weeks, whose highest was 26; 21 is usual at \
this hour of the week
    """
    return Finding(
        kind=KIND_NAMES[int(state[anomaly.TOLD_KIND])],
        observed=float(state[anomaly.TOLD_VALUE]),
        expected=float(state[anomaly.TOLD_EXPECTED]),
        basis=BASES[int(state[anomaly.TOLD_BASIS])],
        statistic=float(state[anomaly.TOLD_STATISTIC]),
        lowest=float(state[anomaly.TOLD_LOW]),
        highest=float(state[anomaly.TOLD_HIGH]),
    )


def _number(value: float) -> str:
    return f"{value:.4g}"
