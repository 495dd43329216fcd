"""Which experts and inputs carried the forecast that an alert is about.

Before: `insight` has looked at the series, or its records tell what their forecasts were made of.
After: the page shows it beside the alert's own words, which it does not change.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct

from hedgerow.app.console.looks import Look
from hedgerow.app.console.slots import forecast_near, period_of
from hedgerow.app.explain.tell import carriers
from hedgerow.models.explanation.explain import (
    ExpertPart,
    ForecastSum,
    NothingToExplain,
    Part,
    explain_standing,
)
from hedgerow.topics import Alert, Forecast, Prediction, parse_time

AT_ITSELF = "forecast-breach"  # the one rule about the forecasts that a reading brings
UNHEARD = "silent"  # about the forecast after which nothing came


class Carried(Struct, frozen=True, gc=False):
    """What a forecast rested on.

    Attributes
    ----------
    words : str
        Its experts and inputs.
    exact : bool
        Whether it is the very forecast that the alert is about.
    at : int
        When it was made: the time of that reading, in epoch milliseconds.
    stored : bool
        Whether a checkpoint tells it, rather than the worker that learns the series.
    """

    words: str
    exact: bool
    at: int
    stored: bool


def carried(alert: Alert, look: Look) -> Carried | None:
    """Say what the forecast rested on that an alert is about, by the series as it stood.

    Where that forecast is no longer there, or not yet, it is the series' nearest one at that
    moment. ``None`` where its profile has changed since.
    """
    try:
        explained = explain_standing(look.standing)
    except NothingToExplain:
        return None
    opened, half = parse_time(alert.opened_at), explained.period_ms / 2
    about = explained.forecasts[0]
    if alert.kind == AT_ITSELF:
        exact = _near(explained.slot_ms, opened, half)
        told = alert.expected if alert.state == "open" else None
        about = next(
            (f for f in explained.forecasts if told in {f.predicted, f.lower, f.upper}), about
        )
    else:
        exact = alert.kind == UNHEARD or _near(about.target_ms, opened, half)
    return Carried(carriers(about), exact, look.at, look.generation is not None)


def told(alert: Alert, records: Sequence[Prediction]) -> Carried | None:
    """Say the same by a series' records, oldest first; ``None`` where they do not tell.

    They do where ``predictions.explain`` was set when the forecast was made.
    """
    opened = parse_time(alert.opened_at)
    before = [record for record in records if parse_time(record.issued_at) < opened]
    record: Prediction | None = None
    forecast: Forecast | None = None
    if alert.kind in {AT_ITSELF, UNHEARD}:
        record = next((r for r in reversed(records) if parse_time(r.issued_at) <= opened), None)
        made = () if record is None else record.forecasts
        crossing = (f for f in made if alert.expected in {f.predicted, f.lower, f.upper})
        forecast = next(crossing, next(iter(made), None))
    elif (period := period_of(records)) is not None:
        record, forecast = forecast_near(opened, period / 2, before) or (None, None)
    if record is None or forecast is None or forecast.explanation is UNSET:
        return None
    return Carried(carriers(_sum(forecast)), True, parse_time(record.issued_at), False)


def _near(slot: int, at: int, half: float) -> bool:
    return abs(slot - at) <= half


def _sum(forecast: Forecast) -> ForecastSum:
    """Read a published explanation as far as it is put into words."""
    explanation = forecast.explanation
    assert explanation is not UNSET
    experts = tuple(
        ExpertPart(one.expert, one.predicted, one.weight, one.mean_weight, ())
        for one in explanation.experts
    )
    inputs = tuple(Part(one.input, one.amount) for one in explanation.inputs)
    return ForecastSum(
        horizon=forecast.horizon,
        target_ms=parse_time(forecast.target_time),
        predicted=forecast.predicted,
        mean=forecast.mean,
        lower=forecast.lower,
        upper=forecast.upper,
        weighed=forecast.predicted,
        weighed_mean=forecast.mean,
        experts=experts,
        inputs=inputs,
        mean_inputs=(),
    )
