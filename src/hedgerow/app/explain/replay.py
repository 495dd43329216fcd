"""Stepping a learner along its log, with an eye on one series.

Before: a learner as some snapshot has it, or a new one, and the messages that follow. After:
``tell`` puts into words what was found. Decoder and step are the worker's, so that what is
explained is what was published.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hedgerow.models import AlertEvent, Learner
from hedgerow.models.alerts.open_episodes import OpenEpisode, open_episodes
from hedgerow.models.explanation.explain import (
    Explanation,
    ForecastSum,
    NothingToExplain,
    Standing,
    explain_standing,
    standing,
)
from hedgerow.topics import DecodedBatch, Limits, Message, ReadingDecoder

MOST_AHEAD = 48  # rows that are remembered, so that what was expected of a reading can be told
_AT_ITSELF = "forecast-breach"  # the one rule about the forecasts that a reading brings


@dataclass(frozen=True, slots=True)
class Issued:
    """The reading that forecasts were made at.

    Attributes
    ----------
    offset : int or None
        Its place in the log, ``None`` where it lies before what was read.
    at_ms : int
        Its own time; the grid point of its slot where it lies before what was read.
    value : float
        What was measured.
    """

    offset: int | None
    at_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Episode:
    """An open episode, and the forecast that it is about.

    Attributes
    ----------
    stands : OpenEpisode
        What the state says of it.
    message : str or None
        The alert's own sentence, where its opening was read.
    carried : ForecastSum or None
        The forecast that the opening reading was measured by; of a forecast-breach, the one that
        crosses. ``None`` where it lies before what was read.
    """

    stands: OpenEpisode
    message: str | None
    carried: ForecastSum | None


class _Opening(NamedTuple):
    """What an alert said, and the row in which the forecast was made that it is about."""

    message: str
    expected: float | None
    about: Standing | None


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to tell of a series.

    Attributes
    ----------
    issued : Issued
        The reading that the explained forecasts were made at.
    explanation : Explanation
        Those forecasts.
    expected : Explanation or None
        The forecasts of which one was about that reading itself.
    episodes : tuple of Episode
        Open after it, the oldest first.
    """

    issued: Issued
    explanation: Explanation
    expected: Explanation | None
    episodes: tuple[Episode, ...]


