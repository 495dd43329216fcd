"""The forecast agent: the whole way of readings, decode → step → emit.

Before: ``agents/loop`` hands over batches that go on where the state of their partitions ends.
After: the emitter sends predictions, alerts and dead letters, the holdings keep what was learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hedgerow.agents.errors import Storm
from hedgerow.agents.loop import Agent, Due, Taken
from hedgerow.agents.outputs import Learned, Outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastAgent(Agent):
    """Learns from the readings' topic.

    Parameters
    ----------
    outputs : Outputs
        Makes records of what was learned.
    """

    outputs: Outputs

    def _step(self, due: Sequence[Due]) -> list[Storm]:
        """Take batches from bytes to outputs, in one unit."""
        with self.meter.stage("decode"):
            taken = [self._take(one) for one in due]
        with self.meter.stage("learn"):
            learned = [_learn(one) for one in taken]
        self.outputs.emit(self.emitter, learned)
        for one in taken:
            one.keep_place()
            self.meter.batch(len(one.batch.messages))
        return [one.storm for one in taken if one.storm is not None]


def _learn(taken: Taken) -> Learned:
    """Step the learner of a partition through one batch."""
    decoded, learner = taken.decoded, taken.holding.learner
    result = learner.step(
        decoded.sensor_ids,
        decoded.quantities,
        decoded.time_ms,
        decoded.values,
        decoded.offsets,
        experts=decoded.experts,
    )
    return Learned(taken.batch, decoded, result, learner)
