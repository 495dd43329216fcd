"""Logs that mean harm: wild values, wild clocks, floods of ids, messages as large as may be."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from random import Random
from uuid import uuid4

from confluent_kafka import KafkaError, Message, Producer
from faults.log import scenario
from faults.log.logs import Entry, create_topics
from faults.log.scenario import DAY, HOUR, START_MS, TICK, iso

LARGEST, TINY = sys.float_info.max, 5e-324
SUMMER_TIME_ENDS = START_MS + 7 * DAY + HOUR  # 2025-10-26T01:00Z, in Vienna 03:00 becomes 02:00


def wild_values(slots: int = 400) -> list[Entry]:
    """Return series of every extreme beside a usual one, in one partition."""
    random = Random(5)
    shapes: dict[str, Iterator[float]] = {
        "f-huge": cycle([1e308, -1e308]),
        "f-largest": cycle([LARGEST, -LARGEST, LARGEST / 3]),
        "f-denormal": cycle([TINY, 0.0, -TINY, 1e-310]),
        "f-constant": cycle([7.5]),
        "f-zero": cycle([0.0, -0.0]),
        "f-jump": cycle([50.0] * 97 + [1e9]),
        "f-steps": cycle([50.0] * 60 + [1e9] * 60),
        "f-usual": iter(lambda: round(random.gauss(50.0, 5.0), 2), None),
    }
    return [
        _stamped(name, START_MS + slot * TICK, next(values))
        for slot in range(slots)
        for name, values in shapes.items()
    ]


def wild_clocks() -> list[Entry]:
    """Return readings whose stamps go wrong in every way, among those of sound clocks."""
    made = []
    for slot in range(300):
        now = START_MS + slot * TICK
        made.append(_stamped("f-sound", now, 20.0 + slot % 12))
        made.append(_stamped("f-backwards", START_MS + (300 - slot) * TICK, 5.0, now))
        made.append(_stamped("f-repeats", START_MS + slot // 3 * TICK, 5.0 + slot % 3, now))
        # A clock that is nearly a day fast for one reading, and right again: late until then.
        fast = 23 * HOUR if slot == 100 else 0
        made.append(_stamped("f-fast-once", now + fast, 9.0, now))
        if slot % 10 == 0:
            made += _impossible("f-sound", now)
    return [*made, *_summer_time_ends()]


def _impossible(name: str, now: int) -> Iterator[Entry]:
    stamps: list[object] = [
        "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-12:00", 253_402_300_799_000, -62_135_596_800_000, 1e300,
    ]  # fmt: skip
    for stamp in stamps:
        yield _entry(name, {"sensor_id": name, "timestamp": stamp, "value": 1.0}, now)


def _summer_time_ends() -> Iterator[Entry]:
    """Give the hour that comes twice, stamped with its offset, and stamped without."""
    for slot in range(-24, 24):
        now = SUMMER_TIME_ENDS + slot * TICK
        hours = 2 if now < SUMMER_TIME_ENDS else 1
        wall = iso(now + hours * HOUR).removesuffix("Z")
        for name, stamp in (("f-offset", f"{wall}+0{hours}:00"), ("f-wall", wall)):
            body = {"sensor_id": name, "timestamp": stamp, "value": 30.0 + slot % 12}
            yield _entry(name, body, now)


def flood(log: Sequence[Entry], ids: int, partitions: int) -> list[Entry]:
    """Return a log with so many readings of sensors never seen before strewn into its second half.

    All series of the log itself are known by then.
    """
    half = len(log) // 2
    made = list(log[:half])
    every = len(log[half:]) / ids
    due = 0.0
    number = 0
    for place, entry in enumerate(log[half:]):
        made.append(entry)
        while due <= place and number < ids:
            name = f"f-new-{number:06d}"
            body = {"sensor_id": name, "timestamp": entry.timestamp_ms, "value": 1.0}
            made.append(_entry(name, body, entry.timestamp_ms, number % partitions))
            number += 1
            due += every
    return made


def malformed(messages: int) -> Iterable[Entry]:
    """Give messages that are not readings, one after the other."""
    bad = [b"{", b"\xff\xfe", b"[]", b'{"sensor_id": 7}', b"null"]
    return (Entry(0, START_MS, b"f00", bad[n % len(bad)]) for n in range(messages))


def padded(bytes_in_all: int) -> Entry:
    """Return a sound reading of exactly so many bytes."""
    body = {"sensor_id": "f-large", "timestamp": START_MS, "value": 12.5, "note": ""}
    missing = bytes_in_all - len(json.dumps(body))
    return _entry("f-large", {**body, "note": "x" * missing}, START_MS)


def largest_accepted(bootstrap: str) -> int:
    """Find how many bytes the largest reading has that a topic of this broker takes."""
    topic = f"scale-{uuid4().hex[:8]}"
    create_topics(bootstrap, [topic], 1)
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 5_000_000})
    refusals: list[KafkaError] = []

    def told(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refusals.append(error)

    def taken(size: int) -> bool:
        refusals.clear()
        entry = padded(size)
        producer.produce(
            topic,
            key=entry.key,
            value=entry.value,
            partition=0,
            timestamp=entry.timestamp_ms,
            on_delivery=told,
        )
        assert producer.flush(30) == 0
        assert all(error.code() == KafkaError.MSG_SIZE_TOO_LARGE for error in refusals)
        return not refusals

    fits, too_large = 1_000_000, 1_100_000
    assert taken(fits)
    assert not taken(too_large)
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        fits, too_large = (middle, too_large) if taken(middle) else (fits, middle)
    return fits


def _stamped(name: str, at: int, value: float, written: int | None = None) -> Entry:
    body = {"sensor_id": name, "timestamp": iso(at), "value": value}
    return _entry(name, body, at if written is None else written)


def _entry(name: str, body: object, written: int, partition: int = 0) -> Entry:
    return Entry(partition, written, name.encode(), json.dumps(body).encode())


def usual(days: float = 3.0, partitions: int = 4, bad: float = 0.0) -> list[Entry]:
    """Return the scenario's usual log."""
    return scenario.entries(scenario.Shape(seed=3, days=days, partitions=partitions, bad=bad))
