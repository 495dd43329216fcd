"""What every state store promises; the fake and Redis pass the same suite."""

from __future__ import annotations

import uuid

import pytest
from fakes import FakeStore
from redis.asyncio import Redis

from hedgerow.agents.errors import (
    Fenced,
    GenerationMoved,
    RolledBack,
    StoreCorrupt,
    StoreTooNew,
    StoreUnavailable,
)
from hedgerow.agents.ports import Checkpoint, Claim, Partition, Progress, StateStore, Stored
from hedgerow.app.state.store import RedisStateStore

PARTITION = Partition("sensor-data", 3)


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


async def test_what_was_written_last_is_found_to_stand_or_not(store: StateStore) -> None:
    old = await store.claim(PARTITION)
    await store.check(old, 0)
    await store.save(old, checkpoint(0, 1, {"a": b"1"}))
    await store.check(old, 1)
    with pytest.raises(GenerationMoved) as moved:
        await store.check(old, 7)
    assert moved.value.generation == 1
    await store.claim(PARTITION)
    with pytest.raises(Fenced):
        await store.check(old, 1)


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


async def test_progress_and_the_log_are_kept_with_the_snapshot(store: StateStore) -> None:
    claim = await store.claim(PARTITION)
    progress = Progress(skipped=3, bad_run=2, window_messages=9, window_bad=4)
    await store.save(claim, Checkpoint(0, 7, ("a",), {"a": b"1"}, "log-1", progress))
    assert await store.load(claim) == Stored(1, 7, "log-1", {"a": b"1"}, progress)


async def test_the_generation_before_is_kept_and_can_be_gone_back_to(store: StateStore) -> None:
    claim = await store.claim(PARTITION)
    assert await store.previous(claim) is None
    await store.save(claim, checkpoint(0, 1, {"a": b"1", "b": b"2"}))
    assert await store.previous(claim) is None
    await store.save(claim, checkpoint(1, 2, {"b": b"3"}, ("a", "b")))
    await store.save(claim, checkpoint(2, 3, {"b": b"4"}, ("a", "b")))
    later = await store.claim(PARTITION)
    assert await store.previous(later) == Stored(2, 2, "", {"a": b"1", "b": b"3"})
    await store.revert(later)
    assert await store.load(later) == Stored(2, 2, "", {"a": b"1", "b": b"3"})
    assert await store.previous(later) is None
    assert await store.save(later, checkpoint(2, 9, {"b": b"5"}, ("a", "b"))) == 3
    loaded = await store.load(await store.claim(PARTITION))
    assert loaded == Stored(3, 9, "", {"a": b"1", "b": b"5"})


async def test_only_the_owner_goes_back(store: StateStore) -> None:
    old = await store.claim(PARTITION)
    await store.save(old, checkpoint(0, 1, {"a": b"1"}))
    await store.save(old, checkpoint(1, 2, {"a": b"2"}))
    await store.claim(PARTITION)
    with pytest.raises(Fenced):
        await store.revert(old)


async def test_a_store_restored_from_before_the_claim_is_told_from_a_newer_claim(
    redis: Redis,
) -> None:
    prefix = uuid.uuid4().hex
    store = RedisStateStore(redis, prefix=prefix, group="g")
    state = f"{prefix}:{{g:sensor-data:3}}:state"
    first = await store.claim(PARTITION)
    await store.save(first, checkpoint(0, 1, {"a": b"1"}))
    copied = await redis.dump(state)
    later = await store.claim(PARTITION)
    await store.load(later)
    await redis.restore(state, 0, copied, replace=True)
    with pytest.raises(RolledBack, match="epoch 1, ours was 2"):
        await store.save(later, checkpoint(1, 2, {"a": b"2"}))
    await redis.delete(state)
    with pytest.raises(RolledBack, match="epoch 0, ours was 2"):
        await store.save(later, checkpoint(1, 2, {"a": b"2"}))


