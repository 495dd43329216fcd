"""Dead letters read back, chosen, and published again where they came from.

Before: a worker put them on the dead letters' topic. After: a person reads them, or, the fault
being mended, the same messages stand at the end of the readings' topic once more. There each of
their readings is learned at most once: what was learned already, or whose slot has passed, is
duplicate or late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from confluent_kafka import KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from hedgerow.app.access.kafka import client_config
from hedgerow.app.broker.partitioner import partition_of
from hedgerow.app.broker.tail import Repeats
from hedgerow.app.errors import BrokerUnavailable
from hedgerow.app.settings import KafkaSettings, Partitioner
from hedgerow.topics import records

ANSWER_SECONDS = 10.0
FLUSH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter.

    Attributes
    ----------
    key, value : bytes or None
        The original message's.
    topic, partition, offset
        Where that stood.
    time_ms : int
        Its Kafka timestamp; the dead letter's own where it had none.
    timestamp_ms : int
        Its Kafka timestamp, -1 if it had none.
    full_size : int or None
        How many bytes the value had, if it was truncated.
    replays : int
        How many times it had been replayed before it was refused.
    """

    key: bytes | None
    value: bytes | None
    reason: str
    error: str
    topic: str
    partition: int
    offset: int
    time_ms: int
    timestamp_ms: int
    full_size: int | None = None
    replays: int = 0

    @property
    def id(self) -> str:
        """``topic:partition:offset`` of the original message."""
        return f"{self.topic}:{self.partition}:{self.offset}"


def read_letter(message: Message) -> Letter | None:
    """Read a record of the dead letters' topic, ``None`` if it is none of ours."""
    headers = {
        name: (text or b"").decode(errors="replace") for name, text in message.headers() or ()
    }
    truncated = headers.get(records.DLQ_TRUNCATED)
    try:
        timestamp_ms = int(headers[records.DLQ_TIMESTAMP])
        return Letter(
            key=message.key(),
            value=message.value(),
            reason=headers[records.DLQ_REASON],
            error=headers.get(records.DLQ_ERROR, ""),
            topic=headers[records.DLQ_TOPIC],
            partition=int(headers[records.DLQ_PARTITION]),
            offset=int(headers[records.DLQ_OFFSET]),
            time_ms=timestamp_ms if timestamp_ms >= 0 else int(message.timestamp()[1]),
            timestamp_ms=timestamp_ms,
            full_size=None if truncated is None else int(truncated),
            replays=_count(headers.get(records.DLQ_REPLAYS)),
        )
    except (KeyError, ValueError):
        return None


