"""What becomes of a worker whose store is restored, damaged, full, or another log's."""

from __future__ import annotations

import asyncio
import copy
import json

import pytest
from rig import PARTITION, Record, Rig, batch, log

from hedgerow.agents import holdings as module
from hedgerow.agents.errors import LogChanged, RolledBack
from hedgerow.agents.ports import Batch
from hedgerow.models import CityModel, Profile, SnapshotError, SnapshotTooNew

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


async def learned(rig: Rig, first: int, end: int) -> None:
    await rig.feed(batch(hours(end)[first:], start=first))


def damage(rig: Rig, *, chunk: str = "meta", version: int | None = None) -> None:
    """Change a byte of a stored chunk, or give it another version."""
    stored = rig.store.rows[PARTITION].stored
    assert stored is not None
    data = bytearray(stored.chunks[chunk])
    if version is None:
        data[-40] ^= 1
    else:
        data[8] = version
    stored.chunks[chunk] = bytes(data)  # type: ignore[index]


# ---------------------------------------------------------------- restored from an older copy


async def restored_from(rig: Rig, saved_at: int, goes_to: int, *, claimed_since: bool) -> None:
    """Save at one offset, copy, go on and save again, then put the copy back."""
    await learned(rig, 0, saved_at)
    await rig.save()
    older = copy.deepcopy(rig.store.rows)
    if claimed_since:
        rig.restart()
        await rig.assign()
    await learned(rig, saved_at, goes_to)
    await rig.save()
    rig.store.rows = older


@pytest.mark.parametrize("claimed_since", [False, True])
async def test_a_newer_memory_is_written_over_an_older_copy(rig: Rig, claimed_since: bool) -> None:
    await restored_from(rig, 5, 10, claimed_since=claimed_since)
    await learned(rig, 10, 12)
    for _ in range(3):  # refused, claimed or told the generation, written
        await rig.save()
    assert rig.failures == []
    assert rig.meter.incidents == {"rollback": 1}
    rig.restart()
    assert await rig.assign() == 12
    assert rig.learner.counts.learned == 12


@pytest.mark.parametrize("claimed_since", [False, True])
async def test_a_worker_without_news_notices_it_too(rig: Rig, claimed_since: bool) -> None:
    await restored_from(rig, 5, 10, claimed_since=claimed_since)
    for _ in range(3):
        await rig.save()
    assert rig.meter.incidents == {"rollback": 1}
    rig.restart()
    assert await rig.assign() == 10


async def test_a_store_that_was_emptied_is_filled_again(rig: Rig) -> None:
    await learned(rig, 0, 5)
    await rig.save()
    rig.store.rows.clear()
    await learned(rig, 5, 7)
    for _ in range(3):
        await rig.save()
    rig.restart()
    assert await rig.assign() == 7


async def test_a_rebalance_finds_the_older_copy_too(rig: Rig) -> None:
    await restored_from(rig, 5, 10, claimed_since=True)
    assert await rig.assign() == 10
    assert rig.meter.incidents == {"rollback": 1}
    for _ in range(2):
        await rig.save()
    rig.restart()
    assert await rig.assign() == 10


async def test_without_memory_it_learns_again_and_publishes_the_same(rig: Rig) -> None:
    await restored_from(rig, 5, 10, claimed_since=False)
    first = list(rig.emitter.records)
    rig.emitter.records.clear()
    rig.restart()
    assert await rig.assign() == 5
    await learned(rig, 5, 10)
    assert rig.emitter.records == first[5:]


@pytest.mark.parametrize("claimed_since", [False, True])
async def test_by_policy_it_stops_and_says_so(claimed_since: bool) -> None:
    rig = Rig(HOURLY, stop_on_rollback=True)
    await rig.assign()
    await restored_from(rig, 5, 10, claimed_since=claimed_since)
    await learned(rig, 10, 12)
    await rig.save()
    assert isinstance(rig.failures[0], RolledBack)
    assert "restored from an older copy" in str(rig.failures[0])
    assert "redis.on_rollback" in str(rig.failures[0])
    stored = rig.store.rows[PARTITION].stored
    assert stored is not None
    assert stored.next_offset == 5


