"""The state store on a Redis Cluster and behind Sentinel, on real servers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.cluster import key_slot
from stack.parts import require, without
from stack.redis_servers import Cluster, Watched

from hedgerow.agents.errors import Fenced, StoreUnavailable
from hedgerow.agents.ports import Checkpoint, Partition, Stored
from hedgerow.app.access.stores import connect, connect_one, disconnect
from hedgerow.app.settings import RedisSettings
from hedgerow.app.state.address import parse_address
from hedgerow.app.state.census import Census, RedisCensus
from hedgerow.app.state.store import RedisStateStore

PARTITION = Partition("sensor-data", 3)


def checkpoint(generation: int, next_offset: int, body: bytes) -> Checkpoint:
    chunks = {"meta": body, "rows/0000/00000": body * 100}
    return Checkpoint(generation, next_offset, tuple(chunks), chunks)


def settings(url: str) -> RedisSettings:
    return RedisSettings(url=SecretStr(url), timeout_seconds=1.0)


# ---------------------------------------------------------------- cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    require(without("redis-server"))
    server = Cluster(tmp_path_factory.mktemp("cluster") / "node")
    yield server
    server.close()


@pytest.fixture
async def clustered(cluster: Cluster) -> AsyncIterator[Redis]:
    client = connect(settings(cluster.url))
    yield client
    await disconnect(client)


@pytest.mark.redis
async def test_every_key_of_a_partition_lies_in_one_slot(
    cluster: Cluster, clustered: Redis
) -> None:
    prefix = uuid.uuid4().hex
    store = RedisStateStore(clustered, prefix=prefix, group="g{2}")
    claim = await store.claim(PARTITION)
    await store.check_writable(claim)
    await store.save(claim, checkpoint(0, 1, b"1"))
    await store.save(claim, checkpoint(1, 2, b"2"))
    await store.stage(claim, checkpoint(2, 3, b"3"))
    keys = list(cluster.client.scan_iter(f"{prefix}:*"))
    assert len(keys) == 9  # state, chunks, writable, three times two chunks
    assert len({key_slot(key) for key in keys}) == 1


@pytest.mark.redis
async def test_the_store_keeps_its_promises_on_a_cluster(clustered: Redis) -> None:
    store = RedisStateStore(clustered, prefix=uuid.uuid4().hex, group="g")
    old = await store.claim(PARTITION)
    await store.save(old, checkpoint(0, 1, b"1"))
    await store.save(old, checkpoint(1, 2, b"2"))
    new = await store.claim(PARTITION)
    with pytest.raises(Fenced):
        await store.save(old, checkpoint(2, 9, b"zombie"))
    loaded = await store.load(new)
    assert loaded is not None
    assert (loaded.generation, loaded.next_offset) == (2, 2)
    await store.revert(new)
    assert await store.peek(PARTITION, ["meta"]) == Stored(1, 1, "", {"meta": b"1"})
    await store.stage(new, checkpoint(1, 7, b"7"))
    assert await store.promote(PARTITION)
    with pytest.raises(Fenced):
        await store.save(new, checkpoint(2, 8, b"8"))
    moved = await store.load(await store.claim(PARTITION))
    assert moved is not None
    assert (moved.generation, moved.next_offset) == (2, 7)
    await store.forget_all(PARTITION)
    assert await store.load(await store.claim(PARTITION)) is None


@pytest.mark.redis
async def test_the_census_is_kept_on_a_cluster(clustered: Redis) -> None:
    census = RedisCensus(clustered, prefix=uuid.uuid4().hex, group="g", topic="sensor-data")
    await census.write(Census(4, moving_to=6))
    assert await census.read() == Census(4, moving_to=6)
    await census.forget()
    assert await census.read() is None


@pytest.mark.redis
def test_a_blocking_client_finds_a_primary_of_the_cluster(cluster: Cluster) -> None:
    with connect_one(settings(cluster.url), decode_responses=True) as client:
        assert client.info()["redis_mode"] == "cluster"


# ---------------------------------------------------------------- sentinel


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    require(without("redis-server"))
    servers = Watched(tmp_path)
    yield servers
    servers.close()


@pytest.mark.redis
async def test_the_store_follows_a_failover(watched: Watched) -> None:
    client = connect(settings(watched.url))
    store = RedisStateStore(client, prefix=uuid.uuid4().hex, group="g")
    claim = await store.claim(PARTITION)
    assert await store.save(claim, checkpoint(0, 1, b"1")) == 1
    await client.wait(1, 5000)  # the replica has it
    watched.fail_over()
    deadline = asyncio.get_running_loop().time() + 60.0
    while True:
        try:
            await store.check_writable(claim)
            break
        except StoreUnavailable:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.1)
    assert await store.save(claim, checkpoint(1, 2, b"2")) == 2
    await disconnect(client)
    with connect_one(settings(watched.url)) as found:
        assert found.info()["tcp_port"] == watched.replica.port
    assert len(list(watched.replica.client.scan_iter("*:chunk:*"))) == 4


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http+cluster://localhost", "the scheme 'http.cluster'"),
        ("redis+sentinel://a:26379", "no service of the sentinels"),
        ("redis+sentinel://a:x/city", "no hosts and numbers"),
        ("redis+sentinel://a/city/one", "no hosts and numbers"),
        ("redis+cluster://a:6379/2", "a cluster has only one"),
        ("unix+cluster:///tmp/x", "the scheme 'unix.cluster'"),
    ],
)
def test_a_wrong_address_is_said_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        parse_address(url.replace("://", "://user:hunter2@"))
    assert "hunter2" not in str(error.value)


def test_login_service_and_database_are_read() -> None:
    address = parse_address("rediss+sentinel://city:p%40ss@a,b:7000/main/3")
    assert address is not None
    assert address.hosts == (("a", 26_379), ("b", 7000))
    assert (address.username, address.password) == ("city", "p@ss")
    assert (address.tls, address.service, address.db) == (True, "main", 3)
