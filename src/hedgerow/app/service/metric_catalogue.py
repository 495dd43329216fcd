"""Every metric of a worker: its name, kind, labels and meaning, in one place.

``metrics`` and ``state_metrics`` make and fill them; ``docs/metrics.md`` is written from here.
No label ever carries a sensor id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily

BATCH_BUCKETS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True, slots=True)
class Described:
    """What every metric has.

    Attributes
    ----------
    name : str
        As it is written down here; a counter is exposed with ``_total`` behind it.
    meaning : str
        One sentence.
    labels : tuple of str
        Names of its labels.
    """

    name: str
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def exposed(self) -> tuple[str, ...]:
        """The names under which Prometheus finds it."""
        return (self.name,)


class Counted(Described):
    """A number that only rises while the worker runs."""

    @property
    def exposed(self) -> tuple[str, ...]:
        """The name with ``_total`` behind it."""
        return (f"{self.name}_total",)

    def counter(self, registry: CollectorRegistry) -> Counter:
        """Make it."""
        return Counter(self.name, self.meaning, self.labels, registry=registry)


class Told(Described):
    """A number of this moment."""

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """Make it, for whoever sets it."""
        return Gauge(self.name, self.meaning, self.labels, registry=registry)

    def family(self, value: float | None = None) -> GaugeMetricFamily:
        """Make it, for whoever is asked for it; with a value if it has no labels."""
        family = GaugeMetricFamily(self.name, self.meaning, labels=self.labels)
        if value is not None:
            family.add_metric([], float(value))
        return family


@dataclass(frozen=True, slots=True)
class Spread(Described):
    """How a number is spread, over buckets."""

    buckets: Sequence[float] = ()

    @property
    def exposed(self) -> tuple[str, ...]:
        """Its buckets, their sum and their count."""
        return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        """Make it."""
        return Histogram(
            self.name, self.meaning, self.labels, registry=registry, buckets=self.buckets
        )


BY_PARTITION = ("topic", "partition")
BY_HORIZON = ("profile", "horizon")

# What happens in the loop.
MESSAGES = Counted("hedgerow_messages", "Messages read, by outcome.", ("outcome",))
DEAD_LETTERS = Counted(
    "hedgerow_dead_letters", "Messages that could not be used, by reason.", ("reason",)
)
READINGS = Counted("hedgerow_readings", "Readings, by outcome.", ("outcome",))
OUTSIDE_FORECASTS = Counted(
    "hedgerow_outside_forecasts", "Forecasts of outside experts, by outcome.", ("outcome",)
)
FORWARDED_FORECASTS = Counted(
    "hedgerow_forwarded_forecasts",
    "Forecasts handed on from expert-forecasts to the readings' topic.",
)
PREDICTIONS = Counted("hedgerow_predictions", "Prediction records sent.")
ALERTS = Counted("hedgerow_alerts", "Alert records sent, by kind and state.", ("kind", "state"))
BATCH_MESSAGES = Spread("hedgerow_batch_messages", "Messages of one batch.", (), BATCH_BUCKETS)
STAGE_SECONDS = Counted(
    "hedgerow_stage_seconds", "Time spent in each stage of the loop.", ("stage",)
)

# Checkpoints and the state store.
CHECKPOINTS = Counted("hedgerow_checkpoints", "Checkpoints, by outcome.", ("outcome",))
CHECKPOINT_SECONDS = Spread(
    "hedgerow_checkpoint_seconds", "Duration of a checkpoint, waiting included.", (),
    SECONDS_BUCKETS,
)  # fmt: skip
CHECKPOINT_BYTES = Counted("hedgerow_checkpoint_bytes", "Bytes written by checkpoints.")
LAST_CHECKPOINT = Told(
    "hedgerow_last_checkpoint_timestamp_seconds",
    "When the state of a partition was last stored, read from the store, or found to stand there "
    "still; wall clock.",
    BY_PARTITION,
)
CHECKPOINT_INTERVAL = Told(
    "hedgerow_checkpoint_interval_seconds", "How often a partition with news is to be stored."
)
REFUSED_STATES = Counted(
    "hedgerow_refused_states", "Stored states that were not loaded, by reason.", ("reason",)
)
INCIDENTS = Counted(
    "hedgerow_incidents",
    "What should not happen and was mended: rollback of Redis, revert to the snapshot before a "
    "damaged one, gap in the log.",
    ("kind",),
)
REDIS_UP = Told("hedgerow_redis_up", "1 when Redis answered the last time.")
PAUSED = Told("hedgerow_paused", "1 while Redis cannot be written.")

# Partitions and the log.
TOPIC_PARTITIONS = Told(
    "hedgerow_topic_partitions", "Partitions of the readings' topic, held by whomever.", ("topic",)
)
PARTITIONS = Told("hedgerow_partitions", "Partitions held.")
CONSUMER_LAG = Told("hedgerow_consumer_lag", "Messages not learned yet.", BY_PARTITION)
NEXT_OFFSET = Told("hedgerow_next_offset", "First offset not learned yet.", BY_PARTITION)
SAVED_OFFSET = Told("hedgerow_saved_offset", "Next offset of the last checkpoint.", BY_PARTITION)
SKIPPED_MESSAGES = Told(
    "hedgerow_skipped_messages",
    "Messages gone from Kafka before they were learned; kept with the state.",
    BY_PARTITION,
)
LAST_READING = Told(
    "hedgerow_last_reading_timestamp_seconds",
    "Time that the readings of a partition have reached, by two of its sensors if it has "
    "several; event time.",
    BY_PARTITION,
)
BROKER_UP = Told("hedgerow_broker_up", "1 when a broker is reachable.")
ACCOUNTED = Told(
    "hedgerow_accounted",
    "Accounting kept with the state of the held partitions: survives a crash.",
    ("unit", "outcome"),
)

# What has been learned, over all held partitions.
SERIES = Told("hedgerow_series", "Series learned.")
DOUBLED_SERIES = Told(
    "hedgerow_doubled_series",
    "Series that several of the held partitions have learned: senders must key by sensor.",
)
OPEN_ALERTS = Told("hedgerow_open_alerts", "Alert episodes open now, by kind.", ("kind",))
ABSOLUTE_ERROR = Told(
    "hedgerow_absolute_error", "Mean absolute error of the published forecasts.", BY_HORIZON
)
SKILL = Told(
    "hedgerow_skill",
    "1 - error / error of the reference on the same labels; median over series.",
    (*BY_HORIZON, "reference"),
)
ERROR_SUM = Told(
    "hedgerow_error_sum",
    "Absolute errors added up, on the labels for which forecast and reference both had a value; "
    "kept with the state.",
    (*BY_HORIZON, "reference", "of"),
)
INTERVAL_COVERAGE = Told(
    "hedgerow_interval_coverage", "Share of labels inside their interval.", BY_HORIZON
)
INTERVAL_LABELS = Told(
    "hedgerow_interval_labels",
    "Labels that had an interval, by whether they lay inside it; kept with the state.",
    (*BY_HORIZON, "outcome"),
)
INTERVAL_LEVEL = Told(
    "hedgerow_interval_level", "Share of labels that the intervals promise to hold.", ("profile",)
)
REGRET = Told(
    "hedgerow_regret",
    "Absolute error less the best expert's, as a share of it; median over series.",
    BY_HORIZON,
)
EXPERT_WEIGHT = Told(
    "hedgerow_expert_weight", "Weight of an expert, mean over series.", (*BY_HORIZON, "expert")
)

CATALOGUE: tuple[Described, ...] = tuple(
    metric for metric in list(globals().values()) if isinstance(metric, Described)
)

# What the client library tells of any process, as far as dashboards use it (Linux).
PROCESS = {
    "process_resident_memory_bytes": "Memory that the worker holds.",
    "process_cpu_seconds_total": "CPU time it has taken.",
    "process_start_time_seconds": "When it was started.",
    "process_open_fds": "Files and sockets it has open.",
    "process_max_fds": "How many it may have.",
}
