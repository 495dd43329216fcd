"""Publish readings to hedgerow with a plain Kafka client: made-up bicycles on a bridge.

    python examples/publish.py --days 8

Nothing of hedgerow is imported: this is all that a sender needs.
"""

import argparse
import json
import math
import os
import sys
from datetime import UTC, datetime, timedelta

from confluent_kafka import KafkaError, Message, Producer

SERVERS = os.environ.get("HEDGEROW_KAFKA__BOOTSTRAP_SERVERS", "localhost:9092")


def main() -> int:
    """Send an hourly reading from some midnight up to this hour."""
    options = argparse.ArgumentParser(description="Publish readings of one sensor.")
    options.add_argument("--servers", default=SERVERS, help=f"brokers; {SERVERS} if left out")
    options.add_argument("--topic", default="sensor-data")
    options.add_argument("--sensor", default="bridge-1")
    options.add_argument("--days", type=int, default=8, help="how long ago the first one was")
    given = options.parse_args()

    failed: list[str] = []

    def acknowledged(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(error.str())

    # Java's partitioner, so that `hedgerow state repartition` finds each sensor again; and an
    # idempotent producer, so that a message sent anew after a lost answer is not there twice.
    producer = Producer(
        {
            "bootstrap.servers": given.servers,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "message.timeout.ms": 30_000,
        }
    )
    now = datetime.now(UTC)
    at = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=given.days)
    sent = 0
    while at <= now:
        rush = math.exp(-((at.hour - 8) ** 2) / 4) + math.exp(-((at.hour - 17) ** 2) / 6)
        value = {"sensor_id": given.sensor, "timestamp": at.isoformat(), "value": round(300 * rush)}
        # The key decides the partition: one sensor's readings stay in order.
        producer.produce(given.topic, json.dumps(value), given.sensor, on_delivery=acknowledged)
        producer.poll(0)
        at += timedelta(hours=1)
        sent += 1
    unsent = producer.flush(30)
    if failed or unsent:
        why = failed[0] if failed else f"{given.servers} did not acknowledge them within 30 s"
        print(f"{len(failed) + unsent} readings were not sent: {why}", file=sys.stderr)
        return 1
    print(f"{sent} readings of {given.sensor} sent to {given.topic}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
