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

from hedgerow.models.alerts import episodes, silence
from hedgerow.models.alerts.anomaly_words import BASES as FINDING_BASES
from hedgerow.models.alerts.anomaly_words import KIND_NAMES as FINDINGS
from hedgerow.models.alerts.anomaly_words import Finding
from hedgerow.models.alerts.drift_words import say_drift
from hedgerow.models.bank.layout import ANOMALY, BOUND, DRIFT, FORECAST_BREACH, SILENT, STUCK
from hedgerow.models.experts.catalogue import NAIVE_EXPERTS

KIND_NAMES = {
    BOUND: "bound",
    FORECAST_BREACH: "forecast-breach",
    ANOMALY: "anomaly",
    DRIFT: "drift",
    STUCK: "stuck",
    SILENT: "silent",
}
SEVERITIES = {
    BOUND: "critical",
    FORECAST_BREACH: "warning",
    ANOMALY: "warning",
    DRIFT: "info",
    STUCK: "warning",
    SILENT: "warning",
}


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An episode that opens or resolves.

    Attributes
    ----------
    position : int
        Index in the batch of the reading that caused it; of a series found silent, that of
        another series.
    sensor_id, quantity : str
        The series it is about.
    kind : str
        ``bound``, ``forecast-breach``, ``anomaly``, ``drift``, ``stuck`` or ``silent``.
    severity : str
        ``critical``, ``warning`` or ``info``.
    state : str
        ``open`` or ``resolved``.
    opening_offset : int
        Log offset of the reading that opened the episode.
    opened_ms, at_ms : int
        Event time of the opening reading and of this one; the watermark where a series was
        found silent.
    observed : float or None
        What was seen; of a silent series nothing.
    expected : float or None
        What had been forecast; for ``forecast-breach`` the forecast that crosses the bound.
    lower, upper : float or None
        The limits: the interval of an anomaly, or the declared bounds.
    message : str
        All of it in a sentence.
    """

    position: int
    sensor_id: str
    quantity: str
    kind: str
    severity: str
    state: Literal["open", "resolved"]
    opening_offset: int
    opened_ms: int
    at_ms: int
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    message: str


def read_event(
    event: NDArray[np.float64],
    who: tuple[str, str],
    at_ms: int,
    observed: float,
    period_ms: int,
) -> AlertEvent:
    """Turn a line of the kernel's event table into an alert about a series' own reading."""
    kind = int(event[episodes.EVENT_KIND])
    is_open = event[episodes.EVENT_OPEN] == 1.0
    opened_ms = int(event[episodes.EVENT_OPENED_MS])
    expected = _known(event[episodes.EVENT_EXPECTED])
    lower, upper = _known(event[episodes.EVENT_LOWER]), _known(event[episodes.EVENT_UPPER])
    by_limit = kind == FORECAST_BREACH and event[episodes.EVENT_DETAIL] < 0.0
    if is_open:
        message = _opened(kind, event, observed, period_ms)
    else:
        message = f"{_resolved(kind, event, observed)}; open since {_stamp(opened_ms)}"
    if kind in (DRIFT, STUCK):  # their events carry something else there
        lower = upper = None
    return AlertEvent(
        position=int(event[episodes.EVENT_POSITION]),
        sensor_id=who[0],
        quantity=who[1],
        kind=KIND_NAMES[kind],
        severity="info" if by_limit else SEVERITIES[kind],
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


def read_silence(event: NDArray[np.float64], who: tuple[str, str], observed: float) -> AlertEvent:
    """Turn a transition of ``silence`` into an alert; ``observed`` is what ended it."""
    is_open = event[silence.OF_OPEN] == 1.0
    opened_ms, at_ms = int(event[silence.OF_OPENED_MS]), int(event[silence.OF_AT_MS])
    quiet, longest = at_ms - int(event[silence.OF_HEARD]), int(event[silence.OF_LONGEST])
    message = f"nothing was heard for {_span(quiet)}"
    if longest > 0:
        message += f", where {_span(longest)} was the longest pause"
    if not is_open:
        message = f"observed {_number(observed)}, heard again; open since {_stamp(opened_ms)}"
    return AlertEvent(
        position=int(event[silence.OF_POSITION]),
        sensor_id=who[0],
        quantity=who[1],
        kind=KIND_NAMES[SILENT],
        severity=SEVERITIES[SILENT],
        state="open" if is_open else "resolved",
        opening_offset=int(event[silence.OF_OFFSET]),
        opened_ms=opened_ms,
        at_ms=at_ms,
        observed=None if is_open else observed,
        expected=None,
        lower=None,
        upper=None,
        message=message,
    )


def _opened(kind: int, event: NDArray[np.float64], observed: float, period_ms: int) -> str:
    """Say what opened an episode."""
    expected = _known(event[episodes.EVENT_EXPECTED])
    lower, upper = _known(event[episodes.EVENT_LOWER]), _known(event[episodes.EVENT_UPPER])
    detail = int(event[episodes.EVENT_DETAIL])
    seen, span = f"observed {_number(observed)}", _span(abs(detail) * period_ms)
    if kind == BOUND:
        return f"{seen}, {_crossed(observed, lower, upper)}{_had_been(expected)}"
    if kind == FORECAST_BREACH:
        crossed = _crossed(expected, lower, upper)
        if detail < 0:
            return f"it may reach {_number(expected)} in {span}, {crossed}; {seen} now"
        return f"{_number(expected)} is forecast in {span}, {crossed}; {seen} now"
    if kind == STUCK:
        return (
            f"{_number(observed)} again and again for {span}: {detail + 1} readings in a row, "
            f"where {round(upper or 0.0) + 1} used to be the most"
        )
    if kind == DRIFT:
        found = say_drift(detail, lower or 0.0, upper or 0.0, NAIVE_EXPERTS)
        return f"the series has changed: {found}; memory is short for a while"
    return f"{_finding(event, observed).reason}{_had_been(expected)}"


def _resolved(kind: int, event: NDArray[np.float64], observed: float) -> str:
    """Say what resolved an episode."""
    seen = f"observed {_number(observed)}"
    if kind == DRIFT:
        return "the forecasts have had time to follow the change"
    if kind == ANOMALY:
        expected = _known(event[episodes.EVENT_EXPECTED])
        lower, upper = _known(event[episodes.EVENT_LOWER]), _known(event[episodes.EVENT_UPPER])
        return f"{seen}, as expected again{_forecast(expected, lower, upper)}"
    words = {
        BOUND: "within the declared bounds again",
        FORECAST_BREACH: "and nothing forecast crosses a declared bound any more",
        STUCK: "another value at last",
    }
    return f"{seen}, {words[kind]}"


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
