"""The median of a value that is often just repeated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from river import base

from hedgerow.models.bank.layout import HEAD, REPEATS_SLOW
from hedgerow.models.estimators.least_squares import RecursiveLeastSquares
from hedgerow.models.estimators.standardised import Features, finite
from hedgerow.models.experts.hold import (
    CLUES,
    LEAST_REPEATS,
    held_median,
    learn_chance,
    learn_distance,
    note_repeat,
    repeat_chance,
    write_clues,
)

_ANY_PERIOD_MS = 3_600_000  # only the longest run, which no forecast rests on, depends on it


class HoldMedian(base.Wrapper, base.Regressor):  # type: ignore[misc]  # River ships no types
    """Forecast the last value or what a change would bring, whichever is the median: ``hold``.

    With q the chance of a repetition, by logistic regression on how often and how long the
    value has just been repeated, the median is the last value where q ≥ ½; else it solves
    (1 − q) Φ((v − m) / s) = ½, never past the last value, with m the forecast of a change and s
    the running distance from it.

    Parameters
    ----------
    regressor : Regressor
        Learns from changes only what they bring.
    last : str
        Feature that holds the series' last value.
    day : str
        Feature that holds the target's time of day as an angle from 0 to 2π, 0 where missing.
        The regressor is not shown it.

    Notes
    -----
    It is asleep, learns nothing and forecasts the last value, while fewer than a twentieth of
    the values are repetitions. The label must follow the features at once: repetitions are
    counted from one ``last`` to the next.

    Examples
    --------
    >>> from hedgerow.models.estimators import HoldMedian
    >>> model, last = HoldMedian(), 0.0
    >>> for i in range(600):  # the sensor sends a new value every third time
    ...     value = float(i // 3 % 7)
    ...     model.learn_one({"last": last}, value)
    ...     last = value
    >>> model.predict_one({"last": 4.0})
    4.0
    """

    def __init__(
        self, regressor: base.Regressor | None = None, last: str = "last", day: str = "day"
    ) -> None:
        self.regressor = RecursiveLeastSquares() if regressor is None else regressor
        self.last = last
        self.day = day
        self._row = np.zeros(HEAD)  # of which only the counts of repetitions are used
        self._before = math.nan
        self._theta = np.zeros(CLUES, np.float32)
        self._changes = 0.0
        self._distance = 0.0

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"regressor": RecursiveLeastSquares(), "last": "gallup"}

    @property
    def _wrapped_model(self) -> base.Regressor:
        return self.regressor

    def _value(self, x: Features) -> float:
        return finite(x.get(self.last, math.nan))

    def _clues(self, row: np.ndarray[Any, np.dtype[np.float64]], x: Features) -> Any:
        clues = np.empty(CLUES, np.float32)
        write_clues(row, clues, float(x.get(self.day, 0.0)))
        return clues

    def _others(self, x: Features) -> Features:
        return {name: value for name, value in x.items() if name != self.day}

    def _changed(self, x: Features, **kwargs: Any) -> float:
        return finite(self.regressor.predict_one(self._others(x), **kwargs))

    def learn_one(self, x: Features, y: base.typing.RegTarget, **kwargs: Any) -> None:
        """Learn whether the value was repeated and, if not, what came.

        Parameters
        ----------
        x : dict
            Features by name, the last value among them.
        y : float
            The label.
        **kwargs
            Passed on to the regressor.
        """
        value, label = self._value(x), finite(y)
        note_repeat(self._row, value == self._before, _ANY_PERIOD_MS)
        self._before = value
        if self._row[REPEATS_SLOW] < LEAST_REPEATS:
            return
        learn_chance(self._theta, self._clues(self._row, x), label == value)
        if label == value:
            return
        off = abs(label - self._changed(x))
        self._changes += 1.0
        self._distance = learn_distance(self._distance, self._changes, off)
        self.regressor.learn_one(self._others(x), y, **kwargs)

    def predict_one(self, x: Features, **kwargs: Any) -> base.typing.RegTarget:
        """Return the median; what a change would bring if there is no last value."""
        value = self._value(x)
        if math.isnan(value):
            return self._changed(x, **kwargs)
        row = self._row.copy()
        note_repeat(row, value == self._before, _ANY_PERIOD_MS)
        if row[REPEATS_SLOW] < LEAST_REPEATS:
            return value
        chance = repeat_chance(self._theta, self._clues(row, x))
        return float(held_median(value, chance, self._changed(x, **kwargs), self._distance))
