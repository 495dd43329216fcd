"""Moves of series between partitions: whole, or not at all, wherever they are interrupted."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import numpy as np
import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from redis.asyncio import Redis
from stack.fixtures import Stack

from hedgerow.agents.errors import Fenced, LogChanged, StoreUnavailable
from hedgerow.agents.ports import Checkpoint, Claim, Partition, Progress, Stored
from hedgerow.app.access.stores import connect
from hedgerow.app.broker.partitioner import partition_of
from hedgerow.app.broker.readings_log import describe_log
from hedgerow.app.settings import Partitioner, Settings, load_settings
from hedgerow.app.state.admin import StateAdmin
from hedgerow.app.state.census import Census, RedisCensus
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import CityModel, Learner, encode_chunk

SENSORS = [f"sensor-{n}" for n in range(12)]
BEFORE, AFTER = 2, 4


@pytest.fixture
def settings(embedded_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Settings:
    topic = f"moved-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": embedded_stack.bootstrap})
    for future in admin.create_topics([NewTopic(topic, AFTER, 1)]).values():
        future.result(20)
    monkeypatch.setenv("HEDGEROW_CONFIG", "")
    monkeypatch.setenv("HEDGEROW_GROUP", topic)
    monkeypatch.setenv("HEDGEROW_KAFKA__BOOTSTRAP_SERVERS", embedded_stack.bootstrap)
    monkeypatch.setenv("HEDGEROW_REDIS__URL", embedded_stack.redis_url)
    monkeypatch.setenv("HEDGEROW_TOPICS__READINGS", topic)
    return load_settings()


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    client = connect(settings.redis)
    yield client
    await client.aclose()


def census_of(settings: Settings, redis: Redis) -> RedisCensus:
    return RedisCensus(
        redis,
        prefix=settings.redis.prefix,
        group=settings.group,
        topic=settings.topics.readings,
    )


def store_of(settings: Settings, redis: Redis) -> RedisStateStore:
    return RedisStateStore(redis, prefix=settings.redis.prefix, group=settings.group)


@pytest.fixture
async def claims(settings: Settings, redis: Redis) -> list[Claim]:
    """Two partitions learned, when the topic had no more."""
    store = store_of(settings, redis)
    found = []
    for number in range(BEFORE):
        mine = SENSORS[number::BEFORE]
        learner = Learner(CityModel())
        times = np.zeros(len(mine), np.int64)
        learner.step(mine, [""] * len(mine), times, np.ones(len(mine)), times)
        claim = await store.claim(Partition(settings.topics.readings, number))
        for generation in range(2):
            learner.recapture_all()
            capture = learner.capture()
            chunks = {name: encode_chunk(raw) for name, raw in capture.chunks.items()}
            names = tuple(capture.names)
            progress = Progress(skipped=3)
            await store.save(claim, Checkpoint(generation, 70, names, chunks, "", progress))
        found.append(claim)
    await census_of(settings, redis).write(Census(BEFORE))
    return found


async def kept(settings: Settings, redis: Redis) -> list[Stored | None]:
    store = store_of(settings, redis)
    topic = settings.topics.readings
    return [await store.peek(Partition(topic, number)) for number in range(AFTER)]


async def series(settings: Settings, redis: Redis) -> dict[int, set[str]]:
    found = enumerate(await kept(settings, redis))
    return {
        number: set(Learner.restore(CityModel(), one.chunks).series.sensor_ids)
        for number, one in found
        if one is not None
    }


def expected() -> dict[int, set[str]]:
    places: dict[int, set[str]] = {number: set() for number in range(AFTER)}
    for name in SENSORS:
        places[partition_of(Partitioner.MURMUR2, name.encode(), AFTER)].add(name)
    return places


async def test_every_series_is_where_its_readings_arrive(
    settings: Settings, redis: Redis, claims: list[Claim]
) -> None:
    shift = await StateAdmin(settings, redis).adopt()
    assert (shift.before, shift.after, shift.moved + shift.kept) == (BEFORE, AFTER, len(SENSORS))
    assert await series(settings, redis) == expected()
    after = await kept(settings, redis)
    assert [one and (one.next_offset, one.progress.skipped) for one in after] == [
        (0, 3), (0, 3), (0, 0), (0, 0)
    ]  # fmt: skip
    facts = describe_log(
        AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers}),
        settings.topics.readings,
    )
    assert {one.log_id for one in after if one is not None} == {facts.log_id}
    await census_of(settings, redis).check(facts)
    store = store_of(settings, redis)
    for claim in claims:  # whoever held them is fenced, and nothing is left to go back to
        with pytest.raises(Fenced):
            await store.check(claim, 3)
        assert await store.previous(claim) is None


async def test_interrupted_before_the_census_nothing_has_happened(
    settings: Settings, redis: Redis, claims: list[Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await kept(settings, redis)

    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(RedisCensus, "write", away)
        with pytest.raises(StoreUnavailable):
            await StateAdmin(settings, redis).adopt()
    assert await kept(settings, redis) == before
    assert await census_of(settings, redis).read() == Census(BEFORE)
    await StateAdmin(settings, redis).adopt()
    assert await series(settings, redis) == expected()


async def test_interrupted_after_it_workers_wait_and_it_is_finished_later(
    settings: Settings, redis: Redis, claims: list[Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    promote = RedisStateStore.promote

    async def fails_at_two(store: RedisStateStore, partition: Partition) -> bool:
        if partition.number == 2:
            raise StoreUnavailable("away")
        return await promote(store, partition)

    with monkeypatch.context() as patched:
        patched.setattr(RedisStateStore, "promote", fails_at_two)
        with pytest.raises(StoreUnavailable):
            await StateAdmin(settings, redis).adopt()
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    with pytest.raises(LogChanged, match="being moved from 2 to 4"):
        await census_of(settings, redis).check(describe_log(admin, settings.topics.readings))
    shift = await StateAdmin(settings, redis).repartition(lambda *_: None)
    assert (shift.before, shift.after) == (AFTER, AFTER)
    assert await series(settings, redis) == expected()


async def test_what_is_forgotten_is_fenced_and_gone(
    settings: Settings, redis: Redis, claims: list[Claim]
) -> None:
    admin = StateAdmin(settings, redis)
    assert await admin.forget([1]) == [1]
    found = await kept(settings, redis)
    assert [one is not None for one in found] == [True, False, False, False]
    assert await census_of(settings, redis).read() == Census(BEFORE)
    with pytest.raises(Fenced):
        await store_of(settings, redis).check(claims[1], 2)
    assert await admin.forget() == [0, 1]
    assert await census_of(settings, redis).read() is None
    prefix = f"{settings.redis.prefix}:{{{settings.group}:"
    left = {key async for key in redis.scan_iter(f"{settings.redis.prefix}:*")}
    mine = {key for key in left if key.startswith(prefix.encode()) and b":chunk:" in key}
    assert mine == set()
