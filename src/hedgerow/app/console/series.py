"""Forecasts beside the readings they were about: a line of the list, and the chosen series.

Before: decoded predictions. After: `session` sends the views. What is judged here is what is
shown, by the rule of all scoring: on the labels that came, against what was known when the
forecast was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from hedgerow.app.console.slots import forecast_about, slots_of
from hedgerow.app.console.views import Against, Ahead, AlertView, Held, Made, Row, SeriesView
from hedgerow.topics import Forecast, Prediction, parse_time

DAY_MS = 86_400_000
SEASONS = (("day", DAY_MS), ("week", 7 * DAY_MS))
MOST_SHOWN, LEAST_SHOWN = 400, 10  # readings of a series on the page


def row(
    number: int, key: str, last: Sequence[Prediction], alerts: int, skill: float | None = None
) -> Row:
    """Make a line of the list.

    Parameters
    ----------
    last : sequence of Prediction
        The newest records, oldest first; at least one.
    skill : float, optional
        How good its forecasts are just now.

    Examples
    --------
    >>> def record(at, observed, *forecasts):
    ...     return Prediction("t:0:1:s", "s", "s", None, 1, at, observed, "all", forecasts)
    >>> for_eight = Forecast(1, "2026-01-01T08:00:00Z", 4.0, 4.0, 3.0, 5.0)
    >>> line = row(0, "s", [record("2026-01-01T07:00:00Z", 4.5, for_eight),
    ...                     record("2026-01-01T08:00:00Z", 6.0)], 0)
    >>> line.observed, line.at, line.expected, line.inside
    (6.0, 1767254400000, 4.0, False)
    """
    newest, slots = last[-1], slots_of(last)
    at = parse_time(newest.issued_at)
    found = forecast_about(slots[-1], last[:-1])
    if found is None:
        return Row(number, key, newest.observed, at, None, None, alerts, skill)
    _, forecast = found
    inside = _inside(forecast, newest.observed)
    return Row(number, key, newest.observed, at, forecast.predicted, inside, alerts, skill)


def series_view(
    records: Sequence[Prediction],
    alerts: Sequence[AlertView],
    held: Held | None,
    *,
    most_shown: int = MOST_SHOWN,
) -> SeriesView:
    """Make the view of a series from its records, oldest first; at least one.

    Errors are of the readings shown: ours and the naive forecasts' on the same labels, a naive
    forecast being what was known when ours was made.
    """
    records = sorted(records, key=lambda record: parse_time(record.issued_at))
    slots = slots_of(records)
    observed = dict(zip(slots, (record.observed for record in records), strict=True))
    shown, newest = records[-most_shown:], records[-1]
    horizons = sorted({f.horizon for record in records for f in record.forecasts})
    return SeriesView(
        key=newest.series,
        sensor_id=newest.sensor_id,
        quantity=newest.quantity,
        model=newest.model,
        times=[parse_time(record.issued_at) for record in shown],
        observed=[record.observed for record in shown],
        made=[_made(horizon, records, slots, observed, len(shown)) for horizon in horizons],
        ahead=[
            Ahead(f.horizon, parse_time(f.target_time), f.predicted, f.lower, f.upper)
            for f in newest.forecasts
        ],
        alerts=list(alerts),
        held=held,
    )


def _made(
    horizon: int,
    records: Sequence[Prediction],
    slots: Sequence[int],
    observed: Mapping[int, float],
    shown: int,
) -> Made:
    about: dict[int, tuple[int, Forecast]] = {}  # by slot: where it was made, and what it says
    for made_at, record in zip(slots, records, strict=True):
        for forecast in record.forecasts:
            if forecast.horizon == horizon:
                about[parse_time(forecast.target_time)] = made_at, forecast
    lead = next((target - made_at for target, (made_at, _) in about.items()), 0)
    column = [about.get(slot, (0, None))[1] for slot in slots[-shown:]]
    labels = [slot for slot in slots[-shown:] if slot in about]
    inside = [
        within for slot in labels if (within := _inside(about[slot][1], observed[slot])) is not None
    ]
    errors = {slot: abs(about[slot][1].predicted - observed[slot]) for slot in labels}
    return Made(
        horizon=horizon,
        lead_seconds=lead / 1000.0,
        predicted=[None if f is None else f.predicted for f in column],
        lower=[None if f is None else f.lower for f in column],
        upper=[None if f is None else f.upper for f in column],
        labels=len(labels),
        error=fmean(errors.values()) if errors else None,
        inside=fmean(inside) if inside else None,
        against=_against(errors, {slot: about[slot][0] for slot in labels}, observed),
    )


def _against(
    errors: Mapping[int, float], made_at: Mapping[int, int], observed: Mapping[int, float]
) -> list[Against]:
    """Compare with persistence, and with the same slot a day and a week before."""
    naive = {"persistence": {slot: observed[made_at[slot]] for slot in errors}}
    for name, season in SEASONS:
        before = {slot: slot - season * -(-(slot - made_at[slot]) // season) for slot in errors}
        naive[name] = {slot: observed[then] for slot, then in before.items() if then in observed}
    return [
        Against(
            name,
            len(values),
            fmean(errors[slot] for slot in values),
            fmean(abs(value - observed[slot]) for slot, value in values.items()),
        )
        for name, values in naive.items()
        if values
    ]


def _inside(forecast: Forecast, value: float) -> bool | None:
    if forecast.lower is None or forecast.upper is None:
        return None
    return forecast.lower <= value <= forecast.upper