def _count(text: str | None) -> int:
    """Read a count that a foreign sender may have written."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters are wanted.

    Attributes
    ----------
    reasons : frozenset of str
        Any of these; all where there are none.
    since_ms, until_ms : int or None
        Time of the original message: at or after, before.
    ids : frozenset of str
        These only, where there are some.
    """

    reasons: frozenset[str] = frozenset()
    since_ms: int | None = None
    until_ms: int | None = None
    ids: frozenset[str] = frozenset()

    def wants(self, letter: Letter) -> bool:
        """Tell whether a dead letter is wanted."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (self.since_ms is None or letter.time_ms >= self.since_ms)
            and (self.until_ms is None or letter.time_ms < self.until_ms)
            and (not self.ids or letter.id in self.ids)
        )


def letters(messages: Iterable[Message], wanted: Filter) -> Iterator[Letter]:
    """Give the dead letters that are wanted, each once: a killed worker repeats some."""
    repeats = Repeats()
    for message in messages:
        letter = read_letter(message)
        if letter is None or repeats.seen(f"{letter.id}:{message.partition()}"):
            continue
        if wanted.wants(letter):
            yield letter


@dataclass(slots=True)
class Replayed:
    """What a replay did: letters published again, and those left out, by why."""

    sent: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, why: str) -> None:
        """Count one that was not published."""
        self.left_out[why] = self.left_out.get(why, 0) + 1


class Publisher(Protocol):
    """Where replayed messages go."""

    def send(self, letter: Letter, headers: list[tuple[str, bytes]]) -> None:
        """Publish the original message again."""
        ...

    def finish(self) -> None:
        """Wait until everything has arrived."""
        ...


def replay(
    chosen: Iterable[Letter],
    publisher: Publisher,
    *,
    max_replays: int,
    keeps_time: Callable[[str], bool] = lambda _: True,
    limit: int | None = None,
) -> Replayed:
    """Publish the original messages of dead letters again.

    Parameters
    ----------
    max_replays : int
        A message that was replayed so often, and refused each time, is left out.
    keeps_time : Callable[[str], bool]
        Whether a topic keeps the time a record was given. Where it does not, a bare number,
        whose time is Kafka's, would become a reading of now, and is left out.
    limit : int, optional
        Stop after so many.
    """
    done = Replayed()
    for letter in chosen:
        if letter.full_size is not None:
            done.leave_out("truncated: its bytes are gone")
        elif letter.replays >= max_replays:
            done.leave_out(f"replayed {max_replays} times already (dead_letters.max_replays)")
        elif not keeps_time(letter.topic) and _is_bare(letter.value):
            done.leave_out("a bare number, whose time the topic would replace by now")
        else:
            publisher.send(
                letter,
                [
                    (records.DLQ_REPLAYS, b"%d" % (letter.replays + 1)),
                    (records.DLQ_SOURCE, letter.id.encode()),
                    (records.DLQ_REASON, letter.reason.encode()),
                ],
            )
            done.sent += 1
            if done.sent == limit:
                break
    publisher.finish()
    return done


def _is_bare(value: bytes | None) -> bool:
    try:
        float(value or b"")
    except ValueError:
        return False
    return True


class KafkaPublisher:
    """Publishes replayed messages with the key, value, time and partition they had.

    Parameters
    ----------
    partitioner : Partitioner, optional
        Chooses the partition by the key instead: after partitions were added.

    Raises
    ------
    BrokerUnavailable
        From every method, if a message cannot be delivered.
    """

    def __init__(self, kafka: KafkaSettings, partitioner: Partitioner | None = None) -> None:
        self._partitioner = partitioner
        self._failure: str | None = None
        self._partitions: dict[str, int] = {}
        self._producer = Producer(
            {
                **client_config(kafka, "hedgerow-dlq"),
                "enable.idempotence": True,
                "compression.type": kafka.compression,
                "message.max.bytes": 4_000_000,
                "message.timeout.ms": 60_000,
                "log_level": 0,
            }
        )

    def send(self, letter: Letter, headers: list[tuple[str, bytes]]) -> None:
        """Queue one message; waits while the queue is full."""
        stamp = {} if letter.timestamp_ms < 0 else {"timestamp": letter.timestamp_ms}
        while True:
            try:
                self._producer.produce(
                    letter.topic,
                    letter.value,
                    letter.key,
                    partition=self._partition(letter),
                    headers=headers,
                    on_delivery=self._on_delivery,
                    **stamp,
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise BrokerUnavailable(f"{letter.topic}: {error.args[0].str()}") from None
            else:
                break
        self._producer.poll(0)
        self._check()

    def finish(self) -> None:
        """Wait until the broker has acknowledged everything."""
        left = self._producer.flush(FLUSH_SECONDS)
        self._check()
        if left:
            raise BrokerUnavailable(f"{left} messages were not acknowledged in time")

    def _partition(self, letter: Letter) -> int:
        count = self._partitions.get(letter.topic)
        if count is None:
            count = self._count_partitions(letter.topic)
            self._partitions[letter.topic] = count
        if self._partitioner is not None and letter.key is not None:
            return partition_of(self._partitioner, letter.key, count)
        if letter.partition >= count:
            raise BrokerUnavailable(
                f"{letter.topic} has no partition {letter.partition} any more; use --by-key"
            )
        return letter.partition

    def _count_partitions(self, topic: str) -> int:
        try:
            found = self._producer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
        except KafkaException as error:
            raise BrokerUnavailable(f"no broker answers: {error.args[0].str()}") from None
        if found.error is not None or not found.partitions:
            raise BrokerUnavailable(f"there is no topic {topic} any more to replay to")
        return len(found.partitions)

    def _on_delivery(self, error: object, _message: object) -> None:
        if error is not None:
            self._failure = self._failure or str(error)

    def _check(self) -> None:
        if self._failure is not None:
            raise BrokerUnavailable(f"a message was not delivered: {self._failure}")


def keeps_time(admin: AdminClient, topic: str) -> bool:
    """Tell whether a topic keeps the times its records were given (the default)."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        answers = admin.describe_configs([resource], request_timeout=ANSWER_SECONDS)
        entry = answers[resource].result(ANSWER_SECONDS).get("message.timestamp.type")
    except (KafkaException, TimeoutError):
        return True  # it may not or does not tell
    return entry is None or entry.value != "LogAppendTime"
