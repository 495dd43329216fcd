"""Gauges read from the held partitions when Prometheus asks: lag, series, alerts.

Reading every series' state takes a while with many of them, so that part may be some seconds old.
How good the forecasts are, ``quality_metrics`` tells; what each metric is called and means stands
in ``metric_catalogue``.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from hedgerow.agents.holding import Holding
from hedgerow.agents.holdings import Holdings
from hedgerow.app.service import metric_catalogue as metric
from hedgerow.app.service.quality_metrics import quality
from hedgerow.models import Tally

STATE_MAX_AGE_SECONDS = 10.0
MOST_SHARE = 0.01  # of the loop's time that may go into reading the state


class StateCollector(Collector):
    """Reads the held partitions' state when asked, but all the series' at most now and then.

    Parameters
    ----------
    lag_of : Callable[[Holding], int | None]
        Messages of the partition's log not learned yet.
    broker_up : Callable[[], bool]
        Whether the producer sees a broker.
    topic : str
        Where the readings come from.
    topic_partitions : int
        How many it has.
    interval_seconds : float
        How often a partition with news is checkpointed.
    clock, wall_clock : Callable[[], float]
        Seconds: those of the holdings' clock, and since 1970.
    """

    def __init__(
        self,
        holdings: Holdings,
        *,
        lag_of: Callable[[Holding], int | None],
        broker_up: Callable[[], bool],
        topic: str,
        topic_partitions: int,
        interval_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._holdings = holdings
        self._lag_of = lag_of
        self._broker_up = broker_up
        self._topic = metric.TOPIC_PARTITIONS.family()
        self._topic.add_metric([topic], topic_partitions)
        self._interval = metric.CHECKPOINT_INTERVAL.family(interval_seconds)
        self._clock = clock
        self._wall_clock = wall_clock
        self._read_again_at = float("-inf")
        self._state: list[Metric] = []
        self._counted: dict[int, int] = {}
        self._doubled_series = 0

    def describe(self) -> list[Metric]:
        """Promise nothing, so that registering does not read the state."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of this moment."""
        held = self._holdings.all()
        yield from self._partitions(held)
        yield metric.PAUSED.family(self._holdings.paused)
        yield metric.PARTITIONS.family(len(held))
        yield from (self._topic, self._interval)
        yield metric.BROKER_UP.family(self._broker_up())
        began = self._clock()
        if began >= self._read_again_at:
            self._state = [*_learning(held), self._doubled(held)]
            took = self._clock() - began
            self._read_again_at = began + max(STATE_MAX_AGE_SECONDS, took / MOST_SHARE)
        yield from self._state

    def _partitions(self, held: list[Holding]) -> Iterator[Metric]:
        """Yield where each held partition stands."""
        lag, offset = metric.CONSUMER_LAG.family(), metric.NEXT_OFFSET.family()
        saved, saved_at = metric.SAVED_OFFSET.family(), metric.LAST_CHECKPOINT.family()
        skipped, last = metric.SKIPPED_MESSAGES.family(), metric.LAST_READING.family()
        wall_less_monotonic = self._wall_clock() - self._clock()
        for holding in held:
            partition = holding.claim.partition
            labels = [partition.topic, str(partition.number)]
            behind = self._lag_of(holding)
            if behind is not None:
                lag.add_metric(labels, behind)
            offset.add_metric(labels, holding.next_offset)
            saved.add_metric(labels, max(0, holding.saved_offset))
            saved_at.add_metric(labels, holding.stored_at + wall_less_monotonic)
            skipped.add_metric(labels, holding.progress.skipped)
            reached_ms = holding.learner.reached_ms
            if reached_ms is not None:
                last.add_metric(labels, reached_ms / 1000.0)
        yield from (lag, offset, saved, saved_at, skipped, last)

    def _doubled(self, held: list[Holding]) -> Metric:
        """Count series in several partitions, anew only where there are new series."""
        counts = {h.claim.partition.number: h.learner.series_count for h in held}
        if counts != self._counted:
            self._counted, self._doubled_series = counts, doubled_series(held)
        return metric.DOUBLED_SERIES.family(self._doubled_series)


def _learning(held: list[Holding]) -> Iterator[Metric]:
    """Yield what the learning state says of itself, over all held partitions."""
    yield metric.SERIES.family(sum(h.learner.series_count for h in held))
    yield _accounting(held)
    alerts = metric.OPEN_ALERTS.family()
    opened: Counter[str] = Counter()
    for holding in held:
        opened.update(holding.learner.open_alerts)
    for kind, count in sorted(opened.items()):
        alerts.add_metric([kind], count)
    yield alerts
    groups: dict[tuple[str, str], list[Tally]] = defaultdict(list)
    for holding in held:
        for tally in holding.learner.tallies():
            groups[tally.profile, str(tally.horizon)].append(tally)
    yield from quality(groups)


def doubled_series(held: Sequence[Holding]) -> int:
    """Count the series that are in more than one of these partitions."""
    seen: set[tuple[str, str]] = set()
    doubled: set[tuple[str, str]] = set()
    for holding in held:
        table = holding.learner.series
        mine = set(zip(table.sensor_ids, table.quantities, strict=True))
        doubled |= seen & mine
        seen |= mine
    return len(doubled)


def _accounting(held: list[Holding]) -> Metric:
    counts = metric.ACCOUNTED.family()
    for unit, outcome, field in (
        ("messages", "decoded", "messages_decoded"),
        ("messages", "dead-lettered", "messages_dead_lettered"),
        ("readings", "learned", "learned"),
        ("readings", "late", "late"),
        ("readings", "duplicate", "duplicate"),
        ("readings", "rejected", "rejected"),
        ("forecasts", "used", "forecasts_used"),
        ("forecasts", "ignored", "forecasts_ignored"),
    ):
        total = sum(getattr(h.learner.counts, field) for h in held)
        counts.add_metric([unit, outcome], total)
    return counts
