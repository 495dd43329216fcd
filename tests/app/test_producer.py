"""The emitter against a broker: in order, with headers, and it knows what has arrived."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from stack.fixtures import Stack

from hedgerow.agents.errors import EmitFailed
from hedgerow.agents.ports import OutRecord
from hedgerow.app.broker import producer as module
from hedgerow.app.broker.producer import KafkaEmitter
from hedgerow.app.settings import KafkaSettings


@pytest.fixture
def topic(embedded_stack: Stack) -> str:
    name = uuid.uuid4().hex
    admin = AdminClient({"bootstrap.servers": embedded_stack.bootstrap})
    admin.create_topics([NewTopic(name, num_partitions=1)])[name].result()
    return name


@pytest.fixture
async def emitter(embedded_stack: Stack) -> AsyncIterator[KafkaEmitter]:
    emitter = KafkaEmitter(KafkaSettings(bootstrap_servers=embedded_stack.bootstrap))
    yield emitter
    await asyncio.to_thread(emitter.close)


def read(stack: Stack, topic: str, count: int) -> list[tuple[bytes, bytes, object]]:
    consumer = Consumer({"bootstrap.servers": stack.bootstrap, "group.id": uuid.uuid4().hex})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[tuple[bytes, bytes, object]] = []
    while len(found) < count:
        messages = consumer.consume(count, timeout=30)
        assert messages, f"{len(found)} of {count} records arrived"
        found += [(m.key(), m.value(), m.headers()) for m in messages]
    consumer.close()
    return found


async def test_what_is_acknowledged_has_arrived_in_order(
    emitter: KafkaEmitter, embedded_stack: Stack, topic: str
) -> None:
    records = [(b"k", b"%d" % number) for number in range(5000)]
    emitter.emit(topic, records[:3000])
    emitter.emit(topic, records[3000:])
    await emitter.acknowledged()
    arrived = await asyncio.to_thread(read, embedded_stack, topic, 5000)
    assert [(key, value) for key, value, _ in arrived] == records


async def test_headers_and_empty_parts_survive(
    emitter: KafkaEmitter, embedded_stack: Stack, topic: str
) -> None:
    emitter.emit_with_headers(OutRecord(topic, None, None, (("dlq.reason", b"json"),)))
    await emitter.acknowledged()
    arrived = await asyncio.to_thread(read, embedded_stack, topic, 1)
    assert arrived == [(None, None, [("dlq.reason", b"json")])]


async def test_a_full_queue_loses_nothing_and_asks_to_wait(
    embedded_stack: Stack, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUEUE_RECORDS", 100)
    monkeypatch.setattr(module, "FULL", 50)
    emitter = KafkaEmitter(KafkaSettings(bootstrap_servers=embedded_stack.bootstrap, linger_ms=0))
    records = [(b"k", b"%d" % number) for number in range(2000)]
    emitter.emit(topic, records)
    await emitter.room()
    await emitter.acknowledged()
    arrived = await asyncio.to_thread(read, embedded_stack, topic, 2000)
    assert [(key, value) for key, value, _ in arrived] == records
    await asyncio.to_thread(emitter.close)


async def test_an_output_that_cannot_be_delivered_is_a_failure(topic: str) -> None:
    emitter = KafkaEmitter(KafkaSettings(bootstrap_servers="127.0.0.1:1"))
    emitter.emit_with_headers(OutRecord(topic, b"k", b"x" * 5_000_000))
    with pytest.raises(EmitFailed, match="refused"):
        await emitter.acknowledged()
    await asyncio.to_thread(emitter.close, 0.1)


async def test_two_checkpoints_can_wait_at_once(
    emitter: KafkaEmitter, embedded_stack: Stack, topic: str
) -> None:
    emitter.emit(topic, [(b"k", b"1")] * 500)
    first = asyncio.create_task(emitter.acknowledged())
    await asyncio.sleep(0)
    emitter.emit(topic, [(b"k", b"2")] * 500)
    await asyncio.gather(first, emitter.acknowledged())
    assert len(await asyncio.to_thread(read, embedded_stack, topic, 1000)) == 1000