# ---------------------------------------------------------------- damaged


async def saved_twice(rig: Rig) -> None:
    await learned(rig, 0, 5)
    await rig.save()
    await learned(rig, 5, 10)
    await rig.save()
    rig.restart()


async def test_a_damaged_snapshot_is_given_up_for_the_one_before(rig: Rig) -> None:
    await saved_twice(rig)
    damage(rig)
    assert await rig.assign() == 5
    assert rig.meter.incidents == {"revert": 1}
    await learned(rig, 5, 12)
    await rig.save()
    rig.restart()
    assert await rig.assign() == 12
    assert rig.learner.counts.learned == 12


async def test_without_one_before_it_stops_with_a_sentence(rig: Rig) -> None:
    await learned(rig, 0, 5)
    await rig.save()
    rig.restart()
    damage(rig)
    with pytest.raises(SnapshotError, match=r"checksum.*hedgerow state forget.*no generation"):
        await rig.assign()
    assert not rig.holdings.ready


async def test_when_both_are_damaged_it_names_both_faults(rig: Rig) -> None:
    await saved_twice(rig)
    damage(rig)
    row = rig.store.rows[PARTITION]
    assert row.previous is not None
    row.previous.chunks.pop("meta")  # type: ignore[attr-defined]
    with pytest.raises(SnapshotError, match=r"meta: chunk was changed.*before it: chunk meta"):
        await rig.assign()


async def test_a_newer_snapshot_is_refused_and_kept(rig: Rig) -> None:
    await saved_twice(rig)
    damage(rig, version=9)
    before = rig.store.rows[PARTITION].stored
    with pytest.raises(SnapshotTooNew, match="version 9"):
        await rig.assign()
    assert rig.store.rows[PARTITION].stored is before


# ---------------------------------------------------------------- unreachable or full


@pytest.mark.parametrize("fault", ["down", "full"])
async def test_nothing_is_learned_while_nothing_can_be_saved(
    rig: Rig, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    await learned(rig, 0, 5)
    setattr(rig.store, fault, True)
    await rig.save()
    assert rig.holdings.paused
    feeding = asyncio.create_task(learned(rig, 5, 9))
    await asyncio.sleep(0.1)
    assert not feeding.done()
    assert rig.learner.counts.learned == 5
    setattr(rig.store, fault, False)
    await asyncio.wait_for(feeding, 10)
    assert not rig.holdings.paused
    await rig.save()
    rig.restart()
    assert await rig.assign() == 9
    assert rig.learner.counts.learned == 9


async def test_a_partition_given_away_no_longer_holds_up_the_rest(rig: Rig) -> None:
    await learned(rig, 0, 5)
    rig.store.down = True
    await rig.save()
    rig.store.down = False
    await rig.holdings.assign([], lambda _: asyncio.sleep(0, {}))
    assert not rig.holdings.paused


# ---------------------------------------------------------------- another log


async def test_the_state_of_another_topic_of_that_name_is_refused(rig: Rig) -> None:
    await learned(rig, 0, 5)
    await rig.save()
    rig.log_id = "another"
    rig.restart()
    with pytest.raises(LogChanged, match="hedgerow state adopt"):
        await rig.assign()


async def test_state_of_before_topics_had_ids_is_taken(rig: Rig) -> None:
    rig.log_id = ""
    rig.restart()
    await rig.assign()
    await learned(rig, 0, 5)
    await rig.save()
    rig.log_id = "first"
    rig.restart()
    assert await rig.assign() == 5


async def test_messages_gone_from_kafka_are_counted_at_their_place(rig: Rig) -> None:
    await learned(rig, 0, 3)
    messages = hours(9)[6:]
    await rig.feed(Batch(PARTITION, 3, 9, messages, skipped=3))
    await rig.save()
    rig.restart()
    assert await rig.assign() == 9
    holding = rig.holdings.get(PARTITION)
    assert holding is not None
    assert holding.progress.skipped == 3
    assert rig.learner.counts.messages == 6
