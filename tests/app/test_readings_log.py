"""The readings' log: where to go on, what a changed topic means, and what the census refuses."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from stack.fixtures import Stack

from hedgerow.agents.errors import LogChanged, LogGap
from hedgerow.agents.ports import Partition
from hedgerow.app.broker import readings_log as module
from hedgerow.app.broker.readings_log import LogFacts, go_on_at, watch
from hedgerow.app.errors import BrokerUnavailable, TopicMissing
from hedgerow.app.settings import Gap
from hedgerow.app.state.census import Census, RedisCensus

PARTITION = Partition("sensor-data", 3)
FACTS = LogFacts("sensor-data", "first", 4)


# ---------------------------------------------------------------- gaps


@pytest.mark.parametrize(("policy", "goes_on"), [(Gap.EARLIEST, 40), (Gap.LATEST, 90)])
def test_where_the_policy_allows_it_goes_on(policy: Gap, goes_on: int) -> None:
    assert go_on_at(policy, PARTITION, due=5, earliest=40, end=90) == goes_on


def test_otherwise_it_stops_and_says_how_many_are_gone() -> None:
    with pytest.raises(LogGap, match="offset 5 is due next.*35 messages are gone.*on_gap"):
        go_on_at(Gap.ERROR, PARTITION, due=5, earliest=40, end=90)


@pytest.mark.parametrize("policy", Gap)
def test_a_log_that_ends_before_the_state_is_another_log(policy: Gap) -> None:
    with pytest.raises(LogChanged, match="ends at offset 90, and its state stands at 91"):
        go_on_at(policy, PARTITION, due=91, earliest=0, end=90)


# ---------------------------------------------------------------- the watch


Answer = LogFacts | Exception


async def watched(monkeypatch: pytest.MonkeyPatch, answers: list[Answer]) -> list[Exception]:
    """Let the broker answer one thing after the other, and return what the watch reports."""
    left = list(answers)
    failures: list[Exception] = []

    def describe(_: object, topic: str) -> LogFacts:
        assert topic == FACTS.topic
        answer = left.pop(0) if left else FACTS
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(module, "describe_log", describe)
    task = asyncio.create_task(
        watch(None, FACTS, failures.append, every_seconds=0.001)  # type: ignore[arg-type]
    )
    deadline = asyncio.get_running_loop().time() + 10
    while (left or task.done()) and not failures:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.001)
    task.cancel()
    return failures


async def test_a_topic_made_anew_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    (failure,) = await watched(monkeypatch, [FACTS, LogFacts("sensor-data", "second", 4)])
    assert "made anew while it was read" in str(failure)


async def test_other_partitions_are_reported_with_what_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (failure,) = await watched(monkeypatch, [FACTS, LogFacts("sensor-data", "first", 6)])
    assert "hedgerow state repartition" in str(failure)


async def test_a_broker_that_does_not_answer_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone, away = TopicMissing("not known yet"), BrokerUnavailable("away")
    assert await watched(monkeypatch, [away, gone, gone, FACTS, away, gone, gone, FACTS]) == []


async def test_a_deleted_topic_is_reported_when_it_stays_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (failure,) = await watched(monkeypatch, [TopicMissing("gone")] * 3)
    assert "was deleted" in str(failure)


# ---------------------------------------------------------------- the census


@pytest.fixture
async def census(embedded_stack: Stack) -> AsyncIterator[RedisCensus]:
    client = Redis.from_url(embedded_stack.redis_url)
    yield RedisCensus(client, prefix=uuid.uuid4().hex, group="g", topic="sensor-data")
    await client.aclose()


async def test_the_first_worker_writes_down_what_it_finds(census: RedisCensus) -> None:
    await census.check(FACTS)
    await census.check(FACTS)
    assert await census.read() == Census(4)


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (Census(3), "has 4 partitions, and what is stored was learned with 3.*repartition"),
        (Census(9), "was learned with 9: it was deleted and made anew"),
        (Census(3, moving_to=4), "is being moved from 3 to 4.*to finish that"),
    ],
)
async def test_another_number_is_refused_with_what_to_run(
    census: RedisCensus, kept: Census, said: str
) -> None:
    await census.write(kept)
    with pytest.raises(LogChanged, match=said):
        await census.check(FACTS)
