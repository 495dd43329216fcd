"""Topics of a run: made, followed by their end offsets, looked into, deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Self

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 8
DELETE_SECONDS = 30.0
AT_ONCE = 20_000


class Topics:
    """What the benchmark asks of a broker.

    Parameters
    ----------
    bootstrap : str
        The broker's address.
    exact_ends : bool
        Whether its end offsets can be believed. The embedded broker tells where the last batch
        *begins*; there records are counted by reading them.
    """

    def __init__(self, bootstrap: str, *, exact_ends: bool = True) -> None:
        self._bootstrap = bootstrap
        self._exact_ends = exact_ends
        self._readers: dict[str, _Reader] = {}
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
        self._asking = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "bench", "log_level": 3}
        )

    def make(self, *names: str, partitions: int = PARTITIONS) -> None:
        """Make topics of one replica, and wait for them."""
        wanted = [NewTopic(name, partitions, 1) for name in names]
        for made in self._admin.create_topics(wanted).values():
            made.result(DELETE_SECONDS)

    def delete(self, *names: str) -> None:
        """Delete topics: what they hold is no longer needed."""
        for name in set(names) & set(self._readers):
            self._readers.pop(name).close()
        for gone in self._admin.delete_topics(list(names)).values():
            gone.result(DELETE_SECONDS)

    def ends(self, name: str, partitions: int = PARTITIONS) -> list[int]:
        """Return the end offset of each partition: how many records were ever written to it."""
        deadline = time.monotonic() + DELETE_SECONDS  # just made, a topic has no leaders yet
        while True:
            try:
                return [
                    self._asking.get_watermark_offsets(TopicPartition(name, number), 10.0)[1]
                    for number in range(partitions)
                ]
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)
            self._asking.list_topics(timeout=10.0)  # what it took for unknown it would not ask for

    def count(self, name: str, partitions: int = PARTITIONS) -> int:
        """Return how many records were written to a topic."""
        if self._exact_ends:
            return sum(self.ends(name, partitions))
        return self._reader(name, partitions).read().records

    def mean_bytes(self, name: str, partitions: int = PARTITIONS, records: int = 2_000) -> float:
        """Return the mean size of a value, of the newest records where ends can be believed."""
        if not self._exact_ends:
            return self._reader(name, partitions).read().mean_bytes
        each = records // partitions
        starts = [max(0, end - each) for end in self.ends(name, partitions)]
        reader = _Reader(self._bootstrap, name, starts)
        deadline = time.monotonic() + DELETE_SECONDS
        try:
            while reader.records < records // 2 and time.monotonic() < deadline:
                reader.read()
            return reader.mean_bytes
        finally:
            reader.close()

    def _reader(self, name: str, partitions: int) -> _Reader:
        if name not in self._readers:
            self._readers[name] = _Reader(self._bootstrap, name, [0] * partitions)
        return self._readers[name]


class _Reader:
    """Reads a topic and keeps count."""

    def __init__(self, bootstrap: str, topic: str, starts: Sequence[int]) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "count", "log_level": 3}
        )
        self._consumer.assign(
            [TopicPartition(topic, number, start) for number, start in enumerate(starts)]
        )
        self.records = 0
        self._bytes = 0

    @property
    def mean_bytes(self) -> float:
        """Mean size of the values read so far."""
        return self._bytes / self.records if self.records else 0.0

    def read(self) -> Self:
        """Take what is there."""
        found = [m for m in self._consumer.consume(AT_ONCE, timeout=0.1) if m.error() is None]
        self.records += len(found)
        self._bytes += sum(len(m.value()) for m in found)
        return self

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()
