"""How many partitions the state of a topic was learned with, kept in Redis beside it.

Before: the first worker of a group writes down what it finds. After: a worker that finds
another number refuses to start, until ``hedgerow state repartition`` has moved the series.
"""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from hedgerow.agents.errors import LogChanged, StoreCorrupt
from hedgerow.app.broker.readings_log import LogFacts, partitions_changed
from hedgerow.app.state.failures import unavailable
from hedgerow.app.state.keys import Keys


class Census(msgspec.Struct, frozen=True):
    """The partitions of a group's state.

    Attributes
    ----------
    partitions : int
        How many the state was learned with.
    moving_to : int
        How many it is being moved to; 0 when nobody is moving it.
    """

    partitions: int
    moving_to: int = 0


class RedisCensus:
    """The census of one group and topic.

    Parameters
    ----------
    client : Redis
        Bytes in, bytes out.
    prefix, group, topic : str
        Parts of the key, as in `hedgerow.app.state.keys`.
    """

    def __init__(self, client: Redis, *, prefix: str, group: str, topic: str) -> None:
        self._redis = client
        self._topic = topic
        self._key = Keys(prefix, group).census(topic)

    async def read(self) -> Census | None:
        """Return what is written down, ``None`` if nothing is."""
        with unavailable():
            (body,) = await self._redis.mget([self._key])  # commands the store needs as well
        if body is None:
            return None
        try:
            return msgspec.json.decode(body, type=Census)
        except msgspec.DecodeError as error:
            raise StoreCorrupt(f"the census of {self._topic} cannot be read: {error}") from None

    async def write(self, census: Census) -> None:
        """Write it down."""
        with unavailable():
            await self._redis.set(self._key, msgspec.json.encode(census))

    async def forget(self) -> None:
        """Remove it."""
        with unavailable():
            await self._redis.unlink(self._key)

    async def check(self, facts: LogFacts) -> None:
        """Compare with what the broker says, or write that down where nothing is.

        Raises
        ------
        LogChanged
            If they differ, or a move was begun and not finished.
        """
        with unavailable():
            await self._redis.set(self._key, msgspec.json.encode(Census(facts.partitions)), nx=True)
        census = await self.read()
        if census is None or (census.partitions, census.moving_to) == (facts.partitions, 0):
            return
        if census.moving_to:
            raise LogChanged(
                f"the state of {self._topic} is being moved from {census.partitions} to "
                f"{census.moving_to} partitions; run `hedgerow state repartition` to finish that"
            )
        raise partitions_changed(self._topic, census.partitions, facts.partitions)
