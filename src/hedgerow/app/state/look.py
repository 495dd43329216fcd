"""Finding a series in what is stored, without disturbing who writes it.

Before: somebody names a series. After: ``hedgerow explain`` and ``hedgerow state`` have its
partition, and read its `kept` states.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from hedgerow.agents.ports import Partition, Stored
from hedgerow.app.broker.partitioner import partition_of
from hedgerow.app.errors import AppError
from hedgerow.app.settings import Settings
from hedgerow.app.state.kept import settled, walk
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models.snapshot.moving import stored_names

SHOWN = 5


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
        names = {} if stored is None else _names(stored)
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
    async for _, names in walk(store, partition, _names, ["series"]):
        if key in names.values():
            return [Where(partition, name) for name, told in names.items() if told == key]
    return []


def _names(stored: Stored) -> dict[tuple[str, str], str]:
    return stored_names(stored.chunks)
