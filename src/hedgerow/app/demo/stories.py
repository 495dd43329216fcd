"""The alerts of the demo: how many of which kind, and the three most worth telling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from hedgerow.app.demo.scoreboard import lead_text
from hedgerow.topics import Alert, parse_time

STORIES = 3
FORESEEN_WITHIN_MS = 12 * 3_600_000


@dataclass(frozen=True, slots=True)
class Story:
    """An alert in words.

    Attributes
    ----------
    interest : float
        The higher the more worth telling, among stories of one kind of alert.
    """

    kind: str
    series: str
    at_ms: int
    interest: float
    text: str


def count_table(alerts: Iterable[Alert], sensor_kinds: Iterable[str]) -> Table:
    """Count the episodes by kind of sensor and kind of alert."""
    opened = [alert for alert in alerts if alert.state == "open"]
    counts = Counter((_sensor_kind(alert), alert.kind) for alert in opened)
    kinds = sorted({alert.kind for alert in opened})
    table = Table(
        title="Alerts raised",
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("kind")
    for kind in kinds:
        table.add_column(kind, justify="right")
    for sensors in sorted(set(sensor_kinds)):
        table.add_row(sensors, *(f"{counts[sensors, kind]:,}" for kind in kinds))
    return table


def best_stories(alerts: Sequence[Alert]) -> list[Story]:
    """Choose three: the best of each kind of alert first, of different sensors.

    Parameters
    ----------
    alerts : sequence of Alert
        In the order of the log within each series.
    """
    told = [*_foreseen(alerts), *_surprises(alerts), *_unforeseen(alerts)]
    told.sort(key=lambda story: (-story.interest, story.series, story.at_ms))
    chosen: list[Story] = []
    for avoid_kinds in (True, False):
        for story in told:
            kinds = {one.kind for one in chosen} if avoid_kinds else set()
            series = {one.series for one in chosen}
            if len(chosen) < STORIES and story.kind not in kinds and story.series not in series:
                chosen.append(story)
    return sorted(chosen, key=lambda story: story.at_ms)


def _foreseen(alerts: Sequence[Alert]) -> list[Story]:
    """Forecast breaches that came true while they stood, by how early they warned."""
    standing: dict[str, Alert] = {}
    stories = []
    for alert in alerts:
        if alert.kind == "forecast-breach":
            if alert.state == "open":
                standing[alert.series] = alert
            else:
                standing.pop(alert.series, None)
        elif alert.kind == "bound" and alert.state == "open" and alert.series in standing:
            warning = standing.pop(alert.series)
            lead_ms = _at(alert) - _at(warning)
            if 0 < lead_ms <= FORESEEN_WITHIN_MS:
                text = (
                    f"{_when(warning)} {alert.series}: {warning.message}. "
                    f"It came {_quarters(lead_ms)} later: {alert.message}."
                )
                story = Story("forecast-breach", alert.series, _at(warning), lead_ms, text)
                stories.append(story)
    return _ranked(stories)


def _surprises(alerts: Sequence[Alert]) -> list[Story]:
    """Anomalies, by how many widths of the interval the reading lay outside it."""
    stories = []
    for alert in alerts:
        if alert.kind != "anomaly" or alert.state != "open":
            continue
        lower, upper, seen = alert.lower, alert.upper, alert.observed
        if lower is None or upper is None or seen is None or upper <= lower:
            continue
        outside = max(lower - seen, seen - upper) / (upper - lower)
        text = f"{_when(alert)} {alert.series}: {alert.message}."
        stories.append(Story(alert.kind, alert.series, _at(alert), outside, text))
    return _ranked(stories)


def _unforeseen(alerts: Sequence[Alert]) -> list[Story]:
    """Crossed bounds, by how far from the forecast the reading was."""
    stories = []
    for alert in alerts:
        seen, expected = alert.observed, alert.expected
        if alert.kind != "bound" or alert.state != "open" or seen is None or expected is None:
            continue
        size = max(abs(bound) for bound in (alert.lower or 0.0, alert.upper or 0.0, 1.0))
        text = f"{_when(alert)} {alert.series}: {alert.message}."
        gap = abs(seen - expected) / size
        stories.append(Story(alert.kind, alert.series, _at(alert), gap, text))
    return _ranked(stories)


def _ranked(stories: list[Story]) -> list[Story]:
    """Replace each story's own measure by its rank, so that kinds can be compared."""
    ordered = sorted(stories, key=lambda story: (-story.interest, story.series, story.at_ms))
    return [
        Story(story.kind, story.series, story.at_ms, -float(rank), story.text)
        for rank, story in enumerate(ordered)
    ]


def _sensor_kind(alert: Alert) -> str:
    return alert.sensor_id.split("-")[0]


def _at(alert: Alert) -> int:
    return parse_time(alert.at)


def _quarters(lasted_ms: int) -> str:
    quarter = 900_000
    return lead_text(max(1, round(lasted_ms / quarter)) * quarter)


def _when(alert: Alert) -> str:
    return alert.at.replace("T", " ").removesuffix("Z")[:16]
