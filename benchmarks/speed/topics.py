"""Topics of a run: made, followed by their end offsets, looked into, deleted."""

from __future__ import annotations

import time
from statistics import fmean

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 8
DELETE_SECONDS = 30.0


class Topics:
    """What the benchmark asks of a broker.

    Parameters
    ----------
    bootstrap : str
        The broker's address.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
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
        return sum(self.ends(name, partitions))

    def mean_bytes(self, name: str, partitions: int = PARTITIONS, records: int = 2_000) -> float:
        """Return the mean size of a value, of the newest records."""
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": "look-in"})
        each = records // partitions
        consumer.assign(
            [
                TopicPartition(name, number, max(0, end - each))
                for number, end in enumerate(self.ends(name, partitions))
            ]
        )
        sizes: list[int] = []
        deadline = time.monotonic() + DELETE_SECONDS
        try:
            while len(sizes) < records // 2 and time.monotonic() < deadline:
                found = consumer.consume(records, timeout=0.5)
                sizes += [len(m.value()) for m in found if m.error() is None]
        finally:
            consumer.close()
        return fmean(sizes)
