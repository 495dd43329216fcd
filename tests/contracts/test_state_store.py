"""What every state store promises; the fake and Redis pass the same suite."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from fakes import FakeStore
from redis.asyncio import Redis
from stack.fixtures import Stack

from hedgerow.agents.errors import Fenced, GenerationMoved, StoreCorrupt, StoreUnavailable
from hedgerow.agents.ports import Checkpoint, Partition, StateStore, Stored
from hedgerow.app.store import RedisStateStore

PARTITION = Partition("sensor-data", 3)


@pytest.fixture
async def redis(embedded_stack: Stack) -> AsyncIterator[Redis]:
    client = Redis.from_url(embedded_stack.redis_url)
    yield client
    await client.aclose()


@pytest.fixture(params=["fake", "redis"])
async def store(request: pytest.FixtureRequest, redis: Redis) -> StateStore:
    if request.param == "fake":
        return FakeStore()
    return RedisStateStore(redis, prefix=uuid.uuid4().hex, group="test")


def checkpoint(
    generation: int,
    next_offset: int,
    chunks: dict[str, bytes],
    names: tuple[str, ...] | None = None,
) -> Checkpoint:
    return Checkpoint(generation, next_offset, names or tuple(chunks), chunks)


async def test_a_partition_never_saved_has_no_state(store: StateStore) -> None:
    assert await store.load(await store.claim(PARTITION)) is None


async def test_what_was_saved_is_loaded_by_the_next_claim(store: StateStore) -> None:
    claim = await store.claim(PARTITION)
    assert await store.save(claim, checkpoint(0, 42, {"a": b"1", "b": b"2"})) == 1
    later = await store.claim(PARTITION)
    assert later.epoch == claim.epoch + 1
    assert await store.load(later) == Stored(1, 42, "", {"a": b"1", "b": b"2"})


async def test_unchanged_chunks_are_kept_and_dead_ones_go(store: StateStore) -> None:
    claim = await store.claim(PARTITION)
    await store.save(claim, checkpoint(0, 1, {"a": b"1", "b": b"2", "c": b"3"}))
    assert await store.save(claim, checkpoint(1, 2, {"b": b"new"}, ("a", "b"))) == 2
    loaded = await store.load(await store.claim(PARTITION))
    assert loaded is not None
    assert dict(loaded.chunks) == {"a": b"1", "b": b"new"}


async def test_unchanged_chunks_are_kept_across_a_claim(store: StateStore) -> None:
    first = await store.claim(PARTITION)
    await store.save(first, checkpoint(0, 1, {"a": b"1", "b": b"2"}))
    second = await store.claim(PARTITION)
    await store.load(second)
    await store.save(second, checkpoint(1, 2, {"b": b"new"}, ("a", "b")))
    loaded = await store.load(await store.claim(PARTITION))
    assert loaded is not None
    assert dict(loaded.chunks) == {"a": b"1", "b": b"new"}


async def test_an_older_claim_is_fenced_and_changes_nothing(store: StateStore) -> None:
    old = await store.claim(PARTITION)
    await store.save(old, checkpoint(0, 1, {"a": b"1"}))
    new = await store.claim(PARTITION)
    with pytest.raises(Fenced):
        await store.save(old, checkpoint(1, 9, {"a": b"zombie"}))
    assert not await store.holds(old)
    assert await store.holds(new)
    loaded = await store.load(new)
    assert loaded == Stored(1, 1, "", {"a": b"1"})


async def test_another_generation_is_refused_and_named(store: StateStore) -> None:
    claim = await store.claim(PARTITION)
    await store.save(claim, checkpoint(0, 1, {"a": b"1"}))
    with pytest.raises(GenerationMoved) as refused:
        await store.save(claim, checkpoint(0, 9, {"a": b"again"}))
    assert refused.value.generation == 1
    assert await store.load(claim) == Stored(1, 1, "", {"a": b"1"})


async def test_partitions_do_not_touch_each_other(store: StateStore) -> None:
    other = Partition("sensor-data", 4)
    claim = await store.claim(PARTITION)
    await store.save(claim, checkpoint(0, 1, {"a": b"1"}))
    assert await store.load(await store.claim(other)) is None


async def test_redis_holds_no_orphans_after_a_load(redis: Redis) -> None:
    prefix = uuid.uuid4().hex
    store = RedisStateStore(redis, prefix=prefix, group="g")
    old = await store.claim(PARTITION)
    await store.save(old, checkpoint(0, 1, {"a": b"1"}))
    new = await store.claim(PARTITION)
    orphan = f"{prefix}:{{g:sensor-data:3}}:chunk:{old.token}:2:a"
    await redis.sadd(f"{prefix}:{{g:sensor-data:3}}:chunks", orphan)
    await redis.set(orphan, b"written, never named by a manifest")
    await store.load(new)
    keys = {key async for key in redis.scan_iter(f"{prefix}:*chunk:*")}
    assert keys == {orphan.replace(":2:a", ":1:a").encode()}


async def test_a_missing_chunk_is_named_not_invented(redis: Redis) -> None:
    prefix = uuid.uuid4().hex
    store = RedisStateStore(redis, prefix=prefix, group="g")
    claim = await store.claim(PARTITION)
    await store.save(claim, checkpoint(0, 1, {"a": b"1"}))
    async for key in redis.scan_iter(f"{prefix}:*chunk:*"):
        await redis.delete(key)
    with pytest.raises(StoreCorrupt, match="chunk a of sensor-data/3 is missing"):
        await store.load(claim)


async def test_an_absent_redis_is_unavailable() -> None:
    client = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    store = RedisStateStore(client, prefix="p", group="g")
    with pytest.raises(StoreUnavailable, match="Redis"):
        await store.claim(PARTITION)
    await client.aclose()
