"""What the page is told, each a typed struct.

Before: `board` keeps records as bytes, `series` puts forecasts beside their readings. After:
`session` sends the views as JSON. Times are epoch milliseconds here, as a browser counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from hedgerow.app.console.board import Letters, Tally, Told
from hedgerow.app.console.carriers import Carried
from hedgerow.models import SeriesScore
from hedgerow.topics import Sensor, parse_time

Sample = tuple[int, Mapping[int, Mapping[str, float]]]
"""A time, and the weights then: by horizon, by expert."""


class Row(Struct, frozen=True, array_like=True, gc=False):
    """A line of the list: the newest reading beside what had been forecast for it.

    ``skill`` is that of the nearest forecasts against persistence over the last labels.
    """

    number: int
    key: str
    observed: float
    at: int
    expected: float | None
    inside: bool | None
    alerts: int
    skill: float | None = None


class SensorView(Struct, frozen=True, array_like=True, gc=False):
    """A sensor of the registry; ``place`` is across and up, in degrees where ``degrees``."""

    sensor_id: str
    name: str
    kind: str
    zone: str
    unit: str
    place: tuple[float, float] | None
    degrees: bool


class Sensors(Struct, frozen=True, gc=False):
    """Some sensors of the registry; the first ones of a list say so."""

    first: bool
    sensors: list[SensorView]


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
    opening: str | None
    carried: Carried | None


class Weights(Struct, frozen=True, gc=False):
    """How the experts of a series were weighed, as far back as is known; a row per expert."""

    horizon: int
    times: list[int]
    experts: list[str]
    weights: list[list[float]]


class Held(Struct, frozen=True, gc=False):
    """What is known of a series beyond its records.

    ``at`` is the reading that it was known after, ``generation`` the checkpoint that told it;
    ``None`` where the worker that serves the page learns the series.
    """

    weights: list[Weights]
    lifetime: list[Lifetime]
    at: int | None
    generation: int | None


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


class Member(Struct, frozen=True, gc=False):
    """What one worker of the group tells of itself, its partitions taken together.

    ``saved_seconds_ago`` is the age of its oldest checkpoint, where ``saved`` says that each of its
    partitions has one.
    """

    worker: str
    here: bool
    partitions: list[int]
    readings_per_second: float | None
    lag: int | None
    unsaved: int
    saved_seconds_ago: float
    saved: bool
    not_ready: str | None


class Untold(Struct, frozen=True, gc=False):
    """A partition of which no worker tells, by its newest checkpoint, if it has one.

    ``since`` counts the messages that came after it; it has not changed for ``seconds``, as far as
    was looked.
    """

    partition: int
    generation: int | None
    since: int
    seconds: float


class Members(Struct, frozen=True, gc=False):
    """The workers of the group, and the partitions that none of them tells of."""

    workers: list[Member]
    untold: list[Untold]
    partitions: int


class Health(Struct, frozen=True, gc=False):
    """How the group is: what the topics tell, and what the serving worker knows."""

    readings_per_second: float
    lag: int | None
    series: int
    open_alerts: int
    records: int
    repeats: int
    unreadable: int
    beyond: int
    passed_over: int
    passing: bool
    trouble: str | None
    untold: str | None
    dead_letters: list[Reason]
    older_letters: int
    worker: Worker
    members: Members | None
    timezone: str


def sensor_view(sensor: Sensor) -> SensorView:
    """Make the view of a sensor."""
    degrees = sensor.longitude is not None
    across = sensor.longitude if degrees else sensor.x
    up = sensor.latitude if degrees else sensor.y
    place = None if across is None or up is None else (across, up)
    return SensorView(
        sensor.sensor_id, sensor.name, sensor.kind, sensor.zone, sensor.unit, place, degrees
    )


def alert_view(told: Told) -> AlertView:
    """Make the view of an episode; its opening words are told beside those of its end."""
    alert = told.newest
    return AlertView(
        episode=alert.episode,
        series=alert.series,
        kind=alert.kind,
        severity=alert.severity,
        open=alert.state == "open",
        opened_at=parse_time(alert.opened_at),
        at=parse_time(alert.at),
        message=alert.message,
        opening=None if alert.state == "open" else told.opening,
        carried=told.carried,
    )


def alert_views(alerts: Iterable[Told], most: int) -> list[AlertView]:
    """List the open episodes before the resolved ones, the newest first."""
    views = [alert_view(told) for told in alerts]
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
    names: dict[int, dict[str, None]] = {}
    for _, by_horizon in samples:
        for horizon, experts in by_horizon.items():
            names.setdefault(horizon, {}).update(dict.fromkeys(experts))
    times = [at for at, _ in samples]
    return [
        Weights(
            horizon=horizon,
            times=times,
            experts=list(experts),
            weights=[[s.get(horizon, {}).get(name, 0.0) for _, s in samples] for name in experts],
        )
        for horizon, experts in sorted(names.items())
    ]


def health(
    *,
    rate: float,
    lag: int | None,
    series: int,
    open_alerts: int,
    tally: Tally,
    passed_over: int,
    passing: bool,
    trouble: str | None,
    untold: str | None,
    letters: Mapping[str, Letters],
    older_letters: int,
    worker: Worker,
    members: Members | None,
    timezone: str,
) -> Health:
    """Put the health strip together."""
    return Health(
        readings_per_second=rate,
        lag=lag,
        series=series,
        open_alerts=open_alerts,
        records=tally.records,
        repeats=tally.repeats,
        unreadable=tally.unreadable,
        beyond=tally.beyond,
        passed_over=passed_over,
        passing=passing,
        trouble=trouble,
        untold=untold,
        dead_letters=reasons(letters),
        older_letters=older_letters,
        worker=worker,
        members=members,
        timezone=timezone,
    )
