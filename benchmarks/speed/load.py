"""``python -m benchmarks.speed.load``: publish readings at a steady rate, and note when.

A process of its own, so that its pace does not depend on who is measuring. Reading number n goes
out at its place in time; the moment it was handed to the producer is kept at place n of a file.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from confluent_kafka import Producer

from benchmarks.speed.readings import readings

TICK_SECONDS = 0.001


def publish(
    bootstrap: str, topic: str, rate: int, count: int, series: int, linger_ms: int, sent: Path
) -> None:
    """Publish ``count`` readings at ``rate`` a second; write the moments (monotonic, ns)."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
        }
    )
    moments = np.zeros(count, np.int64)
    began = time.monotonic_ns()
    due, each = 0, int(rate * TICK_SECONDS)
    for number, (key, value) in enumerate(readings(count, series)):
        if number >= due:
            due += each
            ahead = began + number * 1_000_000_000 // rate - time.monotonic_ns()
            producer.poll(0)
            if ahead > 0:
                time.sleep(ahead / 1e9)
        moments[number] = time.monotonic_ns()
        producer.produce(topic, key=key, value=value)
    producer.flush(30.0)
    np.save(sent, moments)


if __name__ == "__main__":
    publish(*sys.argv[1:3], *map(int, sys.argv[3:7]), Path(sys.argv[7]))
