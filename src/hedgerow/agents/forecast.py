"""The forecast agent: the whole way of a batch of readings, in one loop.

Before: ``app/transport`` delivers runs of messages of one partition. After: the emitter
sends predictions, alerts and dead letters, the holdings keep what was learned.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, field

from hedgerow.agents.holdings import Holding, Holdings
from hedgerow.agents.outputs import Outputs
from hedgerow.agents.ports import Batch, Emitter, Meter, NoProbe, Partition, Probe
from hedgerow.topics import ReadingDecoder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ForecastAgent:
    """Decode, step, emit, checkpoint: for ever.

    Parameters
    ----------
    realign : Callable[[Partition, int], None]
        Asks the transport to go on with a partition from this offset.
    on_failure : Callable[[Exception], None]
        Told of an error nobody foresaw: what the learner then holds cannot be trusted, so
        it is forgotten unsaved and the worker stops; the last checkpoint stands.
    probe : Probe
        Told which points a batch has reached.
    """

    decoder: ReadingDecoder
    holdings: Holdings
    outputs: Outputs
    emitter: Emitter
    meter: Meter
    realign: Callable[[Partition, int], None]
    on_failure: Callable[[Exception], None]
    probe: Probe = field(default_factory=NoProbe)

    async def run(self, batches: AsyncIterable[Batch]) -> None:
        """Work through the batches, one after the other."""
        async for batch in batches:
            await self.emitter.room()
            holding = self.holdings.get(batch.partition)
            if holding is None:
                continue  # another worker's by now; it starts from what was saved
            if batch.start != holding.next_offset:
                self.realign(batch.partition, holding.next_offset)
                continue  # fetched before a rebalance moved the partition
            self.probe.at("polled")
            try:
                self._step(batch, holding)
            except Exception as error:
                logger.exception("%s: cannot go on", batch.partition)
                self.holdings.abandon(batch.partition)
                self.on_failure(error)
                return
            self.probe.at("emitted")
            self.holdings.checkpoint_when_due(holding)

    def _step(self, batch: Batch, holding: Holding) -> None:
        """Take one batch from bytes to outputs; nothing here waits, so it is one unit.

        State, outputs and next offset change together: a checkpoint taken at any ``await``
        elsewhere finds all three at the same offset.
        """
        with self.meter.stage("decode"):
            decoded = self.decoder.decode(batch.messages)
        with self.meter.stage("learn"):
            result = holding.learner.step(
                decoded.sensor_ids,
                decoded.quantities,
                decoded.time_ms,
                decoded.values,
                decoded.offsets,
            )
        with self.meter.stage("emit"):
            self.outputs.emit(self.emitter, batch, decoded, result, holding.learner)
        holding.next_offset = batch.next_offset
        self.meter.batch(len(batch.messages))
