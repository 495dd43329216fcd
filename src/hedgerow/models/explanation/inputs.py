"""What experts go by, in words: the columns of an explanation.

Before: ``bank/layout`` names every feature of the linear experts. After: ``ledger`` adds up what
each of them brought to a forecast, a column for each input.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.bank.layout import (
    COMPANIONS_OWN,
    HOUR_FEATURES,
    SIGNAL_FEATURES,
    RowLayout,
)
from hedgerow.models.profile import MOST_COMPANIONS

# LEVEL is where an expert starts from; all others are how far from it they take it.
(
    LEVEL, CONSTANT, LAST, BEFORE, SMOOTHED, DEVIATION, PATTERN, YESTERDAY, LAST_WEEK, OTHER_SLOTS,
    HOUR, WEEKDAY, TREND, REPEAT, SPREAD, OUTSIDE, MODEL, DRIFT, LIMITS, COMPANIONS,
) = range(20)  # fmt: skip
INPUTS = COMPANIONS + MOST_COMPANIONS

NAMES = (
    "usual level",
    "learned constant",
    "last reading",
    "readings before",
    "smoothed level",
    "recent deviations from the weekly pattern",
    "weekly pattern",
    "same slot yesterday",
    "same slot last week",
    "other slots of yesterday and last week",
    "hour of day",
    "day of week",
    "trend",
    "chance of a repeat",
    "spread about the median",
    "forecast by others",
    "plug-in model",
    "drift correction",
    "limits",
    *(f"companion {place + 1}" for place in range(MOST_COMPANIONS)),
)

_COMMON = {
    "bias": CONSTANT,
    "lag_0": LAST,
    "deviation": DEVIATION,
    "deviation_before": DEVIATION,
    "surprise": DEVIATION,
    "day_ago": OTHER_SLOTS,
    "week_ago": OTHER_SLOTS,
}
_BY_KIND = {"lag": BEFORE, "level": SMOOTHED, "day": HOUR, "week": WEEKDAY}
_AT_TARGET = {
    "day_at_target": YESTERDAY,
    "week_at_target": LAST_WEEK,
    "pattern_at_target": PATTERN,
}


class InputMap(NamedTuple):
    """To which input each feature belongs; ``common`` and ``company`` have a line per horizon."""

    common: NDArray[np.int64]
    hour: NDArray[np.int64]
    company: NDArray[np.int64]


def input_map(layout: RowLayout) -> InputMap:
    """Sort the features of a layout's linear experts by what they are about.

    Examples
    --------
    >>> from hedgerow.models.bank.planes import row_layout
    >>> from hedgerow.models import Profile
    >>> found = input_map(row_layout(Profile(horizons=(1, 3)), 3_600_000))
    >>> [NAMES[i] for i in found.common[0][[1, 2, 11]]]
    ['last reading', 'readings before', 'other slots of yesterday and last week']
    >>> [NAMES[i] for i in found.common[1][-9:-6]]  # of the target one slot ahead
    ['other slots of yesterday and last week', 'other slots of yesterday and last week', \
'weekly pattern']
    """
    horizons, sizes = layout.horizons.tolist(), layout.sizes
    common = np.full((len(horizons), sizes.padded), CONSTANT)
    company = np.full((len(horizons), sizes.company), CONSTANT)
    for k, horizon in enumerate(horizons):
        for i, name in enumerate(layout.features):
            common[k, i] = _input_of(name, horizon)
        if sizes.company:
            company[k, :COMPANIONS_OWN] = (CONSTANT, LAST, BEFORE, SMOOTHED, DEVIATION, DEVIATION)
            company[k, COMPANIONS_OWN : COMPANIONS_OWN + len(horizons)] = PATTERN
            first = COMPANIONS_OWN + len(horizons)
            for place in range(sizes.places):
                start = first + SIGNAL_FEATURES * place
                company[k, start : start + SIGNAL_FEATURES] = COMPANIONS + place
    hour = np.array([CONSTANT, WEEKDAY, LAST, BEFORE, PATTERN, DEVIATION, SMOOTHED])
    assert len(hour) == HOUR_FEATURES
    return InputMap(common, hour, company)


def _input_of(feature: str, horizon: int) -> int:
    kind, _, number = feature.rpartition("_")
    if kind in _AT_TARGET:
        found = _AT_TARGET[kind]
        return found if number == str(horizon) or found == PATTERN else OTHER_SLOTS
    return _COMMON[feature] if feature in _COMMON else _BY_KIND[feature.partition("_")[0]]


@lru_cache(maxsize=65_536)
def input_names(companions: tuple[str, ...]) -> tuple[str, ...]:
    """Name the inputs, a companion by its own series key."""
    names = list(NAMES)
    for place_, other in enumerate(companions):
        names[COMPANIONS + place_] = f"last readings of {other}"
    return tuple(names)
