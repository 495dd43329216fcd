"""What is fetched is handed over once and in order, whatever is sought meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from hedgerow.agents.ports import Batch, Partition
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

    async def _wait_next_records(self, timeout: float) -> tuple[Found, None]:
        self.meanwhile()
        return self.found, None

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
