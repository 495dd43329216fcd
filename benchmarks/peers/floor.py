"""The floor: consume, decode, encode, produce, and nothing else.

What any Python worker on librdkafka has to pay that reads these readings and writes records of
the same fields and bytes as ours. It learns nothing, stores nothing and commits nothing.
"""

from __future__ import annotations

import os

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from hedgerow.topics.records import Forecast, Prediction, Reading

PARTITIONS = 8
BATCH = 2_000
HORIZONS = (1, 3, 12)


def main() -> None:
    """Run until told to end."""
    servers = {"bootstrap.servers": os.environ["BENCH_BOOTSTRAP"]}
    topic_in, topic_out = os.environ["BENCH_READINGS"], os.environ["BENCH_PREDICTIONS"]
    consumer = Consumer({**servers, "group.id": topic_out, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic_in, number, 0) for number in range(PARTITIONS)])
    producer = Producer(
        {
            **servers,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 200_000,
        }
    )
    decode = msgspec.json.Decoder(Reading).decode
    encode = msgspec.json.Encoder().encode
    prefix = f"{topic_in}:"
    while True:
        batch = []
        for message in consumer.consume(BATCH, timeout=0.1):
            if message.error() is not None:
                raise SystemExit(f"the floor cannot read: {message.error()}")
            reading = decode(message.value())
            sensor, stamp, value = reading.sensor_id, reading.timestamp, reading.value
            offset = message.offset()
            # Numbers of as many digits as forecasts have; a time that is at hand.
            forecasts = tuple(
                Forecast(horizon, stamp, value / 1.07, value / 1.09, value / 1.3, value / 0.7)
                for horizon in HORIZONS
            )
            record = Prediction(
                f"{prefix}{message.partition()}:{offset}:{sensor}",
                sensor, sensor, None, offset, stamp, value, "default", forecasts,
            )  # fmt: skip
            batch.append({"key": message.key(), "value": encode(record)})
        left = batch
        while left:
            queued = producer.produce_batch(topic_out, left)
            left = [e for e in left if e.pop("_error", None)] if queued < len(left) else []
            producer.poll(0.01 if left else 0)


if __name__ == "__main__":
    main()
