"""Stretches of a topic, read without joining a group: for commands that look at whole logs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from hedgerow.agents.ports import Partition
from hedgerow.app.access.kafka import client_config
from hedgerow.app.errors import BrokerUnavailable
from hedgerow.app.settings import KafkaSettings

AT_ONCE = 2_000
POLL_SECONDS = 0.5
ANSWER_SECONDS = 30.0
UNKNOWN_END = 2**62  # an offset beyond every log
NO_GROUP = "hedgerow-spans"  # the client wants one; it is never joined


@dataclass(frozen=True, slots=True)
class Span:
    """What Kafka holds of a partition: from the first offset to one past the last."""

    earliest: int
    end: int


@dataclass(frozen=True, slots=True)
class SpanMessage:
    """A message of a span; satisfies the codec's ``Message``."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def spans(kafka: KafkaSettings, partitions: Sequence[Partition]) -> dict[Partition, Span]:
    """Ask the broker what it holds; `whole_spans` finds the ends of the embedded one as well.

    A consumer is asked, not the admin client: its ``list_offsets`` (confluent-kafka 2.14) now and
    then ends the process with a segmentation fault.

    Raises
    ------
    BrokerUnavailable
        If it does not tell.
    """
    consumer = Consumer({**client_config(kafka, "hedgerow-spans"), "group.id": NO_GROUP})
    try:
        return {partition: _span(consumer, partition) for partition in partitions}
    except KafkaException as error:
        raise BrokerUnavailable(f"the broker does not tell its offsets: {error}") from None
    finally:
        consumer.close()


def whole_spans(kafka: KafkaSettings, partitions: Sequence[Partition]) -> dict[Partition, Span]:
    """Find what the broker holds, the end of each partition by a fetch.

    Asked for its latest offset, the embedded broker gives the first of its last batch, plus one.

    Raises
    ------
    BrokerUnavailable
        If it does not tell.
    """
    told = spans(kafka, partitions)
    ends = {partition: Span(span.end, UNKNOWN_END) for partition, span in told.items()}
    found = {partition: span.end for partition, span in told.items()}
    deadline = time.monotonic() + ANSWER_SECONDS
    with SpanReader(kafka, ends) as reader:
        while not reader.finished:
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"no end of {partitions[0].topic} was found in time")
            for partition, messages in reader.read().items():
                found[partition] = messages[-1].offset + 1
        found |= reader.ends
    return {partition: Span(span.earliest, found[partition]) for partition, span in told.items()}


def _span(consumer: Consumer, partition: Partition) -> Span:
    asked = TopicPartition(partition.topic, partition.number)
    answer = consumer.get_watermark_offsets(asked, timeout=ANSWER_SECONDS)
    if answer is None:
        raise BrokerUnavailable(f"{partition}: no offsets within {ANSWER_SECONDS:.0f} s")
    earliest, end = answer
    return Span(earliest, end)


class SpanReader:
    """Reads each partition from the first offset of its span to its end, in a ``with`` block.

    Attributes
    ----------
    ends : dict of Partition to int
        Where fetches found that partitions end.
    """

    def __init__(self, kafka: KafkaSettings, wanted: Mapping[Partition, Span]) -> None:
        self._wanted = wanted
        self.ends: dict[Partition, int] = {}
        self._left = {partition for partition, span in wanted.items() if span.earliest < span.end}
        self._consumer = Consumer(
            {
                **client_config(kafka, "hedgerow-spans"),
                "group.id": NO_GROUP,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        self._consumer.assign(
            [TopicPartition(p.topic, p.number, wanted[p].earliest) for p in self._left]
        )

    @property
    def finished(self) -> bool:
        """Whether everything has been read."""
        return not self._left

    def read(self) -> dict[Partition, list[SpanMessage]]:
        """Return what has arrived of each partition, in order; may be nothing.

        Raises
        ------
        BrokerUnavailable
            If the broker refuses.
        """
        arrived: dict[Partition, list[SpanMessage]] = {}
        for message in self._consumer.consume(AT_ONCE, POLL_SECONDS):
            partition = Partition(message.topic(), message.partition())
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                self._left.discard(partition)  # what is left up to the end are no messages
                self.ends[partition] = message.offset()
            elif error is not None and error.fatal():
                raise BrokerUnavailable(f"{partition}: {error.str()}")
            elif error is None and message.offset() < self._wanted[partition].end:
                found = SpanMessage(
                    message.offset(), message.timestamp()[1], message.key(), message.value()
                )
                arrived.setdefault(partition, []).append(found)
        for partition, messages in arrived.items():
            if messages[-1].offset + 1 >= self._wanted[partition].end:
                self._left.discard(partition)
        return arrived

    def messages(self, partition: Partition) -> Iterator[SpanMessage]:
        """Read one partition to the end of its span."""
        while not self.finished:
            yield from self.read().get(partition, ())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()
