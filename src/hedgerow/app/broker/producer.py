"""The emitter: confluent-kafka's idempotent producer, watched but never waited for.

Before: the agent hands over the records of one batch. After: the broker. A thread polls
for delivery reports; a checkpoint waits until everything emitted before it is acknowledged.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from hedgerow.agents.errors import EmitFailed, PortError, Refused
from hedgerow.agents.ports import OutRecord
from hedgerow.app.access.admission import UNAUTHORISED, is_refusal
from hedgerow.app.access.kafka import client_config
from hedgerow.app.access.permissions import Need, lacking_sentence
from hedgerow.app.settings import KafkaSettings

QUEUE_RECORDS = 200_000
FULL = QUEUE_RECORDS // 2
POLL_SECONDS = 0.05
_NO_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}


class _Tranche:
    """What was emitted between two checkpoints, counted until all of it is acknowledged.

    Only the event loop's thread adds to `sent`, only the polling thread to `acked`.
    """

    __slots__ = ("acked", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.acked = 0


class KafkaEmitter:
    """Sends outputs in order, idempotently, and knows what has arrived.

    Parameters
    ----------
    kafka : KafkaSettings
        Brokers, linger and compression.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._producer = Producer(
            {
                **client_config(kafka, "hedgerow", on_error=self._on_error),
                "enable.idempotence": True,
                "partitioner": "murmur2_random",  # Java's, so that other clients agree
                "linger.ms": kafka.linger_ms,
                "compression.type": kafka.compression,
                "queue.buffering.max.messages": QUEUE_RECORDS,
                "queue.buffering.max.kbytes": 256 * 1024,
                "message.max.bytes": 4_000_000,  # a dead letter carries a whole input message
                "message.timeout.ms": 0,  # an output waits for its broker as long as it takes
            }
        )
        self._tranche = _Tranche()
        self._unacknowledged: deque[_Tranche] = deque()
        self._waiting: deque[tuple[_Tranche, str, list[dict[str, Any]]]] = deque()
        self._kafka = kafka
        self.failure: PortError | None = None
        self._refused_at: float | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="deliveries", daemon=True)
        self._thread.start()
        self.connected = True

    # ---------------------------------------------------------------- the port

    async def room(self) -> None:
        """Wait while half of the producer's queue is taken."""
        while self.full:
            if self.failure is not None:
                raise self.failure
            self._retry()
            await asyncio.sleep(0.005)

    @property
    def full(self) -> bool:
        """Whether so much is unacknowledged that no batch should be taken."""
        return bool(self._waiting) or len(self._producer) > FULL

    def emit(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Queue (key, value) pairs; what finds no place is kept here, in order."""
        batch: list[dict[str, Any]] = [{"key": key, "value": value} for key, value in records]
        self._tranche.sent += len(batch)
        self._waiting.append((self._tranche, topic, batch))
        self._retry()

    def emit_with_headers(self, record: OutRecord) -> None:
        """Queue one record with headers (``produce_batch`` would drop them silently)."""
        self._tranche.sent += 1
        tranche = self._tranche
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                    on_delivery=partial(self._delivered, tranche),
                )
            except BufferError:  # rare, and dead letters come one by one: make room here
                self._producer.poll(0.01)
            except KafkaException as error:
                self._fail(EmitFailed(f"a record for {record.topic} was refused: {error.args[0]}"))
                return
            else:
                return

    async def acknowledged(self) -> None:
        """Wait until everything emitted so far has been acknowledged."""
        self._unacknowledged.append(self._tranche)
        self._tranche = _Tranche()
        mine = list(self._unacknowledged)
        while any(tranche.acked < tranche.sent for tranche in mine):
            if self.failure is not None:
                raise self.failure
            self._retry()
            await asyncio.sleep(0.005)
        if self.failure is not None:
            raise self.failure
        while self._unacknowledged and self._settled(self._unacknowledged[0]):
            self._unacknowledged.popleft()

    # ---------------------------------------------------------------- the way in

    @property
    def refused_seconds(self) -> float:
        """For how long the broker has been refusing us; 0 while it does not."""
        return 0.0 if self._refused_at is None else time.monotonic() - self._refused_at

    def forget_refusal(self) -> None:
        """Begin anew: only another refusal counts."""
        self._refused_at = None

    def close(self, limit_seconds: float = 5.0) -> None:
        """Deliver what is queued, within a limit, and stop polling."""
        self._producer.flush(limit_seconds)
        self._closing.set()
        self._thread.join()

    # ---------------------------------------------------------------- pieces

    def _retry(self) -> None:
        """Move what waits into the producer's queue, as far as it goes."""
        while self._waiting:
            tranche, topic, batch = self._waiting[0]
            queued = self._producer.produce_batch(
                topic, batch, on_delivery=partial(self._delivered, tranche)
            )
            if queued == len(batch):
                self._waiting.popleft()
                continue
            left: list[dict[str, Any]] = []
            for entry in batch:
                error = entry.pop("_error", None)
                if error is None:
                    continue
                if error.code() != KafkaError._QUEUE_FULL:
                    self._fail(EmitFailed(f"a record for {topic} was refused: {error.str()}"))
                    return
                left.append(entry)
            self._waiting[0] = (tranche, topic, left)
            return

    @staticmethod
    def _settled(tranche: _Tranche) -> bool:
        return tranche.acked >= tranche.sent

    def _delivered(self, tranche: _Tranche, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.connected = True
            self._refused_at = None
        elif error.code() in UNAUTHORISED:
            need = Need("topic", message.topic(), "Write")
            self._fail(Refused(lacking_sentence(self._kafka, [need])))
        else:
            self._fail(EmitFailed(_refused(message.topic(), error)))
        tranche.acked += 1

    def _fail(self, failure: PortError) -> None:
        """Note a failure for good; the first one counts."""
        self.failure = self.failure or failure

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.connected = False
        elif is_refusal(error):
            self._refused_at = self._refused_at or time.monotonic()
        elif error.fatal():
            self._fail(EmitFailed(f"the producer cannot go on: {error.str()}"))

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(POLL_SECONDS)


def _refused(topic: str, error: KafkaError) -> str:
    """Say which output the broker refused for good, and what would be right."""
    if error.code() in _NO_TOPIC:
        return f"an output was not delivered: there is no topic {topic} (any more); " + (
            "run `hedgerow topics create`, then start the worker again"
        )
    return f"an output for {topic} was not delivered: {error.str()}"
