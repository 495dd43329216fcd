"""Finding a series in what is stored, and reading kept states without disturbing who writes them.

Before: somebody names a series. After: ``hedgerow explain`` and ``hedgerow state`` have its
partition and a learner as a snapshot had it.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from hedgerow.agents.errors import LogChanged, StoreCorrupt
from hedgerow.agents.ports import Partition, Stored
from hedgerow.app.broker.partitioner import partition_of
from hedgerow.app.broker.readings_log import LogFacts
from hedgerow.app.city import city_model
from hedgerow.app.errors import AppError
from hedgerow.app.settings import Settings
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import Learner
from hedgerow.models.snapshot.moving import stored_names

SHOWN = 5
READ_AGAIN = 3  # a worker that saves meanwhile takes chunks away


class SeriesUnknown(AppError):
    """No partition's state has a series of that name."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a series is learned.

    Attributes
    ----------
    name : tuple of str
        Sensor and quantity.
    """

    partition: Partition
    name: tuple[str, str]


async def find_series(
    settings: Settings,
    store: RedisStateStore,
    partitions: list[Partition],
    key: str,
    *,
    older: bool = False,
) -> Where:
    """Find the partition whose state has a series, by its key.

    Parameters
    ----------
    older : bool
        Whether to look into the generations before as well, where the newest has none.

    Raises
    ------
    SeriesUnknown
        If none has, or several have one of that key.
    """
    partitioner = settings.topics.partitioner
    likely = partition_of(partitioner, key.partition("/")[0].encode(), max(1, len(partitions)))
    partitions = sorted(partitions, key=lambda one: (one.number != likely, one.number))
    found: list[Where] = []
    others: list[str] = []
    for partition in partitions:
        stored = await settled(store.peek, partition, ["series"])
        names = {} if stored is None else stored_names(stored.chunks)
        found += [Where(partition, name) for name, told in names.items() if told == key]
        others += names.values()
        if found and partition.number == likely:
            break
    if not found and older:
        for partition in partitions:
            found += await _once_in(store, partition, key)
    if not found:
        near = difflib.get_close_matches(key, others, SHOWN, 0.5)
        rather = f"there is {', '.join(near)}" if near else f"{len(others):,} others are known"
        raise SeriesUnknown(
            f"nothing is stored of a series {key!r} in {len(partitions)} partitions of "
            f"{settings.topics.readings}; {rather}. A series is a sensor id, or sensor/quantity; "
            "`hedgerow state list --series '*'` lists them"
        )
    if len(found) > 1:
        raise SeriesUnknown(
            f"{key!r} is learned in partitions {', '.join(str(w.partition.number) for w in found)}:"
            " its readings come under several keys; send them under one"
        )
    return found[0]


async def _once_in(store: RedisStateStore, partition: Partition, key: str) -> list[Where]:
    """Find a series in the generations of a partition that are kept, the newest first."""
    for kept in await store.kept(partition):
        stored = await settled(store.peek_at, partition, kept.generation, ["series"])
        names = {} if stored is None else stored_names(stored.chunks)
        if key in names.values():
            return [Where(partition, name) for name, told in names.items() if told == key]
    return []


async def settled(
    peek: Callable[..., Awaitable[Stored | None]], partition: Partition, *arguments: object
) -> Stored | None:
    """Read a snapshot, again if a worker has written the next one meanwhile.

    Raises
    ------
    StoreCorrupt
        If chunks are missing however often it is read.
    """
    for left in reversed(range(READ_AGAIN)):
        try:
            return await peek(partition, *arguments)
        except StoreCorrupt:
            if not left:
                raise
            await asyncio.sleep(0.1)
    return None


async def kept_states(
    settings: Settings, store: RedisStateStore, partition: Partition, log: LogFacts
) -> AsyncIterator[tuple[Stored, Learner]]:
    """Give every kept state of a partition as a learner, the newest first.

    Raises
    ------
    LogChanged
        If it belongs to another topic of the same name.
    """
    city, limit = city_model(settings), settings.input.max_series
    for generation in [one.generation for one in await store.kept(partition)]:
        stored = await settled(store.peek_at, partition, generation)
        if stored is None:  # a checkpoint has let go of it
            continue
        if stored.log_id and log.log_id and stored.log_id != log.log_id:
            raise LogChanged(
                f"the state of {partition} belongs to another topic of that name (id "
                f"{stored.log_id}, now {log.log_id}); `hedgerow state adopt` takes it over"
            )
        learner = await asyncio.to_thread(Learner.restore, city, stored.chunks, max_series=limit)
        yield stored, learner
