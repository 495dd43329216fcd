"""The forecast agent: the whole way of readings, decode → step → emit.

Before: ``agents/loop`` hands over batches that go on where the state of their partitions ends.
After: the emitter sends predictions, alerts and dead letters, the holdings keep what was learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hedgerow.agents.loop import Agent, Taken
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

    def _bring_forth(self, taken: Sequence[Taken]) -> None:
        """Learn from readings, and send what came of it."""
        with self.meter.stage("learn"):
            learned = [_learn(one) for one in taken]
        self.outputs.emit(self.emitter, learned)


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
