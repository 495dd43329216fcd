"""Reads what the worker publishes: predictions and alerts, each record once.

Before: the worker's producer. After: a person at a terminal, or the demo's scoreboard. A
worker that was killed repeats records under the same ids; they are dropped here.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    Message,
    TopicPartition,
)

from hedgerow.app.access.admission import UNAUTHORISED, Watch, ask_metadata
from hedgerow.app.access.kafka import client_config
from hedgerow.app.access.permissions import Need, lacking_sentence
from hedgerow.app.errors import AccessRefused, BrokerUnavailable, TopicMissing
from hedgerow.app.settings import KafkaSettings

ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.2
_AT_ONCE = 500


class Tail:
    """The values of one topic, all partitions, in a ``with`` block.

    It joins no group and commits nothing: looking never moves a worker.

    Parameters
    ----------
    kafka : KafkaSettings
        The brokers.
    topic : str
        What to read.
    from_beginning : bool
        Start with the oldest record that is kept, not with the next one.
    follow : bool
        Go on with what comes later; else end at what is there now.

    Raises
    ------
    BrokerUnavailable
        If no broker answers.
    AccessRefused
        If one does, but we may not read.
    TopicMissing
        If there is no such topic.

    Attributes
    ----------
    went_back : bool
        Whether a partition was shorter than it had been: the topic was made anew, or cut.
    """

    def __init__(
        self, kafka: KafkaSettings, topic: str, *, from_beginning: bool, follow: bool
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._watch = Watch()
        self._consumer = Consumer(
            {
                **client_config(kafka, "hedgerow-tail", on_error=self._watch),
                "group.id": "hedgerow-tail",  # the client wants one; it is never joined
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                # The end is where a fetch finds it: asked for its latest offset, the embedded
                # broker gives the first of its last batch, plus one.
                "enable.partition.eof": True,
                "log_level": 2,
            }
        )
        try:
            partitions = self._partitions(kafka)
            start = OFFSET_BEGINNING if from_beginning else OFFSET_END
            self._consumer.assign([TopicPartition(topic, n, start) for n in partitions])
        except BaseException:
            self._consumer.close()
            raise
        self._follow = follow
        self._left = partitions
        self._ends = dict.fromkeys(partitions, 0)
        self.went_back = False

    def values(self) -> Iterator[bytes]:
        """Wait for records and give their values; ends only when not following."""
        for message in self.messages():
            value = message.value()
            if value is not None:
                yield value

    def messages(self) -> Iterator[Message]:
        """Wait for records; ends only when not following."""
        while self._follow or self._left:
            yield from self.poll()

    @property
    def at_end(self) -> bool:
        """Whether every partition has been read to where it once ended."""
        return not self._left

    def end(self, partition: int) -> int:
        """Return the first offset of a partition that has not been read."""
        return self._ends[partition]

    def poll(self) -> list[Message]:
        """Wait a moment for records and give them, often none."""
        found = []
        for message in self._consumer.consume(_AT_ONCE, _POLL_SECONDS):
            error, number = message.error(), message.partition()
            if error is None:
                found.append(message)
                self._reach(number, message.offset() + 1)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._left.discard(number)
                self._reach(number, message.offset())
            elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                need = Need("topic", self._topic, "Read")
                raise AccessRefused(lacking_sentence(self._kafka, [need]))
            elif error.fatal():
                raise BrokerUnavailable(f"{self._topic}: {error.str()}")
        return found

    def _reach(self, partition: int, end: int) -> None:
        self.went_back |= end < self._ends[partition]
        self._ends[partition] = end

    def _partitions(self, kafka: KafkaSettings) -> set[int]:
        metadata = ask_metadata(self._consumer, self._watch, kafka, ANSWER_SECONDS, self._topic)
        topic = metadata.topics[self._topic]
        if topic.error is not None and topic.error.code() in UNAUTHORISED:
            need = Need("topic", self._topic, "Read")
            raise AccessRefused(lacking_sentence(kafka, [need]))
        if topic.error is not None or not topic.partitions:
            raise TopicMissing.named(self._topic)
        return set(topic.partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()


class Repeats:
    """Knows the ids it has seen, in memory that grows with the series, not with the records.

    An id is ``topic:partition:offset:rest``. The records of one series are published in the
    order of their offsets, so a repeat is whatever does not lie beyond the last one.

    Examples
    --------
    >>> repeats = Repeats()
    >>> [repeats.seen(f"sensor-data:0:{offset}:a") for offset in (1, 2, 1, 2, 3)]
    [False, False, True, True, False]
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, str], int] = {}

    def seen(self, record_id: str) -> bool:
        """Tell whether a record of this id came before, and remember it."""
        topic, partition, offset, rest = record_id.split(":", 3)
        series = (topic, partition, rest)
        if int(offset) <= self._last.get(series, -1):
            return True
        self._last[series] = int(offset)
        return False
