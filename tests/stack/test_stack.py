"""The servers the other tests lean on: each answers, keeps a record and a key."""

from __future__ import annotations

from uuid import uuid4

import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from stack.fixtures import Stack
from stack.kafka_server import KafkaServer
from stack.parts import require, without

from hedgerow.app.embedded.servers import EmbeddedRedis


def sent_and_read_back(bootstrap: str) -> bytes | None:
    topic = f"stack-{uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, 2, 1)]).values():
        future.result(20)
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    producer.produce(topic, value=b"v", partition=1, timestamp=1_760_000_000_000)
    assert producer.flush(20) == 0
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "nobody"})
    try:
        consumer.assign([TopicPartition(topic, 1, 0)])
        message = consumer.poll(20)
        assert message is not None
        assert message.timestamp()[1] == 1_760_000_000_000
        value: bytes | None = message.value()
        return value
    finally:
        consumer.close()


def test_the_embedded_stack_keeps_a_record_and_a_key(embedded_stack: Stack) -> None:
    assert sent_and_read_back(embedded_stack.bootstrap) == b"v"
    with redis.Redis.from_url(embedded_stack.redis_url) as client:
        assert client.ping()


@pytest.mark.kafka
def test_a_real_kafka_keeps_a_record(kafka: KafkaServer) -> None:
    assert sent_and_read_back(kafka.bootstrap) == b"v"


@pytest.mark.redis
def test_a_real_redis_keeps_a_key(real_redis: EmbeddedRedis) -> None:
    with redis.Redis.from_url(real_redis.url) as client:
        client.set("stack:key", "v")
        assert client.get("stack:key") == b"v"


def test_a_missing_part_skips_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program"):
        require(without("sh", "no-such-program"))


def test_a_missing_part_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        require(without("no-such-program"))
