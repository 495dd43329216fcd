"""Least squares on what other series last read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from river import base

from hedgerow.models.estimators.least_squares import RecursiveLeastSquares
from hedgerow.models.estimators.standardised import Features
from hedgerow.models.experts.companions import MEMORY


class CompanionLeastSquares(RecursiveLeastSquares):
    """Least squares on the last readings of other series: the bank's expert ``companions``.

    The formulas are those of `RecursiveLeastSquares` [1]_. What sets it apart is sleep: where no
    companion has said anything lately there is nothing to draw on.

    Parameters
    ----------
    companions : sequence of str
        Features that hold what the companions say: their last value, how far it was from what is
        usual. One that is missing or NaN counts as its mean. All other features are the series'
        own.
    forgetting : float
        λ, above 0.5 and up to 1.
    scale : bool
        Whether features and label are standardised online; else they are expected so.

    Notes
    -----
    It is asleep, learns nothing and forecasts NaN, while all companions are missing;
    `Aggregation` takes NaN for sleep. The bank's expert works on the scale of square roots, where
    counts have even noise: give roots of counts, and square the forecast.

    References
    ----------
    .. [1] L. Ljung and T. Söderström, "Theory and Practice of Recursive Identification", MIT
       Press, 1983, chapter 2.

    Examples
    --------
    >>> from hedgerow.models.estimators import CompanionLeastSquares
    >>> model = CompanionLeastSquares(companions=["upstream"])
    >>> for i in range(300):  # what passes upstream is here a moment later
    ...     cars = float(i * 7 % 11)
    ...     model.learn_one({"last": 5.0, "upstream": cars}, 2.0 * cars)
    >>> round(model.predict_one({"last": 5.0, "upstream": 3.0}))
    6
    >>> model.predict_one({"last": 5.0})
    nan
    """

    def __init__(
        self, companions: Sequence[str], forgetting: float = MEMORY, scale: bool = True
    ) -> None:
        super().__init__(forgetting, scale)
        self.companions = companions

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"companions": ("gallup", "ordinal_date")}

    def _awake(self, x: Features) -> bool:
        return any(not math.isnan(x.get(name, math.nan)) for name in self.companions)

    def learn_one(self, x: Features, y: base.typing.RegTarget) -> None:
        """Take one step of least squares, if any companion has said something.

        Parameters
        ----------
        x : dict
            Features by name.
        y : float
            The label.
        """
        if self._awake(x):
            super().learn_one(x, y)

    def predict_one(self, x: Features) -> base.typing.RegTarget:
        """Return θ·x in the unit of the label, NaN while asleep."""
        return super().predict_one(x) if self._awake(x) else math.nan
