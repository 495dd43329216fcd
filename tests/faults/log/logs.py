"""Topics as plain lists of records: made, written and read back, nothing decoded."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Event
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

KEEP_FOR_EVER = {"retention.ms": "-1"}  # the readings carry old timestamps on purpose
OUTPUT_BYTES = {"max.message.bytes": "3000000"}  # a dead letter carries a whole input message


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


def create_topics(
    bootstrap: str,
    topics: Iterable[str],
    partitions: int,
    *,
    replication: int = 1,
    config: Mapping[str, str] | None = None,
) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    kept = {**KEEP_FOR_EVER, **(config or {})}
    fresh = [NewTopic(topic, partitions, replication, config=kept) for topic in topics]
    for future in admin.create_topics(fresh).values():
        future.result(30)


def numbered(entries: Iterable[Entry]) -> list[Record]:
    """Return the entries as they will stand in a topic that nobody else writes to."""
    ends: Counter[int] = Counter()
    records = []
    for entry in entries:
        offset = ends[entry.partition]
        ends[entry.partition] += 1
        records.append(Record(entry.partition, offset, entry.timestamp_ms, entry.key, entry.value))
    return records


def write(
    bootstrap: str,
    topic: str,
    entries: Iterable[Entry],
    *,
    per_second: float = math.inf,
    may_write: Callable[[int], bool] = lambda _: True,
    at_once: Event | None = None,
    stop: Event | None = None,
) -> None:
    """Append the entries in order, until told to stop.

    At most so many in a second, and none while `may_write`, given how many are written, says
    no; once `at_once` is set, the rest without either.
    """
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "message.timeout.ms": 60_000,
            "message.max.bytes": 5_000_000,  # the broker is to say what is too large
        }
    )
    refused: list[str] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error.str())

    at_once, stop = at_once or Event(), stop or Event()
    due = time.monotonic()
    for count, entry in enumerate(entries):
        due += 1 / per_second
        while not at_once.is_set() and not stop.is_set() and not may_write(count):
            producer.poll(0)
            time.sleep(0.01)
            due = max(due, time.monotonic())  # what was held back is not made up for in a rush
        ahead = due - time.monotonic()
        if count % 1000 == 0:
            producer.poll(0)  # or the reports of what is delivered fill the queue
        if ahead > 0.01 and not at_once.is_set():
            producer.poll(0)
            at_once.wait(ahead)
        if stop.is_set():
            break
        producer.produce(
            topic,
            key=entry.key,
            value=entry.value,
            partition=entry.partition,
            timestamp=entry.timestamp_ms,
            on_delivery=delivered,
        )
    if producer.flush(60) or refused:
        raise AssertionError(
            f"{topic} did not take {len(producer) + len(refused)} messages: {set(refused)}"
        )


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
                "enable.partition.eof": True,
                "log_level": 3,
            }
        )
        known = self._consumer.list_topics(topic, timeout=20).topics[topic]
        self._partitions = sorted(known.partitions)
        self._next = dict.fromkeys(self._partitions, 0)
        self._at_end: set[int] = set()
        self._assign()

    def _assign(self) -> None:
        self._at_end.clear()
        self._consumer.assign(
            [TopicPartition(self._topic, number, at) for number, at in self._next.items()]
        )

    def poll(self, seconds: float = 0.01) -> list[Record]:
        """Return what arrived since the last call, in the order of each partition."""
        arrived = []
        for message in self._consumer.consume(10_000, seconds):
            if message.error() is None:
                arrived.append(_record(message))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                self._at_end.add(message.partition())
            else:
                raise KafkaException(message.error())
        for record in arrived:
            self._next[record.partition] = record.offset + 1
        self.records.extend(arrived)
        return arrived

    def read_to_end(self, seconds: float = 60.0) -> list[Record]:
        """Read up to what is there now and return everything read so far."""
        # Ends come with fetches, of which the first after an assignment is fresh. Asking for
        # them (ListOffsets) does not do: the embedded broker answers with the last batch's
        # first offset, plus one.
        self._assign()
        deadline = time.monotonic() + seconds
        while len(self._at_end) < len(self._partitions):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self._topic}: still reading at {self._next}")
            self.poll(0.05)
        return self.records

    def close(self) -> None:
        self._consumer.close()


def read(bootstrap: str, topic: str) -> list[Record]:
    """Read a whole topic, partition by partition in the order of the log."""
    reader = Reader(bootstrap, topic)
    try:
        return sorted(reader.read_to_end(), key=lambda record: (record.partition, record.offset))
    finally:
        reader.close()


def _record(message: Message) -> Record:
    return Record(
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple((name, value or b"") for name, value in message.headers() or ()),
    )
