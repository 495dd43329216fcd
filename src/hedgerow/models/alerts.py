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

from hedgerow.models import episodes
from hedgerow.models.anomaly_words import BASES as FINDING_BASES
from hedgerow.models.anomaly_words import KIND_NAMES as FINDINGS
from hedgerow.models.anomaly_words import Finding
from hedgerow.models.drift_detector import say_drift
from hedgerow.models.experts import NAIVE_EXPERTS
from hedgerow.models.layout import ANOMALY, BOUND, DRIFT, FORECAST_BREACH

KIND_NAMES = {
    BOUND: "bound",
    FORECAST_BREACH: "forecast-breach",
    ANOMALY: "anomaly",
    DRIFT: "drift",
}
SEVERITIES = {BOUND: "critical", FORECAST_BREACH: "warning", ANOMALY: "warning", DRIFT: "info"}


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An episode that opens or resolves.

    Attributes
    ----------
    position : int
        Index in the batch of the reading that caused it.
    kind : str
        ``bound``, ``forecast-breach``, ``anomaly`` or ``drift``.
    severity : str
        ``critical``, ``warning`` or ``info``.
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
    kind = int(event[episodes.EVENT_KIND])
    is_open = event[episodes.EVENT_OPEN] == 1.0
    opened_ms = int(event[episodes.EVENT_OPENED_MS])
    expected = _known(event[episodes.EVENT_EXPECTED])
    lower, upper = _known(event[episodes.EVENT_LOWER]), _known(event[episodes.EVENT_UPPER])
    seen = f"observed {_number(observed)}"
    detail = int(event[episodes.EVENT_DETAIL])
    if kind == BOUND:
        message = f"{seen}, {_crossed(observed, lower, upper)}{_had_been(expected)}"
        if not is_open:
            message = f"{seen}, within the declared bounds again"
    elif kind == FORECAST_BREACH:
        message = (
            f"{_number(expected)} is forecast in {_span(detail * period_ms)}, "
            f"{_crossed(expected, lower, upper)}; {seen} now"
        )
        if not is_open:
            message = f"{seen}, and no forecast crosses a declared bound any more"
    elif kind == DRIFT:
        found = say_drift(detail, lower or 0.0, upper or 0.0, NAIVE_EXPERTS)
        lower = upper = None
        message = f"the series has changed: {found}; memory is short for a while"
        if not is_open:
            message = "the forecasts have had time to follow the change"
    else:
        message = _finding(event, observed).reason
        if expected is not None:
            message += f"; {_number(expected)} was forecast"
        if not is_open:
            message = f"{seen}, as expected again{_forecast(expected, lower, upper)}"
    if not is_open:
        message += f"; open since {_stamp(opened_ms)}"
    return AlertEvent(
        position=int(event[episodes.EVENT_POSITION]),
        kind=KIND_NAMES[kind],
        severity=SEVERITIES[kind],
        state="open" if is_open else "resolved",
        opening_offset=int(event[episodes.EVENT_OFFSET]),
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


def _span(ms: int) -> str:
    for unit, name in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if ms >= unit:
            return f"{ms / unit:.4g} {name}"
    return f"{ms} ms"


def _crossed(value: float | None, lower: float | None, upper: float | None) -> str:
    if value is not None and lower is not None and value < lower:
        return f"below the declared lower bound {_number(lower)}"
    return f"above the declared upper bound {_number(upper)}"


def _had_been(expected: float | None) -> str:
    return "" if expected is None else f"; {_number(expected)} was forecast"


def _forecast(expected: float | None, lower: float | None, upper: float | None) -> str:
    if expected is None or lower is None:
        return ""
    return f": {_number(expected)} was forecast, {_number(lower)} to {_number(upper)}"


def _finding(event: NDArray[np.float64], observed: float) -> Finding:
    kind, basis = divmod(int(event[episodes.EVENT_DETAIL]), episodes.BASES)
    return Finding(
        kind=FINDINGS[kind],
        observed=observed,
        expected=float(event[episodes.EVENT_USUAL]),
        basis=FINDING_BASES[basis],
        statistic=float(event[episodes.EVENT_STATISTIC]),
        lowest=float(event[episodes.EVENT_LOWEST]),
        highest=float(event[episodes.EVENT_HIGHEST]),
    )
