"""The counters of a worker's loop, in one place.

They follow the loop as it goes; what belongs to the learning state is read by
``state_metrics`` when Prometheus asks. No label ever carries a sensor id.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hedgerow.agents.ports import Incident, Stage, StateFault

BATCH_BUCKETS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class WorkerMetrics:
    """The counters of one worker; satisfies the agents' `Meter`.

    Parameters
    ----------
    registry : CollectorRegistry
        Where the metrics live; one for each worker, never the global one.

    Attributes
    ----------
    saved_at : float or None
        When the last checkpoint was stored, by the monotonic clock.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.saved_at: float | None = None
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
        self._forecasts = Counter(
            "hedgerow_outside_forecasts", "Forecasts of outside experts, by outcome.",
            ["outcome"], registry=registry,
        )  # fmt: skip
        self._forwarded = Counter(
            "hedgerow_forwarded_forecasts",
            "Forecasts handed on from expert-forecasts to the readings' topic.", registry=registry,
        )  # fmt: skip
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
        self._refused = Counter(
            "hedgerow_refused_states", "Stored states that were not loaded, by reason.",
            ["reason"], registry=registry,
        )  # fmt: skip
        for refusal in ("tampered", "unreadable"):
            self._refused.labels(reason=refusal)  # shown as 0 before the first
        self._store_up = Gauge(
            "hedgerow_redis_up", "1 when Redis answered the last time.", registry=registry
        )
        self._incidents = Counter(
            "hedgerow_incidents",
            "What should not happen and was mended: rollback of Redis, revert to the snapshot "
            "before a damaged one, gap in the log.",
            ["kind"], registry=registry,
        )  # fmt: skip
        self._stages = {
            stage: self._stage_seconds.labels(stage=stage)
            for stage in ("poll", "decode", "learn", "encode", "emit", "checkpoint")
        }
        self._outcomes = {
            outcome: self._readings.labels(outcome=outcome)
            for outcome in ("learned", "late", "duplicate", "rejected")
        }
        self._used = self._forecasts.labels(outcome="used")
        self._ignored = self._forecasts.labels(outcome="ignored")
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

    def forecasts(self, used: int, ignored: int) -> None:
        """Count forecasts of outside experts by outcome."""
        self._used.inc(used)
        self._ignored.inc(ignored)

    def forwarded(self, forecasts: int) -> None:
        """Count forecasts handed on to the readings' topic."""
        self._forwarded.inc(forecasts)

    def alert(self, kind: str, state: str) -> None:
        """Count one alert record."""
        self._alerts.labels(kind=kind, state=state).inc()

    def checkpoint(self, outcome: str, seconds: float, size: int) -> None:
        """Count one checkpoint."""
        if outcome == "saved":
            self.saved_at = time.monotonic()
        self._checkpoints.labels(outcome=outcome).inc()
        self._checkpoint_seconds.observe(seconds)
        self._checkpoint_bytes.inc(size)

    def state_refused(self, reason: StateFault) -> None:
        """Count a stored state that was not loaded."""
        self._refused.labels(reason=reason).inc()

    def incident(self, kind: Incident) -> None:
        """Count one thing that should not happen and was mended."""
        self._incidents.labels(kind=kind).inc()

    def store_reachable(self, reachable: bool) -> None:
        """Note whether Redis answered."""
        self._store_up.set(1 if reachable else 0)
