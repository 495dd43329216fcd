"""What every agent's loop has in common: take batches that fit, step them, checkpoint when due.

Before: ``app/broker/transport`` delivers fetches, a batch of each partition that has something.
After: the ``_bring_forth`` of ``agents/forecast`` or ``agents/forward``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
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

MANY = 256  # messages; what is stepped in one unit has about as many, or is of one partition


class Due(NamedTuple):
    """A batch, and what is held of its partition."""

    batch: Batch
    holding: Holding

    @property
    def partition(self) -> Partition:
        """The partition that both are of."""
        return self.batch.partition


class Taken(NamedTuple):
    """A batch as far as it is taken, and the storm that cut it off, if one did."""

    batch: Batch
    decoded: DecodedBatch
    holding: Holding
    progress: Progress
    storm: Storm | None

    def keep_place(self) -> None:
        """Note in the holding that it has been stepped up to here."""
        self.holding.next_offset, self.holding.progress = self.batch.next_offset, self.progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Steps portion after portion: for ever.

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
        Told which points a portion has reached.
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
        """Work through the fetches, one portion after the other."""
        async for portion in self._portions(fetches):
            try:
                await self.emitter.room()
            except (EmitFailed, Refused) as error:
                self.on_failure(error)
                return
            await self.holdings.room()
            held = await self.holdings.ready_to_step([batch.partition for batch in portion])
            due = [
                Due(batch, held[batch.partition])
                for batch in portion
                if batch.partition in held  # else another worker's by now, from what was saved
                and self._goes_on(batch, held[batch.partition])
            ]
            if not due:
                continue
            self.probe.at("polled")
            try:
                storms = self._step(due)
            except Exception as error:
                logger.exception("%s: cannot go on", ", ".join(str(one.partition) for one in due))
                for one in due:
                    self.holdings.abandon(one.partition)
                self.on_failure(error)
                return
            for storm in storms:
                self.on_failure(storm)
            if storms:
                return
            self.probe.at("emitted")
            self.holdings.checkpoint_when_due()

    async def _portions(self, fetches: AsyncIterable[Fetch]) -> AsyncIterator[Fetch]:
        """Take a fetch in portions, and let others run in between.

        Every step has its fixed costs, so small batches are stepped together. While a checkpoint
        copies a partition, its batch is cut: every row is copied before its step then, which
        would stop the loop for as long as the batch has rows.
        """
        async for fetch in fetches:
            portion: list[Batch] = []
            for batch in fetch:
                for piece, is_last in self._pieces(batch):
                    portion.append(piece)
                    if not is_last or sum(len(one.messages) for one in portion) >= MANY:
                        yield portion
                        portion = []
                        await asyncio.sleep(0)
            if portion:
                yield portion

    def _pieces(self, batch: Batch) -> Iterator[tuple[Batch, bool]]:
        """Cut a batch while its partition is being copied; tell of each piece if it is the last."""
        rest = batch
        while holding := self.holdings.get(rest.partition):
            if not 0 < holding.most_messages < len(rest.messages):
                break
            piece, rest = rest.split(holding.most_messages)
            yield piece, False
        yield rest, True

    def _goes_on(self, batch: Batch, holding: Holding) -> bool:
        """Tell whether a batch begins where its state ends; if not, ask for the one that does."""
        if batch.start == holding.next_offset:
            return True
        self.realign(batch.partition, holding.next_offset)
        return False  # fetched before a rebalance moved the partition

    def _step(self, due: Sequence[Due]) -> list[Storm]:
        """Take batches from bytes to outputs; nothing here waits, so it is one unit.

        State, outputs and next offset change together: a checkpoint taken at any ``await``
        elsewhere finds all three at the same offset. Of a batch that goes over a storm limit,
        what lies before that message is taken.
        """
        with self.meter.stage("decode"):
            taken = [self._take(one) for one in due]
        self._bring_forth(taken)
        for one in taken:
            one.keep_place()
            self.meter.batch(len(one.batch.messages))
        return [one.storm for one in taken if one.storm is not None]

    def _bring_forth(self, taken: Sequence[Taken]) -> None:
        """Make of what was decoded what this agent is there for, and hand it to the emitter."""
        raise NotImplementedError

    def _take(self, due: Due) -> Taken:
        """Decode a batch, up to the message that goes over a storm limit."""
        batch, holding = due
        decoded = self.decoder.decode(batch.messages)
        failed = [failure.position for failure in decoded.failures]
        progress, over = self.limits.weigh(holding.progress, len(batch.messages), failed)
        progress = replace(progress, skipped=progress.skipped + batch.skipped)
        if over is None:
            return Taken(batch, decoded, holding, progress, None)
        error = next(f.error for f in decoded.failures if f.position == over)
        offset = batch.messages[over].offset
        storm = self.limits.storm(batch.partition, offset, progress, error)
        batch = batch.until(over)
        return Taken(batch, self.decoder.decode(batch.messages), holding, progress, storm)
