"""Single series out of the newest checkpoints in Redis, whichever worker wrote them.

Before: some worker has stored a checkpoint. After: `insight` looks at a series that is learned
elsewhere. Of a snapshot the table of series is read, and the one chunk of rows that holds the
series; nothing is claimed or written, so that no worker notices.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol

from hedgerow.agents.errors import StoreCorrupt
from hedgerow.agents.ports import Partition, Stored
from hedgerow.app.console.looks import Look, Whose, look
from hedgerow.app.state.kept import settled
from hedgerow.models import EMPTY, CityModel, Registry
from hedgerow.models.registry import CHUNK as REGISTRY
from hedgerow.models.snapshot.restore import stored_registry
from hedgerow.models.snapshot.single import Contents

MOST_CONTENTS = 16  # tables of series, of one generation each
KINDS = ("meta", "series")


class Kept(Protocol):
    """Reads what is stored, as `hedgerow.app.state.store` does."""

    async def kept(self, partition: Partition) -> list[Stored]:
        """List the generations that are kept, the newest first, without their chunks."""

    async def peek_at(
        self, partition: Partition, generation: int, kinds: tuple[str, ...] = ()
    ) -> Stored | None:
        """Read chunks of a kept generation, ``None`` if it is not kept."""


class Checkpoints:
    """Looks at single series in stored checkpoints.

    Parameters
    ----------
    store : Kept
        Where they are.
    city : CityModel
        What the workers learn by.
    """

    def __init__(self, store: Kept, city: CityModel) -> None:
        self._store = store
        self._city = city
        self._contents: OrderedDict[tuple[Partition, int], Contents] = OrderedDict()
        self._registry: Registry = EMPTY
        self._reading = asyncio.Lock()  # one at a time: chunks are large, and nobody is in a hurry

    async def kept(self, partition: Partition) -> list[Stored]:
        """List the generations that are kept, the newest first, without their chunks."""
        return await self._store.kept(partition)

    async def look(self, whose: Whose, generation: int) -> Look | None:
        """Look at a series in a kept generation, ``None`` where it is not or no longer there.

        Raises
        ------
        PortError
            If Redis does not answer.
        SnapshotError
            If what is stored is damaged, or was learned by other profiles.
        """
        partition, *name = whose
        series = (name[0], name[1])
        async with self._reading:
            contents = await self._contents_of(partition, generation)
            wanted = () if contents is None else contents.chunks_of(series)
            if contents is None or not wanted:
                return None
            chunks = await self._chunks(partition, generation, wanted)
            if chunks is None:
                return None
            registry = await self._registry_of(contents, partition, generation)
            if registry is None:
                return None
        learner = await asyncio.to_thread(contents.learner_of, series, self._city, chunks, registry)
        return look(learner, *series, generation=generation)

    async def _contents_of(self, partition: Partition, generation: int) -> Contents | None:
        place = partition, generation
        if place not in self._contents:
            chunks = await self._chunks(partition, generation, KINDS)
            if chunks is None:
                return None
            self._contents[place] = await asyncio.to_thread(Contents, chunks)
            if len(self._contents) > MOST_CONTENTS:
                self._contents.popitem(last=False)
        self._contents.move_to_end(place)
        return self._contents[place]

    async def _registry_of(
        self, contents: Contents, partition: Partition, generation: int
    ) -> Registry | None:
        """Return the registry of a snapshot; the one that was read last is not read again."""
        if contents.registry in {"", self._registry.version}:
            return self._registry if contents.registry else EMPTY
        chunks = await self._chunks(partition, generation, ("meta", REGISTRY))
        if chunks is not None:
            self._registry = await asyncio.to_thread(stored_registry, chunks)
            return self._registry
        return None

    async def _chunks(
        self, partition: Partition, generation: int, kinds: tuple[str, ...]
    ) -> Mapping[str, bytes] | None:
        """Read chunks; ``None`` once a later checkpoint has let go of the generation."""
        try:
            stored = await settled(self._store.peek_at, partition, generation, kinds)
        except StoreCorrupt:
            if any(one.generation == generation for one in await self._store.kept(partition)):
                raise
            return None
        return None if stored is None else stored.chunks
