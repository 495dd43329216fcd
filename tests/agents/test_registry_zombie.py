"""Two workers, one of them stopped for a while: no id is published by two registries.

The worker that comes back steps nothing before it has asked whether the partition is still its
own; the one that took over takes another registry only beyond all that the first can have stepped.
"""

from __future__ import annotations

import asyncio
import json

from fakes import FakeRegistry
from rig import PARTITION, Record, Rig, batch, log

from hedgerow.agents.holding import CLAIM_SECONDS
from hedgerow.models import CityModel, Profile, Registry, SensorFacts

CITY = CityModel((Profile("hourly", period_seconds=3600, horizons=(1,)),))
OLD = Registry({"s1": SensorFacts(bound_upper=15.0)})
NEW = Registry({"s1": SensorFacts(bound_upper=5.0)})


def hours(count: int) -> list[Record]:
    return log(
        json.dumps({"sensor_id": "s1", "timestamp": 3_600 * h, "value": h % 24}).encode()
        for h in range(count)
    )


async def learned(rig: Rig, first: int, end: int) -> None:
    await rig.feed(batch(hours(60)[first:end], start=first))


async def owner() -> Rig:
    """A worker that has stored twenty readings."""
    rig = Rig(CITY, registry=FakeRegistry(OLD))
    await rig.assign()
    await learned(rig, 0, 20)
    await rig.checkpoint()
    return rig


def follower_of(first: Rig, known: Registry) -> Rig:
    return Rig(CITY, store=first.store, clock=first.clock, registry=FakeRegistry(known))


async def test_a_worker_that_was_stopped_steps_nothing_of_what_is_not_its_own_any_more() -> None:
    first = await owner()
    second = follower_of(first, OLD)
    await second.assign()
    published = len(first.emitter.records)

    first.clock.now += CLAIM_SECONDS + 1
    await learned(first, 20, 40)

    assert len(first.emitter.records) == published
    assert first.holdings.get(PARTITION) is None


async def test_a_claim_that_stands_is_asked_for_once_in_a_while_and_stepped_by() -> None:
    rig = await owner()
    asked = 0
    holds = rig.store.holds

    async def counted(claim: object) -> bool:
        nonlocal asked
        asked += 1
        return await holds(claim)  # type: ignore[arg-type]

    rig.store.holds = counted  # type: ignore[method-assign]
    rig.clock.now += CLAIM_SECONDS + 1
    for end in range(30, 60, 10):
        await learned(rig, end - 10, end)

    assert asked == 1
    holding = rig.holdings.get(PARTITION)
    assert holding is not None
    assert holding.next_offset == 50


async def test_a_store_that_does_not_tell_is_waited_for() -> None:
    rig = await owner()
    published = len(rig.emitter.records)
    rig.clock.now += CLAIM_SECONDS + 1
    rig.store.down = True
    feeding = asyncio.ensure_future(learned(rig, 20, 40))
    await asyncio.sleep(0.05)
    assert len(rig.emitter.records) == published

    rig.store.down = False
    await asyncio.wait_for(feeding, 10)

    assert len(rig.emitter.records) > published


async def test_another_registry_is_taken_beyond_all_that_the_one_before_can_have_stepped() -> None:
    first = await owner()
    second = follower_of(first, NEW)
    second.interval_seconds = CLAIM_SECONDS / 4
    second.restart()
    await second.assign(log_end=20)
    # The first is still trusted, by itself: it steps what comes meanwhile.
    await learned(first, 20, 40)
    await learned(second, 20, 30)
    second.clock.now += CLAIM_SECONDS / 2
    second.holdings.checkpoint_when_due()
    await second.save()
    assert second.learner.registry == OLD, "asked too early, the log could have ended at 20"

    await learned(second, 30, 40)
    await second.checkpoint()

    assert second.learner.registry is NEW
    ids = {json.loads(one.value or b"")["id"]: one.value for one in first.emitter.records}
    for record in second.emitter.records:
        body = json.loads(record.value or b"")
        assert ids.get(body["id"], record.value) == record.value


async def test_where_the_broker_does_not_tell_it_is_asked_again() -> None:
    first = await owner()
    second = follower_of(first, NEW)
    told: list[dict[object, int]] = [{}, {PARTITION: 20}]

    async def starts(partitions: object) -> dict[object, int]:
        raise AssertionError("it has a state")

    async def ends(partitions: object) -> dict[object, int]:
        return told.pop(0)

    await second.holdings.assign([PARTITION], starts, ends)  # type: ignore[arg-type]
    await second.checkpoint()
    assert second.learner.registry == OLD
    await second.checkpoint()
    assert second.learner.registry is NEW
