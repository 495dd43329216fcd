"""The readings that everybody gets: five-minute values of many sensors, one after the other.

As a city would send them: JSON of some 70 bytes, keyed by sensor, a daily wave with noise.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import Producer

BEGIN = 1_767_225_600  # 2026-01-01T00:00:00Z
ASK_EVERY = 10_000
DAY_SECONDS = 86_400


def readings(
    count: int, series: int, *, period_seconds: int = 300, first: int = 0
) -> Iterator[tuple[str, str]]:
    """Yield key and value of readings ``first`` to ``first + count``, slot by slot.

    Examples
    --------
    >>> next(readings(1, 10))
    ('s0', '{"sensor_id": "s0", "timestamp": "2026-01-01T00:00:00Z", "value": 50.00}')
    """
    slots_of_day = DAY_SECONDS // period_seconds
    slot, stamp, wave = -1, "", 0.0
    for number in range(first, first + count):
        if number // series != slot:
            slot = number // series
            moment = time.gmtime(BEGIN + period_seconds * slot)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
            wave = 50.0 + 30.0 * (slot % slots_of_day) / slots_of_day
        sensor = f"s{number % series}"
        value = wave + (number * 7919 % 101) / 10.0
        yield (
            sensor,
            f'{{"sensor_id": "{sensor}", "timestamp": "{stamp}", "value": {value:.2f}}}',
        )


def fill(
    bootstrap: str,
    topic: str,
    count: int,
    series: int,
    *,
    period_seconds: int = 300,
    first: int = 0,
) -> None:
    """Write readings to a topic and wait until all are acknowledged."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "batch.num.messages": 2_000,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    produce = producer.produce
    source = readings(count, series, period_seconds=period_seconds, first=first)
    for number, (key, value) in enumerate(source):
        while True:
            try:
                produce(topic, key=key, value=value)
                break
            except BufferError:
                producer.poll(0.1)
        if number % ASK_EVERY == 0:
            producer.poll(0)
    if producer.flush(120.0):
        raise RuntimeError(f"{topic} could not be filled: the broker does not acknowledge")
