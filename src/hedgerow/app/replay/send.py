"""Replays a file of readings onto the readings' topic, at any speed.

Before: ``app/replay/readings_file`` reads the rows. After: the worker learns them like any others.
The key is the sensor id, so that one sensor stays in one partition and in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from confluent_kafka import KafkaError, KafkaException, Producer

from hedgerow.app.access.admission import UNAUTHORISED
from hedgerow.app.access.kafka import client_config
from hedgerow.app.access.permissions import Need, lacking_sentence
from hedgerow.app.errors import AccessRefused, BrokerUnavailable
from hedgerow.app.replay.readings_file import BadRow, Row
from hedgerow.app.settings import KafkaSettings

BAD_ROWS_SHOWN = 5
PROGRESS_EVERY = 500  # rows
_FLUSH_SECONDS = 30.0


class Sender(Protocol):
    """Where messages go."""

    def send(self, key: bytes, value: bytes) -> None:
        """Take one message; waits while too many are on their way."""
        ...

    def idle(self, seconds: float) -> None:
        """Spend some time, sending what is queued."""
        ...

    def finish(self) -> None:
        """Wait until everything has arrived."""
        ...


@dataclass(slots=True)
class Report:
    """What a replay did so far.

    Attributes
    ----------
    rows, messages, readings : int
        Rows read, messages sent, readings in them.
    bad_rows : int
        Rows that held no reading.
    first_bad : list[BadRow]
        The first few of those.
    """

    rows: int = 0
    messages: int = 0
    readings: int = 0
    bad_rows: int = 0
    first_bad: list[BadRow] = field(default_factory=list)


def replay(
    rows: Iterable[Row | BadRow],
    sender: Sender,
    *,
    speed: float = 0.0,
    limit: int | None = None,
    progress: Callable[[Report], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Send the rows' messages in their order.

    Parameters
    ----------
    speed : float
        How many times faster than the readings' own times; 0 means as fast as possible. Rows
        out of order are sent at once.
    limit : int, optional
        Stop after so many messages.
    progress : Callable[[Report], None]
        Called now and then, and at the end.

    Returns
    -------
    Report
        The counts, when everything has arrived.
    """
    report = Report()
    pace = _Pace(speed, sender, clock)
    for row in rows:
        report.rows += 1
        if isinstance(row, BadRow):
            report.bad_rows += 1
            if report.bad_rows <= BAD_ROWS_SHOWN:
                report.first_bad.append(row)
        else:
            if speed:
                pace.wait_for(row.time_ms, lambda: progress(report))
            sender.send(row.sensor_id.encode(), row.message)
            report.messages += 1
            report.readings += row.readings
        if report.rows % PROGRESS_EVERY == 0:
            progress(report)
        if report.messages == limit:
            break
    sender.finish()
    progress(report)
    return report


class _Pace:
    """Lets the readings' own time pass, faster by a factor."""

    _STEP_SECONDS = 0.1

    def __init__(self, speed: float, sender: Sender, clock: Callable[[], float]) -> None:
        self._speed = speed
        self._sender = sender
        self._clock = clock
        self._first: tuple[int, float] | None = None

    def wait_for(self, time_ms: int, tick: Callable[[], None]) -> None:
        if self._first is None:
            self._first = (time_ms, self._clock())
        began_ms, began = self._first
        due = began + (time_ms - began_ms) / 1000 / self._speed
        while (left := due - self._clock()) > 0:
            self._sender.idle(min(left, self._STEP_SECONDS))
            tick()


class KafkaSender:
    """Sends to a topic through confluent-kafka's idempotent producer, in a ``with`` block.

    Parameters
    ----------
    kafka : KafkaSettings
        The brokers.
    topic : str
        Where to.

    Raises
    ------
    BrokerUnavailable
        From every method, if a message cannot be delivered.
    AccessRefused
        From every method, if we may not write there.
    """

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._failure: str | None = None
        self._refused = False
        self._producer = Producer(
            {
                **client_config(kafka, "hedgerow-replay", on_error=self._on_error),
                "enable.idempotence": True,
                "partitioner": "murmur2_random",  # Java's, so that other clients agree
                "compression.type": kafka.compression,
                "message.timeout.ms": 60_000,
                # Failures reach the user as one sentence, from here.
                "log_level": 0,
            }
        )

    def send(self, key: bytes, value: bytes | None) -> None:
        """Queue one message, or the end of a compacted key; waits while the queue is full."""
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._on_delivery)
            except BufferError:
                self._producer.poll(0.1)
                self._check()
            except KafkaException as error:
                raise BrokerUnavailable(f"{self._topic}: {error.args[0].str()}") from None
            else:
                break
        self._producer.poll(0)
        self._check()

    def idle(self, seconds: float) -> None:
        """Serve delivery reports for so long."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            # poll returns at the first report
            self._producer.poll(left)
        self._check()

    def finish(self) -> None:
        """Wait until the broker has acknowledged everything."""
        left = self._producer.flush(_FLUSH_SECONDS)
        self._check()
        if left:
            raise BrokerUnavailable(
                f"{left} messages for {self._topic} were not acknowledged "
                f"within {_FLUSH_SECONDS:g} s"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Nothing is left unless something went wrong; then the client would wait for it.
        self._producer.purge()
        self._producer.flush(0)

    def _on_delivery(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._failure = self._failure or error.str()
            self._refused = self._refused or error.code() in UNAUTHORISED

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failure = self._failure or error.str()

    def _check(self) -> None:
        if self._refused:
            need = Need("topic", self._topic, "Write")
            raise AccessRefused(lacking_sentence(self._kafka, [need]))
        if self._failure is not None:
            raise BrokerUnavailable(f"a message for {self._topic} was lost: {self._failure}")