async def test_a_flip_whose_answer_was_lost_may_be_repeated(redis: Redis) -> None:
    store = RedisStateStore(redis, prefix=uuid.uuid4().hex, group="g")
    claim = await store.claim(PARTITION)
    flip, answers = store._scripts.flip, []

    async def twice(**arguments: object) -> object:
        answers.append(await flip(**arguments))  # this one never arrives
        answers.append(await flip(**arguments))
        return answers[-1]

    store._scripts.flip = twice  # type: ignore[assignment]
    assert await store.save(claim, checkpoint(0, 1, {"a": b"1"})) == 1
    assert answers == [[1, 1], [1, 1]]


async def saved(redis: Redis) -> tuple[RedisStateStore, Claim, str]:
    """Save two generations and return the store, the claim and the state's key."""
    prefix = uuid.uuid4().hex
    store = RedisStateStore(redis, prefix=prefix, group="g")
    claim = await store.claim(PARTITION)
    await store.save(claim, checkpoint(0, 100, {"a": b"1"}))
    await store.save(claim, checkpoint(1, 200, {"a": b"2"}))
    return store, claim, f"{prefix}:{{g:sensor-data:3}}:state"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b'"next_offset":200', b'"next_offset":900', "checksum does not fit"),
        (b'"generation":2', b'"generation":3', "checksum does not fit"),
        (b'"version":2', b'"version":1', "checksum does not fit"),
        (b'"checksum":"', b'"checksum":"0', "checksum does not fit"),
        (b'"chunks"', b'"chunk"', "cannot be read"),
        (b"}", b"", "cannot be read"),
    ],
)
async def test_a_damaged_manifest_is_refused_and_the_one_before_is_there(
    redis: Redis, before: bytes, after: bytes, said: str
) -> None:
    store, claim, state = await saved(redis)
    body = await redis.hget(state, "manifest")
    assert before in body
    await redis.hset(state, "manifest", body.replace(before, after))
    with pytest.raises(StoreCorrupt, match=said):
        await store.load(claim)
    assert await store.previous(claim) == Stored(1, 100, "", {"a": b"1"})
    await store.revert(claim)
    assert await store.load(claim) == Stored(1, 100, "", {"a": b"1"})


@pytest.mark.parametrize("field", ["generation", "manifest"])
async def test_half_a_state_is_refused_not_begun_anew(redis: Redis, field: str) -> None:
    store, claim, state = await saved(redis)
    await redis.hdel(state, field)
    with pytest.raises(StoreCorrupt, match="lacks its generation or its manifest"):
        await store.load(claim)


async def test_a_manifest_of_a_later_release_is_refused_by_version(redis: Redis) -> None:
    store, claim, state = await saved(redis)
    body = await redis.hget(state, "manifest")
    await redis.hset(state, "manifest", body.replace(b'"version":2', b'"version":3'))
    with pytest.raises(StoreTooNew, match="version 3, this release reads up to 2"):
        await store.load(claim)


async def test_a_manifest_of_the_first_release_is_read(redis: Redis) -> None:
    store, claim, state = await saved(redis)
    key = f"{state.removesuffix(':state')}:chunk:{claim.token}:2:a"
    body = b'{"version":1,"next_offset":7,"log_id":"","chunks":{"a":"%s"}}' % key.encode()
    await redis.hset(state, "manifest", body)
    assert await store.load(claim) == Stored(2, 7, "", {"a": b"2"})


async def test_two_generations_are_kept_and_no_more(redis: Redis) -> None:
    store, claim, state = await saved(redis)
    for generation in range(2, 6):
        await store.save(claim, checkpoint(generation, 300, {"a": b"%d" % generation}))
    prefix = state.removesuffix(":state")
    keys = {key async for key in redis.scan_iter(f"{prefix}:chunk:*".replace("{", "[{]"))}
    assert len(keys) == 2
    assert await redis.smembers(f"{prefix}:chunks") == keys


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
