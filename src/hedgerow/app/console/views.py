"""What the page is told, each a typed struct, made from records that somebody looks at.

Before: `board` kept them as bytes. After: `live` sends them as JSON. Times are epoch
milliseconds here, as a browser counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from msgspec import Struct

from hedgerow.app.console.board import Letters, Tally
from hedgerow.app.console.slots import slots_of
from hedgerow.models import SeriesScore
from hedgerow.topics import Alert, Forecast, Prediction, parse_time

DAY_MS = 86_400_000
SEASONS = (("day", DAY_MS), ("week", 7 * DAY_MS))
MOST_SHOWN, LEAST_SHOWN = 400, 10  # readings of a series on the page
Sample = tuple[int, Mapping[int, Mapping[str, float]]]
"""A time, and the weights then: by horizon, by expert."""


class Row(Struct, frozen=True, array_like=True, gc=False):
    """A line of the list: the newest reading beside what had been forecast for it."""

    number: int
    key: str
    observed: float
    at: int
    expected: float | None
    inside: bool | None
    alerts: int


class Against(Struct, frozen=True, gc=False):
    """Our absolute error beside a naive forecast's, means over the same labels."""

    reference: str
    labels: int
    ours: float
    theirs: float


class Made(Struct, frozen=True, gc=False):
    """The forecasts made at one horizon, each in the column of the reading it was about."""

    horizon: int
    lead_seconds: float
    predicted: list[float | None]
    lower: list[float | None]
    upper: list[float | None]
    labels: int
    error: float | None
    inside: float | None
    against: list[Against]


class Ahead(Struct, frozen=True, gc=False):
    """One forecast whose label has not come."""

    horizon: int
    at: int
    predicted: float
    lower: float | None
    upper: float | None


class AlertView(Struct, frozen=True, gc=False):
    """One episode, as its newest record tells it."""

    episode: str
    series: str
    kind: str
    severity: str
    open: bool
    opened_at: int
    at: int
    message: str


class Weights(Struct, frozen=True, gc=False):
    """How the experts of a series were weighed, from when somebody looked; a row per expert."""

    horizon: int
    times: list[int]
    experts: list[str]
    weights: list[list[float]]


class Held(Struct, frozen=True, gc=False):
    """What the worker that serves the page knows of a series because it learns it."""

    weights: list[Weights]
    lifetime: list[Lifetime]


class Lifetime(Struct, frozen=True, gc=False):
    """Scores of one horizon since the series began; skill by reference, ``None`` if undefined."""

    horizon: int
    labels: int
    error: float
    inside: float | None
    skill: dict[str, float | None]


class SeriesView(Struct, frozen=True, gc=False):
    """The chosen series: readings, the forecasts made for them, and those ahead."""

    key: str
    sensor_id: str
    quantity: str | None
    model: str
    times: list[int]
    observed: list[float]
    made: list[Made]
    ahead: list[Ahead]
    alerts: list[AlertView]
    held: Held | None


class Reason(Struct, frozen=True, gc=False):
    """Dead letters of one reason, with the newest as an example."""

    reason: str
    count: int
    error: str
    place: str
    example: str


class Worker(Struct, frozen=True, gc=False):
    """What the worker that serves the page knows of itself."""

    partitions: list[int]
    series: int
    lag: int | None
    unsaved: int
    saved_seconds_ago: float | None
    not_ready: str | None


class Health(Struct, frozen=True, gc=False):
    """How the group is: what the topics tell, and what the serving worker knows."""

    readings_per_second: float
    series: int
    open_alerts: int
    records: int
    repeats: int
    unreadable: int
    beyond: int
    passed_over: int
    passing: bool
    trouble: str | None
    dead_letters: list[Reason]
    worker: Worker
    timezone: str


def row(number: int, key: str, last: Sequence[Prediction], alerts: int) -> Row:
    """Make a line of the list.

    Parameters
    ----------
    last : sequence of Prediction
        The newest records, oldest first; at least one.

    Examples
    --------
    >>> def record(at, observed, *forecasts):
    ...     return Prediction("t:0:1:s", "s", "s", None, 1, at, observed, "all", forecasts)
    >>> for_eight = Forecast(1, "2026-01-01T08:00:00Z", 4.0, 4.0, 3.0, 5.0)
    >>> row(0, "s", [record("2026-01-01T07:00:00Z", 4.5, for_eight),
    ...              record("2026-01-01T08:00:00Z", 6.0)], 0)
    Row(number=0, key='s', observed=6.0, at=1767254400000, expected=4.0, inside=False, alerts=0)
    """
    newest, slots = last[-1], slots_of(last)
    at = parse_time(newest.issued_at)
    for earlier in reversed(last[:-1]):
        for forecast in earlier.forecasts:
            if parse_time(forecast.target_time) == slots[-1]:
                inside = _inside(forecast, newest.observed)
                return Row(number, key, newest.observed, at, forecast.predicted, inside, alerts)
    return Row(number, key, newest.observed, at, None, None, alerts)


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


def alert_view(alert: Alert) -> AlertView:
    """Make the view of an episode from its newest record."""
    return AlertView(
        episode=alert.episode,
        series=alert.series,
        kind=alert.kind,
        severity=alert.severity,
        open=alert.state == "open",
        opened_at=parse_time(alert.opened_at),
        at=parse_time(alert.at),
        message=alert.message,
    )


def alert_views(alerts: Iterable[Alert], most: int) -> list[AlertView]:
    """List the open episodes before the resolved ones, the newest first."""
    views = [alert_view(alert) for alert in alerts]
    views.sort(key=lambda view: (view.open, view.at), reverse=True)
    return views[:most]


def reasons(letters: Mapping[str, Letters]) -> list[Reason]:
    """List the reasons of dead letters, the most frequent first."""
    listed = [
        Reason(reason, seen.count, seen.error, seen.place, seen.example)
        for reason, seen in letters.items()
    ]
    return sorted(listed, key=lambda reason: -reason.count)


def lifetime(score: SeriesScore) -> Lifetime:
    """Say how good a series' forecasts at one horizon have been since it began."""
    return Lifetime(
        horizon=score.horizon,
        labels=score.n,
        error=score.absolute_error / score.n if score.n else 0.0,
        inside=score.covered / score.with_interval if score.with_interval else None,
        skill={reference.reference: reference.skill for reference in score.references},
    )


def weights_over_time(samples: Sequence[Sample]) -> list[Weights]:
    """Turn samples of weights by horizon and expert into a row per expert."""
    if not samples:
        return []
    newest = samples[-1][1]
    times = [at for at, _ in samples]
    return [
        Weights(
            horizon=horizon,
            times=times,
            experts=list(experts),
            weights=[[s.get(horizon, {}).get(name, 0.0) for _, s in samples] for name in experts],
        )
        for horizon, experts in newest.items()
    ]


def health(
    *,
    rate: float,
    series: int,
    open_alerts: int,
    tally: Tally,
    passed_over: int,
    passing: bool,
    trouble: str | None,
    letters: Mapping[str, Letters],
    worker: Worker,
    timezone: str,
) -> Health:
    """Put the health strip together."""
    return Health(
        readings_per_second=rate,
        series=series,
        open_alerts=open_alerts,
        records=tally.records,
        repeats=tally.repeats,
        unreadable=tally.unreadable,
        beyond=tally.beyond,
        passed_over=passed_over,
        passing=passing,
        trouble=trouble,
        dead_letters=reasons(letters),
        worker=worker,
        timezone=timezone,
    )
