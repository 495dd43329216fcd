"""The forward agent: forecasts by others, from their own topic into the readings' log.

A forecast must have a place in the log of its series, or a replay could not repeat what came
of it. Before: ``agents/loop`` hands over batches of ``expert-forecasts``. After: the same bytes
stand on the readings' topic under the sensor id, and ``agents/forecast`` meets them there.

Its offsets are kept as those of the readings are: stored with a checkpoint, after all before
them was acknowledged. After a crash what came since is forwarded again, the same bytes in the
same order; of two forecasts for one slot the later counts, so in the end the same one stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hedgerow.agents.loop import Agent, Taken
from hedgerow.agents.outputs import dead_letter_record
from hedgerow.topics import DecodedBatch, Failure, Reason, TopicNames


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardAgent(Agent):
    """Hands forecasts on to the readings' topic; whatever is none becomes a dead letter.

    Parameters
    ----------
    names : TopicNames
        Where to.
    """

    names: TopicNames

    def _bring_forth(self, taken: Sequence[Taken]) -> None:
        """Hand on forecasts, one batch after the other."""
        for one in taken:
            self._forward(one)

    def _forward(self, taken: Taken) -> None:
        """Hand on the forecasts of one batch."""
        batch, decoded = taken.batch, taken.decoded
        with self.meter.stage("emit"):
            failures = _failures(decoded)
            refused = {failure.position for failure in failures}
            records = [
                (sensor_id.encode(), batch.messages[position].value or b"")
                for sensor_id, position in zip(decoded.sensor_ids, decoded.positions, strict=True)
                if position not in refused
            ]
            self.emitter.emit(self.names.readings, records)
            for failure in failures:
                letter = dead_letter_record(self.names.dead_letters, batch, failure)
                self.emitter.emit_with_headers(letter)
        good = len(batch.messages) - len(failures)
        taken.holding.learner.count_messages(decoded=good, dead_lettered=len(failures))
        self.meter.messages(good, Counter(failure.reason.value for failure in failures))
        self.meter.forwarded(good)


def _failures(decoded: DecodedBatch) -> list[Failure]:
    """Join what is unreadable with the readings, which belong elsewhere."""
    by_message = {failure.position: failure for failure in decoded.failures}
    for position, expert in zip(decoded.positions, decoded.experts, strict=True):
        if not expert:
            error = "a reading; this topic takes forecasts with expert, target_time and predicted"
            by_message[position] = Failure(position, Reason.SCHEMA, error)
    return [by_message[position] for position in sorted(by_message)]