class SeriesReplay:
    """Steps everything, and stops where the forecast stands that is asked for.

    Parameters
    ----------
    learner : Learner
        Changed by stepping.
    series : tuple of str
        Sensor and quantity.
    limits : Limits
        What is accepted as a reading.
    until_ms : int, optional
        Stop before the first reading of the series that is later and is learned.
    """

    def __init__(
        self,
        learner: Learner,
        series: tuple[str, str],
        limits: Limits,
        until_ms: int | None = None,
    ) -> None:
        self._learner = learner
        self._series = series
        self._until_ms = until_ms
        self._decoder = ReadingDecoder(limits)
        self._issued: Issued | None = None
        self._expected: Standing | None = None
        self._before: deque[Standing] = deque(maxlen=MOST_AHEAD)
        self._opened: dict[tuple[str, int], _Opening] = {}
        self._remember()

    @property
    def passed_ms(self) -> int | None:
        """The grid point of the series' last learned reading, ``None`` before its first."""
        return self._before[-1].slot_ms if self._before else None

    @property
    def surely_by_ms(self) -> int:
        """A time that the last learned reading itself is not later than; 0 before the first."""
        last = self._before[-1] if self._before else None
        return 0 if last is None else last.slot_ms + last.bank.period_ms // 2

    def feed(self, messages: Sequence[Message]) -> bool:
        """Step messages in log order; tell whether the asked forecast has been reached."""
        batch = self._decoder.decode(messages)
        mine = [
            p
            for p, who in enumerate(zip(batch.sensor_ids, batch.quantities, strict=True))
            if who == self._series and not batch.experts[p]
        ]
        start = 0
        for p in mine:
            self._step(batch, start, p)
            start = p + 1
            late = self._until_ms is not None and batch.time_ms[p] > self._until_ms
            if late and self._would_learn(batch, p):
                return True
            self._take(batch, p)
        self._step(batch, start, len(batch.values))
        return False

    def found(self) -> Found:
        """Explain what the series' last reading brought.

        Raises
        ------
        NothingToExplain
            If it has no forecast.
        """
        now = standing(self._learner, *self._series)
        explanation = explain_standing(now)
        expected = None if self._expected is None else _explained(self._expected)
        issued = self._issued or Issued(None, explanation.slot_ms, explanation.observed)
        return Found(
            issued,
            explanation,
            expected,
            tuple(self._episode(one) for one in open_episodes(self._learner, *self._series)),
        )

    def _episode(self, stands: OpenEpisode) -> Episode:
        opening = self._opened.get((stands.kind, stands.opening_offset))
        if opening is None:
            return Episode(stands, None, None)
        made = None if opening.about is None else _explained(opening.about)
        if made is None:
            return Episode(stands, opening.message, None)
        carried = made.forecasts[0]
        if stands.kind == _AT_ITSELF:
            told = opening.expected
            carried = next(
                (f for f in made.forecasts if told in (f.predicted, f.lower, f.upper)), carried
            )
        return Episode(stands, opening.message, carried)

    def _step(self, batch: DecodedBatch, start: int, end: int) -> list[AlertEvent]:
        if start == end:
            return []
        part = slice(start, end)
        result = self._learner.step(
            batch.sensor_ids[part], batch.quantities[part], batch.time_ms[part],
            batch.values[part], batch.offsets[part], experts=batch.experts[part],
        )  # fmt: skip
        mine = [a for a in result.alerts if (a.sensor_id, a.quantity) == self._series]
        for alert in mine:
            if alert.state == "open" and alert.kind == "silent":
                self._open(alert, self._before[-1] if self._before else None)
        return mine

    def _would_learn(self, batch: DecodedBatch, p: int) -> bool:
        """Tell whether a reading is about a later slot than the last one learned."""
        passed = self.passed_ms
        if passed is None:
            return True
        period_ms = self._before[-1].bank.period_ms
        return (int(batch.time_ms[p]) - passed + period_ms // 2) // period_ms > 0

    def _take(self, batch: DecodedBatch, p: int) -> None:
        """Step one reading of the series, and note what it was measured by."""
        passed = self.passed_ms
        alerts = self._step(batch, p, p + 1)
        self._remember()
        if self.passed_ms == passed:
            return  # not learned, or still waiting for its period
        self._issued = Issued(int(batch.offsets[p]), int(batch.time_ms[p]), float(batch.values[p]))
        self._expected = self._forecaster(self._before[-1])
        for alert in alerts:
            if alert.state == "open" and alert.kind != "silent":
                self._open(alert, self._before[-1] if alert.kind == _AT_ITSELF else self._expected)

    def _open(self, alert: AlertEvent, about: Standing | None) -> None:
        self._opened[alert.kind, alert.opening_offset] = _Opening(
            alert.message, alert.expected, about
        )

    def _remember(self) -> None:
        """Keep the series' row as it is now, if a reading was learned."""
        try:
            now = standing(self._learner, *self._series, copy=True)
        except NothingToExplain:
            return
        if now.slot_ms != self.passed_ms:
            self._before.append(now)

    def _forecaster(self, now: Standing) -> Standing | None:
        """Return the row in which the nearest horizon's forecast of its last reading was made."""
        made_ms = now.slot_ms - int(now.bank.layout.horizons[0]) * now.bank.period_ms
        return next((one for one in self._before if one.slot_ms == made_ms), None)


def _explained(found: Standing) -> Explanation | None:
    try:
        return explain_standing(found)
    except NothingToExplain:  # made before the profile was changed
        return None
