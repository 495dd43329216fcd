"""Claims and checkpoints: one owner at a time; state and offset are one unit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest
from rig import PARTITION, Record, Rig, batch, log

from hedgerow.agents import fencing
from hedgerow.agents.errors import FencedForGood, StoreUnavailable
from hedgerow.agents.holding import NOWHERE
from hedgerow.agents.ports import Checkpoint, Claim, Partition, Stored
from hedgerow.models import CityModel, Profile

HOURLY = CityModel(profiles=(Profile("hourly", period_seconds=3600),))


def hours(count: int) -> list[Record]:
    return log(
        json.dumps({"sensor_id": "s1", "timestamp": 1_767_225_600 + 3600 * h, "value": h}).encode()
        for h in range(count)
    )


@pytest.fixture
async def rig() -> Rig:
    rig = Rig(HOURLY)
    await rig.assign()
    return rig


async def settle() -> None:
    """Let background checkpoints finish."""
    for _ in range(200):
        await asyncio.sleep(0.001)


async def test_a_new_partition_is_saved_at_once_then_after_the_interval(rig: Rig) -> None:
    def saved_offset() -> int:
        stored = rig.store.rows[PARTITION].stored
        assert stored is not None
        return stored.next_offset

    messages = hours(3)
    await rig.feed(batch(messages[:1]))
    await settle()
    assert saved_offset() == 1  # or "latest" would begin later still after a crash
    rig.clock.now = 9.0
    await rig.feed(batch(messages[1:2]))
    await settle()
    assert saved_offset() == 1
    rig.clock.now = 11.0
    await rig.feed(batch(messages[2:]))
    await settle()
    assert saved_offset() == 3
    assert rig.meter.checkpoints == {"saved": 2}


async def test_a_restarted_worker_goes_on_where_the_state_says(rig: Rig) -> None:
    messages = hours(30)
    await rig.feed(batch(messages[:20]))
    await rig.save()
    await rig.feed(batch(messages[20:25]))  # learned, never saved
    rig.restart()
    assert await rig.assign() == 20
    assert rig.learner.counts.learned == 20


async def test_a_kept_partition_keeps_its_memory_through_a_rebalance(rig: Rig) -> None:
    await rig.feed(batch(hours(3)))
    learner = rig.learner
    assert await rig.assign() == 3
    assert rig.learner is learner


async def test_a_partition_claimed_by_another_in_between_is_loaded_anew(rig: Rig) -> None:
    messages = hours(6)
    await rig.feed(batch(messages[:3]))
    await rig.save()
    await rig.feed(batch(messages[3:]))
    await rig.store.claim(PARTITION)
    assert await rig.assign() == 3


async def test_a_zombie_is_refused_and_drops_the_partition(rig: Rig) -> None:
    await rig.feed(batch(hours(3)))
    await rig.store.claim(PARTITION)
    await rig.save()
    assert rig.store.rows[PARTITION].stored is None
    assert rig.holdings.get(PARTITION) is None
    assert rig.failures == []  # a rebalance usually follows


async def test_a_worker_fenced_again_after_rejoining_stops(rig: Rig) -> None:
    for _ in range(2):
        holding = rig.holdings.get(PARTITION)
        assert holding is not None
        holding.saved_offset = -1  # there is news
        await rig.store.claim(PARTITION)
        await rig.save()
        await rig.assign()
    assert isinstance(rig.failures[0], FencedForGood)


async def test_a_worker_fenced_without_a_rebalance_stops(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fencing, "REJOIN_SECONDS", 0.01)
    await rig.feed(batch(hours(3)))
    await rig.store.claim(PARTITION)
    await rig.save()
    async with asyncio.timeout(30):
        while not rig.failures:
            await asyncio.sleep(0.005)
    assert isinstance(rig.failures[0], FencedForGood)


async def test_an_absent_store_costs_nothing_but_time(rig: Rig) -> None:
    messages = hours(6)
    await rig.feed(batch(messages[:3]))
    rig.store.down = True
    await rig.save()
    assert rig.meter.checkpoints["unavailable"] >= 1
    rig.store.down = False
    await rig.feed(batch(messages[3:]))
    await rig.save()
    rig.restart()
    assert await rig.assign() == 6
    assert rig.learner.counts.learned == 6


async def test_a_store_moved_to_another_generation_gets_a_full_checkpoint(rig: Rig) -> None:
    messages = hours(6)
    await rig.feed(batch(messages[:3]))
    await rig.save()
    holding = rig.holdings.get(PARTITION)
    assert holding is not None
    saved = rig.store.rows[PARTITION].stored
    assert saved is not None
    await rig.store.save(  # as if restored from elsewhere, under our token
        holding.claim, Checkpoint(saved.generation, 3, tuple(saved.chunks), {})
    )
    await rig.feed(batch(messages[3:]))
    await rig.save()  # refused, and told which generation
    await rig.save()
    rig.restart()
    assert await rig.assign() == 6
    assert rig.learner.counts.learned == 6


async def test_loading_gives_up_within_its_limit() -> None:
    rig = Rig(HOURLY, load_seconds=0.05)
    rig.store.down = True
    with pytest.raises(StoreUnavailable, match="could not be loaded"):
        await rig.assign()
    assert not rig.holdings.ready


async def test_partitions_taken_away_are_forgotten(rig: Rig) -> None:
    await rig.holdings.assign([], lambda _: asyncio.sleep(0, {}))
    assert rig.holdings.all() == []
    assert rig.holdings.ready


async def test_a_partition_is_stepped_while_others_are_still_loaded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, large = PARTITION, Partition("sensor-data", 1)
    messages = hours(9)
    await rig.feed(batch(messages[:6]))
    await rig.save()
    rig.restart()
    load, there, arrived = rig.store.load, asyncio.Event(), list[tuple[Partition, int]]()

    async def slow(claim: Claim) -> Stored | None:
        if claim.partition == large:
            await there.wait()
        return await load(claim)

    monkeypatch.setattr(rig.store, "load", slow)

    async def earliest(wanted: Sequence[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(wanted, 0)

    assigning = asyncio.ensure_future(
        rig.holdings.assign([first, large], earliest, arrived=lambda *told: arrived.append(told))
    )
    await settle()
    assert arrived == [(first, 6)]
    assert not rig.holdings.ready
    await rig.feed(batch(messages[6:]))
    assert rig.learner.counts.learned == 9

    there.set()
    assert await assigning == {first: 9, large: 0}
    assert arrived == [(first, 6), (large, 0)]
    assert rig.holdings.ready


async def test_an_assignment_that_is_cancelled_claims_no_more(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    partitions = [Partition("sensor-data", n) for n in range(1, 5)]
    claimed = list[Partition]()
    claim = rig.store.claim

    async def noted(partition: Partition) -> Claim:
        claimed.append(partition)
        return await claim(partition)

    async def never(_: Claim) -> Stored | None:
        await asyncio.sleep(3600)
        return None

    monkeypatch.setattr(rig.store, "claim", noted)
    monkeypatch.setattr(rig.store, "load", never)
    assigning = asyncio.ensure_future(
        rig.holdings.assign(partitions, lambda _: asyncio.sleep(0, {}))
    )
    await settle()
    assigning.cancel()
    await asyncio.wait([assigning])
    await settle()

    assert claimed == partitions[:2]
    assert rig.holdings.all() == []


async def test_partitions_take_turns_the_one_due_for_longest_first(rig: Rig) -> None:
    partitions = [Partition("sensor-data", n) for n in range(3)]

    async def earliest(wanted: Sequence[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(wanted, 0)

    await rig.holdings.assign(partitions, earliest)
    held = [rig.holdings.get(partition) for partition in partitions]
    for due_at, holding in zip((2.0, 1.0, 3.0), held, strict=True):
        assert holding is not None
        holding.due_at, holding.next_offset = due_at, 1
    rig.clock.now = 2.5

    rig.holdings.checkpoint_when_due()
    assert [holding.saving is not None for holding in held if holding] == [False, True, False]
    rig.holdings.checkpoint_when_due()
    assert [holding.saving is not None for holding in held if holding] == [False, True, False]
    await settle()
    assert [holding.saved_offset for holding in held if holding] == [1, 1, NOWHERE]
