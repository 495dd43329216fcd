"""A series' forecasts explained: names to what ``ledger`` has added up.

Before: a learner, stepped up to some reading of the series. After: ``hedgerow explain`` shows it.
Nothing is kept for it in the state, and no step is slower for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.bank import layout as at
from hedgerow.models.bank.bank import Bank
from hedgerow.models.bank.rows import place
from hedgerow.models.bank.series import NOWHERE
from hedgerow.models.errors import ModelError
from hedgerow.models.explanation import ledger as ledgers
from hedgerow.models.explanation.inputs import LEVEL, input_map, input_names
from hedgerow.models.learner import Learner
from hedgerow.models.profile import series_key


class NothingToExplain(ModelError):
    """There is no forecast, or what it was made of no longer stands in the state."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one input brought to a sum, in the unit of the series."""

    input: str
    amount: float


@dataclass(frozen=True, slots=True)
class ExpertPart:
    """What one expert said.

    Attributes
    ----------
    predicted : float or None
        ``None`` where it slept.
    weight, mean_weight : float
        In ``predicted`` and in ``mean``; each sums to 1 over the experts.
    parts : tuple of Part
        They sum to what it said; the usual level comes first, then the largest.
    """

    expert: str
    predicted: float | None
    weight: float
    mean_weight: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ForecastSum:
    """The forecast of one horizon as a sum.

    Sums are exact but for rounding: they differ from the forecast by less than 1e-12 times the
    sum of the absolute parts.

    Attributes
    ----------
    horizon : int
        Slots ahead.
    target_ms : int
        The slot it is about.
    predicted, mean : float
        As published.
    lower, upper : float or None
        The interval, which is put around ``predicted`` and moves neither.
    weighed, weighed_mean : float
        What the experts say under their weights, before drift is corrected.
    experts : tuple of ExpertPart
        All, in the order of their weights in ``predicted``.
    inputs, mean_inputs : tuple of Part
        What each input brought through all experts, the drift's correction and the limits with
        them; they sum to ``predicted`` and to ``mean``.
    """

    horizon: int
    target_ms: int
    predicted: float
    mean: float
    lower: float | None
    upper: float | None
    weighed: float
    weighed_mean: float
    experts: tuple[ExpertPart, ...]
    inputs: tuple[Part, ...]
    mean_inputs: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The forecasts made at the last reading of a series.

    Attributes
    ----------
    sensor_id, quantity, profile : str
        Which series, and how it is learned.
    slot_ms : int
        The grid point of that reading.
    period_ms : int
        Length of a slot.
    observed : float
        That reading's value.
    forecasts : tuple of ForecastSum
        One per horizon, nearest first.
    """

    sensor_id: str
    quantity: str
    profile: str
    slot_ms: int
    period_ms: int
    observed: float
    forecasts: tuple[ForecastSum, ...]


class Standing(NamedTuple):
    """A series' row with all that its last forecasts were made of."""

    sensor_id: str
    quantity: str
    companions: tuple[str, ...]
    bank: Bank
    row: NDArray[np.float64]
    single: NDArray[np.float32]

    @property
    def slot_ms(self) -> int:
        """The grid point of the last reading."""
        return int(self.row[at.PHASE]) + int(self.row[at.SLOT]) * self.bank.period_ms


def explain(learner: Learner, sensor_id: str, quantity: str = "") -> Explanation:
    """Explain the forecasts made at the last reading of a series.

    Raises
    ------
    NothingToExplain
        If the series is not known or has no forecast yet, or its profile has changed since.

    Examples
    --------
    >>> import numpy as np
    >>> from hedgerow.models import CityModel, Learner, Profile
    >>> learner = Learner(CityModel((Profile("hourly", ("*",), 3600.0),)))
    >>> hours = np.arange(200)
    >>> values = 20.0 + hours % 24
    >>> result = learner.step(["s1"] * 200, [""] * 200, hours * 3_600_000, values, hours)
    >>> nearest = explain(learner, "s1").forecasts[0]
    >>> nearest.predicted == float(result.predicted[-1, 0])
    True
    >>> abs(sum(part.amount for part in nearest.inputs) - nearest.predicted) < 1e-9
    True
    """
    return explain_standing(standing(learner, sensor_id, quantity))


