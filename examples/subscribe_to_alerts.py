"""Act on hedgerow's alerts with a plain Kafka client: print each episode as it opens and resolves.

    python examples/subscribe_to_alerts.py --from-beginning --limit 3

It keeps its place in a consumer group of its own, so that a restart misses nothing, and drops what
a worker publishes again after a crash: a repeat has the same id.
"""

import argparse
import json
import os
from collections import OrderedDict

from confluent_kafka import Consumer

SERVERS = os.environ.get("HEDGEROW_KAFKA__BOOTSTRAP_SERVERS", "localhost:9092")
REMEMBERED = 100_000  # ids; a repeat comes within seconds, not after so many alerts


def main() -> None:
    """Read alerts until the limit, or until Ctrl-C."""
    options = argparse.ArgumentParser(description="Print alerts as they come.")
    options.add_argument("--servers", default=SERVERS, help=f"brokers; {SERVERS} if left out")
    options.add_argument("--topic", default="alerts")
    options.add_argument("--group", default="control-room")
    options.add_argument("--from-beginning", action="store_true", help="for a group that is new")
    options.add_argument("--limit", type=int, default=0, help="stop after so many; 0 for never")
    given = options.parse_args()

    consumer = Consumer(
        {
            "bootstrap.servers": given.servers,
            "group.id": given.group,
            "auto.offset.reset": "earliest" if given.from_beginning else "latest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6_000,
        }
    )
    consumer.subscribe([given.topic])
    seen: OrderedDict[str, None] = OrderedDict()
    try:
        while not given.limit or len(seen) < given.limit:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                raise SystemExit(f"{given.topic} cannot be read: {message.error().str()}")
            alert = json.loads(message.value())
            if alert["id"] not in seen:
                act_on(alert)
            seen[alert["id"]] = None
            if len(seen) > REMEMBERED:
                seen.popitem(last=False)
            consumer.commit(message)  # only now: a crash repeats an alert and never loses one
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()


def act_on(alert: dict[str, str]) -> None:
    """Do what a control room does; here, say it."""
    words = (alert[name] for name in ("at", "state", "severity", "series", "message"))
    print("  ".join(words))


if __name__ == "__main__":
    main()
