"""Topics as plain lists of records: made, written and read back, nothing decoded."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

KEEP_FOR_EVER = {"retention.ms": "-1"}  # the readings carry old timestamps on purpose


@dataclass(frozen=True, slots=True)
class Entry:
    """A message about to be written."""

    partition: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it stands in a topic."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def create_topics(bootstrap: str, topics: Iterable[str], partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    fresh = [NewTopic(topic, partitions, 1, config=KEEP_FOR_EVER) for topic in topics]
    for future in admin.create_topics(fresh).values():
        future.result(30)


def write(bootstrap: str, topic: str, entries: Sequence[Entry]) -> list[Record]:
    """Append the entries in order; return them as they stand in the topic, by partition."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "message.timeout.ms": 60_000,
        }
    )
    for entry in entries:
        producer.produce(
            topic,
            key=entry.key,
            value=entry.value,
            partition=entry.partition,
            timestamp=entry.timestamp_ms,
        )
    if producer.flush(60):
        raise AssertionError(f"{topic} did not take {len(producer)} messages")
    return read(bootstrap, topic, at_least=len(entries))


class Reader:
    """Follows one topic from its beginning; ``records`` grows with every `poll`."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.records: list[Record] = []
        self._topic = topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"reader-{uuid4().hex}",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "log_level": 3,
            }
        )
        known = self._consumer.list_topics(topic, timeout=20).topics[topic]
        self._partitions = sorted(known.partitions)
        self._next = dict.fromkeys(self._partitions, 0)
        self._consumer.assign([TopicPartition(topic, number, 0) for number in self._partitions])

    def poll(self, seconds: float = 0.02) -> list[Record]:
        """Return what arrived since the last call, in the order of each partition."""
        arrived = [_record(message) for message in self._consumer.consume(10_000, seconds)]
        for record in arrived:
            self._next[record.partition] = record.offset + 1
        self.records.extend(arrived)
        return arrived

    def ends(self) -> dict[int, int]:
        """Return the end of each partition: the offset the next record will have."""
        return {
            number: self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, number), timeout=20
            )[1]
            for number in self._partitions
        }

    def read_to_end(self, seconds: float = 60.0) -> list[Record]:
        """Read up to what is there now and return everything read so far."""
        ends = self.ends()
        deadline = time.monotonic() + seconds
        while any(self._next[number] < end for number, end in ends.items()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self._topic}: at {self._next} of {ends} in {seconds} s")
            self.poll(0.1)
        return self.records

    def close(self) -> None:
        self._consumer.close()


def read(bootstrap: str, topic: str, at_least: int = 0) -> list[Record]:
    """Read a whole topic, partition by partition in the order of the log."""
    reader = Reader(bootstrap, topic)
    try:
        records = reader.read_to_end()
        if len(records) < at_least:
            raise AssertionError(f"{topic} holds {len(records)} records of {at_least}")
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        reader.close()


def _record(message: Message) -> Record:
    if message.error() is not None:
        raise KafkaException(message.error())
    return Record(
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple((name, value or b"") for name, value in message.headers() or ()),
    )