def standing(
    learner: Learner, sensor_id: str, quantity: str = "", *, copy: bool = False
) -> Standing:
    """Find the row of a series that has a forecast.

    Parameters
    ----------
    copy : bool
        Take the row as it is now, for later.

    Raises
    ------
    NothingToExplain
        If there is none.
    """
    number = learner.series.find(sensor_id, quantity)
    key = series_key(sensor_id, quantity)
    if number == NOWHERE:
        raise NothingToExplain(f"nothing was learned of a series {key!r}")
    if learner.series.banks[number] == NOWHERE:
        raise NothingToExplain(f"{key!r} waits until its period is known: it has no forecast yet")
    bank = learner.banks[learner.series.banks[number]]
    row, single = (plane[learner.series.rows[number]] for plane in (bank.rows, bank.singles))
    if row[at.SLOT] == at.NEVER:
        raise NothingToExplain(f"{key!r} has begun anew: it has no forecast yet")
    if copy:
        row, single = row.copy(), single.copy()
    return Standing(sensor_id, quantity, learner.companions_of(number), bank, row, single)


def explain_standing(found: Standing) -> Explanation:
    """Explain the forecasts made at the last reading that a row has seen.

    Raises
    ------
    NothingToExplain
        If its profile has changed since.
    """
    sizes, profile = found.bank.layout.sizes, found.bank.profile
    return Explanation(
        sensor_id=found.sensor_id,
        quantity=found.quantity,
        profile=profile.name,
        slot_ms=found.slot_ms,
        period_ms=sizes.period_ms,
        observed=float(found.row[sizes.ring + int(found.row[at.SLOT]) % sizes.ring_size]),
        forecasts=tuple(_forecast(found, k) for k in range(sizes.horizons)),
    )


def _forecast(found: Standing, k: int) -> ForecastSum:
    bank, row, key = found.bank, found.row, series_key(found.sensor_id, found.quantity)
    sizes = bank.layout.sizes
    ledger = ledgers.empty_ledger(sizes.experts)
    verdict = ledgers.explain_horizon(
        row, found.single, bank.setup, input_map(bank.layout), k, ledger
    )
    if verdict == ledgers.ABSENT:
        raise NothingToExplain(
            f"{key!r} has no forecast that the profile {bank.profile.name!r} made as it is now; "
            "its next reading brings one"
        )
    if verdict == ledgers.OTHER_WEIGHTS:
        raise NothingToExplain(
            f"the profile {bank.profile.name!r} has changed since {key!r} was forecast, and the "
            "weights were begun anew; its next reading can be explained"
        )
    slot = int(row[at.SLOT])
    here = place(bank.setup, k, slot)
    entry = row[here.entry :]
    said = entry[at.ENTRY_HEAD : at.ENTRY_HEAD + sizes.experts]
    names = input_names(found.companions)
    experts = [
        ExpertPart(name, _known(value), float(weight), float(mean_weight), _parts(names, parts))
        for name, value, weight, mean_weight, parts in zip(
            bank.layout.experts, said, *ledger.weights, ledger.parts, strict=True
        )
    ]
    experts.sort(key=lambda one: (-one.weight, -one.mean_weight))
    return ForecastSum(
        horizon=int(here.horizon),
        target_ms=int(row[at.PHASE]) + (slot + int(here.horizon)) * sizes.period_ms,
        predicted=float(entry[at.PREDICTED]),
        mean=float(entry[at.EXPECTED]),
        lower=_known(entry[at.LOWER]),
        upper=_known(entry[at.UPPER]),
        weighed=float(entry[at.WEIGHED]),
        weighed_mean=float(entry[at.WEIGHED_MEAN]),
        experts=tuple(experts),
        inputs=_parts(names, ledger.sums[ledgers.MEDIAN_OF]),
        mean_inputs=_parts(names, ledger.sums[ledgers.MEAN_OF]),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _parts(names: tuple[str, ...], amounts: NDArray[np.float64]) -> tuple[Part, ...]:
    """Name the parts that are there, the level first, then the largest."""
    order = sorted(range(len(names)), key=lambda i: (i != LEVEL, -abs(amounts[i]), i))
    return tuple(Part(names[i], float(amounts[i])) for i in order if amounts[i] != 0.0)
