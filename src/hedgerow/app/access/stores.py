"""Clients of Redis for every way of running it: one server, Sentinel, a cluster.

Before: ``redis.url`` says which. After: the state store, the census and the doctor use the
client as one and the same thing, for every key of a partition lies in one slot.
"""

from __future__ import annotations

from typing import Any, cast

from redis import Redis as PlainRedis
from redis import asyncio as aio
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel

from hedgerow.app.access.redis import redis_options
from hedgerow.app.settings import RedisSettings
from hedgerow.app.state.address import Address, parse_address


def connect(settings: RedisSettings) -> aio.Redis:
    """Return an asyncio client; nothing is connected yet."""
    url = settings.url.get_secret_value()
    address = parse_address(url)
    if address is None:
        return aio.Redis.from_url(url, **redis_options(settings))
    options = _options(settings, address)
    if address.kind == "sentinel":
        sentinel = _AsyncSentinel(list(address.hosts), sentinel_kwargs=_sentinel_options(options))
        return cast(aio.Redis, sentinel.master_for(address.service, db=address.db, **options))
    nodes = [AsyncClusterNode(host, port) for host, port in address.hosts]
    # No subclass of Redis, but it has every command that the store uses.
    return cast(aio.Redis, aio.RedisCluster(startup_nodes=nodes, **options))


async def disconnect(client: aio.Redis) -> None:
    """Close what `connect` opened, its connections to sentinels included."""
    pool: Any = getattr(client, "connection_pool", None)  # a cluster's client has none
    await client.aclose()
    for sentinel in getattr(getattr(pool, "sentinel_manager", None), "sentinels", ()):
        await sentinel.aclose()


def connect_one(settings: RedisSettings, **more: Any) -> PlainRedis:  # foreign keyword arguments
    """Return a blocking client of the server, the sentinels' primary, or one cluster primary."""
    url = settings.url.get_secret_value()
    address = parse_address(url)
    if address is None:
        return PlainRedis.from_url(url, **redis_options(settings), **more)
    options = {**_options(settings, address), **more}
    if address.kind == "sentinel":
        found = _Sentinel(list(address.hosts), sentinel_kwargs=_sentinel_options(options))
        return cast(PlainRedis, found.master_for(address.service, db=address.db, **options))
    nodes = [_Node(host, port) for host, port in address.hosts]
    cluster: Any = RedisCluster(startup_nodes=nodes, **options)
    return cast(PlainRedis, cluster.get_primaries()[0].redis_connection)


_AsyncSentinel: Any = aio.Sentinel  # these have no types
_Sentinel: Any = Sentinel
_Node: Any = ClusterNode


def _options(settings: RedisSettings, address: Address) -> dict[str, Any]:
    login = {"username": address.username, "password": address.password}
    given: dict[str, Any] = {name: text for name, text in login.items() if text is not None}
    if address.tls:
        given["ssl"] = True
    return given | redis_options(settings)


def _sentinel_options(options: dict[str, Any]) -> dict[str, Any]:
    """Reach the sentinels as the servers are reached, but without the servers' login."""
    return {k: v for k, v in options.items() if k.startswith(("ssl", "socket"))}
