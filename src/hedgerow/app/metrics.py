"""Every metric of a worker, in one place.

Counters follow the loop as it goes; what belongs to the learning state (series, errors,
weights, the accounting that survives a crash) is read from the held partitions when
Prometheus asks. No label ever carries a sensor id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hedgerow.agents.holdings import Holding, Holdings
from hedgerow.agents.ports import Stage

BATCH_BUCKETS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STATE_MAX_AGE_SECONDS = 10.0


class WorkerMetrics:
    """The counters of one worker; satisfies the agents' `Meter`.

    Parameters
    ----------
    registry : CollectorRegistry
        Where the metrics live; one for each worker, never the global one.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._messages = Counter(
            "hedgerow_messages", "Messages read, by outcome.", ["outcome"], registry=registry
        )
        self._dead_letters = Counter(
            "hedgerow_dead_letters", "Messages that could not be used, by reason.",
            ["reason"], registry=registry,
        )  # fmt: skip
        self._readings = Counter(
            "hedgerow_readings", "Readings, by outcome.", ["outcome"], registry=registry
        )
        self._predictions = Counter(
            "hedgerow_predictions", "Prediction records sent.", registry=registry
        )
        self._alerts = Counter(
            "hedgerow_alerts", "Alert records sent, by kind and state.",
            ["kind", "state"], registry=registry,
        )  # fmt: skip
        self._batch = Histogram(
            "hedgerow_batch_messages", "Messages of one batch.",
            buckets=BATCH_BUCKETS, registry=registry,
        )  # fmt: skip
        self._stage_seconds = Counter(
            "hedgerow_stage_seconds", "Time spent in each stage of the loop.",
            ["stage"], registry=registry,
        )  # fmt: skip
        self._checkpoints = Counter(
            "hedgerow_checkpoints", "Checkpoints, by outcome.", ["outcome"], registry=registry
        )
        self._checkpoint_seconds = Histogram(
            "hedgerow_checkpoint_seconds", "Duration of a checkpoint, waiting included.",
            buckets=SECONDS_BUCKETS, registry=registry,
        )  # fmt: skip
        self._checkpoint_bytes = Counter(
            "hedgerow_checkpoint_bytes", "Bytes written by checkpoints.", registry=registry
        )
        self._store_up = Gauge(
            "hedgerow_redis_up", "1 when Redis answered the last time.", registry=registry
        )
        self._stages = {
            stage: self._stage_seconds.labels(stage=stage)
            for stage in ("poll", "decode", "learn", "emit", "checkpoint")
        }
        self._outcomes = {
            outcome: self._readings.labels(outcome=outcome)
            for outcome in ("learned", "late", "duplicate", "rejected")
        }
        self._decoded = self._messages.labels(outcome="decoded")
        self._dead = self._messages.labels(outcome="dead-lettered")

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Measure the time spent in one stage of the loop."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._stages[stage].inc(time.perf_counter() - began)

    def polled(self, seconds: float) -> None:
        """Count time spent waiting for messages."""
        self._stages["poll"].inc(seconds)

    def batch(self, messages: int) -> None:
        """Count one batch."""
        self._batch.observe(messages)

    def messages(self, decoded: int, dead_lettered: Mapping[str, int]) -> None:
        """Count messages by outcome, the dead-lettered ones by reason."""
        self._decoded.inc(decoded)
        for reason, count in dead_lettered.items():
            self._dead.inc(count)
            self._dead_letters.labels(reason=reason).inc(count)

    def readings(self, learned: int, late: int, duplicate: int, rejected: int) -> None:
        """Count readings by outcome; each learned one sends a prediction record."""
        self._outcomes["learned"].inc(learned)
        self._outcomes["late"].inc(late)
        self._outcomes["duplicate"].inc(duplicate)
        self._outcomes["rejected"].inc(rejected)
        self._predictions.inc(learned)

    def alert(self, kind: str, state: str) -> None:
        """Count one alert record."""
        self._alerts.labels(kind=kind, state=state).inc()

    def checkpoint(self, outcome: str, seconds: float, size: int) -> None:
        """Count one checkpoint."""
        self._checkpoints.labels(outcome=outcome).inc()
        self._checkpoint_seconds.observe(seconds)
        self._checkpoint_bytes.inc(size)

    def store_reachable(self, reachable: bool) -> None:
        """Note whether Redis answered."""
        self._store_up.set(1 if reachable else 0)


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

    def describe(self) -> list[Metric]:
        """Promise nothing, so that registering does not read the state."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of this moment."""
        held = self._holdings.all()
        lag = GaugeMetricFamily(
            "hedgerow_consumer_lag", "Messages not learned yet.", labels=["partition"]
        )
        offset = GaugeMetricFamily(
            "hedgerow_next_offset", "First offset not learned yet.", labels=["partition"]
        )
        saved = GaugeMetricFamily(
            "hedgerow_saved_offset", "Next offset of the last checkpoint.", labels=["partition"]
        )
        for holding in held:
            labels = [str(holding.claim.partition.number)]
            behind = self._lag_of(holding)
            if behind is not None:
                lag.add_metric(labels, behind)
            offset.add_metric(labels, holding.next_offset)
            saved.add_metric(labels, max(0, holding.saved_offset))
        yield from (lag, offset, saved)
        yield _gauge("hedgerow_partitions", "Partitions held.", len(held))
        yield _gauge("hedgerow_broker_up", "1 when a broker is reachable.", self._broker_up())
        if self._clock() - self._read_at >= STATE_MAX_AGE_SECONDS:
            self._read_at = self._clock()
            self._state = list(_learning(held))
        yield from self._state


def _gauge(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], float(value))
    return family


def _learning(held: list[Holding]) -> Iterator[Metric]:
    """Yield what the learning state says of itself, summed over the held partitions."""
    yield _gauge("hedgerow_series", "Series learned.", sum(h.learner.series_count for h in held))
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
    ):
        total = sum(getattr(h.learner.counts, field) for h in held)
        counts.add_metric([unit, outcome], total)
    yield counts
