"""As many generations are kept as asked for, whole, and any of them can be gone back to."""

from __future__ import annotations

import uuid

import pytest
from redis.asyncio import Redis

from hedgerow.agents.errors import Fenced, StoreCorrupt, StoreUnavailable
from hedgerow.agents.ports import Checkpoint, Claim, Partition, Stored
from hedgerow.app.state.store import RedisStateStore

PARTITION = Partition("sensor-data", 5)


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


async def saved(store: RedisStateStore, generations: int) -> Claim:
    """Save so many: one chunk is always the same, one always another."""
    claim = await store.claim(PARTITION)
    for n in range(generations):
        chunks = {"moves": b"%d" % n} | ({"stays": b"same"} if n == 0 else {})
        await store.save(claim, Checkpoint(n, 10 * (n + 1), ("moves", "stays"), chunks))
    return claim


async def chunk_keys(redis: Redis, prefix: str) -> list[bytes]:
    return [key async for key in redis.scan_iter(match=f"{prefix}*:chunk:*")]


@pytest.mark.parametrize(
    ("keep", "kept"), [(2, [6, 5]), (4, [6, 5, 4, 3]), (9, [6, 5, 4, 3, 2, 1])]
)
async def test_the_newest_are_kept_and_no_chunk_of_others(
    redis: Redis, prefix: str, keep: int, kept: list[int]
) -> None:
    store = RedisStateStore(redis, prefix=prefix, group="test", keep=keep)
    await saved(store, 6)
    found = await store.kept(PARTITION)
    assert [(one.generation, one.next_offset) for one in found] == [(n, 10 * n) for n in kept]
    for n in kept:
        stored = await store.peek_at(PARTITION, n)
        assert stored == Stored(n, 10 * n, "", {"moves": b"%d" % (n - 1), "stays": b"same"})
    assert await store.peek_at(PARTITION, kept[-1] - 1) is None
    await store.load(await store.claim(PARTITION))  # sweeps
    assert len(await chunk_keys(redis, prefix)) == len(kept) + 1


async def test_any_of_them_can_be_gone_back_to(redis: Redis, prefix: str) -> None:
    store = RedisStateStore(redis, prefix=prefix, group="test", keep=4)
    held = await saved(store, 6)
    claim = await store.claim(PARTITION)
    with pytest.raises(StoreCorrupt, match="no generation before"):
        await store.revert(claim, 6)
    await store.revert(claim, 4)
    assert [one.generation for one in await store.kept(PARTITION)] == [4, 3]
    loaded = await store.load(claim)
    assert loaded == Stored(4, 40, "", {"moves": b"3", "stays": b"same"})
    with pytest.raises(Fenced):
        await store.save(held, Checkpoint(6, 70, ("moves",), {"moves": b"late"}))
    await store.save(claim, Checkpoint(4, 50, ("moves", "stays"), {"moves": b"again"}))
    assert [one.generation for one in await store.kept(PARTITION)] == [5, 4, 3]


async def test_a_store_that_keeps_fewer_lets_go_of_the_others(redis: Redis, prefix: str) -> None:
    await saved(RedisStateStore(redis, prefix=prefix, group="test", keep=5), 6)
    store = RedisStateStore(redis, prefix=prefix, group="test")
    claim = await store.claim(PARTITION)
    await store.load(claim)
    await store.save(claim, Checkpoint(6, 70, ("moves", "stays"), {"moves": b"6"}))
    assert [one.generation for one in await store.kept(PARTITION)] == [7, 6]
    await store.load(await store.claim(PARTITION))
    assert len(await chunk_keys(redis, prefix)) == 3


async def test_what_is_forgotten_leaves_nothing(redis: Redis, prefix: str) -> None:
    store = RedisStateStore(redis, prefix=prefix, group="test", keep=4)
    await saved(store, 6)
    await store.forget_all(PARTITION)
    assert await store.kept(PARTITION) == []
    assert await chunk_keys(redis, prefix) == []


class Away(RedisStateStore):
    """Cannot write chunks."""

    async def _write(self, *_: object) -> None:
        raise StoreUnavailable("away")


@pytest.mark.parametrize(("keep", "before"), [(2, None), (3, 5)])
async def test_a_save_that_broke_off_leaves_what_is_to_be_kept(
    redis: Redis, prefix: str, keep: int, before: int | None
) -> None:
    await saved(RedisStateStore(redis, prefix=prefix, group="test", keep=keep), 6)
    store = Away(redis, prefix=prefix, group="test", keep=keep)
    claim = await store.claim(PARTITION)
    await store.load(claim)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.save(claim, Checkpoint(6, 70, ("moves", "stays"), {"moves": b"6"}))
    loaded, older = await store.load(claim), await store.previous(claim)
    assert loaded is not None
    assert loaded.generation == 6
    assert (older and older.generation) == before


def state_key(prefix: str) -> str:
    return f"{prefix}:{{test:{PARTITION.topic}:{PARTITION.number}}}:state"


async def damage(redis: Redis, prefix: str, field: str) -> None:
    """Change the offset that a kept manifest names; its checksum no longer fits."""
    body = await redis.hget(state_key(prefix), field)
    assert body is not None
    whole = body if isinstance(body, bytes) else body.encode()
    changed = whole.replace(b'"next_offset":', b'"next_offset":9', 1)
    assert changed != whole
    await redis.hset(state_key(prefix), field, changed)


@pytest.mark.parametrize(
    ("field", "left"), [("previous", [7, 6, 4, 3, 2]), ("older", [7, 6, 5, 3, 2])]
)
async def test_a_damaged_older_one_is_let_go_and_does_not_stop_checkpoints(
    redis: Redis, prefix: str, field: str, left: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    store = RedisStateStore(redis, prefix=prefix, group="test", keep=5)
    claim = await saved(store, 6)
    await damage(redis, prefix, field)

    await store.save(claim, Checkpoint(6, 70, ("moves", "stays"), {"moves": b"6"}))

    found = await store.kept(PARTITION)
    assert [one.generation for one in found] == left
    assert "an older generation cannot be gone back to" in caplog.text
    caplog.clear()
    await store.save(claim, Checkpoint(7, 80, ("moves", "stays"), {"moves": b"7"}))
    assert caplog.text == ""
    kept = len(await store.kept(PARTITION))
    await store.load(await store.claim(PARTITION))  # sweeps
    assert len(await chunk_keys(redis, prefix)) == kept + 1


async def test_a_list_that_cannot_be_read_is_let_go_whole(redis: Redis, prefix: str) -> None:
    store = RedisStateStore(redis, prefix=prefix, group="test", keep=4)
    claim = await saved(store, 6)
    await redis.hset(state_key(prefix), "older", b"[{")

    await store.save(claim, Checkpoint(6, 70, ("moves", "stays"), {"moves": b"6"}))

    assert [one.generation for one in await store.kept(PARTITION)] == [7, 6, 5]


async def test_where_the_one_before_is_damaged_the_one_before_that_is_gone_back_to(
    redis: Redis, prefix: str
) -> None:
    store = RedisStateStore(redis, prefix=prefix, group="test", keep=4)
    await saved(store, 6)
    await damage(redis, prefix, "previous")
    claim = await store.claim(PARTITION)

    before = await store.previous(claim)
    assert before is not None
    assert before.generation == 4
    await store.revert(claim)

    assert [one.generation for one in await store.kept(PARTITION)] == [4, 3]
