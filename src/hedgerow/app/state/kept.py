"""Kept generations of a partition as learners: one piece for all who read an older state.

Before: a worker has stored checkpoints, of which ``checkpoint.keep`` stay. After: ``hedgerow
explain`` steps on from the first that reaches back far enough, ``hedgerow state`` shows the newest
or goes back to one. Nothing is claimed or written, so workers may go on meanwhile.

What is damaged is borne in one place: who looks through all (`walk`) passes over an older
generation that cannot be used, and a warning says so. The newest is what stands, and one that is
asked for by its number is what somebody wants: of these the damage is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from hedgerow.agents.errors import LogChanged, StoreCorrupt, StoreTooNew
from hedgerow.agents.ports import Partition, Stored
from hedgerow.app.broker.readings_log import LogFacts
from hedgerow.app.city import city_model
from hedgerow.app.errors import AppError
from hedgerow.app.settings import Settings
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import Learner, Registry, SnapshotError

logger = logging.getLogger(__name__)

READ_AGAIN = 3  # a worker that saves meanwhile takes chunks away
DAMAGE = (StoreCorrupt, StoreTooNew, SnapshotError)

Read = TypeVar("Read")
State = tuple[Stored, Learner]


class NotKept(AppError):
    """There is no such generation to go back to; the sentence says which are kept."""


class KeptStates:
    """The kept states of one group and topic.

    Parameters
    ----------
    settings : Settings
        The profiles to learn by, and the limit of series.
    store : RedisStateStore
        Where the snapshots are.
    log : LogFacts
        The readings' topic as it is now.
    """

    def __init__(self, settings: Settings, store: RedisStateStore, log: LogFacts) -> None:
        self._city = city_model(settings)
        self._max_series = settings.input.max_series
        self._keep = settings.checkpoint.keep
        self._store = store
        self._log = log

    async def newest(self, partition: Partition) -> State | None:
        """Return what stands, ``None`` if nothing is stored.

        Raises
        ------
        StoreCorrupt, SnapshotError
            If it cannot be used.
        LogChanged
            If it belongs to another topic of the same name.
        """
        stored = await settled(self._store.peek, partition)
        if stored is None:
            return None
        return stored, await asyncio.to_thread(self._learner, partition, stored)

    async def walk(self, partition: Partition) -> AsyncIterator[State]:
        """Give what stands, then every older generation that can be used; raises as `newest`."""
        async for state in walk(self._store, partition, partial(self._learner, partition)):
            yield state

    async def before(
        self, partition: Partition, generation: int | None = None
    ) -> tuple[Stored, Stored]:
        """Find what stands, and a generation before it: the last one if none is named.

        No chunks are read, so that one can go back from what is damaged.

        Raises
        ------
        NotKept
            If there is none.
        """
        kept = await self._store.kept(partition)
        for one in kept[1:]:
            if generation in {None, one.generation}:
                return kept[0], one
        asked = "what was before" if generation is None else f"generation {generation}"
        raise NotKept(
            f"{partition} cannot go back to {asked}: kept are {told(kept) or 'none'}, the first of "
            f"them is what stands, and only with checkpoint.keep above {self._keep} more are kept, "
            "from as many checkpoints on"
        )

    async def one(
        self, partition: Partition, generation: int, registry: Registry | None = None
    ) -> State:
        """Return a generation by its number.

        Parameters
        ----------
        registry : Registry, optional
            To learn by, in place of the one that it was learned by.

        Raises
        ------
        NotKept
            If a checkpoint has let go of it.
        StoreCorrupt, SnapshotError
            If it cannot be used.
        LogChanged
            If it belongs to another topic of the same name.
        """
        try:
            stored = await settled(self._store.peek_at, partition, generation)
            if stored is not None:
                learner = partial(self._learner, partition, registry=registry)
                return stored, await asyncio.to_thread(learner, stored)
        except DAMAGE as error:
            raise type(error)(
                f"generation {generation} of {partition} cannot be used: {error}; kept are "
                f"{told(await self._store.kept(partition))}"
            ) from None
        raise NotKept(f"generation {generation} of {partition} was let go; look again and repeat")

    def _learner(
        self, partition: Partition, stored: Stored, registry: Registry | None = None
    ) -> Learner:
        log_id = self._log.log_id
        if stored.log_id and log_id and stored.log_id != log_id:
            raise LogChanged(
                f"the state of {partition} belongs to another topic of that name (id "
                f"{stored.log_id}, now {log_id}); `hedgerow state adopt` takes it over"
            )
        return Learner.restore(
            self._city, stored.chunks, max_series=self._max_series, registry=registry
        )


async def walk(
    store: RedisStateStore,
    partition: Partition,
    read: Callable[[Stored], Read],
    kinds: Sequence[str] = (),
) -> AsyncIterator[tuple[Stored, Read]]:
    """Read what stands, then every kept generation before it, the newest first.

    Parameters
    ----------
    read : Callable[[Stored], object]
        Makes something of a generation's chunks, in a thread.
    kinds : sequence of str
        Which chunks; all of them otherwise.

    Raises
    ------
    StoreCorrupt, SnapshotError
        If what stands cannot be used. An older one is passed over then.
    """
    newest = await settled(store.peek, partition, kinds)
    if newest is None:
        return
    yield newest, await asyncio.to_thread(read, newest)
    for one in await store.kept(partition):
        if one.generation >= newest.generation:
            continue
        try:
            stored = await settled(store.peek_at, partition, one.generation, kinds)
            if stored is None:  # a checkpoint has let go of it
                continue
            found = await asyncio.to_thread(read, stored)
        except DAMAGE as error:
            logger.warning(
                "generation %d of %s cannot be used, and is passed over: %s",
                one.generation, partition, error,
            )  # fmt: skip
            continue
        yield stored, found


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


def told(kept: Sequence[Stored]) -> str:
    """List generations for people."""
    return ", ".join(f"{one.generation} (at offset {one.next_offset:,})" for one in kept)
