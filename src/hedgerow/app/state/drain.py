"""Learning partitions to their ends without joining the group, for commands that move state.

It is the worker's own loop, fed by a plain consumer: the same claims, outputs and checkpoints.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from redis.asyncio import Redis

from hedgerow.agents.holding import Holding, StartOf
from hedgerow.agents.ports import Batch, Fetch, NoProbe, Partition
from hedgerow.app.broker.readings_log import LogFacts, go_on_at
from hedgerow.app.broker.spans import Span, SpanReader
from hedgerow.app.errors import WorkerFailed
from hedgerow.app.service.bootstrap import Loop, forecast_loop
from hedgerow.app.settings import Settings, Start

logger = logging.getLogger(__name__)

SAVE_SECONDS = 600.0

Progress = Callable[[float, int], None]  # told the share done and the messages learned


async def drain(
    settings: Settings,
    log: LogFacts,
    redis: Redis,
    held: Mapping[Partition, Span],
    progress: Progress,
) -> list[Holding]:
    """Claim partitions, learn them to their ends, save them, and return what is held.

    Raises
    ------
    PortError
        If what is stored cannot be used, or the log lacks what is due.
    WorkerFailed
        If an output was refused, or a storm of bad input came up.
    """
    loop = forecast_loop(settings, log, redis, realign=_out_of_order, probe=NoProbe())
    try:
        offsets = await loop.holdings.assign(list(held), _starts(settings, held))
        begin = {p: begins_at(settings, p, offsets[p], span) for p, span in held.items()}
        await loop.agent.run(_fetches(settings, held, offsets, begin, progress))
        _check(loop)
        await loop.holdings.checkpoint_all(SAVE_SECONDS)
        _check(loop)
        found = loop.holdings.all()
        for holding in found:
            if holding.next_offset != holding.saved_offset:
                raise WorkerFailed(f"{holding.claim.partition} could not be saved")
        return found
    finally:
        await asyncio.to_thread(loop.emitter.close)


def _check(loop: Loop) -> None:
    if loop.failure.reason is not None:
        raise loop.failure.reason


def _out_of_order(partition: Partition, next_offset: int) -> None:
    raise WorkerFailed(f"{partition}: a batch does not begin at offset {next_offset}")


def begins_at(settings: Settings, partition: Partition, due: int, span: Span) -> int:
    """Return where a partition is read from: what is due, unless it is gone.

    Raises
    ------
    PortError
        If the policy for gaps is to stop, or the log ends before the state does.
    """
    if span.earliest <= due <= span.end:
        return due
    return go_on_at(settings.on_gap, partition, due, span.earliest, span.end)


def _starts(settings: Settings, held: Mapping[Partition, Span]) -> StartOf:
    async def start_of(partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        latest = settings.start is Start.LATEST
        return {p: held[p].end if latest else held[p].earliest for p in partitions}

    return start_of


async def _fetches(
    settings: Settings,
    held: Mapping[Partition, Span],
    offsets: Mapping[Partition, int],
    begin: Mapping[Partition, int],
    progress: Progress,
) -> AsyncIterator[Fetch]:
    """Read every partition to its end; the first batch says what had to be skipped."""
    due = dict(begin)
    skipped = {p: due[p] - offset for p, offset in offsets.items()}
    total = sum(max(0, held[p].end - due[p]) for p in due)
    done = 0
    with SpanReader(settings.kafka, {p: Span(due[p], held[p].end) for p in due}) as reader:
        while not reader.finished:
            fetch = []
            for partition, messages in (await asyncio.to_thread(reader.read)).items():
                start = due[partition] - skipped[partition]
                due[partition] = messages[-1].offset + 1
                done += len(messages)
                fetch.append(Batch(partition, start, due[partition], messages, skipped[partition]))
                skipped[partition] = 0
            yield fetch
            progress(done / max(1, total), done)
