"""The forecast agent: the whole way of a batch of readings, decode → step → emit.

Before: ``agents/loop`` hands over a batch that goes on where the state ends. After: the
emitter sends predictions, alerts and dead letters, the holdings keep what was learned.
"""

from __future__ import annotations

from dataclasses import dataclass

from hedgerow.agents.errors import Storm
from hedgerow.agents.holding import Holding
from hedgerow.agents.loop import Agent
from hedgerow.agents.outputs import Outputs
from hedgerow.agents.ports import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastAgent(Agent):
    """Learns from the readings' topic.

    Parameters
    ----------
    outputs : Outputs
        Makes records of what was learned.
    """

    outputs: Outputs

    def _step(self, batch: Batch, holding: Holding) -> Storm | None:
        """Take one batch from bytes to outputs, in one unit."""
        with self.meter.stage("decode"):
            batch, decoded, progress, storm = self._take(batch, holding)
        with self.meter.stage("learn"):
            result = holding.learner.step(
                decoded.sensor_ids,
                decoded.quantities,
                decoded.time_ms,
                decoded.values,
                decoded.offsets,
                experts=decoded.experts,
            )
        self.outputs.emit(self.emitter, batch, decoded, result, holding.learner)
        holding.next_offset, holding.progress = batch.next_offset, progress
        self.meter.batch(len(batch.messages))
        return storm
