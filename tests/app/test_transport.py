"""What is fetched is handed over once and in order, whatever is sought meanwhile."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from hedgerow.agents.ports import Arrived, Batch, Partition
from hedgerow.app.broker.transport import BatchConsumer

P0, P1 = TP("readings", 0), TP("readings", 1)
Found = dict[TP, list[Any]]


def records(first: int, end: int) -> list[Any]:
    return [SimpleNamespace(offset=n, timestamp=0) for n in range(first, end)]


class Fetched(BatchConsumer):
    """A consumer whose fetches are given; what Faust and aiokafka do is left out."""

    flow_active = True
    should_stop = False
    _buffered_partitions: frozenset[TP] = frozenset()

    def __init__(self, due: Mapping[TP, int]) -> None:
        self.app = SimpleNamespace(consumer_generation_id=1)
        self._expected = dict(due)
        self._skipped: dict[TP, int] = {}
        self._seek_back: set[TP] = set()
        self._polled = lambda _: None
        self.meanwhile: Callable[[], None] = lambda: None
        self.found: Found = {}
        self.sought: list[Mapping[TP, int]] = []
        self._taking: asyncio.Future[object] | None = None
        self._committed_offset: dict[TP, int | None] = {}
        self._acked: dict[TP, list[int]] = {}
        self._acked_index: dict[TP, set[int]] = defaultdict(set)
        self._active_partitions: set[TP] = set()
        self._paused_partitions: set[TP] = set()

    def assignment(self) -> set[TP]:
        return {P0, P1}

    async def _wait_next_records(self, timeout: float) -> tuple[Found, set[TP] | None]:
        self.meanwhile()
        return self.found, self._active_partitions or None

    async def seek_wait(self, positions: Mapping[TP, int]) -> None:
        self.sought.append(dict(positions))

    async def taken(self, found: Found) -> list[Batch]:
        self.found = found
        return [batch async for _, event in self.getmany(1.0) for batch in event.value]


def spans(batches: list[Batch]) -> dict[int, tuple[int, int]]:
    return {batch.partition.number: (batch.start, batch.next_offset) for batch in batches}


async def test_all_partitions_of_a_fetch_come_in_one_message() -> None:
    consumer = Fetched({P0: 10, P1: 20})
    consumer.found = {P0: records(10, 13), P1: records(20, 22)}

    ((tp, event),) = [pair async for pair in consumer.getmany(1.0)]

    assert tp == P0
    assert event.offset == 12
    assert spans(event.value) == {0: (10, 13), 1: (20, 22)}


async def test_two_topics_are_two_messages() -> None:
    other = TP("forecasts", 0)
    consumer = Fetched({P0: 10, other: 5})
    consumer.found = {P0: records(10, 13), other: records(5, 6)}

    events = [event async for _, event in consumer.getmany(1.0)]

    assert [event.topic for event in events] == ["readings", "forecasts"]


async def test_a_fetch_dropped_for_one_partition_loses_nothing_of_another() -> None:
    consumer = Fetched({P0: 10, P1: 20})
    consumer.meanwhile = lambda: consumer.realign(Partition(*P0), 12)
    assert await consumer.taken({P0: records(10, 15), P1: records(20, 25)}) == []

    consumer.meanwhile = lambda: None
    batches = await consumer.taken({P0: records(12, 15), P1: records(20, 30)})

    assert consumer.sought == [{P0: 12, P1: 20}]
    assert spans(batches) == {0: (12, 15), 1: (20, 30)}


@pytest.mark.parametrize("change", ["generation", "flow"])
async def test_what_is_not_handed_over_after_a_rebalance_is_fetched_again(change: str) -> None:
    other = TP("forecasts", 0)
    consumer = Fetched({P0: 10, other: 5})
    consumer.found = {P0: records(10, 13), other: records(5, 6)}

    seen = []
    async for _, event in consumer.getmany(1.0):
        seen.append(event.topic)
        if change == "flow":
            consumer.flow_active = False
        else:
            consumer.app.consumer_generation_id = 2
    consumer.flow_active = True
    batches = await consumer.taken({other: records(5, 7)})

    assert seen == ["readings"]
    assert consumer.sought == [{other: 5}]
    assert spans(batches) == {0: (5, 7)}


class Loaded:
    """What loads an assignment: tells of each partition when it is told to."""

    def __init__(self) -> None:
        self.there: asyncio.Queue[tuple[Partition, int]] = asyncio.Queue()
        self.ended = False

    async def __call__(self, partitions: Iterable[Partition], arrived: Arrived) -> None:
        try:
            for _ in partitions:
                arrived(*await self.there.get())
        finally:
            self.ended = True


async def test_a_partition_is_delivered_from_as_soon_as_it_has_arrived() -> None:
    consumer, loaded = Fetched({}), Loaded()
    consumer._assign_state = loaded
    loaded.there.put_nowait((Partition(*P1), 20))

    assert await consumer.seek_to_committed() == {P1: 20}
    assert consumer._active_partitions == {P1}
    batches = await consumer.taken({P1: records(20, 22)})
    assert consumer.sought == [{P1: 20}]
    assert spans(batches) == {1: (20, 22)}

    loaded.there.put_nowait((Partition(*P0), 10))
    while not loaded.ended:
        await asyncio.sleep(0)
    assert consumer._active_partitions == {P0, P1}
    batches = await consumer.taken({P0: records(10, 12), P1: records(22, 25)})
    assert consumer.sought[1:] == [{P0: 10}]
    assert spans(batches) == {0: (10, 12), 1: (22, 25)}


async def test_the_group_is_told_where_each_state_ends_though_nothing_comes_any_more() -> None:
    consumer, loaded = Fetched({}), Loaded()
    consumer._assign_state = loaded
    consumer._committed_offset = {P0: 9, P1: 30}  # as of an assignment before
    for partition, end in ((P0, 0), (P1, 20)):
        loaded.there.put_nowait((Partition(*partition), end))
    await consumer.seek_to_committed()
    while not loaded.ended:
        await asyncio.sleep(0)

    assert consumer._filter_committable_offsets([P0, P1]) == {P1: 20}
    assert consumer._filter_committable_offsets([P0, P1]) == {}, "once is enough"


async def test_an_assignment_ends_the_loading_of_the_one_before() -> None:
    consumer, before, after = Fetched({}), Loaded(), Loaded()
    consumer._assign_state = before
    before.there.put_nowait((Partition(*P0), 10))
    await consumer.seek_to_committed()

    consumer._assign_state = after
    after.there.put_nowait((Partition(*P1), 20))
    assert await consumer.seek_to_committed() == {P1: 20}
    assert before.ended
    assert consumer._active_partitions == {P1}


async def test_what_is_revoked_before_anything_has_arrived_waits_for_the_next_assignment() -> None:
    consumer, loaded = Fetched({}), Loaded()
    consumer._assign_state = loaded
    seeking = asyncio.ensure_future(consumer.seek_to_committed())
    await asyncio.sleep(0.01)
    await consumer._stop_taking()
    await asyncio.sleep(0.01)
    assert loaded.ended
    assert not seeking.done()
    seeking.cancel()


async def test_an_assignment_that_cannot_be_loaded_is_told() -> None:
    async def refuse(_: Iterable[Partition], __: Arrived) -> None:
        raise ValueError("no state")

    consumer = Fetched({})
    consumer._assign_state = refuse
    with pytest.raises(ValueError, match="no state"):
        await consumer.seek_to_committed()
