"""A plain loop: ``poll``, learn with River, ``produce``; models in a dictionary, nothing stored."""

from __future__ import annotations

import json
import os
from collections import defaultdict

from confluent_kafka import Consumer, Producer

from benchmarks.peers.river_model import RiverSeries, encode, forecast


def main() -> None:
    """Run until told to end."""
    servers = {"bootstrap.servers": os.environ["BENCH_BOOTSTRAP"]}
    topic_out = os.environ["BENCH_PREDICTIONS"]
    consumer = Consumer({**servers, "group.id": topic_out, "auto.offset.reset": "earliest"})
    consumer.subscribe([os.environ["BENCH_READINGS"]])
    producer = Producer({**servers, "linger.ms": 5, "compression.type": "lz4"})
    models: dict[bytes, RiverSeries] = defaultdict(RiverSeries)
    while True:
        message = consumer.poll(0.1)
        if message is None:
            continue
        if message.error() is not None:
            raise SystemExit(f"the loop cannot read: {message.error()}")
        key = message.key()
        record = forecast(models[key], json.loads(message.value()))
        producer.produce(topic_out, key=key, value=encode(record))
        producer.poll(0)


if __name__ == "__main__":
    main()
