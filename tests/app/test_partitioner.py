"""Partitioners: the same partition as the clients that senders use."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from stack.fixtures import Stack

from hedgerow.app.broker.partitioner import _murmur2, partition_of, recognise
from hedgerow.app.settings import Partitioner

KEYS = [f"sensor-{n}".encode() for n in range(200)] + [b"", b"\xff", "Süd".encode(), b"abc"]
# What librdkafka calls the same hash; Java's default is murmur2.
CLIENTS = {Partitioner.MURMUR2: "murmur2", Partitioner.CRC32: "consistent"}


@pytest.mark.parametrize(
    ("key", "hashed"),
    [  # from Kafka's own UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_javas(key: bytes, hashed: int) -> None:
    assert _murmur2(key) == hashed % 2**32


def sent(bootstrap: str, topic: str, partitioner: str) -> set[tuple[bytes, int]]:
    """Let librdkafka choose the partition of each key."""
    where: set[tuple[bytes, int]] = set()

    def delivered(error: object, message: Message) -> None:
        assert error is None
        where.add((message.key() or b"", message.partition()))

    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": partitioner})
    for key in KEYS:
        producer.produce(topic, key=key, value=b"1", on_delivery=delivered)
    assert producer.flush(30) == 0
    return where


@pytest.mark.parametrize("partitioner", Partitioner)
def test_it_agrees_with_librdkafka_and_is_recognised(
    embedded_stack: Stack, partitioner: Partitioner
) -> None:
    topic = f"keys-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": embedded_stack.bootstrap})
    for future in admin.create_topics([NewTopic(topic, 7, 1)]).values():
        future.result(20)
    where = sent(embedded_stack.bootstrap, topic, CLIENTS[partitioner])
    assert where == {(key, partition_of(partitioner, key, 7)) for key in KEYS}
    shares = recognise(where, 7)
    assert shares.pop(partitioner) == 1.0
    assert max(shares.values()) < 0.5
