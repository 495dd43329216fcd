"""Everything a backtest published, kept for the plots of its report.

Before: ``run`` hands over each batch's columns. After: ``report`` draws. The forecasts are
matched with their labels here by slot alone, apart from the learner's own scores, so that both
can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hedgerow.models import AlertEvent, Learner, StepResult

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MOST_SNAPSHOTS = 128
FIRST_STRIDE = 256  # readings between two snapshots of the weights, until there are too many


@dataclass(frozen=True, slots=True)
class Weights:
    """Mean weights over the series of one profile at one horizon.

    Attributes
    ----------
    at_ms : int
        Event time of the newest reading so far.
    shares : dict of (str, int) to dict of str to float
        By profile and horizon, then by expert.
    """

    at_ms: int
    shares: dict[tuple[str, int], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert from its opening to its end, ``None`` if it was still open."""

    series: str
    kind: str
    opened_ms: int
    resolved_ms: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Matched:
    """Forecasts of one series at one horizon with their labels, by time of the label.

    Attributes
    ----------
    target_ms : ndarray of int64, shape (n,)
        Slot of the label.
    label, origin : ndarray of float64, shape (n,)
        What was read there, and where the forecast was made.
    predicted, mean, lower, upper : ndarray of float64, shape (n,)
        As published.
    """

    target_ms: Integers
    label: Floats
    origin: Floats
    predicted: Floats
    mean: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class _Part:
    series: Integers
    time_ms: Integers
    values: Floats
    horizons: NDArray[np.int32]
    target_ms: Integers
    limits: tuple[Floats, Floats, Floats, Floats]


@dataclass(slots=True)
class Trace:
    """What was published, batch by batch.

    Attributes
    ----------
    keys : list of str
        Series in the order they were first learned.
    weights : list of Weights
        Evenly over the readings, at most 128.
    """

    keys: list[str] = field(default_factory=list)
    weights: list[Weights] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _parts: list[_Part] = field(default_factory=list)
    _openings: dict[tuple[str, str, int], AlertEvent] = field(default_factory=dict)
    _episodes: list[Episode] = field(default_factory=list)
    _latest_ms: int = 0
    _stride: int = FIRST_STRIDE
    _next: int = FIRST_STRIDE

    def take(
        self,
        keys: Sequence[str],
        time_ms: Integers,
        values: Floats,
        result: StepResult,
        learner: Learner,
    ) -> None:
        """Keep what a batch brought forth."""
        learned = result.learned
        numbers = [self._number(keys[p]) for p in learned.tolist()]
        self._parts.append(
            _Part(
                np.array(numbers, np.int64),
                time_ms[learned],
                values[learned],
                result.horizons,
                result.target_ms,
                (result.predicted, result.mean, result.lower, result.upper),
            )
        )
        for alert in result.alerts:
            self._note(keys[alert.position], alert)
        if len(learned):
            self._latest_ms = max(self._latest_ms, int(time_ms[learned].max()))
        if learner.counts.readings >= self._next:
            self._weigh(learner)
            self._next = learner.counts.readings + self._stride

    def end(self, learner: Learner) -> None:
        """Keep the weights at the end, whenever the last ones were kept."""
        self._weigh(learner)

    @property
    def episodes(self) -> list[Episode]:
        """All episodes by their opening; those still open at the end have no end."""
        still_open = [
            Episode(series, kind, event.opened_ms, None, event.message)
            for (series, kind, _), event in self._openings.items()
        ]
        return sorted([*self._episodes, *still_open], key=lambda e: (e.opened_ms, e.series))

    @property
    def span(self) -> tuple[int, int]:
        """Times of the earliest and the latest reading learned."""
        first = min(int(part.time_ms.min()) for part in self._parts if len(part.time_ms))
        return first, self._latest_ms

    def matched(self, periods: dict[str, int], horizon: int) -> Iterator[tuple[str, Matched]]:
        """Match the forecasts of each series at a horizon with their labels.

        Parameters
        ----------
        periods : dict of str to int
            Length of a slot in milliseconds by series.
        """
        if not self._parts:
            return
        series = np.concatenate([part.series for part in self._parts])
        order = np.argsort(series, kind="stable")
        bounds = np.searchsorted(series[order], np.arange(len(self.keys) + 1))
        time_ms = np.concatenate([part.time_ms for part in self._parts])
        values = np.concatenate([part.values for part in self._parts])
        at, target, published = self._at(horizon)
        for number, key in enumerate(self.keys):
            mine = order[bounds[number] : bounds[number + 1]]
            if key in periods and at[mine].any():
                found = _match(
                    periods[key],
                    (time_ms[mine], values[mine]),
                    (at[mine], target[mine]),
                    [column[mine] for column in published],
                )
                yield key, found

    def _at(self, horizon: int) -> tuple[NDArray[np.bool_], Integers, list[Floats]]:
        """Pick a horizon's columns; its place in a line depends on the profile."""
        here, targets, columns = [], [], []
        for part in self._parts:
            found = part.horizons == horizon
            there = found.any(axis=1)
            line, place = np.arange(len(there)), found.argmax(axis=1)
            here.append(there)
            targets.append(part.target_ms[line, place])
            columns.append([column[line, place] for column in part.limits])
        published = [np.concatenate(pieces) for pieces in zip(*columns, strict=True)]
        return np.concatenate(here), np.concatenate(targets), published

    def _number(self, key: str) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.keys)
            self.keys.append(key)
        return number

    def _note(self, series: str, alert: AlertEvent) -> None:
        name = (series, alert.kind, alert.opening_offset)
        if alert.state == "open":
            self._openings[name] = alert
            return
        opening = self._openings.pop(name, alert)
        self._episodes.append(
            Episode(series, alert.kind, alert.opened_ms, alert.at_ms, opening.message)
        )

    def _weigh(self, learner: Learner) -> None:
        sums: dict[tuple[str, int], dict[str, float]] = {}
        counts: dict[tuple[str, int], int] = {}
        for score in learner.scores():
            name = (score.profile, score.horizon)
            counts[name] = counts.get(name, 0) + 1
            share = sums.setdefault(name, dict.fromkeys(score.weights, 0.0))
            for expert, weight in score.weights.items():
                share[expert] = share.get(expert, 0.0) + weight
        shares = {
            name: {expert: weight / counts[name] for expert, weight in share.items()}
            for name, share in sums.items()
        }
        self.weights.append(Weights(self._latest_ms, shares))
        if len(self.weights) >= MOST_SNAPSHOTS:
            del self.weights[::2]
            self._stride *= 2


def _match(
    period_ms: int,
    read: tuple[Integers, Floats],
    made: tuple[NDArray[np.bool_], Integers],
    published: list[Floats],
) -> Matched:
    """Find the reading of each target's slot among one series' readings, in slot order."""
    (time_ms, values), (at, target_ms) = read, made
    phase = int(target_ms[at][0]) % period_ms
    slots = (time_ms - phase + period_ms // 2) // period_ms
    wanted = (target_ms[at] - phase) // period_ms
    place = np.minimum(np.searchsorted(slots, wanted), len(slots) - 1)
    hit = slots[place] == wanted
    predicted, mean, lower, upper = (column[at][hit] for column in published)
    label = values[place[hit]]
    return Matched(target_ms[at][hit], label, values[at][hit], predicted, mean, lower, upper)
