"""Alerts in words.

Before: the compiled kernel notes when an episode opens or resolves. After: the agent publishes
an ``AlertEvent`` as a record. The text depends on the numbers alone: no locale, no clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hedgerow.models import kernel
from hedgerow.models.layout import ANOMALY, BOUND, FORECAST_BREACH

KIND_NAMES = {BOUND: "bound", FORECAST_BREACH: "forecast-breach", ANOMALY: "anomaly"}
SEVERITIES = {BOUND: "critical", FORECAST_BREACH: "warning", ANOMALY: "warning"}


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An episode that opens or resolves.

    Attributes
    ----------
    position : int
        Index in the batch of the reading that caused it.
    kind : str
        ``bound``, ``forecast-breach`` or ``anomaly``.
    severity : str
        ``critical`` or ``warning``.
    state : str
        ``open`` or ``resolved``.
    opening_offset : int
        Log offset of the reading that opened the episode.
    opened_ms, at_ms : int
        Event time of the opening reading and of this one.
    observed : float
        What was seen.
    expected : float or None
        What had been forecast; for ``forecast-breach`` the forecast that crosses the bound.
    lower, upper : float or None
        The limits: the interval of an anomaly, else the declared bounds.
    message : str
        All of it in a sentence.
    """

    position: int
    kind: str
    severity: str
    state: Literal["open", "resolved"]
    opening_offset: int
    opened_ms: int
    at_ms: int
    observed: float
    expected: float | None
    lower: float | None
    upper: float | None
    message: str


def read_event(
    event: NDArray[np.float64], at_ms: int, observed: float, period_ms: int
) -> AlertEvent:
    """Turn a line of the kernel's event table into an alert."""
    kind = int(event[kernel.EVENT_KIND])
    is_open = event[kernel.EVENT_OPEN] == 1.0
    opened_ms = int(event[kernel.EVENT_OPENED_MS])
    expected = _known(event[kernel.EVENT_EXPECTED])
    lower, upper = _known(event[kernel.EVENT_LOWER]), _known(event[kernel.EVENT_UPPER])
    if kind == BOUND:
        message = _bound(is_open, observed, expected, lower, upper)
    elif kind == FORECAST_BREACH:
        lead_ms = int(event[kernel.EVENT_HORIZON]) * period_ms
        message = _breach(is_open, observed, expected, lower, upper, lead_ms)
    else:
        message = _anomaly(
            is_open, observed, expected, lower, upper, int(event[kernel.EVENT_COUNT])
        )
    if not is_open:
        message += f"; open since {_stamp(opened_ms)}"
    return AlertEvent(
        position=int(event[kernel.EVENT_POSITION]),
        kind=KIND_NAMES[kind],
        severity=SEVERITIES[kind],
        state="open" if is_open else "resolved",
        opening_offset=int(event[kernel.EVENT_OFFSET]),
        opened_ms=opened_ms,
        at_ms=at_ms,
        observed=observed,
        expected=expected,
        lower=lower,
        upper=upper,
        message=message,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"


def _stamp(time_ms: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _lead(ms: int) -> str:
    for unit, name in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if ms >= unit:
            return f"{ms / unit:.4g} {name}"
    return f"{ms} ms"


def _crossed(value: float | None, lower: float | None, upper: float | None) -> str:
    if value is not None and lower is not None and value < lower:
        return f"below the declared lower bound {_number(lower)}"
    return f"above the declared upper bound {_number(upper)}"


def _between(lower: float | None, upper: float | None) -> str:
    return f"{_number(lower)} to {_number(upper)}"


def _bound(
    is_open: bool,
    observed: float,
    expected: float | None,
    lower: float | None,
    upper: float | None,
) -> str:
    if not is_open:
        return f"observed {_number(observed)}, within its declared bounds again"
    forecast = "" if expected is None else f"; {_number(expected)} had been forecast"
    return f"observed {_number(observed)}, {_crossed(observed, lower, upper)}{forecast}"


def _breach(
    is_open: bool,
    observed: float,
    expected: float | None,
    lower: float | None,
    upper: float | None,
    lead_ms: int,
) -> str:
    if not is_open:
        return f"observed {_number(observed)}, and no forecast crosses a declared bound any more"
    return (
        f"forecast {_number(expected)} in {_lead(lead_ms)}, {_crossed(expected, lower, upper)}; "
        f"observed now {_number(observed)}"
    )


def _anomaly(
    is_open: bool,
    observed: float,
    expected: float | None,
    lower: float | None,
    upper: float | None,
    run: int,
) -> str:
    forecast = f"forecast {_number(expected)}, interval {_between(lower, upper)}"
    if not is_open:
        return f"observed {_number(observed)}, as expected again ({forecast})"
    side = "above" if expected is not None and observed > expected else "below"
    return (
        f"observed {_number(observed)}, far {side} what was expected ({forecast}), "
        f"{run} readings in a row outside"
    )
