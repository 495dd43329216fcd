"""From what was decoded and learned to the records that go out, and the counts of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np

from hedgerow.agents.explained import encode_explained
from hedgerow.agents.ports import Batch, Emitter, Meter, OutRecord
from hedgerow.models import AlertEvent, Learner, Outcome, StepResult
from hedgerow.topics import (
    DecodedBatch,
    Failure,
    Reason,
    TopicNames,
    dead_letter,
    encode_record,
    make_alert,
    source_of,
)
from hedgerow.topics.columns import PredictionEncoder


class Learned(NamedTuple):
    """What a batch of one partition brought forth."""

    batch: Batch
    decoded: DecodedBatch
    result: StepResult
    learner: Learner

    @property
    def source(self) -> str:
        """What the ids of its records begin with."""
        return source_of(self.batch.partition.topic, self.batch.partition.number)


class Outputs:
    """Turns what was learned in one unit into records and counts.

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

    def emit(self, emitter: Emitter, learned: Sequence[Learned]) -> None:
        """Send a prediction for each learned reading, then alerts, then dead letters."""
        failures = [failures_of(one.decoded, one.result) for one in learned]
        with self._meter.stage("encode"):
            predictions = self._predictions(learned)
            alerts = [_alert(one, event) for one in learned for event in one.result.alerts]
            letters = [
                dead_letter_record(self._names.dead_letters, one.batch, failure)
                for one, failed in zip(learned, failures, strict=True)
                for failure in failed
            ]
        with self._meter.stage("emit"):
            emitter.emit(self._names.predictions, predictions)
            if alerts:
                emitter.emit(self._names.alerts, alerts)
            for letter in letters:
                emitter.emit_with_headers(letter)
        self._count(learned, failures)

    def _predictions(self, learned: Sequence[Learned]) -> list[tuple[bytes, bytes]]:
        told = [
            encode_explained(one.batch.partition, one.decoded, one.result, explained)
            for one in learned
            if (explained := one.result.explained) is not None
        ]
        return list(chain.from_iterable(told)) if told else encode_learned(self._encoder, learned)

    def _count(self, learned: Sequence[Learned], failures: Sequence[list[Failure]]) -> None:
        for one, failed in zip(learned, failures, strict=True):
            one.learner.count_messages(
                decoded=len(one.batch.messages) - len(failed),
                dead_lettered=len(failed),
                rejected=one.decoded.rejected,
            )
            for event in one.result.alerts:
                self._meter.alert(event.kind, event.state)
        by_reason = Counter(failure.reason.value for failed in failures for failure in failed)
        messages = sum(len(one.batch.messages) for one in learned)
        self._meter.messages(messages - by_reason.total(), by_reason)
        outcomes = np.concatenate([one.result.outcomes for one in learned])
        by_outcome = np.bincount(outcomes, minlength=len(Outcome)).tolist()
        self._meter.readings(
            learned=by_outcome[Outcome.LEARNED],
            late=by_outcome[Outcome.LATE],
            duplicate=by_outcome[Outcome.DUPLICATE],
            rejected=by_outcome[Outcome.REJECTED] + sum(one.decoded.rejected for one in learned),
        )
        self._meter.forecasts(used=by_outcome[Outcome.USED], ignored=by_outcome[Outcome.IGNORED])


def encode_learned(
    encoder: PredictionEncoder, learned: Sequence[Learned]
) -> list[tuple[bytes, bytes]]:
    """Write one record for each learned reading, column by column."""
    results = [one.result for one in learned]
    lines = [(one, one.result.learned.tolist()) for one in learned]
    return encoder.encode(
        sources=[source for one, rows in lines for source in repeat(one.source, len(rows))],
        sensor_ids=[one.decoded.sensor_ids[row] for one, rows in lines for row in rows],
        quantities=[one.decoded.quantities[row] for one, rows in lines for row in rows],
        offsets=np.concatenate([one.decoded.offsets[one.result.learned] for one in learned]),
        issued_ms=np.concatenate([one.decoded.time_ms[one.result.learned] for one in learned]),
        observed=np.concatenate([one.decoded.values[one.result.learned] for one in learned]),
        models=[model for result in results for model in result.models],
        horizons=np.concatenate([result.horizons for result in results]),
        target_ms=np.concatenate([result.target_ms for result in results]),
        predicted=np.concatenate([result.predicted for result in results]),
        mean=np.concatenate([result.mean for result in results]),
        lower=np.concatenate([result.lower for result in results]),
        upper=np.concatenate([result.upper for result in results]),
    )


def _alert(learned: Learned, event: AlertEvent) -> tuple[bytes, bytes]:
    partition = learned.batch.partition
    return encode_record(
        make_alert(
            partition.topic,
            partition.number,
            event.sensor_id,
            event.quantity,
            int(learned.decoded.offsets[event.position]),
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
