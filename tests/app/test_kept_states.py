"""Kept generations read as learners: which are given, and what becomes of damaged ones."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator

import numpy as np
import pytest
from redis.asyncio import Redis
from stack.fixtures import Stack

from hedgerow.agents.errors import LogChanged, StoreCorrupt
from hedgerow.agents.ports import Partition, Progress
from hedgerow.app.broker.readings_log import LogFacts
from hedgerow.app.city import city_model
from hedgerow.app.settings import Settings, load_settings
from hedgerow.app.state.admin import whole
from hedgerow.app.state.kept import KeptStates, NotKept
from hedgerow.app.state.look import SeriesUnknown, find_series
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import Learner, Registry, SnapshotError
from hedgerow.models.registry import SensorFacts

HOUR = 3_600_000
START = 1_767_225_600_000
GENERATIONS = 4  # each knows one hour and one series more than the one before


class Shelf:
    """A partition of which four generations are kept."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self.redis = redis
        self.settings = settings
        self.partition = Partition(settings.topics.readings, 0)
        self.store = RedisStateStore(
            redis, prefix=settings.redis.prefix, group=settings.group, keep=GENERATIONS
        )

    def states(self, log_id: str = "log-1") -> KeptStates:
        log = LogFacts(self.partition.topic, log_id, 1)
        return KeptStates(self.settings, self.store, log)

    async def fill(self) -> None:
        claim = await self.store.claim(self.partition)
        learner = Learner(city_model(self.settings))
        for n in range(GENERATIONS):
            names = [f"s-{one}" for one in range(n + 1)]
            at = np.full(n + 1, START + n * HOUR)
            learner.step(names, [""] * (n + 1), at, np.arange(n + 1.0), np.arange(n + 1))
            done = whole(learner, n, 10 * (n + 1), "log-1", Progress())
            await self.store.save(claim, done)

    async def damage(self, generation: int, *, missing: bool = False) -> None:
        """Take a chunk of one generation away, or put another's bytes in its place."""
        manifests = [await self.store._manifest(self.partition)]
        manifests += await self.store._before(self.partition)
        [one] = [m for m in manifests if m is not None and m.generation == generation]
        for name, key in one.chunks.items():
            if name.startswith("series"):
                await (self.redis.delete(key) if missing else self.redis.set(key, b"rubbish"))

    async def given(self) -> list[tuple[int, int]]:
        """Return number and count of series of all that are given."""
        walk = self.states().walk(self.partition)
        return [(stored.generation, learner.series_count) async for stored, learner in walk]


@pytest.fixture
async def shelf(embedded_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shelf]:
    monkeypatch.setenv("HEDGEROW_CONFIG", "")
    monkeypatch.setenv("HEDGEROW_GROUP", uuid.uuid4().hex)
    redis = Redis.from_url(embedded_stack.redis_url)
    one = Shelf(load_settings(), redis)
    await one.fill()
    yield one
    await redis.aclose()


async def test_all_are_given_the_newest_first(shelf: Shelf) -> None:
    assert await shelf.given() == [(4, 4), (3, 3), (2, 2), (1, 1)]
    newest = await shelf.states().newest(shelf.partition)
    assert newest is not None
    assert (newest[0].generation, newest[1].series_count) == (4, 4)


async def test_of_what_was_never_saved_there_is_nothing(shelf: Shelf) -> None:
    elsewhere = Partition(shelf.partition.topic, 7)
    assert await shelf.states().newest(elsewhere) is None
    assert [one async for one in shelf.states().walk(elsewhere)] == []
    with pytest.raises(NotKept, match="cannot go back to what was before: kept are none"):
        await shelf.states().before(elsewhere)


@pytest.mark.parametrize("missing", [True, False])
async def test_who_looks_through_all_passes_over_a_damaged_older_one(
    shelf: Shelf, missing: bool, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.damage(3, missing=missing)
    with caplog.at_level(logging.WARNING):
        assert await shelf.given() == [(4, 4), (2, 2), (1, 1)]
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"generation 3 of {shelf.partition} cannot be used, and is passed over")


@pytest.mark.parametrize(("missing", "error"), [(True, StoreCorrupt), (False, SnapshotError)])
async def test_damage_of_what_stands_is_told_to_everybody(
    shelf: Shelf, missing: bool, error: type[Exception]
) -> None:
    await shelf.damage(4, missing=missing)
    with pytest.raises(error):
        await shelf.states().newest(shelf.partition)
    with pytest.raises(error):
        await shelf.given()


@pytest.mark.parametrize(("missing", "error"), [(True, StoreCorrupt), (False, SnapshotError)])
async def test_damage_of_the_one_that_is_asked_for_is_told_with_what_else_is_kept(
    shelf: Shelf, missing: bool, error: type[Exception]
) -> None:
    await shelf.damage(2, missing=missing)
    with pytest.raises(error) as told:
        await shelf.states().one(shelf.partition, 2)
    assert str(told.value).startswith(f"generation 2 of {shelf.partition} cannot be used: ")
    assert "kept are 4 (at offset 40), 3 (at offset 30), 2 (at offset 20)" in str(told.value)
    assert (await shelf.states().one(shelf.partition, 1))[1].series_count == 1


async def test_one_before_is_found_by_its_number_or_as_the_last(shelf: Shelf) -> None:
    states, partition = shelf.states(), shelf.partition
    await shelf.damage(4, missing=True)  # it can be gone back from
    assert [one.generation for one in await states.before(partition)] == [4, 3]
    assert [one.next_offset for one in await states.before(partition, 1)] == [40, 10]
    for not_before in (4, 99):
        with pytest.raises(NotKept, match=f"cannot go back to generation {not_before}: kept are 4"):
            await states.before(partition, not_before)


async def test_one_that_was_let_go_since_is_told(shelf: Shelf) -> None:
    with pytest.raises(NotKept, match="generation 99 of .* was let go"):
        await shelf.states().one(shelf.partition, 99)


async def test_one_is_read_by_another_registry_where_that_is_asked(shelf: Shelf) -> None:
    registry = Registry({"s-0": SensorFacts(kind="tide", bound_upper=50.0)})
    _, own = await shelf.states().one(shelf.partition, 3)
    _, other = await shelf.states().one(shelf.partition, 3, registry)
    assert (own.registry.version, other.registry.version) == ("", registry.version)


async def test_the_state_of_another_topic_of_that_name_is_refused(shelf: Shelf) -> None:
    states = shelf.states("log-2")
    for read in (states.newest(shelf.partition), states.one(shelf.partition, 2)):
        with pytest.raises(LogChanged, match="hedgerow state adopt"):
            await read
    with pytest.raises(LogChanged):
        [one async for one in states.walk(shelf.partition)]


async def test_a_series_is_found_in_an_older_generation_past_a_damaged_one(shelf: Shelf) -> None:
    claim = await shelf.store.claim(shelf.partition)
    empty = Learner(city_model(shelf.settings))
    await shelf.store.save(claim, whole(empty, GENERATIONS, 50, "log-1", Progress()))
    await shelf.damage(4, missing=True)
    settings, store, partitions = shelf.settings, shelf.store, [shelf.partition]
    assert (await find_series(settings, store, partitions, "s-1", older=True)).name == ("s-1", "")
    with pytest.raises(SeriesUnknown):
        await find_series(settings, store, partitions, "s-1")
