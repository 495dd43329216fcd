"""From what was decoded and learned to the records that go out, and the counts of both."""

from __future__ import annotations

from collections import Counter

import numpy as np

from hedgerow.agents.explained import encode_explained
from hedgerow.agents.ports import Batch, Emitter, Meter, OutRecord, Partition
from hedgerow.models import AlertEvent, Learner, Outcome, StepResult
from hedgerow.topics import (
    DecodedBatch,
    Failure,
    Reason,
    TopicNames,
    dead_letter,
    encode_record,
    make_alert,
)
from hedgerow.topics.columns import PredictionEncoder


class Outputs:
    """Turns one batch's results into records and counts.

    Parameters
    ----------
    names : TopicNames
        Topics of the outputs.
    meter : Meter
        Told every outcome.
    """

    def __init__(self, names: TopicNames, meter: Meter) -> None:
        self._names = names
        self._meter = meter
        self._encoder = PredictionEncoder()

    def emit(
        self,
        emitter: Emitter,
        batch: Batch,
        decoded: DecodedBatch,
        result: StepResult,
        learner: Learner,
    ) -> None:
        """Send a prediction for each learned reading, then alerts, then dead letters."""
        failures = failures_of(decoded, result)
        with self._meter.stage("encode"):
            if result.explained is None:
                predictions = encode_learned(self._encoder, batch.partition, decoded, result)
            else:
                predictions = encode_explained(batch.partition, decoded, result, result.explained)
            alerts = [_alert(batch, decoded, event) for event in result.alerts]
            letters = [dead_letter_record(self._names.dead_letters, batch, f) for f in failures]
        with self._meter.stage("emit"):
            emitter.emit(self._names.predictions, predictions)
            if alerts:
                emitter.emit(self._names.alerts, alerts)
            for letter in letters:
                emitter.emit_with_headers(letter)
        for event in result.alerts:
            self._meter.alert(event.kind, event.state)
        self._count(batch, decoded, result, failures, learner)

    def _count(
        self,
        batch: Batch,
        decoded: DecodedBatch,
        result: StepResult,
        failures: list[Failure],
        learner: Learner,
    ) -> None:
        good = len(batch.messages) - len(failures)
        learner.count_messages(decoded=good, dead_lettered=len(failures), rejected=decoded.rejected)
        self._meter.messages(good, Counter(failure.reason.value for failure in failures))
        by_outcome = np.bincount(result.outcomes, minlength=len(Outcome))
        self._meter.readings(
            learned=int(by_outcome[Outcome.LEARNED]),
            late=int(by_outcome[Outcome.LATE]),
            duplicate=int(by_outcome[Outcome.DUPLICATE]),
            rejected=int(by_outcome[Outcome.REJECTED]) + decoded.rejected,
        )
        self._meter.forecasts(
            used=int(by_outcome[Outcome.USED]), ignored=int(by_outcome[Outcome.IGNORED])
        )


def encode_learned(
    encoder: PredictionEncoder, partition: Partition, decoded: DecodedBatch, result: StepResult
) -> list[tuple[bytes, bytes]]:
    """Write one record for each learned reading, column by column."""
    rows = result.learned.tolist()
    return encoder.encode(
        partition.topic,
        partition.number,
        sensor_ids=[decoded.sensor_ids[row] for row in rows],
        quantities=[decoded.quantities[row] for row in rows],
        offsets=decoded.offsets[result.learned],
        issued_ms=decoded.time_ms[result.learned],
        observed=decoded.values[result.learned],
        models=result.models,
        horizons=result.horizons,
        target_ms=result.target_ms,
        predicted=result.predicted,
        mean=result.mean,
        lower=result.lower,
        upper=result.upper,
    )


def _alert(batch: Batch, decoded: DecodedBatch, event: AlertEvent) -> tuple[bytes, bytes]:
    return encode_record(
        make_alert(
            batch.partition.topic,
            batch.partition.number,
            event.sensor_id,
            event.quantity,
            int(decoded.offsets[event.position]),
            kind=event.kind,
            severity=event.severity,
            state=event.state,
            opening_offset=event.opening_offset,
            opened_ms=event.opened_ms,
            at_ms=event.at_ms,
            observed=event.observed,
            expected=event.expected,
            lower=event.lower,
            upper=event.upper,
            message=event.message,
        )
    )


def failures_of(decoded: DecodedBatch, result: StepResult) -> list[Failure]:
    """Join what the codec and the learner refused: at most one failure for each message.

    Each becomes a dead letter.
    """
    if not result.refusals:
        return decoded.failures
    by_message = {failure.position: failure for failure in decoded.failures}
    for refusal in result.refusals:
        position = decoded.positions[refusal.position]
        reason = Reason(refusal.reason)
        by_message.setdefault(position, Failure(position, reason, refusal.error))
    return [by_message[position] for position in sorted(by_message)]


def dead_letter_record(topic: str, batch: Batch, failure: Failure) -> OutRecord:
    """Make the record that keeps a message of a batch, with what was wrong with it."""
    letter = dead_letter(
        batch.messages[failure.position], failure, batch.partition.topic, batch.partition.number
    )
    return OutRecord(topic, letter.key, letter.value, letter.headers)
