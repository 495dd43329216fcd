"""The counters of a worker's loop, in one place.

They follow the loop as it goes; what belongs to the learning state is read by
``state_metrics`` when Prometheus asks. What each is called and means stands in
``metric_catalogue``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import get_args

from prometheus_client import CollectorRegistry

from hedgerow.agents.ports import Incident, Stage, StateFault
from hedgerow.app.service import metric_catalogue as metric
from hedgerow.models.alerts.words import KIND_NAMES
from hedgerow.topics import Reason

CHECKPOINT_OUTCOMES = ("saved", "unavailable", "fenced", "moved")


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
        self._messages = metric.MESSAGES.counter(registry)
        self._dead_letters = metric.DEAD_LETTERS.counter(registry)
        self._readings = metric.READINGS.counter(registry)
        self._forecasts = metric.OUTSIDE_FORECASTS.counter(registry)
        self._forwarded = metric.FORWARDED_FORECASTS.counter(registry)
        self._predictions = metric.PREDICTIONS.counter(registry)
        self._alerts = metric.ALERTS.counter(registry)
        self._batch = metric.BATCH_MESSAGES.histogram(registry)
        self._stage_seconds = metric.STAGE_SECONDS.counter(registry)
        self._checkpoints = metric.CHECKPOINTS.counter(registry)
        self._checkpoint_seconds = metric.CHECKPOINT_SECONDS.histogram(registry)
        self._checkpoint_bytes = metric.CHECKPOINT_BYTES.counter(registry)
        self._refused = metric.REFUSED_STATES.counter(registry)
        self._store_up = metric.REDIS_UP.gauge(registry)
        self._incidents = metric.INCIDENTS.counter(registry)
        # Shown as 0 before the first: a counter that begins at 1 shows no increase.
        for counter, label, values in (
            (self._refused, "reason", get_args(StateFault)),
            (self._incidents, "kind", get_args(Incident)),
            (self._checkpoints, "outcome", CHECKPOINT_OUTCOMES),
            (self._dead_letters, "reason", [reason.value for reason in Reason]),
        ):
            for value in values:
                counter.labels(**{label: value})
        for kind in KIND_NAMES.values():
            for state in ("open", "resolved"):
                self._alerts.labels(kind=kind, state=state)
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
