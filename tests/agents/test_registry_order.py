"""A partition never goes back to an older registry, whoever has read how far of its topic."""

from __future__ import annotations

import json

import pytest
from fakes import FakeRegistry
from rig import PARTITION, Rig, batch, log

from hedgerow.models import CityModel, Mark, Profile, Registry, SensorFacts, decode_chunk

CITY = CityModel((Profile("hourly", period_seconds=3600, horizons=(1,)),))


def registry(limit: float, offset: int, topic: str = "t1") -> Registry:
    return Registry({"s1": SensorFacts(bound_upper=limit)}, Mark(topic, offset))


OLD, NEW = registry(5.0, 10), registry(7.0, 20)


def rig_with(known: Registry) -> tuple[Rig, FakeRegistry]:
    source = FakeRegistry(known)
    return Rig(CITY, registry=source), source


async def learned(rig: Rig, first: int, end: int) -> None:
    records = log(
        json.dumps({"sensor_id": "s1", "timestamp": 3_600 * h, "value": h % 3}).encode()
        for h in range(end)
    )
    await rig.feed(batch(records[first:], start=first))


async def stored_by(known: Registry) -> tuple[Rig, FakeRegistry]:
    """Let a worker store ten readings by a registry, and another one load them."""
    rig, source = rig_with(known)
    await rig.assign()
    await learned(rig, 0, 10)
    await rig.checkpoint()
    rig.restart()
    rig.clock.now = 100.0
    await rig.assign()
    return rig, source


async def test_a_worker_that_has_read_less_does_not_take_a_partition_back() -> None:
    rig, source = await stored_by(NEW)
    source.known = OLD

    await learned(rig, 10, 20)
    await rig.checkpoint()

    assert rig.learner.registry == NEW
    assert source.asked_anew


async def test_what_it_reads_then_is_taken() -> None:
    rig, source = await stored_by(NEW)
    source.known = OLD
    await rig.checkpoint()

    source.known = newest = registry(9.0, 21)
    await rig.checkpoint()

    assert rig.learner.registry is newest
    assert rig.learner.registry.mark == Mark("t1", 21)


@pytest.mark.parametrize("found", [registry(1.0, 3), registry(1.0, 90, "t2")])
async def test_a_topic_that_was_cut_or_made_anew_counts_once_it_is_read_since(
    found: Registry,
) -> None:
    rig, source = await stored_by(NEW)
    source.known = found
    await rig.checkpoint()
    assert rig.learner.registry == NEW, "it may be what was there before"

    source.read_at = 101.0
    await rig.checkpoint()

    assert rig.learner.registry is found


async def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    rig, source = await stored_by(NEW)
    source.known = OLD
    for _ in range(3):
        await rig.checkpoint()

    assert caplog.text.count("goes by a registry that was read to offset 20 of t1") == 1


async def test_the_same_facts_read_later_move_the_mark_on_and_nothing_else() -> None:
    rig, source = await stored_by(OLD)
    stored = rig.store.rows[PARTITION].stored
    source.known = registry(5.0, 40)
    await learned(rig, 10, 20)
    await rig.checkpoint()

    after = rig.store.rows[PARTITION].stored
    assert stored is not None
    assert after is not None
    assert decode_chunk(after.chunks["meta"]).meta["registry_mark"] == ["t1", 40]
    assert after.chunks["registry"] is stored.chunks["registry"]

    source.known = registry(6.0, 30)
    rig.restart()
    await rig.assign()
    await rig.checkpoint()
    assert rig.learner.registry == OLD, "6 had come and gone between"


async def test_an_emptied_registry_is_kept_against_one_read_before() -> None:
    rig, source = await stored_by(NEW)
    source.known = Registry({}, Mark("t1", 30))
    await rig.checkpoint()
    rig.restart()
    source.known = NEW
    rig.clock.now += 1
    await rig.assign()
    await rig.checkpoint()

    assert rig.learner.registry == Registry({})
    assert rig.learner.registry.mark == Mark("t1", 30)


async def test_a_state_from_before_there_were_marks_takes_any() -> None:
    rig, source = await stored_by(Registry(NEW.facts))
    source.known = OLD
    await rig.checkpoint()
    assert rig.learner.registry is OLD
