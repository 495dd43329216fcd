"""Gauges read from the held partitions when Prometheus asks: lag, series, errors, weights.

Reading every series' scores takes a while with many of them, so that part is at most a few
seconds old. No label ever carries a sensor id.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hedgerow.agents.holding import Holding
from hedgerow.agents.holdings import Holdings
from hedgerow.models import SeriesScore

STATE_MAX_AGE_SECONDS = 10.0


class StateCollector(Collector):
    """Reads the held partitions' state when asked, at most every few seconds.

    Parameters
    ----------
    lag_of : Callable[[Holding], int | None]
        Messages of the partition's log not learned yet.
    broker_up : Callable[[], bool]
        Whether the producer sees a broker.
    """

    def __init__(
        self,
        holdings: Holdings,
        *,
        lag_of: Callable[[Holding], int | None],
        broker_up: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._holdings = holdings
        self._lag_of = lag_of
        self._broker_up = broker_up
        self._clock = clock
        self._read_at = float("-inf")
        self._state: list[Metric] = []
        self._counted: dict[int, int] = {}
        self._doubled_series = 0

    def describe(self) -> list[Metric]:
        """Promise nothing, so that registering does not read the state."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of this moment."""
        held = self._holdings.all()
        lag = GaugeMetricFamily(
            "hedgerow_consumer_lag", "Messages not learned yet.", labels=["topic", "partition"]
        )
        offset = GaugeMetricFamily(
            "hedgerow_next_offset", "First offset not learned yet.", labels=["topic", "partition"]
        )
        saved = GaugeMetricFamily(
            "hedgerow_saved_offset", "Next offset of the last checkpoint.",
            labels=["topic", "partition"],
        )  # fmt: skip
        skipped = GaugeMetricFamily(
            "hedgerow_skipped_messages",
            "Messages gone from Kafka before they were learned; kept with the state.",
            labels=["topic", "partition"],
        )
        last = GaugeMetricFamily(
            "hedgerow_last_reading_timestamp_seconds",
            "Time that the readings of a partition have reached, by two of its sensors if it has "
            "several; event time.",
            labels=["topic", "partition"],
        )
        for holding in held:
            partition = holding.claim.partition
            labels = [partition.topic, str(partition.number)]
            behind = self._lag_of(holding)
            if behind is not None:
                lag.add_metric(labels, behind)
            offset.add_metric(labels, holding.next_offset)
            saved.add_metric(labels, max(0, holding.saved_offset))
            skipped.add_metric(labels, holding.progress.skipped)
            reached_ms = holding.learner.reached_ms
            if reached_ms is not None:
                last.add_metric(labels, reached_ms / 1000.0)
        yield from (lag, offset, saved, skipped, last)
        yield _gauge("hedgerow_paused", "1 while Redis cannot be written.", self._holdings.paused)
        yield _gauge("hedgerow_partitions", "Partitions held.", len(held))
        yield _gauge("hedgerow_broker_up", "1 when a broker is reachable.", self._broker_up())
        if self._clock() - self._read_at >= STATE_MAX_AGE_SECONDS:
            self._read_at = self._clock()
            self._state = [*_learning(held), self._doubled(held)]
        yield from self._state

    def _doubled(self, held: list[Holding]) -> Metric:
        """Count series in several partitions, anew only where there are new series."""
        counts = {h.claim.partition.number: h.learner.series_count for h in held}
        if counts != self._counted:
            self._counted, self._doubled_series = counts, doubled_series(held)
        return _gauge(
            "hedgerow_doubled_series",
            "Series that several of the held partitions have learned: senders must key by sensor.",
            self._doubled_series,
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], float(value))
    return family


def _learning(held: list[Holding]) -> Iterator[Metric]:
    """Yield what the learning state says of itself, over all held partitions."""
    yield _gauge("hedgerow_series", "Series learned.", sum(h.learner.series_count for h in held))
    yield _accounting(held)
    groups: dict[tuple[str, str], list[SeriesScore]] = defaultdict(list)
    for holding in held:
        for score in holding.learner.scores():
            if score.n:
                groups[score.profile, str(score.horizon)].append(score)
    yield from _quality(groups)


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


def _quality(groups: dict[tuple[str, str], list[SeriesScore]]) -> Iterator[Metric]:
    """Yield how good the forecasts were, by profile and horizon."""
    labels = ["profile", "horizon"]
    error = GaugeMetricFamily(
        "hedgerow_absolute_error", "Mean absolute error of the published forecasts.", labels=labels
    )
    skill = GaugeMetricFamily(
        "hedgerow_skill",
        "1 - error / error of the reference on the same labels; median over series.",
        labels=[*labels, "reference"],
    )
    coverage = GaugeMetricFamily(
        "hedgerow_interval_coverage", "Share of labels inside their interval.", labels=labels
    )
    weight = GaugeMetricFamily(
        "hedgerow_expert_weight", "Weight of an expert, mean over series.",
        labels=[*labels, "expert"],
    )  # fmt: skip
    regret = GaugeMetricFamily(
        "hedgerow_regret",
        "Absolute error less the best expert's, as a share of it; median over series.",
        labels=labels,
    )
    for key, scores in sorted(groups.items()):
        regret.add_metric(key, median(s.regret / (s.absolute_error or 1.0) for s in scores))
        error.add_metric(key, sum(s.absolute_error for s in scores) / sum(s.n for s in scores))
        for name, of_series in sorted(_skills(scores).items()):
            skill.add_metric([*key, name], median(of_series))
        with_interval = sum(s.with_interval for s in scores)
        if with_interval:
            coverage.add_metric(key, sum(s.covered for s in scores) / with_interval)
        for expert in scores[0].weights:
            mean = sum(s.weights[expert] for s in scores) / len(scores)
            weight.add_metric([*key, expert], mean)
    yield from (error, skill, coverage, regret, weight)


def _skills(scores: list[SeriesScore]) -> dict[str, list[float]]:
    """Collect the skill of each series, by reference."""
    skills: dict[str, list[float]] = defaultdict(list)
    for score in scores:
        for reference in score.references:
            if reference.skill is not None:
                skills[reference.reference].append(reference.skill)
    return skills


def _accounting(held: list[Holding]) -> Metric:
    counts = GaugeMetricFamily(
        "hedgerow_accounted",
        "Accounting kept with the state of the held partitions: survives a crash.",
        labels=["unit", "outcome"],
    )
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
