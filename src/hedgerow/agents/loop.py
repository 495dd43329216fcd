"""What every agent's loop has in common: take a batch that fits, step it, checkpoint when due.

Before: ``app/broker/transport`` delivers fetches, a batch of each partition that has something.
After: the ``_step`` of ``agents/forecast`` or ``agents/forward``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hedgerow.agents.errors import EmitFailed, Refused, Storm
from hedgerow.agents.holding import Holding
from hedgerow.agents.holdings import Holdings
from hedgerow.agents.ports import (
    Batch,
    Emitter,
    Fetch,
    Meter,
    NoProbe,
    Partition,
    Probe,
    Progress,
)
from hedgerow.agents.storms import StormLimits
from hedgerow.topics import DecodedBatch, ReadingDecoder

logger = logging.getLogger(__name__)

MANY = 100  # messages; after fewer a turn of the event loop would take as long as they did


class Taken(NamedTuple):
    """A batch as far as it is taken, and the storm that cut it off, if one did."""

    batch: Batch
    decoded: DecodedBatch
    progress: Progress
    storm: Storm | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Steps batch after batch: for ever.

    Parameters
    ----------
    realign : Callable[[Partition, int], None]
        Asks the transport to go on with a partition from this offset.
    on_failure : Callable[[Exception], None]
        Told of an error nobody foresaw: what the learner then holds cannot be trusted, so
        it is forgotten unsaved and the worker stops; the last checkpoint stands. Told of a
        storm of bad input and of a refused output too.
    limits : StormLimits
        How much bad input is borne.
    probe : Probe
        Told which points a batch has reached.
    """

    decoder: ReadingDecoder
    holdings: Holdings
    emitter: Emitter
    meter: Meter
    realign: Callable[[Partition, int], None]
    on_failure: Callable[[Exception], None]
    limits: StormLimits = StormLimits()
    probe: Probe = field(default_factory=NoProbe)

    async def run(self, fetches: AsyncIterable[Fetch]) -> None:
        """Work through the batches, one after the other."""
        async for batch in self._batches(fetches):
            try:
                await self.emitter.room()
            except (EmitFailed, Refused) as error:
                self.on_failure(error)
                return
            await self.holdings.room()
            holding = await self.holdings.ready_to_step(batch.partition)
            if holding is None:
                continue  # another worker's by now; it starts from what was saved
            if batch.start != holding.next_offset:
                self.realign(batch.partition, holding.next_offset)
                continue  # fetched before a rebalance moved the partition
            self.probe.at("polled")
            try:
                storm = self._step(batch, holding)
            except Exception as error:
                logger.exception("%s: cannot go on", batch.partition)
                self.holdings.abandon(batch.partition)
                self.on_failure(error)
                return
            if storm is not None:
                self.on_failure(storm)
                return
            self.probe.at("emitted")
            self.holdings.checkpoint_when_due()

    async def _batches(self, fetches: AsyncIterable[Fetch]) -> AsyncIterator[Batch]:
        """Take one batch of a fetch after the other, and let others run in between.

        While a checkpoint copies its partition, a batch is cut: every row is copied before its
        step then, which would stop the loop for as long as the batch has rows.
        """
        async for fetch in fetches:
            for batch in fetch:
                rest = batch
                while holding := self.holdings.get(rest.partition):
                    if not 0 < holding.most_messages < len(rest.messages):
                        break
                    piece, rest = rest.split(holding.most_messages)
                    yield piece
                    await asyncio.sleep(0)
                yield rest
                if len(rest.messages) >= MANY:
                    await asyncio.sleep(0)

    def _step(self, batch: Batch, holding: Holding) -> Storm | None:
        """Take one batch from bytes to outputs; nothing here waits, so it is one unit.

        State, outputs and next offset change together: a checkpoint taken at any ``await``
        elsewhere finds all three at the same offset. Of a batch that goes over a storm limit,
        what lies before that message is taken.
        """
        raise NotImplementedError

    def _take(self, batch: Batch, holding: Holding) -> Taken:
        """Decode a batch, up to the message that goes over a storm limit."""
        decoded = self.decoder.decode(batch.messages)
        failed = [failure.position for failure in decoded.failures]
        progress, over = self.limits.weigh(holding.progress, len(batch.messages), failed)
        progress = replace(progress, skipped=progress.skipped + batch.skipped)
        if over is None:
            return Taken(batch, decoded, progress, None)
        error = next(f.error for f in decoded.failures if f.position == over)
        offset = batch.messages[over].offset
        storm = self.limits.storm(batch.partition, offset, progress, error)
        batch = batch.until(over)
        return Taken(batch, self.decoder.decode(batch.messages), progress, storm)
