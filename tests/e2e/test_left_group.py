"""A group whose last workers left at once: who comes next is given the partitions all the same."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from faults.run.workers import Worker
from stack.fixtures import Stack

from hedgerow.app.broker.topic_admin import ensure_topics
from hedgerow.app.embedded.group import begin_anew
from hedgerow.app.settings import Settings, load_settings

PARTITIONS = 2


@pytest.fixture
def variables(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    name = uuid.uuid4().hex
    found = {
        "HEDGEROW_CONFIG": "",
        "HEDGEROW_GROUP": name,
        "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap,
        "HEDGEROW_REDIS__URL": stack.redis_url,
        "HEDGEROW_TOPICS__READINGS": name,
        "HEDGEROW_TOPICS__PARTITIONS": str(PARTITIONS),
    }
    for variable, value in found.items():
        monkeypatch.setenv(variable, value)
    return found


async def member(settings: Settings, number: int) -> AIOKafkaConsumer:
    """Join the group as a worker's consumer does."""
    consumer = AIOKafkaConsumer(
        settings.topics.readings,
        bootstrap_servers=settings.kafka.bootstrap_servers,
        group_id=settings.group,
        client_id=f"member-{number}",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=2_000,
        enable_auto_commit=False,
    )
    await consumer.start()
    return consumer


async def leave_at_once(settings: Settings) -> None:
    """Let two join, and leave before the first, who leads, has heard that the second did."""
    leader = await member(settings, 1)
    other = await member(settings, 2)
    async with asyncio.timeout(60):
        while [len(one.assignment()) for one in (leader, other)] != [1, 1]:
            await asyncio.sleep(0.05)
    await other.stop()
    await leader.stop()


async def until(done: Callable[[], bool], worker: Worker) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline, worker.tail()
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("stack", ["embedded_stack"], indirect=True, scope="session")
async def test_a_worker_that_waits_for_one_that_left_can_be_stopped_or_begins_the_group_anew(
    variables: Mapping[str, str], tmp_path: Path
) -> None:
    settings = load_settings()
    ensure_topics(settings)
    await leave_at_once(settings)
    waits = Worker("waits", tmp_path, variables)
    begins = Worker("begins", tmp_path, variables)
    try:
        await until(lambda: "BatchConsumer]: Starting" in waits.tail(), waits)
        assert waits.get("/readyz")[0] == 503
        await asyncio.to_thread(waits.leave)  # a JoinGroup under way may take some seconds more
        await until(lambda: begins.get("/readyz")[0] == 200, begins)
        assert "waited for a worker that has left" in begins.tail()
        assert begins.tail().count("no state yet, starts at offset 0") == PARTITIONS
        await asyncio.to_thread(begins.leave)
    finally:
        waits.end()
        begins.end()


@pytest.mark.kafka
@pytest.mark.parametrize("stack", ["real_stack"], indirect=True, scope="session")
async def test_on_kafka_nothing_is_begun_anew_and_nobody_waits(
    variables: Mapping[str, str],
) -> None:
    settings = load_settings()
    ensure_topics(settings)
    await leave_at_once(settings)
    after = await member(settings, 3)
    try:
        async with asyncio.timeout(20):
            while len(after.assignment()) < PARTITIONS:
                await asyncio.sleep(0.05)
        assert not await asyncio.to_thread(begin_anew, settings.kafka, settings.group)
    finally:
        await after.stop()
